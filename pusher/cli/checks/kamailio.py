"""Mistakes of Kamailio's role that show on the bus, and whether the listener answers it (facts: kazoo.md 1, 2, 4)."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from pusher.bus import burial
from pusher.bus.dead_letters import DeadLetter
from pusher.bus.inspection import CANARY_TYPE, Inspection
from pusher.bus.topology import CALLS, DEAD, registrations
from pusher.cli.checks.finding import Fact, Finding, failed, ok, warn
from pusher.clock import Deadline, utcnow
from pusher.push.outcome import FailureReason
from pusher.redact import text as redacted

#: Older letters are about trouble that somebody may have mended since.
_RECENT = timedelta(days=1)
#: Seconds and letters that reading pusher.dead may take.
_READING_S, _READ_MOST = 3.0, 10_000
#: Seconds in which a running listener answers; Kamailio's own default patience.
_PATIENCE_S = 2.0
#: Proxies that are asked whether they hear: a platform has fewer.
_MOST_PROXIES = 50


def _about(letter: DeadLetter) -> tuple[str, str]:
    """Return what a letter has in common with others of its kind, and the likely cause with the remedy."""
    calls, field = letter.queue == CALLS, letter.problem.partition(":")[0]
    kind = "push requests" if calls else "registrations" if letter.queue == registrations().name else "messages"
    match letter.reason:
        case "message_invalid" if field == "body":
            return (
                f"{kind} that are no JSON",
                'a name with " or \\ in it, or an empty variable, broke them: escape what a phone sends in the role',
            )
        case "message_invalid":
            return (
                f"{kind} whose {redacted(field)[:40]} cannot be used",
                f"it {redacted(letter.problem.partition(':')[2].strip())[:80]}: look at what the role puts there",
            )
        case "expired" if calls:
            return (
                f"{kind} that nobody took in time",
                "no listener ran, or it was too slow or had no broker for its tasks: their calls were lost",
            )
        case "rejected":
            return (
                f"{kind} that cannot be read off the wire",
                "their routing key is not UTF-8: look at the Token-ID that the role puts into it",
            )
        case "internal_error":
            return f"{kind} that met a fault in Pusher", "the listener's log has a traceback: report it"
        case burial.TASK_INVALID:
            return (
                "tasks that cannot be used",
                f"it {redacted(letter.problem)[:80]}: another release, or a stranger, put them into the queue",
            )
        case _:
            return f"{kind} with the reason {redacted(letter.reason)[:40]}", "see pusher dead list"


def dead_letters(look: Inspection) -> Iterator[Finding]:
    """Yield what pusher.dead tells of the last day, by kind. Raises `BusUnavailable`."""
    state = look.queue(DEAD.name)
    count = 0 if state is None else state.messages
    letters = look.dead_letters(min(count, _READ_MOST), Deadline.after(_READING_S)) if count else []
    since = (utcnow() - _RECENT).replace(tzinfo=None)
    kinds: dict[tuple[str, str], list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        if _when(letter) >= since and not letter.routing_key.startswith(f"notification.push.{CANARY_TYPE}."):
            kinds[_about(letter)].append(letter)
    if not kinds:
        yield ok("dead letters", f"none of the last day in {DEAD.name}, {count} in all", messages=count)
    for (kind, cause), found in kinds.items():
        last = max(found, key=_when)
        yield warn(
            "dead letters",
            f"{len(found)} {kind} in the last day: {cause} (pusher dead show {last.letter_id})",
            messages=len(found),
            kind=kind,
            last_at=f"{_when(last):%Y-%m-%dT%H:%M:%S}Z",
            letter_id=last.letter_id,
        )


def _when(letter: DeadLetter) -> datetime:
    """Return when the letter came, in UTC without saying so; what has no time we can read counts as just come."""
    try:
        at = datetime.fromisoformat(letter.at)
    except ValueError:
        return utcnow().replace(tzinfo=None)
    # RabbitMQ's timestamps come without a zone.
    return at if at.tzinfo is None else at.astimezone(utcnow().tzinfo).replace(tzinfo=None)


def waiting_calls(look: Inspection, server_ids: list[str], node: str) -> Finding:
    """Return whether the answers to calls that wait now would reach anybody. Raises `BusUnavailable`."""
    proxies = list(dict.fromkeys(server_ids))[:_MOST_PROXIES]
    deaf = [server_id for server_id in proxies if not look.is_heard(server_id, node)]
    facts: dict[str, Fact] = {"calls": len(server_ids), "proxies": len(proxies), "deaf": deaf}
    if not deaf:
        return ok("waiting calls", f"{len(server_ids)} wait now, and every proxy can be answered", **facts)
    return warn(
        "waiting calls",
        f"answers to {', '.join(deaf)} reach nobody: that Kamailio was restarted since it asked, or exchange targeted "
        "was made again under it. If this stays, restart Kamailio",
        **facts,
    )


def canary(look: Inspection, node: str, listening: bool) -> Finding:
    """Return whether the listener answers a request that it must refuse. Raises `BusUnavailable`."""
    if not listening:
        return warn("canary", "not sent: no listener takes push requests", sent=False)
    seen = look.canary(node, _PATIENCE_S)
    facts: dict[str, Fact] = {"sent": True, "ms": round(seen.ms, 1)}
    if not seen.routed:
        return failed(
            "canary",
            f"exchange pushes does not lead to {CALLS}: it was deleted and made again under the listener. Restart the "
            "listener, then Kamailio",
            **facts,
        )
    if seen.response is None:
        return failed(
            "canary",
            f"the listener took no test request, or did not answer it, within {_PATIENCE_S:.0f} s: look at its log, it "
            "may hang or have no broker for its answers",
            **facts,
        )
    reason = (seen.response.failure or ("registered", ""))[0]
    if reason != FailureReason.UNKNOWN_TOKEN_TYPE:
        return failed("canary", f"somebody else answers push requests: {redacted(reason)[:40]}", **facts)
    return ok("canary", f"the listener answered a test request after {seen.ms:.0f} ms", **facts)
