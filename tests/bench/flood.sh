#!/bin/sh
# A flood: 100,000 failures from 1,000 sources against an X that takes 48 posts a day. Prints, for each pass, time, peak
# memory and bytes read; the size of the state by failure; what a pass with nothing new costs beside one that reads
# everything; and a scan of a log with 20,000 more. Exit status 1 where a bound is broken: 32 MB of memory, 300 bytes a
# failure, a tenth for nothing new.
#
# In one run on two cores that other work kept busy: peak memory of any process 22.9 MiB, of a scan of 20,000 failures over a
# journal of 100,000; of a pass 8.0 MiB. 165 bytes of state a failure; a pass over 50,000 new failures 0.42 s and 27 MB read,
# over 5,000 0.05 to 0.16 s whether it was the first or the tenth, over nothing new 0.02 s and 0.5 MB.
#
#     flood.sh [FAILURES]          measures target/release if it was built, else target/quick
set -eu
cd "$(dirname "$0")/../.."
build=target/quick
[ -x target/release/authalert ] && build=target/release
[ -x $build/examples/append ] || { echo "build it first: cargo build --release && cargo build --release --example append" >&2; exit 2; }
AUTHALERT_BUILD=$PWD/$build exec python3 tests/harness/flood.py "$@"
