#!/bin/sh
# Fuzz each target: fuzz/run.sh SECONDS [TARGET...]     (SECONDS in all, shared evenly)
#                   fuzz/run.sh -n RUNS [TARGET...]     (so many executions of each)
# Needs a nightly toolchain and cargo-fuzz; says so and does nothing where one is missing.
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
targets=${*:-answer config credentials journal neutral scan_lines state text}
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo '# fuzz skipped: no nightly toolchain (rustup toolchain install nightly)'
    exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo '# fuzz skipped: no cargo-fuzz (cargo install cargo-fuzz)'
    exit 0
fi
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR="$scratch"

# No sanitizer: what is fuzzed is safe Rust, overflow checks and debug assertions are on, and it is several times as fast.
cargo +nightly fuzz build --sanitizer none >"$scratch/build" 2>&1 || { cat "$scratch/build"; echo 'not ok - the fuzz targets build'; exit 1; }
count=0
for target in $targets; do count=$((count + 1)); done
failed=0
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
    if "target/$(rustc -vV | sed -n 's/host: //p')/release/$target" "$@" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$target-" "$scratch/$target" "corpus/$target" >"$scratch/log" 2>&1; then
        echo "ok - fuzz $target: $(grep -a '^Done' "$scratch/log" || tail -n 1 "$scratch/log")"
    else
        tail -n 40 "$scratch/log"
        echo "not ok - fuzz $target"
        failed=1
    fi
done
exit "$failed"
