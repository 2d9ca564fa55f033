# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that run.sh reads, and has
# Running a command so that all of it can be ended, and showing how it goes. Sourced by run.sh.
#
# A command gets a session of its own without a terminal: nothing of it can be stopped by one, or ask there. As root it
# gets a namespace of processes and one of mounts too, which end as a whole. It never outlives run.sh, however that ends.

work=         # everything that this run makes, gone at its end
logs=         # what was said, kept
declare -A process=() limit=() begun=() reader=() begins_line=()
enclosure=()  # a prefix that makes namespaces
heir=         # the process that cleans up if this one cannot
asked=        # status and signal, once this is to end
readonly run=$$-$RANDOM$RANDOM
terminal=no
[[ ! -t 1 ]] || terminal=yes
width=$(stty size 2>/dev/null </dev/tty | cut -d' ' -f2)
((${width:-0} > 20)) || width=80

prepare() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/authalert-XXXXXX") || exit 1
    trap 'leave' EXIT
    # Only noted: bash does not survive an exit in the middle of a read.
    trap 'asked=${asked:-130 INT}' INT
    trap 'asked=${asked:-143 TERM}' TERM
    trap 'asked=${asked:-129 HUP}' HUP
    trap 'exit 141' PIPE
    chmod 711 "$work"
    # Nobody ever writes here.
    mkfifo "$work/never" && exec {never}<>"$work/never"
    logs=$PWD/target/tests
    mkdir -p -- "$logs" 2>/dev/null && [[ -w $logs ]] || logs=$work
    outlive &
    heir=$!
    local namespaces=(unshare --pid --fork --kill-child --mount --mount-proc --propagation private)
    if [[ $EUID == 0 ]] && "${namespaces[@]}" true 2>/dev/null; then enclosure=("${namespaces[@]}"); fi
    # A shell has what it starts in the background ignore Ctrl-C, which some tests type.
    if env --default-signal=INT true 2>/dev/null; then enclosure=(env --default-signal=INT --default-signal=QUIT "${enclosure[@]}"); fi
}

# What is left to do where run.sh itself was killed.
outlive() {
    trap '' INT TERM HUP
    trap - EXIT
    exec </dev/null >/dev/null 2>&1
    while [[ -d /proc/$$ ]]; do sleep 1; done
    end_all of_this_run
    rm -rf --one-file-system -- "$work"
}

# COMMAND with its output in $work/NAME.log; after SECONDS it hangs.
enclosed() { # NAME SECONDS COMMAND...
    local name=$1
    limit[$name]=$2 begun[$name]=$SECONDS
    shift 2
    mkdir -p -- "$work/$name"
    : >"$work/$name.log"
    local fd
    exec {fd}<"$work/$name.log"
    reader[$name]=$fd begins_line[$name]=''
    # The shell is the first process of the namespace, and waits for those that nobody else waits for.
    # shellcheck disable=SC2016 # for that shell
    TMPDIR=$work/$name AUTHALERT_RUN=$run${AUTHALERT_RUN:+,$AUTHALERT_RUN} setsid setpriv --pdeathsig KILL "${enclosure[@]}" \
        sh -c '"$@"; status=$?; times >"$TMPDIR.times"; exit $status' - "$@" >"$work/$name.log" 2>&1 </dev/null &
    process[$name]=$!
}

# Sets line to the next whole line that NAME has written. Nothing is started for it, nor for the other things that are
# done again and again: bash loses a Ctrl-C that comes while it waits for something that ends by itself.
next_line() { # NAME
    if IFS= read -r line <&"${reader[$1]}"; then
        line=${begins_line[$1]}$line begins_line[$1]=''
    else
        begins_line[$1]+=$line
        return 1
    fi
}

# Also where it is looked whether somebody wants this to end.
pause() {
    [[ -n $asked ]] || read -r -t 0.3 <&"$never"
    [[ -z $asked ]] || interrupted
}

