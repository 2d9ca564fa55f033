//! One attempt, told by two processes: sshd's child and its parent, su without a pid and with one,
//! unix_chkpwd and whoever asked it.

use super::process::ROWS;
use super::process::{Key, name};
use super::row::{Row, State};
use super::speaker::SECOND;
use super::spelling::{agree, is_address, text};
use super::success::{is_at_one_terminal, is_equal};
use super::{Attempts, SECOND_MODULE, SILENCE, Speaker};
use crate::scan::rules::{Evidence, Family, Kind, family};

/// From the line of sshd's child to that of its parent: libpam's delay, and a busy machine.
const CHILD_TO_PARENT: i64 = 15 * SECOND;
/// From PAM's line to that of a server that makes its client wait for the answer, longer each time.
const MADE_TO_WAIT: i64 = 60 * SECOND;
/// What screen lockers say. Old ones had PAM log without a number.
const LOCKER: &str = "locker-failed";
/// From the first PAM line of sudo to its summary.
pub(super) const DIALOGUE: i64 = 300 * SECOND;
/// From a prompt that was left to what the modules behind it say of that.
const LEFT: i64 = 2 * SECOND;

impl Attempts {
    /// The attempt of another process that this line tells again, if there is one.
    pub(super) fn merge_child(
        &mut self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> Option<Row> {
        let within = match evidence.kind {
            Kind::SshdKeyboard | Kind::SshdPamError => CHILD_TO_PARENT,
            Kind::Program if speaker.family == Family::Su => DIALOGUE,
            Kind::Program if speaker.family == Family::Sudo && speaker.pid != 0 => DIALOGUE,
            Kind::Program if evidence.class == LOCKER && speaker.pid != 0 => CHILD_TO_PARENT,
            // Without a number they are told apart by user and address, and PAM may have been given a name for that.
            Kind::Program if speaker.family == Family::Other && speaker.pid == 0 => MADE_TO_WAIT,
            _ => return None,
        };
        let process = self.processes.get(&key)?;
        let told = process.by_program();
        let next = match evidence.kind {
            Kind::SshdKeyboard => process.direct + process.pam_error.max(process.keyboard + 1),
            Kind::SshdPamError => process.direct + process.keyboard.max(process.pam_error + 1),
            _ => told + 1,
        };
        // What PAM told under this very pid is already the other half.
        if next <= told || process.by_pam() >= next {
            return None;
        }
        let processes = &self.processes;
        let told = name(&text(evidence.user));
        // Many an su names whose session it is, PAM who started it: after a first su that is another.
        let is_by_same = |row: &Row| {
            agree(&row.ruser, evidence.ruser)
                || (speaker.family == Family::Su
                    && is_equal(&row.user, evidence.user)
                    && is_at_one_terminal(row, evidence))
        };
        let is_told_again = |row: &Row| {
            row.state != State::Gone
                && (-SECOND..=within).contains(&(time - row.time))
                && agree(&row.user, evidence.user)
                && is_by_same(row)
                && (agree(&row.rhost, evidence.rhost) || !is_address(&row.rhost))
                && (speaker.family != Family::Other || row.service.as_bytes() == evidence.service)
        };
        let told_as = |other: &Key, whom: u64, same_user: bool| {
            // Most are passed over by the name alone.
            let may_be = if same_user { told == whom } else { told == 0 || whom == 0 || told == whom };
            may_be
                && processes.get(other).is_some_and(|other| {
                    other.key != key
                        && other.key.is_beside(&key)
                        && (other.family == speaker.family || other.family == Family::Module)
                        && (speaker.family == Family::Sshd || other.key.pid == 0)
                        && other.pam_only()
                        && other.rows.iter().any(is_told_again)
                })
        };
        // Of a name that does not exist pam_unix says nothing: such a line is not that of somebody who does.
        let at = [true, false].iter().find_map(|same_user| {
            self.pam_only.iter().rposition(|(other, whom)| told_as(other, *whom, *same_user))
        })?;
        let (other, _) = self.pam_only.remove(at)?;
        let row = self.processes.get_mut(&other)?.rows.iter_mut().find(|row| is_told_again(row))?;
        let taken = row.clone();
        row.state = State::Gone;
        Some(taken)
    }

    /// Take the unix_chkpwd lines that belong to this attempt; how many had been handed out. It speaks just before the process
    /// that asked it, and once of each attempt: what it told before, and of more than those, is of another dialogue. Who has
    /// root's rights starts it as root: what a user had it say is of no attempt at su or sshd, and hides none.
    pub(super) fn merge_checks(
        &mut self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> u32 {
        if self.checks.is_empty() || evidence.kind == Kind::CheckPassword || evidence.weight == 0 {
            return 0;
        }
        let Some(process) = self.processes.get(&key) else { return 0 };
        let since = process.first.max(time - SILENCE) - SECOND_MODULE;
        let refused = process.by_pam().max(process.by_program());
        let owed = refused.saturating_sub(process.checked).min(u64::from(evidence.weight)).min(ROWS as u64);
        let user = text(evidence.user);
        let told = name(&user);
        // The tag of su is chosen by whoever starts it.
        let has_roots_rights = [speaker.family, family(evidence.service)]
            .iter()
            .any(|of| !matches!(of, Family::Other | Family::Module));
        let (mut taken, mut handed_out) = (0, 0);
        for _ in 0..owed {
            let processes = &self.processes;
            let found = self.checks.iter().rposition(|(check, whom)| {
                *whom == told
                    && processes.get(check).and_then(|p| p.rows.last()).is_some_and(|row| {
                        check.is_beside(&key)
                            && row.time >= since
                            && row.time <= time + SECOND
                            && row.user == user
                            && !(row.of_user && has_roots_rights)
                    })
            });
            let Some((check, _)) = found.and_then(|at| self.checks.remove(at)) else { break };
            if let Some(row) = self.processes.get_mut(&check).and_then(|p| p.rows.last_mut()) {
                handed_out += u32::from(row.state == State::Settled);
                row.state = State::Gone;
            }
            taken += 1;
        }
        if let Some(process) = self.processes.get_mut(&key) {
            process.checked += taken;
        }
        handed_out
    }

    /// Where unix_chkpwd tells of a password that nobody else tells of: what is known of the dialogue of su or sudo that it
    /// was typed in. pam_unix names who asked at the first wrong password of a dialogue alone, and sudo sums up only what
    /// nobody got in after; sudo-rs and su-rs sum up nothing. Without that whoever guesses there has failed once for three
    /// tries, and is in without a word. What somebody has unix_chkpwd say of another is of no dialogue.
    pub(super) fn dialogue_of(&self, key: Key, evidence: &Evidence<'_>, time: i64) -> Option<&Row> {
        if evidence.kind != Kind::CheckPassword || evidence.of_user || self.pam_only.is_empty() {
            return None;
        }
        let user = text(evidence.user);
        let told = name(&user);
        let mut last = self.pam_only.iter().rev().filter(|(_, whom)| *whom == told && told != 0);
        last.find_map(|(other, _)| {
            let process = self.processes.get(other)?;
            let asks_again = other.is_beside(&key)
                && process.pam_only()
                && !process.ended
                && !process.got_in
                && (0..=DIALOGUE).contains(&(time - process.last));
            let row = process.rows.last().filter(|_| asks_again)?;
            let is_its = row.user == user && row.rhost.is_empty() && row.state != State::Gone;
            // su-rs is none of the programs that are called su: it asks again.
            (is_its && matches!(family(row.service.as_bytes()), Family::Su | Family::Sudo)).then_some(row)
        })
    }

    /// Whether nobody answered the prompt of su or doas: they call that a failure, PAM does not.
    pub(super) fn was_aborted(
        &mut self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> bool {
        if speaker.family != Family::Su && speaker.program != b"doas" {
            return false;
        }
        if let Some(process) = self.processes.get_mut(&key) {
            if process.by_pam() > 0 {
                return false;
            }
            if process.aborted {
                process.ended = true;
                return true;
            }
        }
        let found = self.aborted.iter().rposition(|(host, family, user, at)| {
            *host == key.host
                && *family == speaker.family
                && user.as_bytes() == evidence.user
                && (0..=CHILD_TO_PARENT).contains(&(time - at))
        });
        found.and_then(|at| self.aborted.remove(at)).is_some()
    }

    /// Whether nobody answered the prompt just before: the modules behind the one that asked refuse that, too.
    pub(super) fn was_left(
        &self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> bool {
        // pam_unix refuses only what was typed. Whoever starts su or sudo may say of another module that its prompt was left.
        if evidence.kind != Kind::PamFailure || evidence.module.starts_with(b"pam_unix") {
            return false;
        }
        let is_now = |since: i64| (0..=LEFT).contains(&(time - since));
        let left = self.processes.get(&key).and_then(|process| process.left.as_ref());
        left.is_some_and(|(module, since)| module.as_bytes() != evidence.module && is_now(*since))
            // Without a number only pam_unix says whose prompt it was.
            || (speaker.pid == 0
                && evidence.module != b"pam_unix"
                && self.aborted.iter().any(|(host, family, user, since)| {
                    (*host, *family) == (key.host, speaker.family)
                        && user.as_bytes() == evidence.user
                        && is_now(*since)
                }))
    }

    /// Whether sshd's child had PAM refuse the client of a connection that is over, before sshd itself said so:
    /// then that is the attempt.
    pub(super) fn child_was_refused(&mut self, key: Key, evidence: &Evidence<'_>, time: i64) -> bool {
        if self.processes.get(&key).is_none_or(|process| process.total > 0) {
            return false;
        }
        let processes = &self.processes;
        let whom = name(&text(evidence.user));
        let found = self.pam_only.iter().rposition(|(other, tried)| {
            (*tried == whom || *tried == 0)
                && processes.get(other).is_some_and(|other| {
                    other.key != key
                        && other.key.is_beside(&key)
                        && matches!(other.family, Family::Sshd | Family::Module)
                        && other.pam_only()
                        && other.rows.last().is_some_and(|row| {
                            row.state != State::Gone
                                && (-SECOND..=CHILD_TO_PARENT).contains(&(time - row.time))
                                && agree(&row.rhost, evidence.rhost)
                        })
                })
        });
        let Some((other, _)) = found.and_then(|at| self.pam_only.remove(at)) else { return false };
        if let Some(row) = self.processes.get_mut(&other).and_then(|other| other.rows.last_mut()) {
            row.fill_missing(evidence, 0);
        }
        if let Some(process) = self.processes.get_mut(&key) {
            process.unknown = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{count, failed, pam, tell};
    use super::super::{Attempts, Place};
    use super::{Evidence, Family, Speaker};
    use crate::scan::header;
    use crate::scan::rules::{self, Line};

    #[test]
    fn a_child_that_runs_pam_tells_its_parents_attempt() {
        let error = "sshd[7]: error: PAM: Authentication failure for alice from 192.0.2.7";
        let late = "sshd[7]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 5 ssh2";
        let lines = [
            pam("09:00:00", "sshd[8]", "alice"),
            format!("09:00:02 {error}"),
            pam("09:00:04", "sshd[9]", "alice"),
            format!("09:00:06 {error}"),
            format!("09:00:06 {late}"),
        ];
        assert_eq!(count(&lines.each_ref().map(String::as_str)), 2);
        assert_eq!(count(&[&lines[0]]), 1, "the client left before the answer");
        assert_eq!(count(&[&pam("09:00:00", "sshd[8]", "bob"), &lines[1]]), 2, "another user");
    }

    #[test]
    fn two_logins_of_one_client_at_once_are_not_mixed_up() {
        let nobody = pam("09:00:01", "sshd[9]", "").replace("  user=", " ");
        let lines = [
            pam("09:00:00", "sshd[8]", "alice"),
            nobody,
            "09:00:02 sshd[6]: error: PAM: Authentication failure for alice from 192.0.2.7".into(),
            "09:00:03 sshd[7]: error: PAM: Authentication failure for illegal user x from 192.0.2.7".into(),
        ];
        assert_eq!(count(&lines.each_ref().map(String::as_str)), 2);
    }

    #[test]
    fn su_is_one_attempt_whether_or_not_its_lines_have_a_pid() {
        let unix = "su: pam_unix(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=alice";
        let failed = "FAILED SU (to alice) bob on pts/0";
        for tag in ["su[7]", "su"] {
            assert_eq!(
                count(&[&format!("09:00:00 {unix}"), &format!("09:00:02 {tag}: {failed}")]),
                1,
                "{tag}"
            );
            assert_eq!(count(&[&format!("09:00:02 {tag}: {failed}")]), 1, "{tag}");
        }
        let busybox = "09:00:02 su: - pts/0 bob:root";
        assert_eq!(count(&[busybox, busybox, busybox]), 3);
        let shadow =
            ["09:00:02 su[7]: Authentication failed for root", "09:00:02 su[7]: FAILED su for root by bob"];
        assert_eq!(count(&shadow), 1);
        let aborted = "09:00:01 su: pam_unix(su:auth): auth could not identify password for [alice]";
        assert_eq!(count(&[aborted, &format!("09:00:01 su[7]: {failed}")]), 0, "nobody answered");
        let own = aborted.replace("su:", "su[7]:").replacen("su[7]:auth", "su:auth", 1);
        assert_eq!(count(&[&own, &format!("09:00:01 su[7]: {failed}")]), 0, "nobody answered");
    }

    #[test]
    fn su_in_the_shell_of_another_su_is_one_attempt() {
        let pam = |time: &str, tty: &str, ruser: &str, user: &str| {
            format!(
                "{time} su: pam_unix(su:auth): authentication failure; logname=bob uid=1001 euid=0 tty={tty} ruser={ruser} rhost=  user={user}"
            )
        };
        let (here, elsewhere) = ("/dev/pts/0", "/dev/pts/1");
        // Older ones put no number before their own words.
        for tag in ["su[7]", "su"] {
            let failed = format!("09:00:02 {tag}: FAILED SU (to root) bob on pts/0");
            let told = |tty: &str, user: &str| count(&[&pam("09:00:00", tty, "alice", user), &failed]);
            assert_eq!(told(here, "root"), 1, "{tag}");
            assert_eq!(told(elsewhere, "root"), 2, "{tag}: another terminal");
            assert_eq!(told(here, "eve"), 2, "{tag}: another user");
            assert_eq!(told("", "root"), 2, "{tag}: who knows where");
            let first = failed.replace("09:00:02", "08:59:59").replace("[7]", "[6]");
            let (own, other) = (pam("08:59:57", here, "bob", "root"), pam("09:00:00", here, "alice", "root"));
            assert_eq!(count(&[&own, &first, &other, &failed]), 2, "{tag}: one after the other");
        }
    }

    #[test]
    fn what_a_user_has_unix_chkpwd_say_hides_no_attempt_at_what_has_roots_rights() {
        let told = |of_user: bool, asker: &str| {
            let mut attempts = Attempts::default();
            let speaker = Speaker {
                host: b"srv",
                program: b"unix_chkpwd",
                family: Family::CheckPassword,
                pid: 8,
                container: 0,
            };
            let line =
                header::parse(b"Nov  3 09:05:01 srv unix_chkpwd[8]: password check failed for user (bob)");
            let header = line.unwrap();
            let Line::Evidence(check) = rules::classify(&header) else { panic!() };
            attempts.tell(&speaker, &Evidence { of_user, ..check }, 1_793_696_399_000_000, Place::default());
            // It is handed out before.
            attempts.settle(1_793_696_399_000_000, 1_793_696_399_000_000, 0, 0);
            tell(&mut attempts, asker, 1);
            attempts.finish();
            attempts.take_settled().len()
        };
        // The last of them is su under a name that its caller chose.
        let askers = [
            ("su", "su", 2),
            ("sudo", "sudo", 2),
            ("sshd", "sshd", 2),
            ("nginx", "nginx", 1),
            ("x", "su", 2),
        ];
        for (asker, service, of_users) in askers {
            let line =
                pam("09:00:00", &format!("{asker}[7]"), "bob").replace("sshd:", &format!("{service}:"));
            assert_eq!((told(true, &line), told(false, &line)), (of_users, 1), "{asker}");
        }
    }

    #[test]
    fn what_pam_unix_refuses_was_typed_whatever_another_module_is_said_to_have_said() {
        // `sudo -p '<38>sudo: pam_x(sudo:auth): conversation failed'`, its output being the socket of the log.
        for program in ["su", "sudo"] {
            let left = format!("09:00:00 {program}[7]: pam_x({program}:auth): conversation failed");
            let wrong = |module: &str| {
                format!(
                    "09:00:01 {program}[7]: {module}({program}:auth): authentication failure; logname= uid=1001 euid=0 tty=pts/2 ruser=bob rhost=  user=bob"
                )
            };
            let failed = "09:00:02 su[7]: FAILED SU (to bob) bob on pts/2";
            assert_eq!(count(&[&left, &wrong("pam_unix")]), 1, "{program}");
            assert_eq!(
                count(&[&left.replace("sudo", "su"), &wrong("pam_unix").replace("sudo", "su"), failed]),
                1
            );
            assert_eq!(
                count(&[&left, &wrong("pam_sss")]),
                0,
                "{program}: it refuses what was not typed, too"
            );
        }
    }

    #[test]
    fn a_prompt_of_doas_that_nobody_answered_is_no_attempt() {
        let left = "09:00:00 doas: pam_unix(doas:auth): auth could not identify password for [bob]";
        let failed = "09:00:00 doas: failed auth for bob";
        let wrong = "09:00:00 doas: pam_unix(doas:auth): authentication failure; logname= uid=1001 euid=0 tty=pts/2 ruser=bob rhost=  user=bob";
        assert_eq!(count(&["09:00:00 doas: pam_unix(doas:auth): conversation failed", left, failed]), 0);
        assert_eq!(count(&[left, failed, failed]), 1, "it is one prompt");
        assert_eq!(count(&[wrong, failed]), 1);
        assert_eq!(count(&[left, failed, wrong, failed]), 1, "one of two");
        assert_eq!(count(&[left, &failed.replace("bob", "alice")]), 1, "another's prompt");
        assert_eq!(count(&[left, &wrong.replace("doas", "sudo")]), 1, "another program's");
    }

    #[test]
    fn a_locker_is_one_attempt_where_pam_logs_without_its_number() {
        let pam = |second: u32| {
            format!(
                "09:00:{second:02} kcheckpass: (pam_unix) authentication failure; logname= uid=1000 euid=1000 tty=:5 ruser= rhost=  user=alice"
            )
        };
        let own = |second: u32, pid: u32| {
            format!(
                "09:00:{second:02} kcheckpass[{pid}]: Authentication failure for alice (invoked by uid 1000)"
            )
        };
        let (first, second) = ([pam(1), own(1, 7)], [pam(4), own(4, 8)]);
        assert_eq!(count(&first.each_ref().map(String::as_str)), 1);
        let both = [&first[0], &first[1], &second[0], &second[1]].map(String::as_str);
        assert_eq!(count(&both), 2);
        assert_eq!(count(&[&second[1]]), 1);
        let other = pam(1).replace("user=alice", "user=bob");
        assert_eq!(count(&[&other, &first[1]]), 2, "another user");
    }

    #[test]
    fn login_without_a_number_is_known_by_its_terminal() {
        let pam = |second: u32, user: &str| {
            format!(
                "09:00:{second:02} login: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/2 ruser= rhost= {user}"
            )
        };
        let own = |second: u32, which: &str, user: &str| {
            format!(
                "09:00:{second:02} login: FAILED LOGIN {which} FROM pts/2 FOR {user}, Authentication failure"
            )
        };
        let (alice, nobody) = (pam(1, " user=alice"), pam(4, ""));
        assert_eq!(count(&[&alice, &own(4, "1", "alice"), &nobody, &own(7, "2", "nosuch")]), 2);
        let more = alice.replace(
            "01 login: pam_unix(login:auth): authentication failure",
            "15 login: PAM 4 more authentication failures",
        );
        let five = [
            own(4, "1", "alice"),
            own(7, "2", "alice"),
            own(10, "3", "alice"),
            own(13, "4", "alice"),
            own(15, "SESSION", "alice"),
        ];
        let five: Vec<&str> = five.iter().map(String::as_str).collect();
        let session = [&[alice.as_str()], &five[..], &[more.as_str()]].concat();
        assert_eq!(count(&session), 5);
        let again: Vec<String> = session.iter().map(|l| l.replace("09:00:", "09:01:")).collect();
        let twice = [&session[..], &again.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
        assert_eq!(count(&twice), 10);
        let other = own(4, "1", "alice").replace("pts/2", "pts/3");
        assert_eq!(count(&[&alice, &own(4, "1", "alice"), &other]), 2);
    }

    #[test]
    fn ftp_servers_tell_their_own_attempts_beside_pam() {
        let client = "ftp.example.org (c[192.0.2.7]) - USER";
        let unix = "pam_unix(proftpd:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/ftpd7 ruser=bob rhost=192.0.2.7  user=bob";
        let refused = format!("09:00:02 proftpd[7]: {client} bob (Login failed): Incorrect password");
        let nobody =
            format!("09:00:09 proftpd[7]: {client} x: no such user found from c [192.0.2.7] to 192.0.2.1:21");
        assert_eq!(count(&[&refused]), 1);
        assert_eq!(count(&[&format!("09:00:00 proftpd: {unix}"), &refused]), 1);
        assert_eq!(count(&[&format!("09:00:00 proftpd[7]: {unix}"), &refused, &nobody]), 2);
        let other = refused.replace("[7]", "[8]");
        assert_eq!(count(&[&format!("09:00:00 proftpd: {unix}"), &refused, &other]), 2);
        // As the journal has it of one in the foreground.
        let journal = refused.replace("proftpd[7]:", "proftpd[1]: session[7]").replace(") -", "):");
        assert_eq!(count(&[&format!("09:00:00 proftpd[7]: {unix}"), &journal]), 1);
        let vsftpd = "09:00:02 vsftpd[7]: [bob] FAIL LOGIN: Client \"192.0.2.7\"";
        assert_eq!(count(&[&format!("09:00:00 vsftpd[7]: {unix}"), vsftpd]), 1);
    }

    #[test]
    fn xrdp_knows_the_address_that_pam_was_not_told() {
        let pam = "xrdp-sesman[7]: pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser= rhost=  user=";
        let own = |user: &str| {
            format!("xrdp-sesman[7]: [INFO ] AUTHFAIL: user={user} ip=::ffff:192.0.2.7 time=1649351466")
        };
        let lines = [
            format!("09:00:00 {pam}bob"),
            format!("09:00:02 {}", own("bob")),
            format!("09:00:10 {pam}eve"),
            format!("09:00:12 {}", own("eve")),
        ];
        assert_eq!(count(&lines.each_ref().map(String::as_str)), 2);
        let mut attempts = Attempts::default();
        for (n, line) in lines.iter().enumerate() {
            tell(&mut attempts, line, n as u64);
        }
        attempts.finish();
        let told: Vec<_> = attempts.take_settled().into_iter().map(|row| (row.user, row.rhost)).collect();
        assert_eq!(told, [("bob".into(), "192.0.2.7".into()), ("eve".into(), "192.0.2.7".into())]);
    }

    #[test]
    fn unix_chkpwd_counts_where_it_is_the_only_one() {
        let check = "09:00:00 unix_chkpwd[8]: password check failed for user (alice)";
        assert_eq!(count(&[check]), 1);
        assert_eq!(count(&[check, &pam("09:00:00", "sshd[7]", "alice"), &failed("09:00:02", 7)]), 1);
        assert_eq!(count(&[check, &pam("09:00:00", "sshd[7]", "bob")]), 2);
        // su, started under its name.
        let su = pam("09:00:00", "unix_chkpwd", "alice").replace("sshd:auth", "su:auth");
        assert_eq!(count(&[check, &su]), 1);
    }

    #[test]
    fn what_unix_chkpwd_told_of_one_dialogue_is_not_of_the_next() {
        let check = |second: u32| {
            format!("09:00:{second:02} unix_chkpwd[{}]: password check failed for user (bob)", second + 10)
        };
        let pam = |second: u32, tag: &str| {
            format!(
                "09:00:{second:02} {tag}: pam_unix(sudo:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/1 ruser=bob rhost=  user=bob"
            )
        };
        let fields = "TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/ls";
        // Twice wrong and in, and at once three times wrong.
        for (first, second) in [("sudo", "sudo"), ("sudo[7]", "sudo[8]")] {
            let lines = [
                check(0),
                pam(0, first),
                check(3),
                format!("09:00:05 {first}:      bob : {fields}"),
                check(6),
                pam(6, second),
                check(8),
                check(10),
                format!("09:00:11 {second}:      bob : 3 incorrect password attempts ; {fields}"),
            ];
            assert_eq!(count(&lines.each_ref().map(String::as_str)), 5, "{first}");
        }
        // Of the one that is nearest PAM tells.
        let mut attempts = Attempts::default();
        for (n, line) in
            [check(0), pam(0, "sudo-rs"), check(3), check(5), pam(5, "sudo-rs")].iter().enumerate()
        {
            tell(&mut attempts, line, n as u64);
        }
        attempts.finish();
        let alone: Vec<u32> =
            attempts.take_settled().iter().filter(|row| row.is_check_password()).map(|row| row.pid).collect();
        assert_eq!(alone, [13]);
        // What another module accepted was no attempt, and what comes after it is one.
        let accepted = "09:00:01 sudo[7]: pam_sss(sudo:auth): authentication success; logname= uid=1000 euid=0 tty=/dev/pts/1 ruser=bob rhost= user=bob";
        let again = [check(0), pam(0, "sudo[7]"), accepted.into(), check(20), pam(20, "sudo[7]")];
        assert_eq!(count(&again.each_ref().map(String::as_str)), 1);
        // sshd tells of what PAM told already: what somebody typed elsewhere meanwhile is not that.
        let sshd = [
            check(0),
            "09:00:00 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=bob".into(),
            check(1),
            "09:00:02 sshd[7]: Failed password for bob from 192.0.2.7 port 5 ssh2".into(),
            check(4),
            "09:00:06 sshd[7]: Failed password for bob from 192.0.2.7 port 5 ssh2".into(),
        ];
        assert_eq!(count(&sshd.each_ref().map(String::as_str)), 3);
    }

    #[test]
    fn what_unix_chkpwd_alone_tells_of_a_dialogue_is_of_whoever_asked() {
        let told = |lines: &[String]| {
            let mut attempts = Attempts::default();
            for (n, line) in lines.iter().enumerate() {
                tell(&mut attempts, line, n as u64);
            }
            attempts.finish();
            let mut rows = attempts.take_settled();
            rows.sort_by_key(|row| row.time);
            let askers = rows.iter().map(|row| format!("{} {} {}", row.service, row.ruser, row.user));
            (rows.iter().map(|row| row.count).sum::<u32>(), askers.collect::<Vec<_>>())
        };
        let pam = |time: &str, tag: &str, service: &str, user: &str| {
            format!(
                "09:0{time} {tag}: pam_unix({service}:auth): authentication failure; logname= uid=1000 euid=0 tty=/dev/pts/1 ruser=bob rhost=  user={user}"
            )
        };
        let check = |time: &str, pid: u32, user: &str| {
            format!("09:0{time} unix_chkpwd[{pid}]: password check failed for user ({user})")
        };
        let ran = |time: &str, tag: &str| {
            format!(
                "09:0{time} {tag}: bob : TTY=/dev/pts/1 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id"
            )
        };
        for (tag, service, user) in [
            ("sudo-rs", "sudo", "bob"),
            ("sudo", "sudo", "bob"),
            ("sudo[7]", "sudo", "bob"),
            ("sudo-rs[7]", "sudo", "bob"),
            ("su-rs", "su", "alice"),
            ("su-rs[7]", "su-l", "alice"),
        ] {
            let three = [
                check("0:00", 10, user),
                pam("0:00", tag, service, user),
                check("0:03", 11, user),
                check("0:06", 12, user),
            ];
            let asked = format!("{service} bob {user}");
            assert_eq!(told(&three), (3, vec![asked; 3]), "{tag}");
        }
        // Then in: what comes later is of another.
        let alone = "unix_chkpwd  bob";
        for tag in ["sudo", "sudo[7]"] {
            let lines = [
                check("0:00", 10, "bob"),
                pam("0:00", tag, "sudo", "bob"),
                check("0:03", 11, "bob"),
                ran("0:06", tag),
                check("0:20", 12, "bob"),
            ];
            let asked = "sudo bob bob";
            assert_eq!(told(&lines), (3, [asked, asked, alone].map(String::from).into()), "{tag}");
        }
        // Another's password, and one that comes when sudo asks no more.
        let others =
            [pam("0:00", "sudo", "sudo", "bob"), check("0:03", 11, "alice"), check("6:00", 12, "bob")];
        assert_eq!(
            told(&others),
            (3, ["sudo bob bob", "unix_chkpwd  alice", alone].map(String::from).into())
        );
        // What has words of its own for each is told by those.
        let summed_up = "09:00:09 sudo:      bob : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/ls";
        let lines = [
            check("0:00", 10, "bob"),
            pam("0:00", "sudo", "sudo", "bob"),
            check("0:03", 11, "bob"),
            check("0:06", 12, "bob"),
            summed_up.into(),
            check("0:20", 13, "bob"),
        ];
        assert_eq!(told(&lines).0, 4);
        assert_eq!(told(&lines).1.last().map(String::as_str), Some(alone));
        assert_eq!(count(&lines.each_ref().map(String::as_str)), 4);
    }

    #[test]
    fn polkits_helper_alone_tells_of_a_dialogue() {
        let helper = "09:00:00 polkit-agent-helper-1[8]: pam_unix(polkit-1:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=bob rhost=  user=alice";
        let krb5 = helper.replace("pam_unix", "pam_krb5");
        let success = "09:00:00 polkitd[7]: Operator of unix-session:1 successfully authenticated as unix-user:alice to gain TEMPORARY authorization for action a for b [c] (owned by unix-user:bob)";
        assert_eq!(count(&[helper, &helper.replace("[8]", "[9]")]), 2);
        assert_eq!(count(&[&krb5, success]), 0, "another module accepted");
        assert_eq!(count(&[helper, &success.replace(":00 ", ":09 ")]), 1, "wrong, then right");
        assert_eq!(count(&[helper, &success.replace("user:alice", "user:eve")]), 1, "somebody else");
    }
}
