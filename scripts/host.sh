#!/usr/bin/env bash
# Sees to it that the tests of what stands around Linyue on a host have it: nginx, and systemd-analyze. As root on Debian
# or Ubuntu it installs the distribution's packages, without starting a service; elsewhere it says what is missing and
# fails, so that no test is skipped.
set -euo pipefail
PATH="$PATH:/usr/sbin"

missing=()
command -v nginx >/dev/null || [ -x "${NGINX:-}" ] || missing+=(nginx)
command -v systemd-analyze >/dev/null || missing+=(systemd)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    printf 'The tests of the proxy and of the systemd unit need %s. On Debian or Ubuntu:\n\n' "${missing[*]}" >&2
    printf '    sudo apt-get update && sudo apt-get install --yes %s\n\n' "${missing[*]}" >&2
    printf 'Elsewhere: install nginx (or name it: NGINX=/path/to/nginx) and systemd-analyze. No service need run.\n' >&2
    exit 1
fi
printf 'Installing %s for the tests of the proxy and of the systemd unit\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    # The package would start a server on port 80, which nobody asked for.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
