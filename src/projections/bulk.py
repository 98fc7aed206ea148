"""Many rows in one statement: one array a column. Each row as a statement of its own would take twice as long."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]


def insertion(table: Table) -> Insert:
    """Inserts all rows of `arrays`; text arrays and JSON are given as PostgreSQL writes them."""
    columns = list(table.columns)
    given = [bindparam(column.name, type_=ARRAY(_given(column))) for column in columns]
    rows = func.unnest(*given).table_valued(*(column.name for column in columns), name="given").render_derived()
    return insert(table).from_select(columns, select(*(_cast(rows.c[column.name], column) for column in columns)))


def keeping(table: Table, moving: Sequence[str]) -> Insert:
    """The same, where a row of that key may be there: then these columns of it change."""
    inserting = insertion(table)
    set_ = {name: inserting.excluded[name] for name in moving}
    return inserting.on_conflict_do_update(index_elements=list(table.primary_key), set_=set_)


def arrays(table: Table, rows: Sequence[Values]) -> dict[str, list[Any]]:
    """The rows as the parameters of an `insertion`."""
    return {column.name: [row[column.name] for row in rows] for column in table.columns}


def text_array(texts: Sequence[str]) -> str:
    """A text[] as PostgreSQL writes it: an array of arrays would have to be of one length."""
    return "{" + ",".join('"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in texts) + "}"


def _given(column: Column[Any]) -> TypeEngine[Any]:
    return Text() if isinstance(column.type, ARRAY | JSONB) else column.type


def _cast(value: ColumnElement[Any], column: Column[Any]) -> ColumnElement[Any]:
    return cast(value, column.type) if isinstance(column.type, ARRAY | JSONB) else value
