#!/bin/sh
# Fuzz each target: fuzz/run.sh SECONDS [TARGET...]     (SECONDS in all, shared evenly)
#                   fuzz/run.sh -n RUNS [TARGET...]     (so many executions of each)
# Within SECONDS compared values are traced too: they find words that a dictionary lacks. For RUNS they are not: three times
# as many are done in the same time, and a long run finds such words by itself.
# Prints `plan N`, `ok - fuzz TARGET: …` or `not ok - …`, and a sum. Needs cargo and a C++ compiler, for libFuzzer.
set -eu
cd "$(dirname "$0")"
usage='usage: fuzz/run.sh SECONDS | -n RUNS [TARGET...]'
if [ "${1-}" = -n ]; then
    runs=${2:?$usage}
    shift 2
else
    seconds=${1:?$usage}
    shift
fi
targets=${*:-$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -v authalert_fuzz)}
[ -n "${TMPDIR-}" ] || { [ -w /dev/shm ] && TMPDIR=/dev/shm; }
scratch=$(mktemp -d -p "${TMPDIR:-/tmp}")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
export TMPDIR="$scratch"

# What cargo-fuzz would pass for `--sanitizer none`, in words that a stable compiler takes too: coverage for
# libFuzzer, overflow checks and debug assertions. What is fuzzed is safe Rust, a sanitizer would only slow it.
RUSTFLAGS='--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table'
[ -n "${runs-}" ] || RUSTFLAGS="$RUSTFLAGS -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS
host=$(rustc -vV | sed -n 's/^host: //p')
# With --target the flags are not for build scripts, which are not linked with libFuzzer.
cargo build --release --locked --target "$host" >"$scratch/build" 2>&1 ||
    { tail -n 40 "$scratch/build"; echo 'not ok - the fuzz targets build'; exit 1; }

count=0
for target in $targets; do count=$((count + 1)); done
passed=0 failed=0
echo "plan $count"
mkdir -p artifacts
for target in $targets; do
    # New inputs go to a directory that is not kept; the small corpus in the tree is the seed.
    mkdir -p "corpus/$target" "$scratch/$target"
    if [ -n "${runs-}" ]; then
        set -- "-runs=$runs"
    else
        share=$((seconds / count))
        set -- "-max_total_time=$((share > 1 ? share : 1))"
    fi
    dictionary=dictionaries/$target.dict
    [ ! -f "$dictionary" ] || set -- "$@" "-dict=$dictionary"
    if "target/$host/release/$target" "$@" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$target-" "$scratch/$target" "corpus/$target" >"$scratch/log" 2>&1; then
        echo "ok - fuzz $target: $(grep -a '^Done' "$scratch/log" || tail -n 1 "$scratch/log")"
        passed=$((passed + 1))
    else
        echo "not ok - fuzz $target"
        tail -n 40 "$scratch/log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
