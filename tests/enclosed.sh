# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that run.sh reads, and has
# Running a command so that all of it can be ended, and showing how it goes. Sourced by run.sh.
#
# A command gets a session of its own without a terminal: nothing of it can be stopped by one, or ask there. As root it
# gets a namespace of processes and one of mounts too, which end as a whole. It never outlives run.sh, however that ends.

work=         # everything that this run makes, gone at its end
logs=         # what was said, kept
declare -A process=() limit=() begun=()
enclosure=()  # a prefix that makes namespaces
readonly run=$$-$RANDOM$RANDOM
terminal=no
[[ ! -t 1 ]] || terminal=yes

prepare() {
    work=$(mktemp -d /tmp/authalert-XXXXXX) || exit 1
    trap 'leave' EXIT
    trap 'interrupted 130 INT' INT
    trap 'interrupted 143 TERM' TERM
    trap 'interrupted 129 HUP' HUP
    trap 'exit 141' PIPE
    chmod 711 "$work"
    logs=$PWD/target/tests
    mkdir -p -- "$logs" 2>/dev/null && [[ -w $logs ]] || logs=$work
    local namespaces=(unshare --pid --fork --kill-child --mount --mount-proc --propagation private)
    if [[ $EUID == 0 ]] && "${namespaces[@]}" true 2>/dev/null; then enclosure=("${namespaces[@]}"); fi
    # A shell has what it starts in the background ignore Ctrl-C, which some tests type.
    if env --default-signal=INT true 2>/dev/null; then enclosure=(env --default-signal=INT --default-signal=QUIT "${enclosure[@]}"); fi
}

# COMMAND with its output in $work/NAME.log; after SECONDS it hangs.
enclosed() { # NAME SECONDS COMMAND...
    local name=$1
    limit[$name]=$2 begun[$name]=$SECONDS
    shift 2
    mkdir -p -- "$work/$name"
    : >"$work/$name.log"
    # The shell is the first process of the namespace, and waits for those that nobody else waits for.
    TMPDIR=$work/$name AUTHALERT_RUN=$run${AUTHALERT_RUN:+,$AUTHALERT_RUN} setsid setpriv --pdeathsig KILL "${enclosure[@]}" \
        sh -c '"$@"; exit $?' - "$@" >"$work/$name.log" 2>&1 </dev/null &
    process[$name]=$!
}

# Whether NAME has ended; one that hangs is ended.
has_ended() { # NAME
    [[ -d /proc/${process[$1]} ]] || return 0
    ((SECONDS - begun[$1] > limit[$1])) || return 1
    limit[$1]="late ${limit[$1]}"
    kill -KILL "${process[$1]}" 2>/dev/null
}

# Sets status to what it ended with, and late to whether it had to be ended.
ended_with() { # NAME
    wait "${process[$1]}" 2>/dev/null
    status=$? late=no
    if [[ ${limit[$1]} == late\ * ]]; then
        limit[$1]=${limit[$1]#late } late=yes
    fi
    end_all of_session "${process[$1]}"
}

forget() { # NAME
    rm -rf --one-file-system -- "${work:?}/$1"
    unset "process[$1]"
}

# The processes of this run, by what is in their environment; of a session, by its number.
of_this_run() { grep -lzE "^AUTHALERT_RUN=(.*,)?$run(,|\$)" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
of_session() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v session="$1" '{ pid = $1; sub(/^.*\) /, ""); if ($4 == session) print pid }'; }

# Nobody is asked to end, so nobody can refuse.
end_all() { # COMMAND...: one that prints their numbers
    local left tries=0
    while ((tries++ < 100)) && left=$("$@") && [[ -n $left ]]; do
        # shellcheck disable=SC2086 # numbers
        kill -KILL $left 2>/dev/null
        sleep 0.05
    done
}

leave() {
    local status=$? session
    set +u
    trap '' INT TERM HUP PIPE
    clear_line
    ((${#process[@]} == 0)) || kill -KILL "${process[@]}" 2>/dev/null
    for session in "${process[@]}"; do end_all of_session "$session"; done
    end_all of_this_run
    rm -rf --one-file-system -- "$work"
    remove_policy
    give_back
    exit "$status"
}

interrupted() { # STATUS SIGNAL
    trap '' INT TERM HUP
    clear_line
    echo "tests/run.sh: ended by SIG$2; $total_good passed, $total_bad failed until then, and ${!process[*]} did not end" >&2
    exit "$1"
}

# Something before the rings that takes its time: nothing of it is shown but how it goes, and its end if that is bad.
run_step() { # SENTENCE SECONDS COMMAND...
    local sentence=$1 status late
    say "== $sentence"
    enclosed step "${@:2}"
    until has_ended step; do
        status_line "$(tail -n 1 "$work/step.log" | cut -c 1-60)"
        sleep 0.3
    done
    ended_with step
    say "== took $(minutes $((SECONDS - begun[step])))"
    cp -- "$work/step.log" "$logs/step.log" 2>/dev/null
    [[ $status == 0 ]] || tail -n 40 "$work/step.log"
    forget step
    [[ $status == 0 ]]
}

stop() {
    say "not ok - $1"
    say "$total_good passed, $((total_bad + 1)) failed"
    exit 1
}

# --- showing ----------------------------------------------------------------------------------

minutes() { printf '%d:%02d min' $(($1 / 60)) $(($1 % 60)); }
clock() { printf '%3d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }
clear_line() { [[ $terminal == no ]] || printf '\r\033[K'; }
say() {
    clear_line
    printf '%s\n' "$*"
}

# At a terminal, below what is said: what runs, since when, and how many tests of it have ended.
status_line() { # [WORDS]
    [[ $terminal == yes ]] || return 0
    local name line width
    line="$(clock) running:"
    for name in "${!process[@]}"; do
        line+=" $name $(minutes $((SECONDS - begun[$name])))"
        [[ -z ${counted[$name]:-} ]] || line+=" (${counted[$name]} tests)"
        line+=';'
    done
    line=${line%;}${1:+, $1}
    width=$(stty size 2>/dev/null </dev/tty | cut -d' ' -f2)
    printf '\r\033[K%s' "${line:0:$((${width:-80} - 1))}"
}
