"""Puts together what the driver, the simulators, the logs, the documents and the broker know about a round."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pusher.simulators import misbehaviour as be
from pusher.simulators.ledger import ReceivedRequest, SeenConnection
from pusher.simulators.stage import Stage
from tests.soak.driver import Driver, Placed, SoakPhone
from tests.soak.publisher import Publication, WatchedPublisher
from tests.soak.record import Answer, DeviceRecord, Expect, Fate, Line, Push, Registration, Request

_CALL = re.compile(r"soak-\d+@127\.0\.0\.1")
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) (\w+) (.*)")
#: Seconds of a call in which the death of its token counts.
_ABOUT_S = 15.0


class Logs:
    """Reads what the processes have printed since it was asked last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def read(self) -> tuple[dict[str, list[Line]], list[Line]]:
        """Return the lines by Call-ID, and those that tell of an error, with the beginning of their traceback."""
        by_call: dict[str, list[Line]] = defaultdict(list)
        errors: list[Line] = []
        for path in sorted(self._folder.glob("*.log")):
            with path.open(errors="replace") as log:
                log.seek(self._read.get(path, 0))
                _sort(log, path.stem, by_call, errors)
                self._read[path] = log.tell()
        return by_call, errors


def _sort(log: TextIO, process: str, by_call: dict[str, list[Line]], errors: list[Line]) -> None:
    """Add the lines of `log`. What has a traceback below it counts as an error whatever its level."""
    last, in_traceback = Line(at=0.0, process=process, text=""), False
    for raw in iter(log.readline, ""):
        matched = _LINE.match(raw)
        if matched is None:
            in_traceback = in_traceback or "Traceback (most recent call last)" in raw
            if in_traceback:
                if not errors or errors[-1] != last:
                    errors.append(last)
                # What stays is the traceback's last line.
                last = errors[-1] = replace(last, text=f"{last.text.partition(' | ')[0]} | {raw.strip()[:400]}")
            continue
        in_traceback = False
        last = Line(at=datetime.fromisoformat(matched[1]).timestamp(), process=process, text=f" {matched[3][:400]} ")
        call = _CALL.search(raw)
        if call is not None:
            by_call[call[0]].append(last)
        if matched[2] in ("ERROR", "CRITICAL"):
            errors.append(last)


def pushes(
    driver: Driver, stage: Stage, publisher: WatchedPublisher, lines: Mapping[str, list[Line]]
) -> tuple[Push, ...]:
    """Return all pushes of a round."""
    requests, accepted = _requests(stage), _accepted(stage)
    wakeups: dict[str, list[Registration]] = defaultdict(list)
    by_device: dict[str, list[Registration]] = defaultdict(list)
    for each in publisher.registrations:
        by_device[each.device].append(each)
        wakeups[each.registration_token or ""].append(each)
    return tuple(
        _push(
            placed,
            publisher.publications[placed.call.msg_id],
            requests=tuple(requests[placed.call_id]),
            accepted_at=tuple(sorted(accepted[placed.call_id])),
            wakeups=tuple(wakeups[placed.call.registration_token]),
            registered_at=tuple(each.at for each in by_device[placed.phone.handset.device_id]),
            lines=tuple(sorted(lines.get(placed.call_id, ()), key=lambda line: line.at)),
        )
        for placed in driver.placed
    )


def _push(
    placed: Placed,
    publication: Publication,
    *,
    requests: tuple[Request, ...],
    accepted_at: tuple[float, ...],
    wakeups: tuple[Registration, ...],
    registered_at: tuple[float, ...],
    lines: tuple[Line, ...],
) -> Push:
    offset = time.time() - time.monotonic()
    return Push(
        msg_id=placed.call.msg_id,
        call_id=placed.call_id,
        device=placed.phone.handset.device_id,
        provider=placed.phone.provider,
        expect=_expected(placed, publication),
        published_at=publication.at,
        fate=publication.fate,
        requests=requests,
        accepted_at=accepted_at,
        answers=tuple(
            Answer(at=at + offset, said=said["Push-Reason"] if said["Push-Status"] == "failed" else "registered")
            for at, said in placed.call.answers
        ),
        wakeups=wakeups,
        registered_at=registered_at,
        lines=lines,
    )


def _expected(placed: Placed, publication: Publication) -> Expect:
    died_at = placed.phone.deaths.get(placed.token)
    if placed.expect is Expect.PUSHED and died_at is not None and died_at <= publication.at + _ABOUT_S:
        return Expect.EITHER
    return placed.expect


def _requests(stage: Stage) -> Mapping[str, list[Request]]:
    found: dict[str, list[Request]] = defaultdict(list)
    for provider in (stage.apns, stage.fcm):
        connections = {seen.connection_id: seen for seen in provider.connections}
        for request in provider.requests:
            call = _CALL.search(request.body.decode("utf-8", "replace"))
            if call is not None:
                found[call[0]].append(_request(request, connections.get(request.connection_id)))
    return found


def _request(request: ReceivedRequest, connection: SeenConnection | None) -> Request:
    behaviour = request.behaviour
    return Request(
        at=request.at,
        behaviour=None if behaviour is None else repr(behaviour),
        loses_answer=isinstance(behaviour, be.Instead) and behaviour.accept,
        status=None if request.answer is None else request.answer.status,
        connection_closed_at=None if connection is None else connection.closed_at,
    )


def _accepted(stage: Stage) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    contents = [(push.at, push.payload) for push in stage.apns.accepted]
    contents += [(message.at, message.message) for message in stage.fcm.accepted]
    for at, content in contents:
        call = _CALL.search(repr(content))
        if call is not None:
            found[call[0]].append(at)
    return found


def devices(
    driver: Driver, publisher: WatchedPublisher, found: Mapping[str, str | None], made: Iterable[Push]
) -> tuple[DeviceRecord, ...]:
    """Return what each device's document should hold, and does: `found` has their Token-IDs."""
    by_device: dict[str, list[Registration]] = defaultdict(list)
    for each in publisher.registrations:
        by_device[each.device].append(each)
    told: dict[str, list[float]] = defaultdict(list)
    for push in made:
        told[push.device] += [answer.at for answer in push.answers if answer.said == Expect.DEAD_TOKEN]
    return tuple(
        _device(phone, tuple(by_device[phone.handset.device_id]), found, told[phone.handset.device_id])
        for phone in driver.phones
    )


def _device(
    phone: SoakPhone, registrations: tuple[Registration, ...], found: Mapping[str, str | None], told: list[float]
) -> DeviceRecord:
    device = phone.handset.device_id
    last = next((each.token for each in reversed(registrations) if each.fate is Fate.TAKEN), "")
    dead_since = phone.deaths.get(last)
    return DeviceRecord(
        device=device,
        registrations=registrations,
        found=found[device],
        dead_since=dead_since,
        told_dead_at=next((at for at in told if dead_since is not None and at > dead_since), None),
    )
