"""A log made by a real desk is proved; whatever is done to it afterwards is found, where it was done."""

import asyncio
import collections
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import TestDatabase
from tests.log.forgeries import ALLOWED, FORGERIES, forged, like
from tests.log.history import CODEC, LIN, SUBDISTRICT, at, station
from tests.log.tampering import (
    Connection,
    Envelope,
    envelopes_of,
    places,
    position_of,
    proved,
    rewrite,
    rows_of,
    write,
)

from booking import log, subjects
from booking.verify import Checkpoint, Progress, proof, reading, verify
from booking.verify.bookings import Bookings
from booking.verify.report import FINDINGS_OF_A_KIND_MAX, Findings

pytestmark = pytest.mark.asyncio


async def test_a_log_with_every_event_type_is_proved(tampered: Connection, log_database: TestDatabase) -> None:
    """By the app's own role, which may only read and append."""
    rows = await rows_of(tampered)
    assert {type(CODEC.decode(row.data).event) for row in rows} == set(subjects.EVENTS)
    connection = await asyncpg.connect(log_database.app)
    report = await proved(connection)
    await connection.close()
    assert report.findings == ()
    assert report.ok
    assert len(report.proved) == 5
    assert report.checkpoint == Checkpoint(len(rows), rows[-1].hash.hex())
    tags = await log.tags_after(tampered, SUBDISTRICT, ("", 0), 1_000)
    assert (report.events, report.tags, report.bookings) == (len(rows), len(tags), 10)


async def test_an_empty_log_is_proved(log_database: TestDatabase) -> None:
    connection = await asyncpg.connect(log_database.app)
    report = await proved(connection)
    await connection.close()
    assert report.ok
    assert report.proved == ("The log is empty, and so is its index.",)
    assert report.checkpoint == Checkpoint(0, hashlib.sha256(b"linyuegumei").hexdigest())


async def test_every_type_and_version_ever_shipped_is_known_to_verify() -> None:
    """A new event type needs a line in `reading.TAGS`, and one in `bookings` where it changes what is held."""
    shipped = {(type_.__name__, version) for type_ in subjects.EVENTS for version in range(1, type_.version + 1)}
    assert reading.TAGS.keys() == shipped


async def test_progress_tells_both_stages_up_to_their_end(
    tampered: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "EVENTS_AT_ONCE", 10)
    monkeypatch.setattr(proof, "TAGS_AT_ONCE", 10)
    told: list[Progress] = []
    report = await verify(tampered, SUBDISTRICT, told.append)
    assert [p.done for p in told if p.stage == "events"] == [10, 20, 30, 40, report.events]
    assert [p for p in told if p.stage == "tags"][-1] == Progress("tags", report.tags, report.tags)


# What can be done to rows.


@pytest.mark.parametrize("position", [1, 11, 41])
async def test_a_changed_byte_is_found_where_it_is(tampered: Connection, position: int) -> None:
    """One that leaves a readable event: only the chain knows."""
    changed = 'set_byte(data, position(\'"channel":"\'::bytea in data) + 10, 120)'
    await tampered.execute(f"UPDATE booking.events SET data = {changed} WHERE position = $1", position)
    assert places(await proved(tampered)) == [(position, "chain")]


async def test_a_changed_byte_that_breaks_an_event_says_so(tampered: Connection) -> None:
    await tampered.execute("UPDATE booking.events SET data = set_byte(data, 0, 91) WHERE position = 11")
    assert places(await proved(tampered)) == [(11, "chain"), (11, "form")]


async def test_a_swapped_pair_is_found_at_its_first(tampered: Connection) -> None:
    await tampered.execute(
        "UPDATE booking.events e SET data = o.data, hash = o.hash FROM booking.events o"
        " WHERE e.position IN (3, 4) AND o.position = 7 - e.position"
    )
    found = places(await proved(tampered))
    assert {(3, "chain"), (3, "envelope"), (4, "chain"), (4, "envelope")} <= set(found)
    assert found[0][0] == 3


async def test_a_removed_event_leaves_a_gap(tampered: Connection) -> None:
    position = await position_of(tampered, "BookingRefused")
    await tampered.execute("DELETE FROM booking.events WHERE position = $1", position)
    await tampered.execute("DELETE FROM booking.event_tags WHERE position = $1", position)
    assert places(await proved(tampered)) == [(position, "gap")]


async def test_removed_events_whose_tags_remain_are_found_by_these_too(tampered: Connection) -> None:
    await tampered.execute("DELETE FROM booking.events WHERE position IN (2, 3)")
    assert places(await proved(tampered)) == [(2, "gap"), (2, "tag_added"), (3, "tag_added")]


