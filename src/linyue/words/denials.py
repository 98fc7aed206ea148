"""What to say to a request that never reaches the log: about something unknown, not one's own, or incomplete."""

from linyue.words import Words

DENIALS: dict[tuple[str, str], Words] = {
    ("not_found", "booking"): Words(
        "没有这个预约，或者您无权查看。", "There is no such booking, or it is not yours to see."
    ),
    ("not_found", "room"): Words("没有这个活动室。", "There is no such room."),
    ("not_found", "station"): Words("没有这个站点。", "There is no such station."),
    ("not_found", "space"): Words("没有这个主题空间。", "There is no such space."),
    ("not_found", "resource"): Words("没有这个资源。", "There is no such resource."),
    ("not_found", "use"): Words("这个活动室没有这种用途。", "This room does not serve for that."),
    ("not_found", "person"): Words("没有这个人。", "There is no such person."),
    ("forbidden", "booking"): Words(
        "没有这个预约，或者您无权查看。", "There is no such booking, or it is not yours to see."
    ),
    ("forbidden", "room"): Words("这个活动室不归您的站点管理。", "This room does not belong to your stations."),
    ("forbidden", "resource"): Words("这个资源不归您的站点管理。", "This resource does not belong to your stations."),
    ("forbidden", "person"): Words("您不能为这个人预约。", "You cannot book for this person."),
    ("use_needed", "use"): Words(
        "这个活动室有多种用途，请在 use 中选一种。", "This room has several uses: say which in `use`."
    ),
    ("not_valid", "end"): Words("结束时间要晚于开始时间。", "The end must lie after the start."),
    ("not_valid", "station"): Words("活动室不能换站点。", "A room cannot move to another station."),
    ("not_valid", "uses"): Words("每种用途都要占用至少一种资源。", "Each use must take at least one resource."),
    ("not_valid", "time_zone"): Words("街道的时区不能更改。", "A subdistrict's time zone never changes."),
}
