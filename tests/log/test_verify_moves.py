"""What moves, lasts longer or ends early is proved: where it goes, where it comes from, and what it may become."""

import pytest
from tests.log.forged_moves import ALLOWED, FORGERIES
from tests.log.history import SUBDISTRICT
from tests.log.tampering import Connection, rewrite, rows_of, write

from booking.verify import verify

pytestmark = pytest.mark.asyncio


async def found_in(connection: Connection) -> list[tuple[int, str, str]]:
    report = await verify(connection, SUBDISTRICT, lambda _: None)
    return [(finding.position, finding.kind, finding.message) for finding in report.findings]


async def test_a_sound_chain_does_not_hide_a_move_that_cannot_be(tampered: Connection) -> None:
    """Each is found at the last event, which is the forged one, and first of all as what it is."""
    day = await rows_of(tampered)
    wrong = {}
    for what, (kind, forgery) in FORGERIES.items():
        await write(tampered, [row.data for row in day])
        last = len(await rewrite(tampered, forgery))
        found = await found_in(tampered)
        if {position for position, *_ in found} != {last} or found[0][1] != kind:
            wrong[what] = kind, last, found
    assert wrong == {}


async def test_a_sound_chain_with_a_move_that_may_just_be_is_proved(tampered: Connection) -> None:
    day = await rows_of(tampered)
    wrong = {}
    for what, forgery in ALLOWED.items():
        await write(tampered, [row.data for row in day])
        await rewrite(tampered, forgery)
        if found := await found_in(tampered):
            wrong[what] = found
    assert wrong == {}
