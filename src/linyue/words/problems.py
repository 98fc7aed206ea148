"""The titles of what can go wrong, and the sentence where nothing closer can be said."""

from typing import Literal

from linyue.words import Words

Kind = Literal[
    "malformed", "unauthenticated", "bad_token", "role", "not_found", "not_allowed", "conflict", "refused",
    "key_reused", "too_many", "busy", "unknown", "too_large", "media_type", "internal", "other",
]  # fmt: skip

TITLES: dict[Kind, Words] = {
    "malformed": Words("请求格式不对", "Malformed request"),
    "unauthenticated": Words("请先登录", "Sign in first"),
    "bad_token": Words("登录凭证无效", "Token not valid"),
    "role": Words("没有权限", "Not allowed for this role"),
    "not_found": Words("没有找到", "Not found"),
    "not_allowed": Words("方法不适用", "Method not allowed"),
    "conflict": Words("现在不行", "Conflict"),
    "refused": Words("未通过", "Refused"),
    "key_reused": Words("请求编号已用过", "Idempotency-Key reused"),
    "too_many": Words("请求太多", "Too many requests"),
    "busy": Words("暂时无法处理", "Not now"),
    "unknown": Words("结果未知", "Outcome unknown"),
    "too_large": Words("请求太大", "Request too large"),
    "media_type": Words("内容类型不对", "Unsupported media type"),
    "internal": Words("系统出错", "Internal error"),
    "other": Words("无法处理", "Cannot be done"),
}

SENTENCES: dict[Kind, Words] = {
    "malformed": Words("请求的格式不对，请检查后再试。", "The request cannot be read; please check it."),
    "unauthenticated": Words(
        "请在 Authorization 中带上令牌；不登录只能查看站点、活动室和空闲情况。",
        "Send a bearer token in Authorization; without one, only the catalogue and availability can be read.",
    ),
    "bad_token": Words("令牌不存在、已过期或已撤销。", "The token is unknown, has expired or was revoked."),
    "role": Words("您的角色（{role}）不能这样做。", "Your role ({role}) may not do this."),
    "not_found": Words("没有这个地址。", "There is nothing at this address."),
    "not_allowed": Words("这个地址不支持这种方法。", "This address does not take that method."),
    "conflict": Words("现在不能这样做。", "That cannot be done now."),
    "refused": Words("未通过。", "Refused."),
    "key_reused": Words(
        "这个 Idempotency-Key 已用于另一个请求，请换一个。",
        "This Idempotency-Key was used for another request: take a new one.",
    ),
    "too_many": Words("操作太频繁，请 {seconds} 秒后再试。", "Too many requests: try again in {seconds} seconds."),
    "busy": Words("系统正忙，没有办成，请稍后再试。", "Busy: nothing was done. Try again in a moment."),
    "unknown": Words(
        "暂时不能确定是否办成，请用同一个 Idempotency-Key 再试一次。",
        "It may have been done: ask again with the same Idempotency-Key, which tells.",
    ),
    "too_large": Words("请求内容太大。", "The request is too large."),
    "media_type": Words("请用 application/json。", "Send application/json."),
    "internal": Words("系统出错了，已记录。", "Something went wrong here; it was recorded."),
    "other": Words("无法处理这个请求。", "The request cannot be served."),
}