# Whether NAME has ended; one that hangs is ended.
has_ended() { # NAME
    [[ -d /proc/${process[$1]} ]] || return 0
    ((SECONDS - begun[$1] > limit[$1])) || return 1
    limit[$1]="late ${limit[$1]}"
    kill -KILL "${process[$1]}" 2>/dev/null
}

# Sets status to what it ended with, late to whether it had to be ended, and processor to how long it took one, in words.
ended_with() { # NAME
    wait "${process[$1]}" 2>/dev/null
    status=$? late=no
    processor=$(awk -F '[ms ]' 'NR == 2 { printf ", %d s of a processor", $1 * 60 + $2 + $4 * 60 + $5 }' "$work/$1.times" 2>/dev/null)
    if [[ ${limit[$1]} == late\ * ]]; then
        limit[$1]=${limit[$1]#late } late=yes
    fi
    end_all of_session "${process[$1]}"
}

forget() { # NAME
    local fd=${reader[$1]}
    exec {fd}<&-
    rm -rf --one-file-system -- "${work:?}/$1" "$work/$1.times"
    unset "process[$1]" "reader[$1]"
}

# The processes of this run, by what is in their environment; of a session, by its number.
# What may not be read, or is gone meanwhile, is none of them.
of_this_run() { { grep -lzE "^AUTHALERT_RUN=(.*,)?$run(,|\$)" /proc/[0-9]*/environ 2>/dev/null || true; } | cut -d/ -f3; }
of_session() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v session="$1" '{ pid = $1; sub(/^.*\) /, ""); if ($4 == session) print pid }' || true; }

# Nobody is asked to end, so nobody can refuse.
end_all() { # COMMAND...: one that prints their numbers
    local left tries=0
    while ((tries++ < 100)) && left=$("$@" || true) && [[ -n $left ]]; do
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
    if ((${#process[@]})); then
        # Waited for, lest the shell tell of it.
        { kill -KILL "${process[@]}"; wait "${process[@]}"; } 2>/dev/null
    fi
    for session in "${process[@]}"; do end_all of_session "$session"; done
    end_all of_this_run
    rm -rf --one-file-system -- "$work"
    { kill -KILL "$heir"; wait "$heir"; } 2>/dev/null
    remove_policy
    give_back
    exit "$status"
}

interrupted() {
    trap '' INT TERM HUP
    clear_line
    echo "tests/run.sh: ended by SIG${asked#* }; $total_good passed, $total_bad failed until then, and ${!process[*]} did not end" >&2
    exit "${asked% *}"
}

# Something before the rings that takes its time: nothing of it is shown but how it goes, and its end if that is bad.
run_step() { # SENTENCE SECONDS COMMAND...
    local sentence=$1 status late newest='' took processor
    say "== $sentence"
    enclosed step "${@:2}"
    until has_ended step; do
        while next_line step; do newest=$line; done
        status_line "$newest"
        pause
    done
    ended_with step
    minutes took $((SECONDS - begun[step]))
    say "== took $took$processor"
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

minutes() { printf -v "$1" '%d:%02d min' $(($2 / 60)) $(($2 % 60)); } # VARIABLE SECONDS
clear_line() { [[ $terminal == no ]] || printf '\r\033[K'; }
say() {
    clear_line
    printf '%s\n' "$*"
}
say_of() { # RING LINE
    clear_line
    printf '%3d:%02d %-9s %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1" "$2"
}

# At a terminal, below what is said: what runs, since when, and how many tests of it have ended.
status_line() { # [WORDS]
    [[ $terminal == yes ]] || return 0
    local name text since
    printf -v text '%3d:%02d running:' $((SECONDS / 60)) $((SECONDS % 60))
    for name in "${!process[@]}"; do
        minutes since $((SECONDS - begun[$name]))
        text+=" $name $since"
        [[ -z ${counted[$name]:-} ]] || text+=" (${counted[$name]} tests)"
        text+=';'
    done
    text=${text%;}${1:+, $1}
    printf '\r\033[K%s' "${text:0:$((width - 1))}"
}
