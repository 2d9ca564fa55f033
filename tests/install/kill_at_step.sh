# shellcheck shell=bash
# Read by every bash below the test (BASH_ENV): before the STEP-th command that changes anything, KILL_HOW
# comes over it. Counts on in $KILL_DIRECTORY/count, across processes.
#
#   kill  the whole process group is gone
#   stop  the whole process group is asked to end, as by Ctrl-C or a closed terminal
#   full  from here on the disk has no room
kill_at_step() {
    case $1 in
    cp\ * | mv\ * | rm\ * | install\ * | mkdir\ * | rmdir\ * | touch\ * | sync\ * | chown\ * | chmod\ * | cat\ * | \
        pam-auth-update\ * | authalert-pam\ * | deb-systemd-* | DEBIAN_FRONTEND=* | systemctl\ * | timeout\ * | *'>'*'.authalert-new'* | with_line* | without_line*) ;;
    *) return 0 ;;
    esac
    [[ ! -s $KILL_DIRECTORY/command ]] || return 0
    local count=0
    read -r count <"$KILL_DIRECTORY/count"
    count=$((count + 1))
    echo "$count" >"$KILL_DIRECTORY/count"
    [[ $count == "$KILL_AT_STEP" ]] || return 0
    echo "$1" >"$KILL_DIRECTORY/command"
    case $KILL_HOW in
    kill) kill -KILL 0 ;;
    stop) kill -TERM 0 ;;
    full) command cat /dev/zero >"$KILL_DIRECTORY/fills-the-disk" 2>/dev/null || true ;;
    esac
}
if [[ -n ${KILL_DIRECTORY:-} ]]; then
    set -T
    trap 'kill_at_step "$BASH_COMMAND"' DEBUG
fi
