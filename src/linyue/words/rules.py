"""Why not: a sentence for every rule that can say no, and a short word for the grid."""

from datetime import datetime
from zoneinfo import ZoneInfo

from booking.messages import Reason
from linyue.words import Language, Words
from linyue.words.codes import STATES

RULES: dict[str, Words] = {
    "in_the_past": Words("这个时段已经开始或已过去。", "This time has begun or is over."),
    "too_soon": Words(
        "最迟要在开始前 {limit} 分钟预约，现在离开始只有 {actual} 分钟。",
        "Book at least {limit} minutes before the start; it begins in {actual} minutes.",
    ),
    "too_far_ahead": Words(
        "最多提前 {limit} 天预约，这一天要到 {possible_from} 才放号。",
        "Book at most {limit} days ahead; this day opens for booking at {possible_from}.",
    ),
    "room_closed": Words(
        "这段时间活动室暂停开放，{possible_from} 起恢复。", "The room is closed until {possible_from}."
    ),
    "room_closed.open_end": Words(
        "这段时间活动室暂停开放，恢复时间另行通知。", "The room is closed until further notice."
    ),
    "outside_hours": Words("不在开放时间内：当天开放 {limit}。", "Outside opening hours: open {limit} that day."),
    "outside_hours.closed_day": Words("当天不开放。", "Not open that day."),
    "off_grid": Words(
        "请按时段预约：从开放时间起，每 {limit} 分钟一段。",
        "Choose whole slots: {limit} minutes each, counted from opening.",
    ),
    "too_long": Words(
        "每次最多预约 {limit} 分钟，您选了 {actual} 分钟。", "At most {limit} minutes at a time, not {actual}."
    ),
    "too_many_units": Words(
        "最多可同时预约 {limit} 份，您选了 {actual} 份。", "At most {limit} at once, not {actual}."
    ),
    "too_many_people": Words("最多容纳 {limit} 人，您填了 {actual} 人。", "Room for {limit} people, not {actual}."),
    "slot_taken": Words(
        "已被预约：共 {limit} 份，这段时间已约出 {actual} 份。", "Taken: {actual} of {limit} are booked at that time."
    ),
    "quota_reached": Words(
        "每人最多同时有 {limit} 个未结束的预约，您已有 {actual} 个。",
        "At most {limit} open bookings a person; you have {actual}.",
    ),
    "too_early": Words(
        "开始前 {limit} 分钟起可以签到，即 {possible_from} 起。",
        "Check-in opens {limit} minutes before the start, at {possible_from}.",
    ),
    "already_started": Words(
        "预约已经开始，不能再取消或改约；如需帮助请找工作人员。",
        "It has begun and can no longer be cancelled or moved; please ask the staff.",
    ),
    "not_started": Words(
        "预约还没有开始，要到 {possible_from}；不来的话可以取消。",
        "It begins only at {possible_from}; if you do not come, cancel it.",
    ),
    "approval_needed": Words(
        "这种用途需要审核，不能直接这样更改；请找工作人员。",
        "This use asks for approval, so that cannot be changed at once; please ask the staff.",
    ),
    "wrong_state": Words("这个预约现在是“{actual}”，不能这样做。", "This booking is {actual}, so that cannot be done."),
    "bookings_do_not_fit": Words(
        "有 {actual} 个预约不适合这一变更：确认要取消的，请写进 cancels；否则请换一种做法。",
        "{actual} bookings do not fit this change: name those to be cancelled in `cancels`, or change it otherwise.",
    ),
    "too_many_at_once": Words(
        "这一变更会取消或移动 {actual} 个预约，一次最多 {limit} 个：请分段进行，或先关闭其中一段时间。",
        "This would cancel or move {actual} bookings, at most {limit} at once: do it in parts, or close some days.",
    ),
    "already_open": Words(
        "这个编号已经在用，内容不同：请换一个编号，或者变更原来的。",
        "This id is in use for another: choose another id, or change the one that is there.",
    ),
}

SHORT: dict[str, Words] = {
    "in_the_past": Words("已过", "past"),
    "too_soon": Words("来不及", "too soon"),
    "too_far_ahead": Words("未放号", "not yet"),
    "room_closed": Words("暂停开放", "closed"),
    "outside_hours": Words("不开放", "not open"),
    "off_grid": Words("非整段", "off the grid"),
    "too_long": Words("太长", "too long"),
    "too_many_units": Words("数量不足", "too many"),
    "too_many_people": Words("人数超限", "too many people"),
    "slot_taken": Words("约满", "taken"),
    "quota_reached": Words("名额用完", "quota used"),
    "too_early": Words("未到时间", "too early"),
    "already_started": Words("已开始", "begun"),
    "not_started": Words("未开始", "not begun"),
    "approval_needed": Words("需审核", "needs approval"),
    "wrong_state": Words("状态不符", "wrong state"),
    "bookings_do_not_fit": Words("有预约", "bookings"),
    "too_many_at_once": Words("一次太多", "too many at once"),
    "already_open": Words("已存在", "exists"),
}


def message(reason: Reason, language: Language, zone: ZoneInfo) -> str:
    """The sentence of a reason, with its figures; instants as the subdistrict's clocks show them."""
    actual = reason.actual
    if reason.rule == "wrong_state" and isinstance(actual, str) and actual in STATES:
        actual = STATES[actual].say(language)
    since = moment(reason.possible_from, language, zone) if reason.possible_from else ""
    return RULES[_variant(reason)].say(language, limit=reason.limit, actual=actual, possible_from=since)


def moment(instant: datetime, language: Language, zone: ZoneInfo) -> str:
    """An instant as people say it: 12月1日 14:00, or 1 Dec 14:00."""
    local = instant.astimezone(zone)
    if language == "en":
        return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def span(start: datetime, end: datetime, language: Language, zone: ZoneInfo) -> str:
    """From when to when, as people say it: 12月1日 14:00–15:00."""
    same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    last = f"{end.astimezone(zone):%H:%M}" if same_day else moment(end, language, zone)
    return f"{moment(start, language, zone)}–{last}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _variant(reason: Reason) -> str:
    if reason.rule == "room_closed" and reason.possible_from is None:
        return "room_closed.open_end"
    if reason.rule == "outside_hours" and reason.limit is None:
        return "outside_hours.closed_day"
    return reason.rule