async def test_a_removed_last_event_shows_only_by_a_checkpoint(tampered: Connection) -> None:
    before = await proved(tampered)
    last = before.checkpoint.position
    await tampered.execute("DELETE FROM booking.events WHERE position = $1", last)
    assert places(await proved(tampered)) == [(last, "tag_added")]
    await tampered.execute("DELETE FROM booking.event_tags WHERE position = $1", last)
    assert places(await proved(tampered)) == []
    assert places(await proved(tampered, before.checkpoint)) == [(last, "checkpoint")]


async def test_a_log_written_anew_shows_only_by_a_checkpoint(tampered: Connection) -> None:
    """Its owner made another chain that is sound in itself."""
    before = await proved(tampered)

    def other_actor(envelopes: list[Envelope]) -> None:
        envelopes[0]["actor"] = "somebody-else"

    await rewrite(tampered, other_actor)
    assert places(await proved(tampered)) == []
    report = await proved(tampered, before.checkpoint)
    assert places(report) == [(before.checkpoint.position, "checkpoint")]
    assert len(report.proved) == 5


async def test_a_log_that_has_grown_still_meets_its_checkpoint(tampered: Connection) -> None:
    rows = await rows_of(tampered)
    for checkpoint in (Checkpoint(0, log.first_hash(SUBDISTRICT).hex()), Checkpoint(20, rows[19].hash.hex())):
        report = await proved(tampered, checkpoint)
        assert report.ok
        assert len(report.proved) == 6


async def test_a_duplicate_at_the_end_is_found(tampered: Connection) -> None:
    """Chained as it should be: only its envelope speaks against it."""
    rows = await rows_of(tampered)
    again, last = rows[8], rows[-1]
    hash_ = log.next_hash(last.hash, again.data)
    await tampered.execute(
        "INSERT INTO booking.events VALUES ($1, $2, $3, $4)", SUBDISTRICT, last.position + 1, again.data, hash_
    )
    found = places(await proved(tampered))
    assert (last.position + 1, "envelope") in found
    assert {position for position, _ in found} == {last.position + 1}


async def test_a_duplicate_between_two_events_is_found(tampered: Connection) -> None:
    await tampered.execute("UPDATE booking.events SET position = position + 1000 WHERE position > 8")
    await tampered.execute("UPDATE booking.events SET position = position - 999 WHERE position > 1000")
    await tampered.execute(
        "INSERT INTO booking.events SELECT subdistrict, 9, data, hash FROM booking.events WHERE position = 8"
    )
    found = places(await proved(tampered))
    assert found[0][0] == 9
    assert {(9, "chain"), (9, "envelope"), (10, "envelope")} <= set(found)


async def test_a_changed_hash_is_found_where_it_is_and_nowhere_else(tampered: Connection) -> None:
    await tampered.execute(
        "UPDATE booking.events SET hash = set_byte(hash, 31, 255 - get_byte(hash, 31)) WHERE position = 20"
    )
    assert places(await proved(tampered)) == [(20, "chain")]


async def test_changed_hashes_side_by_side_are_each_found(tampered: Connection) -> None:
    await tampered.execute("UPDATE booking.events SET hash = sha256(hash) WHERE position IN (20, 21, 22)")
    assert {(20, "chain"), (21, "chain"), (22, "chain")} <= set(places(await proved(tampered)))


# What is written beside it.


async def test_what_is_appended_meanwhile_is_left_to_the_next_proof(
    tampered: Connection, log_database: TestDatabase
) -> None:
    """Its rows are in the index already, and are no fault."""

    async def book() -> None:
        async with station(log_database.app) as there:
            there.now = at("24 18:00")
            await there.book(LIN, "tribe", "26 09:00", "26 10:00")

    def between_the_stages(progress: Progress) -> None:
        if progress.stage == "events":
            with ThreadPoolExecutor(max_workers=1) as pool:
                pool.submit(asyncio.run, book()).result()

    report = await verify(tampered, SUBDISTRICT, between_the_stages)
    assert report.ok
    assert (await log.head(tampered, SUBDISTRICT)).position == report.checkpoint.position + 1


# What can be done by somebody who makes a sound chain and sound tags again.


async def test_a_sound_chain_does_not_hide_what_cannot_be(tampered: Connection) -> None:
    """Chain, positions and tags were made anew after it: each is found where it is, and first of all as what it is."""
    day = await rows_of(tampered)
    found: dict[str, tuple[int, str]] = {}
    for what, (_, forgery) in FORGERIES.items():
        await write(tampered, [row.data for row in day])
        await rewrite(tampered, forgery)
        first, *others = places(await proved(tampered))
        found[what] = first
        assert {position for position, _ in others} <= {len(day) + 1}, what
    assert found == {what: (len(day) + 1, kind) for what, (kind, _) in FORGERIES.items()}


