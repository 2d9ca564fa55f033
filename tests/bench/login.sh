#!/bin/sh
# What the module costs a login, and how soon an alert is there. Prints medians and ratios of one run.
#
#   tests/bench/login.sh [ROUNDS] [POSTS]      as root; 300 rounds, 15 posts
#
# Each round authenticates once in a fresh process through each stack, one after another, so that
# whatever else the machine does hits all of them alike. Peers: pam_deny as one more trivial module,
# pam_faillock authfail, pam_exec with /bin/true, and a module that does nothing but append a line to a file.
set -eu
cd "$(dirname "$0")/../.."
[ -f target/release/libpam_authalert.so ] || cargo build --release --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -shared -fPIC -o "$work/append_alone.so" tests/bench/append_alone.c
cc -O2 -o "$work/pam_once" tests/bench/pam_once.c -lpam
python3 tests/bench/login.py "$work" "${1:-300}" "${2:-15}"
