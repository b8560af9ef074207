"""All fuzz targets, by name."""

from tests.fuzz.target import Target
from tests.fuzz.targets import answers, bus, http2, messages, pushes, registrations, settings

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        messages.MESSAGE,
        messages.JSON_TEXT,
        pushes.ROUND_TRIP,
        pushes.TASK_ARGUMENT,
        pushes.PAYLOAD,
        registrations.CONTACT,
        registrations.USER_AGENTS,
        http2.BYTES,
        http2.FRAMES,
        http2.HEADER_BLOCKS,
        http2.CUTTER,
        answers.ANSWER,
        settings.DOCUMENTS,
        settings.CREDENTIAL,
        settings.ADDRESS,
        bus.PROPERTIES,
        bus.LETTER,
    )
}
