#!/bin/sh
# What other receivers cost the first: from the verdict to the post that X accepted, with X alone and with X, ntfy, an SMS
# gateway and mail, all on loopback. Prints medians and the ratio of one run; the bound is 1.2.
#
#   tests/bench/receivers.sh [ROUNDS]      as root; 20 rounds, some five seconds each
#
# Each round fails once through a stack of each, in a new order, while the login still sleeps.
set -eu
cd "$(dirname "$0")/../.."
[ -f target/release/libpam_authalert.so ] || cargo build --release --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests/pam/build.sh "$work" host
python3 tests/bench/receivers.py "$work" "${1:-20}"
