#!/bin/sh
# What the module costs a login, and how soon an alert is there. Prints medians and ratios of one run.
#
#   tests/bench/login.sh [ROUNDS] [POSTS]      as root; 300 rounds, 15 posts
#
# Each round authenticates once in a fresh process through each stack, one after another, so that
# whatever else the machine does hits all of them alike. Peers: pam_deny as one more trivial module,
# pam_faillock authfail, pam_exec with /bin/true, and bare.c, which makes our system calls and does nothing else.
set -eu
cd "$(dirname "$0")/../.."
[ -f target/release/libpam_authalert.so ] || cargo build --release --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As our own is linked (src/pam/build.rs).
cc -O2 -shared -fPIC -fno-stack-protector -nostartfiles -Wl,-z,now,-z,relro,-z,noseparate-code,--as-needed \
    -o "$work/bare.so" tests/bench/bare.c
tests/pam/build.sh "$work" host
python3 tests/bench/login.py "$work" "${1:-300}" "${2:-15}"
