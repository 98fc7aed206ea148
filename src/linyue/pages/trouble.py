"""What went wrong, as a page: what it means, and the way on."""

from typing import Any

from litestar import Response
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN

from linyue.pages.page import VISIT, PageRequest, Visit, language_for, page
from linyue.problems import Problem, as_problem
from linyue.words import Language, Words

# In place of the API's own sentences, which speak of headers and bodies.
SENTENCES: dict[str, Words] = {
    "unauthenticated": Words(
        "请先在首页选一个身份，再来看这一页。", "Choose who you are on the first page, then come back here."
    ),
    "not_found": Words(
        "没有这一页：也许地址不对，或者您无权查看。", "There is no such page, or it is not yours to see."
    ),
    "not_allowed": Words(
        "这个地址不能这样打开，请从首页进来。", "This address does not open that way: start from the first page."
    ),
    "malformed": Words(
        "这个地址或表单不完整，请从首页再来一次。", "The address or form is not complete: start from the first page."
    ),
    "other": Words("这一页放得太久了，请退回去再试一次。", "This page was open for too long: go back and try again."),
    "unknown": Words(
        "暂时不能确定是否办成，请到“我的预约”里看一看。", "It may have been done: have a look at your bookings."
    ),
}


def answer(request: PageRequest, error: Exception) -> Response[Any]:
    """The exception handler of the pages, and of every address that is neither a page nor the API's."""
    problem = as_problem(error)
    visit: Visit | None = request.state.get(VISIT)
    language = visit.language if visit else language_for(request)
    context = {
        "viewer": visit.viewer if visit else None,
        "demo": problem.status in (HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN),
        "subdistrict": visit.subdistrict if visit else "",
        "title": problem.title(language),
        "detail": _detail(problem, language),
        "action": None,
    }
    headers = {name: value for name, value in problem.headers.items() if name == "Retry-After"}
    back = "/" if request.method != "GET" else None
    return page(request, language, "problem.html", context, status=problem.status, address=back, headers=headers)


def _detail(problem: Problem, language: Language) -> str:
    words = SENTENCES.get(problem.kind)
    return words.say(language) if words else problem.detail(language)
