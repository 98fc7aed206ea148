"""What is wrong with a request that cannot be read, which field it is, and how to mend it."""

import re
from typing import NamedTuple

from linyue.words import Language, Words

MALFORMED: dict[str, Words] = {
    "not_json": Words("请求正文不是有效的 JSON。", "The body is not valid JSON."),
    "no_body": Words("请求缺少 JSON 正文。", "The request needs a JSON body."),
    "missing": Words("缺少必填字段 {field}。", "The field `{field}` is missing."),
    "unknown": Words("不认识字段 {field}，请去掉。", "The field `{field}` is not known here: leave it out."),
    "unknown_parameter": Words(
        "不认识查询参数 {field}。可用：{listed}。", "There is no query parameter `{field}` here, only: {listed}."
    ),
    "no_parameters": Words(
        "这里没有查询参数，请去掉 {field}。", "There are no query parameters here: leave out `{field}`."
    ),
    "twice": Words("查询参数 {field} 只能写一次。", "The query parameter `{field}` may stand there once only."),
    "no_offset": Words(
        "{field} 要带时区偏移，例如 2026-12-01T14:00:00+08:00。",
        "`{field}` needs its zone's offset, as in 2026-12-01T14:00:00+08:00.",
    ),
    "not_instant": Words(
        "{field} 要写成时刻，例如 2026-12-01T14:00:00+08:00。",
        "`{field}` must be an instant, as in 2026-12-01T14:00:00+08:00.",
    ),
    "not_date": Words("{field} 要写成日期，例如 2026-12-01。", "`{field}` must be a date, as in 2026-12-01."),
    "far_year": Words("{field} 的年份要在 2000 到 2199 之间。", "The year of `{field}` must lie from 2000 to 2199."),
    "not_listed": Words("{field} 不在可选项之中。可选：{listed}。", "`{field}` must be one of: {listed}."),
    "too_long": Words("{field} 太长，最多 {most} 个字符。", "`{field}` is too long: at most {most} characters."),
    "too_short": Words("{field} 不能为空。", "`{field}` must not be empty."),
    "too_small": Words("{field} 不能小于 {least}。", "`{field}` must be at least {least}."),
    "too_big": Words("{field} 不能大于 {most}。", "`{field}` must be at most {most}."),
    "not_whole": Words("{field} 要是整数。", "`{field}` must be a whole number."),
    "not_text": Words("{field} 要是文字。", "`{field}` must be text."),
    "not_yes_or_no": Words("{field} 要是 true 或 false。", "`{field}` must be true or false."),
    "not_object": Words("{field} 要是 JSON 对象。", "`{field}` must be a JSON object."),
    "not_a_place_id": Words(
        "{field} 只能用小写字母、数字和连字符，最多 60 个，且不能是 replace。",
        "`{field}` takes lower-case letters, digits and hyphens, at most 60, and must not be replace.",
    ),
    "not_time": Words(
        "{field} 要写成时间，例如 09:00 或 24:00。", "`{field}` must be a time of day, as 09:00 or 24:00."
    ),
    "not_an_id": Words("{field} 不是有效的编号。", "`{field}` is not an id."),
    "other": Words("{field} 的值无效。", "The value of `{field}` is not valid."),
    "ends_first": Words("{field} 要晚于开始。", "`{field}` must lie after the start."),
    "days_turned": Words("{field} 不能早于 from。", "`{field}` must not lie before `from`."),
    "too_wide": Words(
        "{field} 超出范围：一次最多 {most} 天。", "`{field}` is too far off: at most {most} days at once."
    ),
    "key_too_long": Words("Idempotency-Key 要有 1 到 {most} 个字节。", "Idempotency-Key: from 1 to {most} bytes."),
    "not_a_cursor": Words(
        "cursor 无效，请用上一次回答中的 next。", "`cursor` is not valid: take `next` from the last answer."
    ),
}


class Malformed(NamedTuple):
    """What is wrong (a key of MALFORMED), with which field, and the figures of its sentence."""

    what: str
    field: str | None = None
    figures: dict[str, object] = {}  # noqa: RUF012 - never changed

    def sentence(self, language: Language) -> str:
        return MALFORMED[self.what].say(language, field=self.field or "body", **self.figures)


# What msgspec says of a value that does not fit, and what that is here. The first that matches counts.
_SAID = [
    (r"missing required field `(?P<name>[^`]*)`", "missing"),
    (r"contains unknown field `(?P<name>[^`]*)`", "unknown"),
    (r"Expected `datetime` with a timezone component", "no_offset"),
    (r"RFC3339 encoded datetime|Expected `datetime`|represent a datetime", "not_instant"),
    (r"ISO8601 encoded date|Expected `date`|encoded date", "not_date"),
    (r"Invalid enum value", "not_listed"),
    (r"length >= 1", "too_short"),
    (r"length <= (?P<most>\d+)", "too_long"),
    (r"Expected `int` >= (?P<least>-?\d+)", "too_small"),
    (r"Expected `int` <= (?P<most>-?\d+)|Integer value out of range", "too_big"),
    (r"matching regex '\^\(\[01\]", "not_time"),
    (r"matching regex '\^(\(\?!replace\$\))?\[a-z0-9\]", "not_a_place_id"),
    (r"matching regex", "not_an_id"),
    (r"Expected `int`", "not_whole"),
    (r"Expected `str", "not_text"),
    (r"Expected `bool", "not_yes_or_no"),
    (r"Expected `object", "not_object"),
]


def malformed(said: str, listed: dict[str, tuple[str, ...]] | None = None) -> Malformed:
    """What msgspec said of a body, in our words. `listed` are the values that a field may have, by its name."""
    field = said.rpartition(" - at `$")[2].rstrip("`").lstrip(".") if " - at `$" in said else ""
    for pattern, what in _SAID:
        if found := re.search(pattern, said):
            figures: dict[str, object] = {k: v for k, v in found.groupdict().items() if v is not None}
            field = str(figures.pop("name", field)) or field
            if what == "too_big":
                figures.setdefault("most", 2**63 - 1)
            if what == "not_listed":
                figures["listed"] = ", ".join((listed or {}).get(field, ()))
            return Malformed(what, field[:60] or None, figures)
    return Malformed("other", field[:60] or None)
