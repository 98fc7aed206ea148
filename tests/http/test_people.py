"""People as they are shown: to themselves, to those who work for the station, to each other."""

import pytest

from booking.messages import Role
from linyue.api.people import masked, shown
from linyue.identity import Actor

RESIDENT = Actor(person="me", role="resident")
STAFF = Actor(person="desk", role="staff")


@pytest.mark.parametrize(
    ("person", "role", "name", "told"),
    [
        ("me", "resident", "王秀英", "王秀英"),
        ("other", "resident", "李建国", "李**"),
        ("other", "volunteer", "陈美华", "陈**"),
        ("other", "staff", "张敏", "工作人员"),
        ("other", "admin", "吴桂芳", "管理员"),
        ("other", "resident", None, "已注销"),
        ("system", "system", None, "系统"),
    ],
)
def test_a_resident_sees_their_own_name_and_of_others_what_they_are(
    person: str, role: Role, name: str | None, told: str
) -> None:
    assert shown(person, role, name, RESIDENT, "zh").name == told


def test_staff_see_names() -> None:
    assert shown("other", "resident", "李建国", STAFF, "zh").name == "李建国"
    assert shown("other", "resident", None, STAFF, "en").name == "erased"


def test_a_masked_name_tells_no_length() -> None:
    assert {masked(name) for name in ("王敏", "王秀英", "王")} == {"王**"}
