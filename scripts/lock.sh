#!/usr/bin/env bash
# Renews the three locks with uv. They hold for every platform and for Python 3.11 and later, and name no package index
# and no folder of the machine that made them. Versions that are there stay unless UPGRADE=1.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo 'make lock needs uv (pip install uv). Nothing else here does.' >&2; exit 1; }

compile() {
    uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-build --no-header \
        ${UPGRADE:+--upgrade} pyproject.toml "$@"
}

compile --group build --output-file requirements.txt
# The second lock takes the first one's versions, so that tests run against what ships.
compile --group build --group test --group check --constraints requirements.txt --output-file requirements-dev.txt
# And the third the second's: a bench measures what was tested, and installs nothing anew over it.
compile --group build --group test --group check --group bench --constraints requirements-dev.txt --output-file requirements-bench.txt
