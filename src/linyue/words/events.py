"""What happened, in a sentence, for every type of event. Who did it stands beside the sentence, not in it."""

from linyue.words import Words

EVENTS: dict[str, Words] = {
    "SubdistrictOpened": Words("街道“{name}”启用。", "The subdistrict {name} was set up."),
    "StationOpened": Words("站点“{name}”登记。", "The station {name} was entered."),
    "SpaceOpened": Words("主题空间“{name}”登记。", "The space {name} was entered."),
    "ResourceOpened": Words(
        "资源“{name}”登记，容量 {capacity}。", "The resource {name} was entered, capacity {capacity}."
    ),
    "ResourceChanged": Words("资源变更，容量 {capacity}。", "The resource was changed, capacity {capacity}."),
    "RoomOpened": Words("活动室“{name}”开放预约。", "The room {name} was opened for booking."),
    "RoomChanged": Words("活动室“{name}”的设置有变更。", "The room {name} was changed."),
    "RoomRetired": Words("活动室停用，不再接受预约。", "The room was retired and takes no new booking."),
    "RoomClosed": Words("活动室暂停开放：{when}。原因：{reason}。", "The room was closed: {when}. Reason: {reason}."),
    "RoomReopened": Words("活动室恢复开放：{when}。", "The room was opened again: {when}."),
    "ChangeRefused": Words("变更未通过：{reasons}", "The change was refused: {reasons}"),
    "RulesChanged": Words("预约须知更新。", "The house rules were set anew."),
    "BookingRequested": Words(
        "申请预约 {when}，{use}，{units} 份，等待审核。", "Asked for {when}, {use}, {units} unit(s); awaiting approval."
    ),
    "BookingConfirmed": Words(
        "预约 {when}，{use}，{units} 份，已确认。", "Booked {when}, {use}, {units} unit(s); confirmed."
    ),
    "BookingRescheduled": Words(
        "改为{where}{when}，{use}，{units} 份，已确认。", "Moved to {where}{when}, {use}, {units} unit(s); confirmed."
    ),
    "BookingExtended": Words("延长为 {when}。", "Extended: {when}."),
    "BookingEnded": Words("提前结束，其余时间已释放。", "Ended early; the rest of the time is free again."),
    "BookingApproved": Words("批准了预约。", "Approved the booking."),
    "BookingRejected": Words("未批准预约。原因：{reason}。", "Rejected the booking. Reason: {reason}."),
    "BookingCancelled": Words("取消了预约。原因：{reason}。", "Cancelled the booking. Reason: {reason}."),
    "BookingCheckedIn": Words("已签到。", "Checked in."),
    "BookingCompleted": Words("预约已完成。", "The booking was completed."),
    "NoShowRecorded": Words(
        "未按时签到，记为爽约，场地已释放。", "Nobody checked in: a no-show, and the room is free again."
    ),
    "BookingExpired": Words("到开始时仍未审核，预约过期。", "Not approved by its start, so it expired."),
    "BookingRefused": Words("预约 {when} 未通过：{reasons}", "The request for {when} was refused: {reasons}"),
    "BookingChangeRefused": Words("“{asked}”{to}未通过：{reasons}", "To {asked}{to} was refused: {reasons}"),
}

MOVED_AND_AWAITS = Words(
    "改为{where}{when}，{use}，{units} 份，等待审核。",
    "Moved to {where}{when}, {use}, {units} unit(s); awaiting approval.",
)
WHERE = Words("{room}，", "{room}, ")
TO = Words("（{where}{when}）", " ({where}{when})")
CARRIED = Words(
    "活动室有调整，预约换到{where}时间不变。", "The rooms were rearranged: it moved to {where}at the same time."
)
OPEN_END = Words("{start} 起，恢复时间另行通知", "from {start}, until further notice")
FOR_GOOD = Words("{start} 起", "from {start} on")
