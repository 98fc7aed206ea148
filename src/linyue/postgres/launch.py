"""The step between linyue and PostgreSQL: becomes the server's account, then the server's program.

Run as a script of its own (`python -I -S launch.py PLAN`): changing one's account and capabilities is only safe in a
process that has nothing else to do. PLAN is JSON:

    command   the program's absolute path and its arguments
    parent    the pid that the program must not outlive
    uid, gid  the account to become; absent where it is ours already
    search    true where the account may pass folders that are closed to it (CAP_DAC_READ_SEARCH, and nothing else)
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def main(plan: dict[str, Any]) -> NoReturn:
    os.umask(0o077)
    # The working folder may be one that the account cannot enter.
    os.chdir("/")
    if "uid" in plan:
        _become(plan["uid"], plan["gid"], search=plan["search"])
    # After the change of account, which clears the wish to be signalled.
    _die_with_parent(plan["parent"])
    os.execv(plan["command"][0], plan["command"])  # noqa: S606


def _become(uid: int, gid: int, *, search: bool) -> None:
    if search:
        # Keeps capabilities over the change of account, and has access(2) count them: initdb and postgres ask it about
        # their own programs, and without this bit the kernel answers whoever is not root as if he held none.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if search:
        _keep_only(1 << _CAP_DAC_READ_SEARCH)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH)
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _keep_only(capabilities: int) -> None:
    """Effective, permitted and inheritable become exactly these (capset(2), version 3: two words of each)."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(capabilities, capabilities, capabilities, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _die_with_parent(parent: int) -> None:
    """PostgreSQL shuts down fast (SIGINT) when linyue dies. Elsewhere than on Linux the next start ends it."""
    if sys.platform != "linux":
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    # A parent that died before the call above will never be announced.
    if os.getppid() != parent:
        sys.exit("the process that started the server has ended")


def _prctl(option: int, first: int, second: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(word) for word in (first, second, 0, 0)]
    if libc.prctl(ctypes.c_int(option), *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
