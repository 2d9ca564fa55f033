#!/bin/sh
# The reports, and what other programs read: totals beside the scan's, the page in a real browser, promtool, fail2ban.
#
#   tests/report/run.sh
#
# As root on Debian and Ubuntu what is missing is installed; else it is left out with a word. Takes two minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
authalert=${AUTHALERT:-$PWD/target/release/authalert}
[ -x "$authalert" ] || cargo build --release --locked || exit 1
lacking=''
for need in chromium:chromium chromedriver:chromium-driver tidy:tidy promtool:prometheus fail2ban-regex:fail2ban man:man-db; do
    command -v "${need%%:*}" >/dev/null || lacking="$lacking ${need#*:}"
done
if [ -n "$lacking" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # What is installed for a test serves nobody else here.
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made_policy=yes; }
    # shellcheck disable=SC2086 # a list of words
    { timeout --foreground 600 apt-get -qq update && timeout --foreground 900 apt-get -qq install -y --no-install-recommends $lacking; } >/dev/null 2>&1 ||
        echo "could not install:$lacking"
    [ "${made_policy:-no}" = no ] || rm -f $policy
fi
status=0
timeout --foreground 300 python3 tests/report/totals.py "$authalert" || status=1
timeout --foreground 300 python3 tests/report/pages.py "$authalert" || status=1
timeout --foreground 300 python3 tests/report/feeds.py "$authalert" || status=1
exit $status
