#!/bin/bash
# The reports, and what other programs read: totals beside the scan's, the page in a real browser,
# promtool, fail2ban; and the weekly summary with a clock that is put on.
#
#   tests/report/run.sh
#
# As root on Debian and Ubuntu what is missing is installed; else it is left out with a word. AUTHALERT_BUILD: where the
# artifacts are (default: target/release). Takes two minutes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR/../..
. tests/report.sh
authalert=${AUTHALERT_BUILD:-$PWD/target/release}/authalert
lacking=()
for need in chromium:chromium chromedriver:chromium-driver tidy:tidy promtool:prometheus fail2ban-regex:fail2ban faketime:faketime man:man-db; do
    command -v "${need%%:*}" >/dev/null || lacking+=("${need#*:}")
done
if ((${#lacking[@]} && EUID == 0)) && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # What is installed for a test serves nobody else here.
    policy=/usr/sbin/policy-rc.d made_policy=no
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made_policy=yes; }
    timeout --foreground 600 apt-get -qq update &>/dev/null
    timeout --foreground 900 apt-get -qq install -y --no-install-recommends "${lacking[@]}" &>/dev/null ||
        left_out 'the programs that read what authalert writes' "could not install ${lacking[*]}"
    [[ $made_policy == no ]] || rm -f $policy
fi
for name in totals pages feeds weekly; do part "$name" timeout --foreground 300 python3 "tests/report/$name.py" "$authalert"; done
finish
