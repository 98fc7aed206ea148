"""Linyue below a path of a real nginx, with the configuration that docs/nginx.conf shows, over TLS as without."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser
from tests.pages.conftest import WAIT_MILLISECONDS, press
from tests.processes.demos import running_demo
from tests.promises.served import free_port

# Ten times what they take here.
pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]

SAMPLE = Path(__file__).parents[2] / "docs" / "nginx.conf"
PREFIX = "/linyue"
START_SECONDS_MAX = 20.0
SLOTS = "/rooms/wanyuan-1-vitality?use=乒乓球&day=2026-11-27"


def nginx() -> str:
    """Where nginx is; fails where it is not, as no test is skipped in silence."""
    found = os.environ.get("NGINX") or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        pytest.fail("The proxy tests need nginx: install it (apt-get install nginx), or set NGINX.")
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    data = tmp_path_factory.mktemp("demo") / "data"
    clock = {"CLOCK": "2026-11-24T09:30:00+08:00", "SPEED": "1"}
    with running_demo(data, free_port(), LINYUE_PREFIX=PREFIX, WORKERS="2", **clock) as told:
        yield told


@pytest.fixture(scope="module", params=["http", "https"])
def url(
    request: pytest.FixtureRequest, demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where nginx answers for Linyue."""
    with proxied(demo["url"], tmp_path_factory.mktemp("nginx"), tls=request.param == "https") as found:
        yield found


@contextmanager
def proxied(behind: str, folder: Path, *, tls: bool) -> Iterator[str]:
    """An nginx of our own, by any user, on a port of this machine, with all of its files in a folder."""
    port = free_port()
    (folder / "linyue.conf").write_text(sample(behind, folder, port, tls=tls), encoding="utf-8")
    (folder / "nginx.conf").write_text(around(folder), encoding="utf-8")
    server = subprocess.Popen([nginx(), "-p", str(folder), "-e", "error.log", "-c", "nginx.conf"])
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while not _listens(port):
            assert server.poll() is None, (folder / "error.log").read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(START_SECONDS_MAX)


def sample(behind: str, folder: Path, port: int, *, tls: bool) -> str:
    """What the docs show, on other ports; with TLS, the lines that it says to take instead."""
    text = SAMPLE.read_text(encoding="utf-8")
    changes = {"server 127.0.0.1:8000;": f"server {behind.removeprefix('http://').removesuffix(PREFIX)};"}
    if tls:
        certificate(folder)
        changes |= {
            "    listen 80;\n": "",
            "# listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "# ssl_certificate /etc/ssl/linyue/fullchain.pem;": f"ssl_certificate {folder}/fullchain.pem;",
            "# ssl_certificate_key /etc/ssl/linyue/key.pem;": f"ssl_certificate_key {folder}/key.pem;",
        }
    else:
        changes["listen 80;"] = f"listen 127.0.0.1:{port};"
    for shown, ours in changes.items():
        assert text.count(shown) == 1, shown
        text = text.replace(shown, ours)
    return text


def around(folder: Path) -> str:
    """The rest of a configuration, which a distribution's package has in its own file."""
    # Started by root it would give up its rights, and could not write to a folder of root's.
    user = "user root;" if os.geteuid() == 0 else ""
    bodies = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""{user} daemon off; worker_processes 1; pid {folder}/nginx.pid;
    events {{ worker_connections 128; }}
    http {{ access_log off; {bodies} include {folder}/linyue.conf; }}
    """


def certificate(folder: Path) -> None:
    """A key and a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "linyue.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    ).sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_somebody_signs_in_books_and_cancels(browser: Browser, url: str) -> None:
    """Without scripts, as on every page; nothing is asked for beside the prefix, nor of another host."""
    context = browser.new_context(ignore_https_errors=True, java_script_enabled=False, locale="zh-CN")
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = context.new_page()
    asked: list[tuple[str, int]] = []
    page.on("response", lambda answer: asked.append((answer.url, answer.status)))
    page.goto(f"{url}{PREFIX}")
    press(page.locator('form:has(input[value="resident"]) button'))
    assert "王秀英" in page.locator("footer").inner_text()
    page.goto(f"{url}{PREFIX}{SLOTS}")
    press(page.locator("a.slot").first)
    press(page.get_by_role("button", name="就约这个"))
    assert page.get_by_role("status").inner_text() == "约好了"
    press(page.get_by_role("link", name="取消预约"))
    page.get_by_label("身体不适").check()
    press(page.get_by_role("button", name="取消预约"))
    assert page.get_by_role("status").inner_text() == "已取消"
    cookies = context.cookies()
    context.close()
    assert {cookie["path"] for cookie in cookies} == {PREFIX}
    session = next(cookie for cookie in cookies if cookie["name"] == "linyue_session")
    assert session["secure"] is url.startswith("https:")
    assert [answer for answer in asked if not answer[0].startswith(f"{url}{PREFIX}") or answer[1] >= 400] == []


def test_a_program_books_and_cancels(demo: dict[str, Any], url: str) -> None:
    asked = {"Authorization": f"Bearer {demo['tokens']['resident2']}", "Idempotency-Key": url}
    body = {"room": "wanyuan-1-vitality", "use": "乒乓球"}
    body |= {"start": "2026-11-28T09:00:00+08:00", "end": "2026-11-28T10:00:00+08:00"}
    with httpx.Client(base_url=url, headers=asked, verify=False) as client:
        made = client.post(f"{PREFIX}/api/v1/bookings", json=body)
        assert made.status_code == httpx.codes.CREATED, made.text
        address = made.headers["location"]
        assert address == f"{PREFIX}/api/v1/bookings/{made.json()['id']}"
        shown = client.get(address, headers={"X-Log-Position": str(made.json()["position"])})
        assert shown.json()["state"] == "confirmed"
        gone = client.post(f"{address}/cancel", json={}, headers={"Idempotency-Key": f"{url} no"})
        assert gone.json()["state"] == "cancelled"
        assert client.get(f"{PREFIX}/schema/openapi.json").json()["servers"] == [{"url": PREFIX}]
        assert client.get(f"{PREFIX}/health/ready").status_code == httpx.codes.OK


@pytest.mark.parametrize("path", [f"{PREFIX}/metrics", f"/{PREFIX}/metrics", f"{PREFIX}/%6detrics", "/metrics"])
def test_the_figures_are_not_to_be_had_from_outside(demo: dict[str, Any], url: str, path: str) -> None:
    assert httpx.get(f"{url}{path}", verify=False).status_code == httpx.codes.NOT_FOUND
    here = demo["url"].removesuffix(PREFIX)
    assert httpx.get(f"{here}/metrics").status_code == httpx.codes.OK


def test_what_a_caller_says_of_itself_is_not_passed_on(demo: dict[str, Any], url: str) -> None:
    """Whoever claims to be this machine is not let in by that; neither is a connection by TLS that was none."""
    claimed = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=url, verify=False, headers=claimed) as client:
        token = client.get(f"{PREFIX}/").text.partition('name="_csrf_token" value="')[2].partition('"')[0]
        entered = client.post(f"{PREFIX}/enter", data={"as": "resident", "_csrf_token": token})
    session = next(each for each in entered.headers.get_list("set-cookie") if each.startswith("linyue_session="))
    assert ("secure" in session.lower()) is url.startswith("https:")
