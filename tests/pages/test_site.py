"""What all pages have: they are small, load nothing from elsewhere, run no script, and are whole in both languages."""

import re
from pathlib import Path

import httpx
import pytest
from babel.messages.pofile import read_po
from tests.pages.station import Station

from linyue.pages.page import HERE, static_address

FIRST_PAGE_BYTES_MAX = 60_000


def test_the_first_page_and_all_it_loads_is_small(station: Station) -> None:
    with httpx.Client(base_url=station.url) as client:
        page = client.get("/")
        loaded = [
            client.get(address.replace("&amp;", "&")) for address in re.findall(r'<link[^>]*href="([^"]+)"', page.text)
        ]
    assert [one.status_code for one in loaded] == [200, 200]
    assert len(page.content) + sum(len(one.content) for one in loaded) < FIRST_PAGE_BYTES_MAX


def test_a_page_runs_no_script_and_keeps_to_this_host(station: Station) -> None:
    answer = httpx.get(station.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", answer.text)


def test_browsers_keep_the_stylesheet_and_never_a_page(station: Station) -> None:
    style = httpx.get(station.url + static_address("linyue.css"))
    assert (style.headers["content-type"].split(";")[0], "immutable" in style.headers["cache-control"]) == (
        "text/css",
        True,
    )
    assert httpx.get(station.url).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["page.py", "..%2Fpage.py", "none.css"])
def test_no_other_file_is_served(station: Station, name: str) -> None:
    assert httpx.get(f"{station.url}/static/{name}").status_code == 404


def test_every_text_of_the_pages_is_there_in_english() -> None:
    with (HERE / "en.po").open("rb") as written:
        messages = [message for message in read_po(written) if message.id]
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in messages}
    assert texts() - known == set()
    assert [message.id for message in messages if not all(_variants(message.string))] == []


def test_no_sentence_stands_in_a_template_past_the_translation() -> None:
    """Chinese outside of `_()` would reach English pages; the name of the language itself is meant to."""
    for template in (HERE / "templates").glob("*.html"):
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"[\u4e00-\u9fff]+", bare) == [], template.name


def texts() -> set[str]:
    """Every text that a template or a handler asks a translation for."""
    in_templates = r'(?<![a-z])(?:_|ngettext)\("([^"]+)"'
    in_handlers = r'(?:visit\.say|n_)\(\s*"([^"]+)"'
    return {
        text
        for pattern, files in ((in_templates, _files("*.html")), (in_handlers, _files("*.py")))
        for file in files
        for text in re.findall(pattern, file.read_text(encoding="utf-8"))
    }


def _files(pattern: str) -> list[Path]:
    return sorted(HERE.rglob(pattern))


def _variants(string: object) -> tuple[str, ...]:
    return tuple(string) if isinstance(string, tuple | list) else (str(string),)
