#!/bin/bash
# What the two libraries are as files: what they export, how they are linked.
#   elf.sh DIRECTORY
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../report.sh"
directory=${1:?usage: elf.sh DIRECTORY}
claim() { # CONDITION NAME DETAILS
    if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2" "$(printf '%s' "$3" | tail -n 12)"; fi
}
exports() { nm -D --defined-only "$1" | awk '{ print $3 }' | sort | tr '\n' ' '; }
check() { # FILE EXPORTS (a pattern)
    file=$directory/$1
    found=$(exports "$file")
    printf '%s' "$found" | grep -Eqx "$2"; claim $? "$1 exports what it must and nothing else" "$found"
    dynamic=$(readelf -dW "$file")
    segments=$(readelf -lW "$file")
    printf '%s' "$dynamic" | grep -q 'FLAGS.*BIND_NOW' && printf '%s' "$dynamic" | grep -q 'FLAGS_1.*NOW'
    claim $? "$1: all symbols are bound at load" "$dynamic"
    printf '%s' "$segments" | grep -q GNU_RELRO; claim $? "$1: relocations are read-only" "$segments"
    printf '%s' "$dynamic" | grep -q 'FLAGS_1.*NODELETE'; claim $? "$1: never unloaded" "$dynamic"
    ! printf '%s' "$dynamic" | grep -q TEXTREL; claim $? "$1: no text relocations" "$dynamic"
    printf '%s' "$segments" | grep GNU_STACK | grep -q 'RW ' ; claim $? "$1: the stack is not executable" "$segments"
    ! printf '%s' "$segments" | grep LOAD | grep -q 'RWE'; claim $? "$1: nothing is writable and executable" "$segments"
    ! printf '%s' "$dynamic" | grep -Eq 'R(UN)?PATH'; claim $? "$1: no search path of its own" "$dynamic"
    ! printf '%s' "$dynamic" | grep -q 'libgcc_s'; claim $? "$1: brings its own unwinder" "$dynamic"
}
check libpam_authalert.so 'pam_sm_acct_mgmt pam_sm_authenticate pam_sm_chauthtok pam_sm_close_session pam_sm_open_session pam_sm_setcred '
# The number is that of the calling convention.
check libauthalert_sender.so 'authalert_let_go authalert_take_[0-9]+ '
readelf -dW "$directory/libpam_authalert.so" | grep -q 'NEEDED.*libpam.so.0'
claim $? 'the module names libpam itself, for hosts that load libpam locally' "$(readelf -dW "$directory/libpam_authalert.so")"
# Every panic can print where it was, and looks for the program and its directory to do so. Older compilers find fewer of
# them impossible than newer ones.
needs() { nm -D --undefined-only "$directory/$1" | grep -E ' (getcwd|realpath|readlink|_Unwind_.*)(@|$)'; }
panics=$(needs libpam_authalert.so)
[ -z "$panics" ]
claim $? 'nothing in the module can panic' "$panics"
[ -n "$(needs libauthalert_sender.so)" ]
claim $? 'and it would be seen: the sender can' ''
finish
