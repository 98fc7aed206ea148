"""Whoever holds an answer is told so, and only while it would be the same bytes."""

import pytest

from linyue.api.etags import is_held, tag_of

TAG = tag_of(b"answer")


def test_a_tag_tells_bytes_apart() -> None:
    assert tag_of(b"answer") == TAG != tag_of(b"answer ")
    assert TAG.startswith('"')
    assert TAG.endswith('"')
    assert len(TAG) == 24


@pytest.mark.parametrize(
    "sent",
    [
        [TAG],
        [f"W/{TAG}"],
        [f'"other", {TAG}'],
        [f'"a,b" ,W/"c",{TAG}'],
        ["*"],
        [" * "],
        ['"other"', TAG],
        [f"nonsense, {TAG}"],
    ],
)
def test_a_tag_is_found_weak_or_strong_and_in_lists(sent: list[str]) -> None:
    assert is_held(sent, TAG)


@pytest.mark.parametrize(
    "sent", [[], [""], [TAG.strip('"')], ['"other"'], [f'"x{TAG[1:]}'], ['"*"'], [TAG.upper()], [f"'{TAG[1:-1]}'"]]
)
def test_what_is_another_tag_or_none_is_not_found(sent: list[str]) -> None:
    assert not is_held(sent, TAG)
