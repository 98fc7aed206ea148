#!/usr/bin/env bash
# Makes .venv from a hash-pinned lock: `install.sh runtime` for running, `test` for testing as well, `bench` for
# measuring on top of both.
# Needs Python 3.11 or later with venv, and nothing else. PYTHON= names one of your own.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf '%s\n' "$@" >&2; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Linyue needs Python 3.11 or later; none of these is: ${PYTHON:-python3, python3.14 … python3.11}." \
        "Install one, or name one: make demo PYTHON=/path/to/python3.11"
}

# A venv whose folder was moved, or whose Python has gone, cannot start: begin anew.
venv_is_sound() { grep -qsF "$PWD/.venv" .venv/pyvenv.cfg && is_new_enough .venv/bin/python; }

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python comes without venv. On Debian and Ubuntu: apt-get install python3-venv"
    "$python" -m venv --clear .venv
}

install() {
    # A user's pip settings (mirror, proxy) hold; an install for the user alone would miss the venv.
    PIP_USER=0 .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
}

case "${1:-}" in
    runtime) lock=requirements.txt stamps=(.venv/.runtime) ;;
    test) lock=requirements-dev.txt stamps=(.venv/.runtime .venv/.test) ;;
    bench) lock=requirements-bench.txt stamps=(.venv/.runtime .venv/.test .venv/.bench) ;;
    *) fail "usage: $0 runtime|test|bench" ;;
esac
printf 'Installing %d packages from %s into .venv\n' "$(grep -c '==' "$lock")" "$lock"
venv_is_sound || make_venv
install --require-hashes --requirement "$lock"
install --no-deps --no-build-isolation --editable .
touch "${stamps[@]}"
