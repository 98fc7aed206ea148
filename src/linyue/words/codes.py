"""The words for codes: states, roles, channels, reasons, and what one may do with a booking."""

from linyue.words import Words

STATES: dict[str, Words] = {
    "awaiting_approval": Words("待审核", "awaiting approval"),
    "confirmed": Words("已确认", "confirmed"),
    "checked_in": Words("已签到", "checked in"),
    "completed": Words("已完成", "completed"),
    "cancelled": Words("已取消", "cancelled"),
    "rejected": Words("未获批准", "rejected"),
    "expired": Words("已过期", "expired"),
    "no_show": Words("爽约", "no-show"),
}

ROLES: dict[str, Words] = {
    "resident": Words("居民", "resident"),
    "volunteer": Words("志愿者", "volunteer"),
    "staff": Words("工作人员", "staff"),
    "auditor": Words("审计", "auditor"),
    "admin": Words("管理员", "admin"),
    "system": Words("系统", "system"),
}

CHANNELS: dict[str, Words] = {
    "phone": Words("本人手机", "own phone"),
    "family": Words("家人代办", "family"),
    "desk": Words("服务台", "desk"),
    "telephone": Words("电话", "telephone"),
    "api": Words("接口", "API"),
    "scheduler": Words("系统自动", "scheduler"),
    "import": Words("导入", "import"),
}

SLOT_STATES: dict[str, Words] = {
    "free": Words("可约", "free"),
    "full": Words("约满", "full"),
    "closed": Words("不开放", "closed"),
    "past": Words("已过", "past"),
    "not_bookable": Words("暂不可约", "not bookable"),
}

ACTIONS: dict[str, Words] = {
    "cancel": Words("取消", "cancel"),
    "check_in": Words("签到", "check in"),
    "approve": Words("批准", "approve"),
    "reject": Words("不批准", "reject"),
    "reschedule": Words("改约", "reschedule"),
    "extend": Words("延长", "extend"),
    "end": Words("提前结束", "end early"),
}

CANCEL_REASONS: dict[str, Words] = {
    "changed_plans": Words("行程有变", "plans changed"),
    "ill": Words("身体不适", "not well"),
    "booked_by_mistake": Words("订错了", "booked by mistake"),
    "other": Words("其他原因", "another reason"),
    "room_closed": Words("活动室暂停开放", "the room is closed"),
    "room_changed": Words("活动室有变更", "the room was changed"),
    "staff_decision": Words("工作人员决定", "decided by staff"),
}

REJECT_REASONS: dict[str, Words] = {
    "not_suitable": Words("用途不合适", "not suitable for this room"),
    "needed_by_station": Words("站点另有安排", "needed by the station"),
    "incomplete": Words("信息不完整", "not enough was said about it"),
    "other": Words("其他原因", "another reason"),
}

CLOSE_REASONS: dict[str, Words] = {
    "maintenance": Words("维修", "maintenance"),
    "cleaning": Words("保洁", "cleaning"),
    "station_activity": Words("站点活动", "an activity of the station"),
    "holiday": Words("节假日", "a holiday"),
    "safety": Words("安全原因", "safety"),
    "other": Words("其他原因", "another reason"),
}

# Names where there is no name to show.
ERASED = Words("已注销", "erased")
HIDDEN = Words("居民", "a resident")
SYSTEM = Words("系统", "system")