async def test_a_sound_chain_with_what_may_just_be_is_proved(tampered: Connection) -> None:
    day = await rows_of(tampered)
    found: dict[str, list[tuple[int, str]]] = {}
    for what, forgery in ALLOWED.items():
        await write(tampered, [row.data for row in day])
        await rewrite(tampered, forgery)
        found[what] = places(await proved(tampered))
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b'"n":', b'"n": '),
        lambda data: b"{" + data[data.index(b'"at"') : -1] + b',"actor":"wang"}',
        lambda data: data.replace(b"zhao", b"zh\\u0061o"),
        lambda data: data.replace(b'"v":1', b'"v":1,"v":1'),
        lambda data: data + b"\n",
    ],
    ids=["white space", "another order", "an escape", "a key twice", "an end of line"],
)
async def test_bytes_that_are_not_canonical_are_found(tampered: Connection, spoil: Callable[[bytes], bytes]) -> None:
    rows = await rows_of(tampered)
    position = await position_of(tampered, "BookingRefused")
    datas = [spoil(row.data) if row.position == position else row.data for row in rows]
    assert datas[position - 1] != rows[position - 1].data
    await write(tampered, datas)
    assert (position, "bytes") in places(await proved(tampered))


async def test_findings_are_all_counted_and_listed_within_a_bound(tampered: Connection) -> None:
    def many(envelopes: list[Envelope]) -> None:
        for n in range(3 * FINDINGS_OF_A_KIND_MAX):
            forged("BookingRefused", cause=99_999, command=f"forged-{n}")(envelopes)

    await rewrite(tampered, many)
    report = await proved(tampered)
    kinds = collections.Counter(finding.kind for finding in report.findings)
    assert kinds["cause"] == FINDINGS_OF_A_KIND_MAX
    assert report.found >= 3 * FINDINGS_OF_A_KIND_MAX
    assert report.findings[0].position == 42


async def test_days_long_past_are_forgotten(tampered: Connection) -> None:
    """A year of one booking a day, each closed out: what is held in memory does not grow with the log."""
    findings = Findings()
    bookings = Bookings(findings)
    most = 0
    for envelope in _a_year_of(await envelopes_of(tampered)):
        bookings.replay(envelope["position"], reading.event(envelope))
        most = max(most, len(bookings._lives) + len(bookings._days) + len(bookings._last_days))
    bookings.settle()
    assert findings.in_order() == ()
    assert bookings.made > 365
    assert most < 40


def _a_year_of(envelopes: list[Envelope]) -> Iterable[Envelope]:
    yield from envelopes[:38]
    making, missing = envelopes[37], like(envelopes, "NoShowRecorded")
    for n in range(365):
        start = at("26 14:00") + timedelta(days=n)
        slot = {"start": start, "end": start + timedelta(hours=1), "held_until": start + timedelta(minutes=70)}
        texts = {key: instant.isoformat().replace("+00:00", "Z") for key, instant in slot.items()}
        about = {"booking": f"b{n}", "days": [str(start.date())]}
        due = (start + timedelta(minutes=20)).isoformat().replace("+00:00", "Z")
        early = (start - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        yield making | {"command": f"m{n}", "at": early, "data": making["data"] | texts | about}
        closed = missing["data"] | {"booking": f"b{n}", "person": making["data"]["person"]}
        yield missing | {"command": f"c{n}", "at": texts["end"], "due": due, "data": closed}


# Whatever the change.


@given(choice=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_single_changed_byte_of_an_event_is_found(tampered: Connection, choice: st.DataObject) -> None:
    rows = await rows_of(tampered)
    row = choice.draw(st.sampled_from(rows))
    column = choice.draw(st.sampled_from(("data", "hash")))
    old = getattr(row, column)
    place = choice.draw(st.integers(0, len(old) - 1))
    new = choice.draw(st.integers(0, 255).filter(lambda byte: byte != old[place]))
    changing = tampered.transaction()
    await changing.start()
    try:
        changed = f"UPDATE booking.events SET {column} = set_byte({column}, $1, $2) WHERE position = $3"
        await tampered.execute(changed, place, new, row.position)
        found = (await proved(tampered)).findings
        assert found[0].position == row.position
        assert (row.position, "chain") in [(finding.position, finding.kind) for finding in found]
    finally:
        await changing.rollback()


@pytest.mark.parametrize("text", ["", "12", "12:", "12:abc", f"-1:{'a' * 64}", f"1:{'g' * 64}", f"x:{'a' * 64}"])
async def test_a_checkpoint_that_is_none_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="a checkpoint looks like"):
        Checkpoint.parse(text)


async def test_a_checkpoint_is_read_as_it_was_printed() -> None:
    checkpoint = Checkpoint(7, "0f" * 32)
    assert Checkpoint.parse(f" {checkpoint}\n") == checkpoint


async def test_a_report_is_json_as_it_is(tampered: Connection) -> None:
    """What `--json` prints."""
    told = msgspec.json.decode(msgspec.json.encode(await proved(tampered)))
    assert told["ok"] is True
    assert told["checkpoint"]["position"] == told["events"] == 41
