# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables of install.sh
# install.sh --from DIR: a release is checked and unpacked. Sourced by install.sh.
#
# DIR may be anybody's: of each file a copy is made that is root's alone, and only copies are checked and used. What is
# signed is SHA256SUMS, which names every file of the release with its sum.

# The signature is one of OpenSSH's (ssh-keygen -Y): it is there wherever there is an sshd to guard.
readonly signed_as=authalert-release

take_from() {
    local directory file
    # Held open: whoever can rename a directory above it puts no other one in its place.
    exec {directory}<"$from" || fail "$from cannot be read"
    held=/proc/$$/fd/$directory
    directory_must_be_ours
    if [[ -e $held/SHA256SUMS || -L $held/SHA256SUMS || $unsigned == no ]]; then
        take_release
    else
        make_staging
        for file in authalert libpam_authalert.so libauthalert_sender.so; do
            take "$file" 256
            chmod 0755 -- "$staging/$file"
        done
        artifacts=$staging
    fi
    exec {directory}<&-
}

take_release() {
    local machine archive version
    [[ -e $held/SHA256SUMS || -L $held/SHA256SUMS ]] ||
        fail "$from holds no SHA256SUMS, so nobody can say what is in it. What you built yourself: --unsigned"
    make_staging
    take SHA256SUMS 1
    signature_must_be_good

    machine=$(machine_of "$destdir$module_directory/pam_unix.so")
    archive=$(sed -nE "s/^[0-9a-f]{64}  (authalert-[0-9][0-9A-Za-z.~+]*-linux-$machine\.tar\.gz)$/\1/p" "$staging/SHA256SUMS")
    [[ -n $archive && $archive != *$'\n'* ]] ||
        fail "the release in $from has no programs for this system's processor ($machine); build them here: ./install.sh"
    take "$archive" 256
    (cd -- "$staging" && grep -F "  $archive" SHA256SUMS | sha256sum --check --strict --status) ||
        fail "$from/$archive is not what SHA256SUMS says: it is damaged, or somebody changed it"

    version=${archive#authalert-} version=${version%-linux-*}
    must_not_be_older "$version"
    tar -xzf "$staging/$archive" --no-same-owner -C "$staging" || fail "$from/$archive cannot be unpacked"
    source_tree=$staging/${archive%.tar.gz} artifacts=$staging/${archive%.tar.gz}/programs
    say "authalert $version, $([[ $unsigned == no ]] && echo "signed by $signer" || echo "whose signature was not looked at")."
}

# Where the programs can be tried: /var/tmp often is where nothing may run.
make_staging() {
    staging=$scratch/release
    if [[ -z $destdir && $dry_run == no ]]; then
        # Of a run that was killed; no other runs now.
        rm -rf -- /usr/lib/.authalert-release.*
        staging=$(mktemp -d /usr/lib/.authalert-release.XXXXXXXX)
    else
        install -d -m 0700 -- "$staging"
    fi
}

# No link is followed, nothing is waited for, and no more is read than a release can have.
take() { # NAME MEGABYTES
    [[ ! -L $held/$1 ]] || fail "$from/$1 is a link; a release has files only"
    [[ -e $held/$1 ]] || fail "$from/$1 is missing, which belongs to a release"
    must_be_ours "$held/$1" "$from/$1"
    local complaint
    complaint=$(dd if="$held/$1" of="$staging/$1" iflag=nofollow,nonblock,fullblock bs=1M count="$2" status=none 2>&1) ||
        fail "$from/$1 cannot be copied: $complaint"
}

signature_must_be_good() {
    [[ $unsigned == no ]] || return 0
    local key=${release_key:-$source_tree/packaging/release-key.pub}
    [[ -f $key ]] || fail "there is no key to check the release with: say --key FILE, the maintainer's public key
(or --unsigned, and nobody answers for what it is)"
    [[ -e $held/SHA256SUMS.sig || -L $held/SHA256SUMS.sig ]] ||
        fail "$from holds no SHA256SUMS.sig: nobody signed this release (--unsigned installs it all the same)"
    command -v ssh-keygen >/dev/null || fail "the signature is checked with ssh-keygen, which is not here; install the OpenSSH client"
    take SHA256SUMS.sig 1
    # Lines as in an authorized_keys file; of each the kind and the key.
    sed -nE "s/^((sk-)?(ssh|ecdsa)-[^ ]+ [A-Za-z0-9+\/]+=*)( .*)?$/authalert namespaces=\"$signed_as\" \1/p" "$key" >"$scratch/signers"
    [[ -s $scratch/signers ]] || fail "$key is not a public key of OpenSSH's"
    signer=$(ssh-keygen -Y verify -f "$scratch/signers" -I authalert -n "$signed_as" -s "$staging/SHA256SUMS.sig" \
        <"$staging/SHA256SUMS" 2>"$scratch/complaint") ||
        fail "the signature of $from/SHA256SUMS is not by $key: this is not what its holder released"
    signer=${signer##* }
}

# A state of a later version has no way back.
must_not_be_older() { # VERSION
    local installed command
    [[ -z $destdir && -f $manifest ]] || return 0
    command=$(grep -m 1 -E '/bin/authalert$' "$manifest") || return 0
    installed=$("$command" --version 2>/dev/null | awk '{ print $2 }') || return 0
    [[ -z $installed ]] || printf '%s\n%s\n' "$installed" "$1" | sort -V -C ||
        fail "the release in $from is $1; $installed is installed here, and there is no way back but ./install.sh --uninstall --purge"
}

# As the loader of this system's libpam sees it; a kernel of 64 bits says nothing of the programs on it.
machine_of() { # FILE
    case $(od -An -tx1 -j4 -N1 -- "$1")$(od -An -tx1 -j18 -N2 -- "$1") in
    ' 02 3e 00') echo x86_64 ;;
    ' 02 b7 00') echo aarch64 ;;
    *) uname -m ;;
    esac
}

# Nobody signed it: then nobody else may have been able to change it, nor to put something in its place.
directory_must_be_ours() {
    local above
    must_be_ours "$held/." "$from"
    above=$(readlink -- "$held")
    while [[ $above == /?* ]]; do
        above=${above%/*}
        must_be_ours "${above:-/}" "${above:-/}" sticky
    done
}

# "sticky": others may write in it, and cannot rename what is not theirs, as in /tmp.
must_be_ours() { # PATH SHOWN [sticky]
    [[ $unsigned == yes && -z $destdir ]] || return 0
    local owner mode ours=no
    read -r owner mode < <(stat -c '%u %a' -- "$1") || fail "$2 cannot be looked at"
    if [[ " 0 $EUID ${SUDO_UID:-0} " == *" $owner "* ]]; then
        ((8#$mode & 8#022)) && [[ ${3:-} != sticky || $((8#$mode & 8#1000)) == 0 ]] || ours=yes
    fi
    [[ $ours == yes ]] || fail "$2 can be changed by others than you and root, and root will run what is in it; take a copy that is yours"
}
