#!/bin/sh
# The sources as they are here, without what was built of them or is git's, into DIRECTORY. git is not asked: what a release
# gives is no repository, and of one that is another's git says nothing.
#
#     sources.sh DIRECTORY
set -eu
top=$(cd -- "$(dirname -- "$0")/.." && pwd -P)
mkdir -p -- "$1"
tar -C "$top" --exclude=./.git --exclude=./target --exclude=./fuzz/target --exclude=./fuzz/artifacts --exclude=__pycache__ -c . | tar -C "$1" --no-same-owner -x
