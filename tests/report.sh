# shellcheck shell=bash
# How tests report, in shell; report.py is the same for Python. Sourced.
#
# A list of tests prints, a line each and as it happens:
#
#   plan N                         first, where it knows how many tests it has
#   ok - sentence
#   not ok - sentence              what went wrong follows, indented or behind a #
#   left out - sentence: why       this machine does not allow the test
#   N passed, N failed             last, and only when it came to its end; the exit status is 0 if nothing failed
#
# Whoever runs it believes none of this alone: see judge.

passed=0 failed=0 omissions=0

# Run COMMAND; it, and with it the sentence, holds if it succeeds. What is in $output is shown if not.
check() { # SENTENCE COMMAND...
    local sentence=$1
    shift
    if "$@"; then ok "$sentence"; else not_ok "$sentence" "$* (${output:-no output})"; fi
}

ok() {
    passed=$((passed + 1))
    printf 'ok - %s\n' "$1"
}

not_ok() { # SENTENCE [DETAILS]
    failed=$((failed + 1))
    printf 'not ok - %s\n' "$1"
    [[ -z ${2:-} ]] || head -n 60 <<<"$2" | sed 's/^/    /'
}

left_out() { # SENTENCE WHY
    omissions=$((omissions + 1))
    printf 'left out - %s: %s\n' "$1" "$2"
}

# The last line, and the exit status of a list of tests.
finish() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed + omissions > 0))
}

# What a list of tests is worth that printed FILE and ended with STATUS. Sets good, bad and omitted to how many of its
# lines say so, and fault to why it is not to be believed: it ended early, or with a status of its own, or reported
# another number of tests than it planned, or none.
judge() { # FILE STATUS
    local file=$1 status=$2 planned
    good=$(grep -c '^ok - ' "$file") bad=$(grep -c '^not ok - ' "$file") omitted=$(grep -c '^left out - ' "$file")
    planned=$(awk '/^plan [0-9]+$/ { sum += $2; found = 1 } END { if (found) print sum }' "$file")
    fault=
    if ((status > 128)); then
        fault="it was ended by SIG$(kill -l $((status - 128)) 2>/dev/null || echo nal) before its end"
    elif ! tail -n 1 "$file" | grep -Ex '[0-9]+ passed, [0-9]+ failed' >/dev/null; then
        fault="it stopped before its end, with status $status"
    elif ((status != 0 && bad == 0)); then
        fault="it ended with status $status, and names no test that failed"
    elif ((status == 0 && bad > 0)); then
        fault="it ended with status 0, and $bad failed"
    elif [[ -n $planned ]] && ((planned != good + bad + omitted)); then
        fault="of $planned tests $((good + bad + omitted)) reported"
    elif ((good + bad + omitted == 0)); then
        fault="it ran no test"
    fi
    [[ -z $fault ]]
}

# Run COMMAND as a part of a list that has only parts: its lines pass through, its sum is added to ours, and where it is
# not to be believed that is a test that failed. For one that planned nothing the plan is what it reported.
part() { # NAME COMMAND...
    local name=$1 log status good bad omitted fault
    shift
    log=$(mktemp)
    "$@" 2>&1 </dev/null | tee "$log" | sed -u -E '/^[0-9]+ passed, [0-9]+ failed$/d'
    status=${PIPESTATUS[0]}
    judge "$log" "$status" || true
    passed=$((passed + good)) failed=$((failed + bad))
    grep '^plan ' "$log" >/dev/null || printf 'plan %d\n' $((good + bad + omitted))
    [[ -z $fault ]] || {
        echo 'plan 1'
        not_ok "$name comes to its end" "$fault
$(tail -n 20 "$log")"
    }
    rm -f -- "$log"
}

# Run COMMAND, a scenario that says no sum, or cargo test, as a part: the sum is said for it when it came to its end. The
# seconds are those after which it hangs, on a busy machine too.
scenario() { # SECONDS COMMAND...
    part "$(basename "${*:3:1}") ${*:4}" summed "$@"
}

summed() { # SECONDS COMMAND...
    local log status good bad
    log=$(mktemp)
    timeout --foreground --kill-after=10 "$@" >"$log" 2>&1
    status=$?
    # What cargo test prints, in the same form.
    sed -i -E '/^test .* \.\.\. (ok|FAILED)$/ { s/_/ /g; s/^test (.*) \.\.\. ok$/ok - \1/; s/^test (.*) \.\.\. FAILED$/not ok - \1/ }' "$log"
    cat -- "$log"
    good=$(grep -c '^ok - ' "$log") bad=$(grep -c '^not ok - ' "$log")
    rm -f -- "$log"
    ((status != 0 && bad == 0)) || printf '%d passed, %d failed\n' "$good" "$bad"
    return $status
}
