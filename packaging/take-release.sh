# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables of install.sh
# install.sh --from DIR: a release is checked and unpacked. Sourced by install.sh.
#
# DIR may be anybody's: of each file a copy is made that is root's alone, and only copies are checked and used. What is
# signed is SHA256SUMS, which names every file of the release with its sum.

# The signature is one of OpenSSH's (ssh-keygen -Y): it is there wherever there is an sshd to guard.
readonly signed_as=authalert-release

take_from() {
    if [[ -e $from/SHA256SUMS || -L $from/SHA256SUMS || $unsigned == no ]]; then
        take_release
    else
        must_be_whose_they_say "$from" "$from"/{authalert,libpam_authalert.so,libauthalert_sender.so}
        artifacts=$from
    fi
}

take_release() {
    local machine archive version
    [[ -e $from/SHA256SUMS || -L $from/SHA256SUMS ]] ||
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
    [[ ! -L $from/$1 ]] || fail "$from/$1 is a link; a release has files only"
    [[ -e $from/$1 ]] || fail "$from/$1 is missing, which the release's own list names"
    local complaint
    complaint=$(dd if="$from/$1" of="$staging/$1" iflag=nofollow,nonblock,fullblock bs=1M count="$2" status=none 2>&1) ||
        fail "$from/$1 cannot be copied: $complaint"
}

signature_must_be_good() {
    [[ $unsigned == no ]] || return 0
    local key=${release_key:-$source_tree/packaging/release-key.pub}
    [[ -f $key ]] || fail "there is no key to check the release with: say --key FILE, the maintainer's public key
(or --unsigned, and nobody answers for what it is)"
    [[ -e $from/SHA256SUMS.sig || -L $from/SHA256SUMS.sig ]] ||
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

# Nobody signed it: then nobody else may have been able to change it.
must_be_whose_they_say() { # PATH...
    [[ -z $destdir ]] || return 0
    local path owner mode
    for path; do
        read -r owner mode < <(stat -Lc '%u %a' -- "$path" 2>/dev/null) || continue
        [[ " 0 $EUID ${SUDO_UID:-0} " == *" $owner "* && $((8#$mode & 8#022)) == 0 ]] ||
            fail "$path can be changed by others than you and root, and root will run it; take a copy that is yours"
    done
}
