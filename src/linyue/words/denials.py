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
    ("forbidden", "station"): Words("这个站点不归您管理。", "This station is not yours to manage."),
    ("forbidden", "subdistrict"): Words("只有管理员可以设置街道。", "Only an admin sets up the subdistrict."),
    ("forbidden", "rules"): Words("您不能更改预约须知。", "The house rules are not yours to change."),
    ("use_needed", "use"): Words(
        "这个活动室有多种用途，请在 use 中选一种。", "This room has several uses: say which in `use`."
    ),
    ("not_valid", "end"): Words(
        "结束时间要晚于开始时间（延长时，要晚于现在的结束时间），一次最多 31 天。",
        "The end must lie after the start (to extend, after the present end), and within 31 days of it.",
    ),
    ("not_valid", "room"): Words("换用途时，请同时说明活动室。", "To change the use, say the room too."),
    ("not_valid", "station"): Words(
        "活动室不能换站点，合并和拆分也要在同一个站点之内。",
        "A room cannot move to another station, nor merge with one there.",
    ),
    ("not_valid", "space"): Words("主题空间和活动室要属于同一个站点。", "The space must belong to the room's station."),
    ("not_valid", "resource"): Words(
        "资源和活动室要属于同一个站点。", "The resource must belong to the room's station."
    ),
    ("not_valid", "hours"): Words(
        "开放时间要早开晚关，且不能重叠。", "Hours must end after they begin and not overlap."
    ),
    ("not_valid", "extra_hours"): Words(
        "临时开放要先开后关，起止日期要真实存在，且先起后止。",
        "Extra hours must end after they begin, from a day that there is to one no earlier.",
    ),
    ("not_valid", "uses"): Words(
        "至少要有一种用途；每种用途要有不同的名称，占用至少一种资源，每种资源只写一次。",
        "There must be a use, each with a name of its own, and each must take a resource, none of them twice.",
    ),
    ("not_valid", "retire"): Words(
        "请写明要停用哪些活动室，每个只写一次。", "Say which rooms retire, each of them once."
    ),
    ("not_valid", "open"): Words("每个新活动室的编号只能写一次。", "Each new room must have an id of its own."),
    ("not_valid", "time_zone"): Words("街道的时区不能更改。", "A subdistrict's time zone never changes."),
}
