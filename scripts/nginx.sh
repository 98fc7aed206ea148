#!/usr/bin/env bash
# Sees to it that the proxy tests have nginx. As root on Debian or Ubuntu it installs the distribution's package, without
# starting its service; elsewhere it says what is missing and fails, so that no test is skipped.
set -euo pipefail

for found in "${NGINX:-}" "$(command -v nginx || true)" /usr/sbin/nginx; do
    [ ! -x "$found" ] || exit 0
done

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    printf 'The proxy tests need nginx. On Debian or Ubuntu:\n\n    sudo apt-get update && sudo apt-get install --yes nginx\n\n' >&2
    printf 'Elsewhere: install nginx, or name it: NGINX=/path/to/nginx. Its service need not run.\n' >&2
    exit 1
fi
printf 'Installing nginx for the proxy tests\n'
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    # The package would start a server on port 80, which nobody asked for.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
apt-get -qq install --yes --no-install-recommends nginx >/dev/null
