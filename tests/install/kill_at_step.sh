# shellcheck shell=bash
# Read by every bash below the test (BASH_ENV): before the STEP-th command that changes anything,
# the whole process group is killed. Counts on in $KILL_DIRECTORY/count, across processes.
kill_at_step() {
    case $1 in
    cp\ * | mv\ * | rm\ * | install\ * | mkdir\ * | rmdir\ * | touch\ * | sync\ * | chown\ * | chmod\ * | cat\ * | \
        pam-auth-update\ * | authalert-pam\ * | deb-systemd-* | DEBIAN_FRONTEND=* | systemctl\ * | timeout\ * | *'>'*'.authalert-new'* | with_line* | without_line*) ;;
    *) return 0 ;;
    esac
    local count=0
    read -r count <"$KILL_DIRECTORY/count"
    count=$((count + 1))
    echo "$count" >"$KILL_DIRECTORY/count"
    if [[ $count == "$KILL_AT_STEP" ]]; then
        echo "$1" >"$KILL_DIRECTORY/command"
        kill -KILL 0
    fi
}
if [[ -n ${KILL_DIRECTORY:-} ]]; then
    set -T
    trap 'kill_at_step "$BASH_COMMAND"' DEBUG
fi
