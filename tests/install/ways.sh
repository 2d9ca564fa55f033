#!/bin/bash
# shellcheck disable=SC2016 # what stands in single quotes is for the copy
#
# install.sh as people call it: through sudo with cargo in the caller's home, from another directory, with
# blanks in its path, from sources that cannot be written, twice at once, again and again, with another
# prefix; and what it says where cargo is too old or the network is away. As root, in copies of this machine's
# own system, with a cargo that only puts finished files in place. AUTHALERT_BUILD: the directory of the built files.

set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
source_tree=${here%/tests/install}
artifacts=$(realpath -- "${AUTHALERT_BUILD:-$source_tree/target/release}")
# shellcheck source-path=SCRIPTDIR
. "$here/scratch_system.sh"


main() {
    begin
    export -f callers one_way cargo_says named_so
    add_layer callers callers

    way "through sudo, with cargo in the caller's home and not in sudo's path" '
        runuser -u caller -- sh -c "cd ~/tree && sudo -n ./install.sh --services $services" &&
        grep -qx caller /home/caller/.cargo/called-by && test "$(stat -c %U /home/caller/tree/target/release)" = caller'
    way "from another directory, with blanks in the path" '
        cargo_says 1.85.0 && mv /home/caller/tree "/home/caller/my own tree" && cd / &&
        "/home/caller/my own tree/install.sh" --services "$services"'
    way "from sources that cannot be written" '
        mount --bind /home/caller/tree /home/caller/tree && mount -o remount,bind,ro /home/caller/tree &&
        /home/caller/tree/install.sh --services "$services" && ! ls -d /var/tmp/authalert-build*'
    way "by a relative path and through a link" '
        ln -s /home/caller/tree /srv/link && cd /srv && ./link/install.sh --services "$services"'
    way "with another prefix" '
        /home/caller/tree/install.sh --services "$services" --prefix /opt/own && /opt/own/bin/authalert --version &&
        grep -q /opt/own/bin/authalert /etc/cron.d/authalert && ! command -v authalert &&
        /home/caller/tree/install.sh --uninstall --purge && ! test -e /opt/own'
    way "again and again, and shows the record each time" '
        for i in 1 2 3 4; do
            said=$(/home/caller/tree/install.sh --services "$services") && test "$(grep -c "recorded: nobody" <<<"$said")" = 2 || exit
        done'
    way "with the way to a phone for who has none, and for nobody else" '
        hint() { /home/caller/tree/install.sh --services "$services" | grep -c "receivers add ntfy"; }
        test "$(hint)" = 1 && test "$(hint)" = 1 &&
        printf "[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n" >>/etc/authalert/config.toml && test "$(hint)" = 0 &&
        printf "receiver = \"timeline\"\n" >/etc/authalert/config.toml && test "$(hint)" = 1 &&
        printf "api_key = \"k\"\n" >/etc/authalert/credentials.toml && chmod 600 /etc/authalert/credentials.toml && test "$(hint)" = 0'
    way "twice at once: the second is told so" '
        exec 8</etc/pam.d; flock 8
        said=$(/home/caller/tree/install.sh --services "$services" 2>&1) && exit 1
        grep -q "another install.sh is running" <<<"$said" && ! test -e /usr/lib/authalert'
    way "where its own lines are in the stack that sudo uses" '
        printf "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession optional pam_permit.so\n" >/etc/pam.d/sudo; rm -f /etc/pam.d/sudo-i
        sed -i s/NOPASSWD:// /etc/sudoers.d/caller; named_so >/tmp/before
        /home/caller/tree/install.sh --services "$services" && authalert-pam add sudo &&
        runuser -u caller -- sudo /home/caller/tree/install.sh --services "$services" &&
        runuser -u caller -- sudo /home/caller/tree/install.sh --uninstall --purge && diff /tmp/before <(named_so)'
    way "not with a cargo that is too old: it says what to do" '
        cargo_says 1.63.0; printf "#!/bin/sh\n" >/usr/local/bin/apt-get; printf "#!/bin/sh\necho Version: 0.66.0+ds1-1\n" >/usr/local/bin/apt-cache
        chmod 755 /usr/local/bin/apt-*
        said=$(/home/caller/tree/install.sh --services "$services" 2>&1) && exit 1
        grep -q "needs Rust 1.85 or newer; found here: 1.63.0" <<<"$said" && grep -q rustup <<<"$said" && ! test -e /usr/lib/authalert'
    way "not without the network: it says what is missing" '
        rm /home/caller/.cargo/bin/cargo; printf "#!/bin/sh\nexit 100\n" >/usr/local/bin/apt-get; printf "#!/bin/sh\necho Version: 1.85.0\n" >/usr/local/bin/apt-cache
        chmod 755 /usr/local/bin/apt-*
        said=$(/home/caller/tree/install.sh --services "$services" 2>&1) && exit 1
        grep -q "the package lists could not be refreshed" <<<"$said" && grep -q "could not install cargo; install" <<<"$said" &&
        ! test -e /usr/lib/authalert'
    way "not where crates.io is out of reach: nothing is changed" '
        printf "#!/bin/sh\necho cargo 1.85.0; [ \$1 = --version ] || exit 101\n" >/home/caller/.cargo/bin/cargo
        said=$(/home/caller/tree/install.sh --services "$services" 2>&1) && exit 1
        grep -q "It needs the network" <<<"$said" && ! test -e /usr/lib/authalert'

    finish
}

way() { good_in_a_copy "install.sh works $1" one_way "$2"; } # SENTENCE COMMAND

# Somebody with sudo, the sources, and a cargo in their home; none elsewhere.
callers() {
    chroot "$work/root" useradd -m caller || echo "no account"
    mkdir -p -- "$work/root/home/caller/.cargo/bin" "$work/root/etc/sudoers.d"
    "$source_tree/tests/sources.sh" "$work/root/home/caller/tree"
    echo 'caller ALL=(ALL) NOPASSWD: ALL' >"$work/root/etc/sudoers.d/caller"
    chmod 0440 -- "$work/root/etc/sudoers.d/caller"
    rm -rf -- "$work"/root/usr/bin/cargo "$work"/root/usr/local/bin/cargo "$work"/root/usr/lib/rust-*/bin/cargo "$work/root/root/.cargo/bin/cargo"
    chroot "$work/root" bash -c "$(declare -f cargo_says); cargo_says 1.85.0"
    chroot "$work/root" chown -R caller: /home/caller
}

cargo_says() {
    local cargo=/home/caller/.cargo/bin/cargo
    cat >"$cargo" <<CARGO
#!/bin/sh
[ "\$1" = --version ] && { echo 'cargo $1'; exit; }
id -un >/home/caller/.cargo/called-by
while [ \$# -gt 0 ] && [ "\$1" != --target-dir ]; do shift; done
mkdir -p "\$2/release" && cp /aa-built/* "\$2/release/"
CARGO
    chmod 0755 "$cargo"
}

one_way() {
    local output
    if output=$(chroot "$work/root" bash -c "$(declare -f cargo_says named_so); services=$services sources=$(dirname -- "$source_tree"); $1" 2>&1); then
        echo good
    else
        printf '%s\n' "$output"
    fi
}

# Where a system keeps what is installed, and nowhere else: others may be building on this machine.
named_so() { find /etc /usr /var /opt /srv /run /lib /bin /sbin -xdev -path /var/tmp -prune -o -name '*authalert*' -print | sort; }

main
