#!/bin/bash
# Unit tests and known answers: cargo test, told as tests/report.sh says. AUTHALERT_BUILD names the folder of the build,
# whose last part is the profile (default: target/quick). With --all the sample of damages is three times as large.
#
# How many tests there are cargo is asked first. None needs root; the files that use the stand-in need python3, and are
# left out without it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source-path=SCRIPTDIR/..
. tests/report.sh
[[ ${1:-} != --all ]] || export HARNESS_SAMPLE=1
profile=$(basename "${AUTHALERT_BUILD:-target/quick}")
cargo=(cargo test --locked --profile "${profile/debug/dev}" --workspace)
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
with_python=()
# What others may write the product refuses; many accounts have a umask of 002.
umask 022
if ! python3 -c '' 2>/dev/null; then
    # Named one by one: cargo cannot leave a file out.
    for file in tests/*.rs; do
        name=$(basename "$file" .rs)
        if grep -E '^mod standin;' "$file" >/dev/null; then
            with_python+=("$name")
        else
            cargo+=(--test "$name")
        fi
    done
    ((${#with_python[@]} == 0)) || cargo+=(--lib --bins)
fi

# libtest lists a test as `name: test`; those that are ignored are started by others.
count() { "${cargo[@]}" -- --list "$@" 2>>"$log" | grep -c ': test$'; }

all=$(count)
ignored=$(count --ignored)
((all > 0)) || { cat "$log"; exit 1; }
printf 'plan %d\n' $((all - ignored + ${#with_python[@]}))
for name in "${with_python[@]}"; do left_out "tests/$name.rs" 'it needs python3'; done

# A test that failed is told when libtest shows what it said, at the end of its file.
"${cargo[@]}" --no-fail-fast 2>&1 | awk -v mine=$((all - ignored)) '
    function sentence(name) { gsub(/^.*::/, "", name); gsub(/_/, " ", name); return name }
    function tell(name) { if (name in open) { print "not ok - " sentence(name); delete open[name] } }
    /^test result:/ { for (name in open) tell(name); inside = 0; next }
    /^test .* \.\.\. (ok|FAILED)$/ {
        name = $0; sub(/^test /, "", name); sub(/ \.\.\. (ok|FAILED)$/, "", name); sub(/ - should panic$/, "", name)
        if ($NF == "ok") { print "ok - " sentence(name); good++ } else { open[name] = 1; bad++ }
        fflush(); next
    }
    /^---- .* stdout ----$/ { name = $0; sub(/^---- /, "", name); sub(/ stdout ----$/, "", name); tell(name); inside = 1; fflush(); next }
    /^failures:$/ { inside = 0 }
    inside { print "    " $0; fflush(); next }
    /^error/ { print "# " $0; fflush() }
    END {
        for (name in open) tell(name)
        if (good + bad == mine) printf "%d passed, %d failed\n", good, bad
        else printf "# %d of %d tests ran\n", good + bad, mine
    }'
exit "${PIPESTATUS[0]}"
