"""Tags of answers: who holds the very bytes that would be sent is told so, and they are not sent again (RFC 9110)."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping

from litestar import Response

from linyue.api.asking import POSITION

# Sixteen bytes of SHA-256: no two answers will ever share them.
TAG_BYTES = 16
# Only who asked may keep it, and asks each time whether it still holds.
CACHE_CONTROL = "private, no-cache"

_TAGS = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tag_of(body: bytes) -> str:
    """The strong tag of these bytes, in its quotes."""
    return '"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:TAG_BYTES]).decode().rstrip("=") + '"'


def is_held(if_none_match: Iterable[str], tag: str) -> bool:
    """Whether one of the tags that a caller sent, weak or strong, is this one; `*` is any.

    What is no tag is passed over.
    """
    return any(line.strip() == "*" or tag in _TAGS.findall(line) for line in if_none_match)


def tagged(body: bytes, tag: str, position: int, if_none_match: Iterable[str]) -> Response[bytes]:
    """An answer of JSON with its tag, or 304 to whoever holds it."""
    headers: Mapping[str, str] = {"ETag": tag, "Cache-Control": CACHE_CONTROL, POSITION: str(position)}
    if is_held(if_none_match, tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
