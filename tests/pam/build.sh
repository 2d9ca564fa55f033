#!/bin/sh
# What drives libpam in all tests, into DIRECTORY:
#
#     build.sh DIRECTORY [host | door.so | ends_in_open.so]...
#
#   host             the application of libpam: host.c says what it can do
#   door.so          a module that stands in for the others of a stack
#   ends_in_open.so  what host's word `pending` wants preloaded
#
# It needs cc and libpam's headers (on Debian gcc and libpam0g-dev).
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
directory=$1
shift
mkdir -p -- "$directory"
compile() { cc -O1 -g -Wall -Wextra "$@"; }
for what; do
    case $what in
    host)
        compile -fvisibility=hidden -o "$directory/host" "$here/host.c" "$here/steps.c" "$here/conversation.c" "$here/transactions.c" \
            "$here/callbacks.c" "$here/threads.c" "$here/process.c" -lpam -lpthread -ldl
        ;;
    door.so) compile -shared -fPIC -o "$directory/door.so" "$here/door.c" -lpam ;;
    ends_in_open.so) compile -shared -fPIC -o "$directory/ends_in_open.so" "$here/ends_in_open.c" -lpthread ;;
    *) echo "build.sh: there is no '$what'" >&2; exit 2 ;;
    esac
done
