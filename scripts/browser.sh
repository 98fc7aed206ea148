#!/usr/bin/env bash
# Sees to it that the page tests have Chromium and a font with Chinese characters. As root on Debian or Ubuntu it
# installs the distribution's packages; elsewhere it says what is missing and fails, so that no test is skipped.
set -euo pipefail

missing=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    [ -x "${CHROMIUM:-}" ] || missing+=(chromium)
{ command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh-cn family)" ]; } || missing+=(fonts-noto-cjk)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    printf 'The page tests need %s. On Debian or Ubuntu:\n\n    sudo apt-get update && sudo apt-get install --yes %s\n\n' \
        "${missing[*]}" "${missing[*]}" >&2
    printf 'Elsewhere: install Chromium (or name it: CHROMIUM=/path/to/chromium) and a font for zh-cn with fontconfig.\n' >&2
    exit 1
fi
printf 'Installing %s for the page tests\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
