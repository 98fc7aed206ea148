"""Tells systemd, where it has started this program, that Linyue serves (sd_notify, `Type=notify`)."""

import os
import socket
from collections.abc import Callable

import structlog

SETTING = "NOTIFY_SOCKET"

log = structlog.get_logger()


def supervisor() -> Callable[[str], None]:
    """What tells it a state, as `READY=1`; nobody, where nobody listens.

    The address leaves the environment, as no process that this one starts may speak for it.
    """
    address = os.environ.pop(SETTING, "")

    def tell(state: str) -> None:
        if not address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                # An at sign stands for the zero byte of an abstract name.
                line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
                line.sendall(state.encode())
        except OSError as error:
            log.warning("the supervisor could not be told", error=repr(error), state=state)

    return tell
