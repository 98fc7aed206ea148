"""Who one can be in the demo is remembered in DATA, for its owner alone."""

from pathlib import Path

from linyue.demo_people import FILE, DemoPerson, known_demo_people, remember_demo_people

ANNA = DemoPerson(part="resident", role="resident", name="王秀英", person="p" * 20, token="t" * 43)


def test_before_the_first_start_there_is_nobody(tmp_path: Path) -> None:
    assert known_demo_people(tmp_path) == ()


def test_who_was_remembered_is_known(tmp_path: Path) -> None:
    remember_demo_people(tmp_path, (ANNA,))
    assert known_demo_people(tmp_path) == (ANNA,)


def test_nobody_else_can_read_the_tokens(tmp_path: Path) -> None:
    remember_demo_people(tmp_path, (ANNA,))
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
