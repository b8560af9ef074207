"""Redis, documents and settings as `pusher check` sees them."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pusher.cli.checks.finding import Fact, Finding, Note, Status, failed, joined, ok, warn
from pusher.documents import credentials, pusher_document
from pusher.documents.credentials import Form
from pusher.documents.sealed import SecretKeys
from pusher.errors import PusherError
from pusher.stores.inspection import OLDEST, inspect
from pusher.wiring import Edges


def redis(edges: Edges) -> Finding:
    """Return whether Redis can be used."""
    began = time.monotonic()
    try:
        state = inspect(edges.redis)
    except PusherError as error:
        advice = f"look at PUSHER_REDIS_URL, and whether Redis runs{_or_tls(edges.settings.redis_url, error)}"
        return failed("redis", f"{str(error).rstrip('.')}: {advice}")
    if state is None:
        return warn("redis", "reached; our user may not ask INFO, so version and eviction policy are not known")
    facts: dict[str, Fact] = {"version": state.version, "ms": round(1000 * (time.monotonic() - began), 1)}
    if state.too_old:
        needed = ".".join(map(str, OLDEST))
        return failed("redis", f"version {state.version} is too old: {needed} or later is needed", **facts)
    if state.replica:
        return failed("redis", "it is a replica and takes no writes: point PUSHER_REDIS_URL at the primary", **facts)
    if state.refusal is not None:
        return failed(
            "redis", f"it takes no writes, so no call is answered when its phone registers: {state.refusal}", **facts
        )
    if state.eviction is not None:
        text = "a full memory drops waiting calls, which then get no answer: set maxmemory-policy noeviction"
        return warn("redis", f"maxmemory-policy is {state.eviction}: {text}", **facts)
    return ok("redis", f"reached, version {state.version}", **facts)


def documents(edges: Edges) -> Iterator[Finding]:
    """Yield whether the documents can be read, and what of the `pusher` document cannot be used."""
    began = time.monotonic()
    try:
        document = pusher_document.read(edges.documents)
        skipped, rules = edges.system_config.skipped(), edges.system_config.user_agents()
    except PusherError as error:
        advice = f"look at PUSHER_DOCUMENTS_URL{_or_tls(edges.settings.documents_url, error)}"
        yield failed("documents", f"{error}: {advice}")
        return
    ms = round(1000 * (time.monotonic() - began), 1)
    exists = "_rev" in document
    if exists:
        yield ok("documents", "reached, the pusher document is there", exists=True, ms=ms)
    else:
        yield warn("documents", "reached, but there is no pusher document: add an app, or import Kazoo's", exists=False)
    zone = edges.settings.zone
    if zone is not None and exists and zone not in document:
        yield warn("zone", f"PUSHER_ZONE is {zone}, and the pusher document has no such section: only default counts")
    for problem in skipped:
        text = f"{problem.problem}, and is skipped: correct it in the pusher document"
        yield warn(f"setting {problem.name}", text, problem=problem.problem)
    yield from _credentials(document, edges.secret_keys)
    if rules:
        yield ok("User-Agents", f"{len(rules)} rules: {', '.join(rule.name for rule in rules)}", rules=len(rules))
    elif exists:
        text = "no rule: only phones that speak RFC 8599 are learned. Others need pusher maintenance add-user-agent"
        yield warn("User-Agents", text, rules=0)


def _credentials(document: Mapping[str, Any], keys: SecretKeys) -> Iterator[Finding]:
    """Yield how credentials are saved, where any of them is encrypted or is to be; their apps tell what it means."""
    forms = Counter(each.form for each in credentials.in_document(document, keys))
    if not keys.names and forms.keys() <= {Form.PLAIN}:
        return
    total, remedy = forms.total(), "pusher maintenance encrypt-credentials"
    notes: list[Note] = []
    if keys.names:
        first = f"key #{keys.names[0]}"
        notes.append((Status.OK, f"{forms[Form.ENCRYPTED]} of {total} encrypted with {first}"))
        if forms[Form.PLAIN]:
            notes.append((Status.WARN, f"{forms[Form.PLAIN]} of {total} saved plain: {remedy}"))
        if forms[Form.OLDER_KEY]:
            text = f"{forms[Form.OLDER_KEY]} of {total} encrypted with an older key than {first}"
            notes.append((Status.WARN, f"{text}, which is needed until all are encrypted anew: {remedy}"))
    if forms[Form.UNREADABLE]:
        notes.append((Status.WARN, f"{forms[Form.UNREADABLE]} of {total} cannot be decrypted"))
    yield joined("credentials", notes, {str(form): forms[form] for form in Form})


def _or_tls(url: str, error: PusherError) -> str:
    """Return more advice where the server may have taken what we said for broken TLS."""
    scheme = url.partition(":")[0]
    if scheme in ("redis", "http") and any(
        word in str(error) for word in ("reset by peer", "Connection closed", "ended the connection")
    ):
        return f", and whether it expects TLS ({scheme}s://)"
    return ""
