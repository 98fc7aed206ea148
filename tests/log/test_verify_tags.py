"""Whatever is done to the tag index is found, row by row; it must be equal to the tags of the events."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.log.history import SUBDISTRICT
from tests.log.tampering import Connection, places, position_of, proved

from booking import log
from booking.verify import Finding, index, proof

pytestmark = pytest.mark.asyncio


async def test_a_removed_tag_row_is_found(tampered: Connection) -> None:
    position = await position_of(tampered, "BookingApproved")
    await tampered.execute(
        "DELETE FROM booking.event_tags WHERE position = $1 AND tag LIKE 'resource:floor:%'", position
    )
    report = await proved(tampered)
    message = "the event is not found under its tag resource:floor:2026-11-24"
    assert report.findings == (Finding(position, "tag_missing", message),)


async def test_an_added_tag_row_is_found(tampered: Connection) -> None:
    await tampered.execute("INSERT INTO booking.event_tags VALUES ('gumei', 'rules', 3)")
    report = await proved(tampered)
    assert report.findings == (Finding(3, "tag_added", "the index has a row rules that the event does not have"),)


@pytest.mark.parametrize("position", [-5, 0, 42, 9_000])
async def test_a_tag_row_where_no_event_is_found(tampered: Connection, position: int) -> None:
    await tampered.execute("INSERT INTO booking.event_tags VALUES ('gumei', 'rules', $1)", position)
    assert places(await proved(tampered)) == [(position, "tag_added")]


async def test_tag_rows_that_changed_places_are_found(tampered: Connection) -> None:
    """Neither their number nor their positions differ: a row moved from one tag to another."""
    first, second = await position_of(tampered, "StationOpened"), await position_of(tampered, "SpaceOpened")
    await tampered.execute(
        "UPDATE booking.event_tags SET position = $1 + $2 - position WHERE position IN ($1, $2)", first, second
    )
    found = places(await proved(tampered))
    assert found == [
        (first, "tag_added"), (first, "tag_missing"), (second, "tag_added"), (second, "tag_missing"),
    ]  # fmt: skip


async def test_only_so_many_stretches_are_looked_at_row_by_row(
    tampered: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (proof, index):
        monkeypatch.setattr(module, "STRETCH", 4)
    monkeypatch.setattr(proof, "STRETCHES_EXAMINED_MAX", 2)
    await tampered.execute(
        "INSERT INTO booking.event_tags SELECT 'gumei', 'odd', n FROM unnest('{3,9,17,33}'::int[]) n"
    )
    assert places(await proved(tampered)) == [(3, "tag_added"), (9, "tag_added"), (16, "tags"), (32, "tags")]


@given(choice=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_changed_row_of_the_index_is_found(tampered: Connection, choice: st.DataObject) -> None:
    """Another tag, another position, or both: the row is missing where it was, and added where it is now."""
    tags = await log.tags_after(tampered, SUBDISTRICT, ("", 0), 1_000)
    old = choice.draw(st.sampled_from(tags))
    tag = choice.draw(st.sampled_from([tag for tag, _ in tags]) | st.text("abc:-0", max_size=4))
    new = (tag, choice.draw(st.integers(1, max(position for _, position in tags))))
    if new in tags:
        return
    changing = tampered.transaction()
    await changing.start()
    try:
        await tampered.execute(
            "UPDATE booking.event_tags SET tag = $1, position = $2 WHERE tag = $3 AND position = $4", *new, *old
        )
        assert sorted(places(await proved(tampered))) == sorted([(new[1], "tag_added"), (old[1], "tag_missing")])
    finally:
        await changing.rollback()
