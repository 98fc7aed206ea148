"""Any event of a type, drawn from the type's own fields: for what must hold of every event there is or will be."""

import re
from datetime import UTC, datetime

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from booking.messages import Event

PATTERNED = ("table-1", "hall", "09:00", "24:00", "2026-12-01")
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def events_of(type_: type[Event]) -> st.SearchStrategy[Event]:
    """Events of a type: every field filled in, the optional ones too."""
    fields: dict[str, st.SearchStrategy[object]] = {
        field.name: _values(field.type)
        for field in inspect.type_info(type_).fields  # type: ignore[attr-defined]
    }
    return st.fixed_dictionaries(fields).map(lambda values: msgspec.convert(values, type_, from_attributes=True))


def _values(type_: inspect.Type) -> st.SearchStrategy[object]:
    match type_:
        case inspect.StrType(pattern=pattern):
            return st.sampled_from([text for text in PATTERNED if re.search(pattern, text)]) if pattern else words
        case inspect.IntType():
            return st.integers(min_value=max(type_.ge or 0, 1), max_value=min(type_.le or 9, 9))
        case inspect.BoolType():
            return st.booleans()
        case inspect.DateTimeType():
            return instants
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.UnionType(types=types):
            return st.one_of([_values(one) for one in types if not isinstance(one, inspect.NoneType)])
        case inspect.StructType(fields=fields):
            return st.fixed_dictionaries({field.name: _values(field.type) for field in fields})
        case inspect.VarTupleType(item_type=item):
            return st.lists(_values(item), min_size=1, max_size=2).map(tuple)
    raise AssertionError(f"no values of {type_}")
