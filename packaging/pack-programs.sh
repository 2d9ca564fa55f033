#!/bin/bash
#
# pack-programs.sh DIRECTORY: the archive authalert-VERSION-linux-PROCESSOR.tar.gz for install.sh --from, in DIRECTORY: what
# install.sh puts into place, and install.sh itself. By gzip, which is everywhere. AUTHALERT_BUILD=DIR names the built files
# (default: target/release), VERSION=X another version than that of Cargo.toml, SOURCE_DATE_EPOCH the time of all files.

set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
tree=${here%/packaging}
(($# == 1)) || { sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
out=$(realpath -- "$1")
programs=$(realpath -- "${AUTHALERT_BUILD:-$tree/target/release}")
version=${VERSION:-$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$tree/Cargo.toml")}
case $(readelf --file-header --wide -- "$programs/libpam_authalert.so" | sed -n 's/^ *Machine: *//p') in
*X86-64*) machine=x86_64 ;;
AArch64) machine=aarch64 ;;
*) machine=$(uname -m) ;;
esac
name=authalert-$version-linux-$machine
stage=$(mktemp -d)
trap 'rm -rf -- "$stage"' EXIT
root=$stage/$name
mkdir -p -- "$root/packaging" "$root/programs"

cp -- "$programs"/{authalert,libpam_authalert.so,libauthalert_sender.so} "$root/programs/"
cd -- "$tree"
cp -r -- install.sh etc pam.d README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT "$root/"
(cd -- packaging && cp -r -- authalert-pam authselect.md completions cron fail2ban maintainer man systemd take-release.sh "$root/packaging/")
[[ ! -f packaging/release-key.pub ]] || cp -- packaging/release-key.pub "$root/packaging/"
packaging/licences.py >"$root/licences-of-crates"

# In an order of its own, without the names and times of this machine.
tar -C "$stage" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=go+u,go-w \
    --mtime="@${SOURCE_DATE_EPOCH:-$(date +%s)}" -c -- "$name" | gzip -9n >"$out/$name.tar.gz"
