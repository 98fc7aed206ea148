"""What every subject speaks: ids, digests, scopes, instants, and the bounds that a command must keep."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.decisions.gumei import LIN, OFFICE, SHANGHAI, STAFF, local, wish

from booking.messages import Ask, Command, Event, SealedText, code_of, derived_id, not_valid, unique


class Knock(Command, frozen=True, kw_only=True):
    """A toy command."""

    at: datetime
    words: tuple[str, ...] = ()


def ask(id_: str = "ask", **fields: object) -> Ask:
    return msgspec.structs.replace(Ask(id=id_, command=wish(), asker=LIN), **fields)


def test_an_id_is_derived_from_the_command_and_the_same_each_time() -> None:
    assert derived_id("ask") == derived_id("ask") == "ck33rtes6ryppcma94yn"


def test_the_things_that_one_command_makes_have_ids_of_their_own() -> None:
    assert len({derived_id("ask", n) for n in range(400)} | {derived_id("other")}) == 401


def test_ids_and_codes_have_no_letter_that_looks_like_another() -> None:
    written = "".join(derived_id(str(n)) for n in range(500))
    assert set("ilou").isdisjoint(written)


def test_people_read_out_the_first_eight_characters() -> None:
    assert code_of("ck33rtes6ryppcma94yn") == "CK33RTES"


def test_a_scope_of_one_s_own_reaches_no_further() -> None:
    assert LIN.may_touch(person="lin", station="wanyuan-1")
    assert not LIN.may_touch(person="wang", station="wanyuan-1")
    assert not LIN.may_touch(person=None, station="wanyuan-1")


def test_a_scope_of_stations_reaches_all_of_theirs_and_nothing_else() -> None:
    assert STAFF.may_touch(person="wang", station="wanyuan-1")
    assert not STAFF.may_touch(person="chen", station="gulong-6")


def test_a_scope_of_all_reaches_everything() -> None:
    assert OFFICE.may_touch(person=None, station="gulong-6")


def test_a_text_s_digest_proves_it_under_its_key_alone() -> None:
    text = SealedText(text="写字", key=b"1" * 32)
    assert text.digest() == SealedText(text="写字", key=b"1" * 32).digest()
    assert text.digest() != SealedText(text="写字", key=b"2" * 32).digest()
    assert len(text.digest()) == 64


def test_an_ask_without_a_text_has_no_digest_of_it() -> None:
    assert ask().digest_of("purpose") is None


def test_a_command_asked_again_is_the_same_whatever_its_id_key_and_texts() -> None:
    again = ask("other", key="k", fingerprint=b"f", texts={"purpose": SealedText(text="t", key=b"k")}, cause="tick")
    assert ask().sameness == again.sameness


@pytest.mark.parametrize(
    "other",
    [ask(asker=STAFF), ask(command=wish(units=2)), ask(command=wish(start="2026-11-24 13:00"))],
    ids=["another asker", "other units", "another slot"],
)
def test_a_command_that_differs_is_not_the_same(other: Ask) -> None:
    assert ask().sameness != other.sameness


def test_tags_are_named_once_in_the_order_of_their_first_appearance() -> None:
    assert unique(["b", "a", "b"]) == ("b", "a")


def test_an_instant_in_a_command_is_kept_in_utc() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=SHANGHAI)
    assert Knock(at=noon).at.tzinfo is UTC
    assert Knock(at=noon) == Knock(at=local("2026-11-24 12:00"))
    decoded = msgspec.json.decode(b'{"at": "2026-11-24T12:00:00+08:00"}', type=Knock)
    assert msgspec.json.encode(decoded) == b'{"at":"2026-11-24T04:00:00Z","words":[]}'


def test_an_instant_without_a_zone_is_none() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Knock(at=datetime(2026, 11, 24, 12))  # noqa: DTZ001 - that is the point


def test_a_valid_command_breaks_nothing() -> None:
    assert not_valid(wish()) is None
    assert not_valid(Knock(at=local("2026-11-24 12:00"), words=("书画", "😀"))) is None


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (wish(units=0), "units"),
        (wish(attendees=0), "attendees"),
        (wish(person="li\0n"), "person"),
        (Knock(at=local("2026-11-24 12:00"), words=("\ud83d",)), "words"),
        (Knock(at=datetime(1, 1, 1, tzinfo=SHANGHAI)), "at"),
        (Knock(at=datetime(9999, 12, 31, 23, tzinfo=UTC) + timedelta(minutes=59)), "at"),
        (Knock(at="noon"), "at"),  # type: ignore[arg-type]
    ],
    ids=["too few", "nobody", "no text", "half a pair", "before all years", "after all years", "another type"],
)
def test_a_command_that_the_log_could_not_keep_is_not_valid(command: Command, field: str) -> None:
    assert not_valid(command) == field


def test_an_event_must_say_its_tags() -> None:
    with pytest.raises(NotImplementedError):
        Event().tags()
