#!/bin/bash
# The receivers against the programs themselves: an ntfy server and a Matrix homeserver, fetched on demand from Debian and
# PyPI into a directory that is kept, started on loopback and ended with this script.
#
#   tests/receivers/run.sh [DIRECTORY]      default: target/receivers
#
# Beside them the programs that commands send by, see commands.sh. What cannot be fetched is left out with a word. Prints
# what tests/report.sh says. AUTHALERT_BUILD names the folder of the build, whose last part is the profile (default:
# target/quick).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
directory=${1:-target/receivers}
mkdir -p "$directory" || exit 1
directory=$(cd "$directory" && pwd)
run=$(mktemp -d "${TMPDIR:-/tmp}/authalert-receivers-XXXXXX") || exit 1
profile=$(basename "${AUTHALERT_BUILD:-target/quick}")
started=''

# shellcheck disable=SC2317 # called by the trap
cleanup() {
    for pid in $started; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

listening() { # PORT
    for _ in $(seq 150); do
        python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null && return
        sleep 0.2
    done
    return 1
}

tried() { # SENTENCE TEST
    if timeout --foreground 300 cargo test --locked --quiet --profile "${profile/debug/dev}" --workspace --test conformance -- --ignored --exact "real::$2" \
        >"$run/log" 2>&1 && grep -q '^test result: ok. 1 passed' "$run/log"; then
        ok "$1"
    else
        not_ok "$1" "$(tail -n 30 "$run/log")"
    fi
}

# The package of Debian 13 runs where the C library is 2.34 or newer; it is unpacked, not installed.
fetch_ntfy() {
    [ ! -x "$directory/ntfy/usr/bin/ntfy" ] || return 0
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -f "$keys" ] || return 1
    apt=$directory/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
    : >"$apt/state/status"
    echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$apt/sources.list"
    set -- -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$apt/state" \
        -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/state/status" -o Dir::Cache="$apt/cache"
    timeout --foreground 300 apt-get "$@" update && (cd "$apt" && timeout --foreground 300 apt-get "$@" download ntfy) &&
        dpkg -x "$apt"/ntfy_*.deb "$directory/ntfy"
}

try_ntfy() {
    fetch_ntfy >"$run/fetch" 2>&1 || { left_out ntfy "its package cannot be fetched"; return; }
    ntfy=$directory/ntfy/usr/bin/ntfy
    "$ntfy" --help >/dev/null 2>&1 || { left_out ntfy "its program does not run here"; return; }
    at=$(port)
    cat >"$run/ntfy.yml" <<END
base-url: "http://127.0.0.1:$at"
listen-http: "127.0.0.1:$at"
cache-file: "$run/ntfy-cache.db"
auth-file: "$run/ntfy-user.db"
auth-default-access: "deny-all"
END
    "$ntfy" serve -c "$run/ntfy.yml" >"$run/ntfy.log" 2>&1 &
    started="$started $!"
    listening "$at" || { not_ok 'ntfy starts' "$(tail "$run/ntfy.log")"; return; }
    NTFY_PASSWORD=x "$ntfy" user -c "$run/ntfy.yml" add admin1 >"$run/log" 2>&1
    "$ntfy" access -c "$run/ntfy.yml" admin1 'alerts-*' rw >>"$run/log" 2>&1
    token=$("$ntfy" token -c "$run/ntfy.yml" add admin1 2>&1 | sed -n 's/.*\(tk_[a-z0-9]*\).*/\1/p')
    export AUTHALERT_NTFY="http://127.0.0.1:$at alerts-1 $token"
    tried 'an ntfy server has the text, and its refusals are understood' \
        ntfy_itself_has_the_text_and_its_refusals_are_understood
}

fetch_synapse() {
    python=$directory/synapse/bin/python
    [ ! -f "$directory/synapse/complete" ] || return 0
    timeout --foreground 120 python3 -m venv "$directory/synapse" && timeout --foreground 600 "$python" -m pip -q install matrix-synapse &&
        : >"$directory/synapse/complete"
}

# The server's answer to METHOD PATH [TOKEN [JSON]], the value of KEY in it.
ask() { # KEY METHOD URL TOKEN JSON
    python3 - "$@" <<'END'
import json, sys, urllib.request
key, method, url, token, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode(), {"authorization": "Bearer " + token}, method=method)
print(json.load(urllib.request.urlopen(request, timeout=30))[key])
END
}

try_synapse() {
    fetch_synapse >"$run/fetch" 2>&1 || { left_out Synapse "it cannot be installed from PyPI"; return; }
    at=$(port)
    url=http://127.0.0.1:$at
    (cd "$run" && "$python" -m synapse.app.homeserver --server-name test.local --config-path hs.yaml \
        --data-directory "$run" --generate-config --report-stats=no) >"$run/log" 2>&1
    sed -i "s/port: 8008/port: $at/; s/^registration_shared_secret:.*/registration_shared_secret: shared/" "$run/hs.yaml"
    "$python" -m synapse.app.homeserver -c "$run/hs.yaml" >"$run/synapse.log" 2>&1 &
    started="$started $!"
    listening "$at" || { not_ok 'Synapse starts' "$(tail "$run/synapse.log")"; return; }
    "$directory/synapse/bin/register_new_matrix_user" -c "$run/hs.yaml" -u bot -p pw --no-admin "$url" >>"$run/log" 2>&1
    login='{"type":"m.login.password","identifier":{"type":"m.id.user","user":"bot"},"password":"pw","device_id":"authalert"}'
    token=$(ask access_token POST "$url/_matrix/client/v3/login" none "$login")
    room=$(ask room_id POST "$url/_matrix/client/v3/createRoom" "$token" '{"preset":"private_chat"}')
    export AUTHALERT_MATRIX="$url $room $token"
    tried 'a Synapse has a repeated message once, and its refusals are understood' \
        synapse_itself_has_a_repeated_message_once_and_its_refusals_are_understood
}

echo 'plan 2'
try_ntfy
try_synapse
part commands tests/receivers/commands.sh "$directory/commands"
finish
