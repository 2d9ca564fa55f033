//! One attempt, told by the process that asked for it (saslauthd, Dovecot's auth, OpenVPN's plugin) and by the server that
//! the client spoke to.

use super::process::{Key, hash};
use super::row::{Row, State};
use super::speaker::SECOND;
use super::spelling::{address, agree};
use super::{Attempts, LOOK_BACK, Speaker};
use crate::event::MAIL;
use crate::scan::rules::{Evidence, Family};

/// From the helper's line to the server's: Dovecot sums up when the client leaves.
pub(in crate::scan) const WITHIN: i64 = 300 * SECOND;
/// From what Exim writes into its log to what it writes into that of refusals, where both are syslog: no client is answered and
/// tries again in that time.
const AGAIN: i64 = SECOND / 2000;
/// Refusals that may be said again.
pub(super) const SAID: usize = 16;
/// Whether a row may be that of a mail server's helper.
pub(super) fn is_of_mail(row: &Row) -> bool {
    is_service_of_mail(row.service.as_bytes())
}

/// Whether a mail server has a helper ask for this.
pub(super) fn is_service_of_mail(service: &[u8]) -> bool {
    // Exim asks no helper.
    service != b"exim" && MAIL.iter().any(|of_mail| of_mail.as_bytes() == service)
}

/// Whether a mail server tells of this in its own words, or has a helper ask for it.
pub(in crate::scan) fn is_of_mail_server(service: &str) -> bool {
    MAIL.contains(&service)
}

/// What a mail server is asked for, or its helper, by the name of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan) enum Mail {
    /// Dovecot's own: of each of its servers, and of what asks its auth.
    Dovecot,
    /// To send mail.
    Smtp,
    /// To read it, by another server than Dovecot.
    Other,
}

impl Mail {
    /// That of a service; none: it is of no mail server.
    pub(in crate::scan) fn of(service: &str) -> Option<Self> {
        let kind = match service {
            "dovecot" => Self::Dovecot,
            // `submission` is a server of Dovecot's.
            "exim" | "smtp" | "smtpd" => Self::Smtp,
            _ => Self::Other,
        };
        is_of_mail_server(service).then_some(kind)
    }

    /// Whether this server may have had a helper ask for that; `knows_address`: the helper told from where the client came.
    /// Who sends and who reads mail as one user at the same time are two.
    pub(in crate::scan) fn may_have_asked(self, helper: Self, knows_address: bool) -> bool {
        match self {
            // It has its own auth ask, which is told the address; an option says under what name.
            Self::Dovecot => helper == Self::Dovecot || (helper == Self::Other && knows_address),
            // Dovecot's auth asks for a server of SMTP as it does for Dovecot.
            Self::Smtp => helper != Self::Other,
            Self::Other => helper == Self::Other,
        }
    }
}

/// Whether a program that told a row is one that a server may have asked. OpenVPN's plugin asks PAM under any service, in a
/// process of its own.
pub(super) fn is_of_helper(program: &[u8], row: &Row) -> bool {
    is_of_mail(row) || program.starts_with(b"openvpn") || program.starts_with(b"ovpn-")
}

/// Of whom a helper's row may be.
#[derive(Clone, Copy)]
enum Whom {
    /// Of the user whom the server names.
    Named,
    /// The same, or it names nobody.
    MayBe,
    /// Of anybody at the address.
    AtAddress,
}

impl Attempts {
    /// Whether these are the words that Exim just gave to syslog. Where the log has whole seconds that cannot be known, and two
    /// attempts stay two.
    pub(super) fn is_said_again(
        &mut self,
        key: Key,
        speaker: &Speaker<'_>,
        evidence: &Evidence<'_>,
        time: i64,
    ) -> bool {
        if !matches!(speaker.program, b"exim" | b"exim4") || speaker.pid == 0 || time % SECOND == 0 {
            return false;
        }
        let words = hash(&[evidence.user, evidence.rhost]);
        let is_it = |said: &(Key, u64, i64)| {
            (said.0, said.1) == (key, words) && (0..AGAIN).contains(&(time - said.2))
        };
        if let Some(at) = self.said.iter().rposition(is_it) {
            self.said.remove(at);
            return true;
        }
        self.said.push_back((key, words, time));
        if self.said.len() > SAID {
            self.said.pop_front();
        }
        false
    }

    /// A process told of what a mail server may tell too.
    pub(super) fn remember_helper(&mut self, key: Key) {
        if !self.helpers.contains(&key) {
            self.helpers.push_back(key);
            if self.helpers.len() > LOOK_BACK {
                self.helpers.pop_front();
            }
        }
    }

    /// How many of these attempts no helper has told before.
    pub(super) fn not_told_by_helper(&mut self, key: Key, evidence: &Evidence<'_>, time: i64) -> u32 {
        // A helper that has named nobody may be asking for another client still.
        let is_named = !evidence.user.is_empty();
        let mut left = evidence.weight;
        // What was asked under the server's own name is nobody else's. What was not may be.
        for of_own in [true, false] {
            left =
                if is_named { self.not_told(key, evidence, time, left, Whom::Named, of_own) } else { left };
            left = self.not_told(key, evidence, time, left, Whom::MayBe, of_own);
        }
        // Of several at once the server names the last user, and the helper each.
        if evidence.weight > 1 {
            for of_own in [true, false] {
                left = self.not_told(key, evidence, time, left, Whom::AtAddress, of_own);
            }
        }
        left
    }

    /// How many of `left` no helper has told; `of_own`: that was asked for just this, else for something else.
    fn not_told(
        &mut self,
        key: Key,
        evidence: &Evidence<'_>,
        time: i64,
        mut left: u32,
        whom: Whom,
        of_own: bool,
    ) -> u32 {
        let is_mails = evidence.service != b"openvpn";
        let server = std::str::from_utf8(evidence.service).ok().and_then(Mail::of);
        let may_have_asked = |row: &Row| match (server, Mail::of(&row.service)) {
            (Some(server), Some(helper)) => server.may_have_asked(helper, !row.rhost.is_empty()),
            _ => true,
        };
        let rhost = address(evidence.rhost);
        for other in self.helpers.iter().rev() {
            if left == 0 {
                break;
            }
            let helper = self.processes.get_mut(other).filter(|helper| {
                let is_other = *other != key && other.is_beside(&key);
                is_other
                    && helper.family == Family::Other
                    && (-SECOND..=WITHIN).contains(&(time - helper.last))
            });
            let Some(helper) = helper else { continue };
            for row in helper.rows.iter_mut().rev() {
                let untold = row.count.saturating_sub(row.relayed);
                let is_same = untold > 0
                    && row.state != State::Gone
                    && is_of_mail(row) == is_mails
                    && (Mail::of(&row.service) == server) == of_own
                    && may_have_asked(row)
                    && (-SECOND..=WITHIN).contains(&(time - row.time))
                    && match whom {
                        Whom::AtAddress => row.rhost == rhost && !rhost.is_empty(),
                        Whom::Named | Whom::MayBe => {
                            agree(&row.user, evidence.user) && agree(&row.rhost, rhost.as_bytes())
                        }
                    }
                    && (!matches!(whom, Whom::Named) || !row.user.is_empty());
                if is_same {
                    let told = untold.min(left);
                    row.relayed += told;
                    left -= told;
                    row.fill_missing(evidence, 0);
                }
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::count;

    #[test]
    fn what_a_helper_and_its_server_tell_is_one_attempt() {
        let sasl = "09:00:01 saslauthd[7]: do_auth         : auth failure: [user=bob] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]";
        let pam = "09:00:00 saslauthd[7]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob";
        let postfix = |second: u32, user: &str| {
            format!(
                "09:00:{second:02} postfix/smtpd[{second}]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: authentication failure, sasl_username={user}"
            )
        };
        assert_eq!(count(&[pam, sasl, &postfix(1, "bob")]), 1);
        assert_eq!(count(&[&postfix(1, "bob"), &postfix(2, "bob")]), 2, "nobody else tells");
        assert_eq!(count(&[pam, sasl, &postfix(1, "bob"), &postfix(2, "bob")]), 2, "one was told before");
        assert_eq!(count(&[pam, sasl, &postfix(1, "eve")]), 2);
        let nobody = "09:00:00 saslauthd[8]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=";
        let eve = &sasl.replace("[7]", "[8]").replace("bob", "eve");
        assert_eq!(count(&[pam, nobody, sasl, &postfix(1, "bob"), eve, &postfix(2, "eve")]), 2, "at once");
        let auth = |second: u32| {
            format!(
                "09:00:{second:02} auth[8]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob"
            )
        };
        let ended = |attempts: u32| {
            format!(
                "09:01:30 dovecot: imap-login: Disconnected: Connection closed (auth failed, {attempts} attempts in 24 secs): user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1"
            )
        };
        assert_eq!(count(&[&auth(1), &auth(9), &ended(2)]), 2);
        assert_eq!(count(&[&ended(2)]), 2, "of passwords that PAM knows nothing of");
        assert_eq!(count(&[&auth(1), &ended(2)]), 2);
        let of_eve = auth(1).replace("bob", "eve");
        assert_eq!(count(&[&of_eve, &auth(9), &ended(2)]), 2, "the server names the last");
        assert_eq!(count(&[&of_eve.replace("0.2.7", "0.2.8"), &auth(9), &ended(2)]), 3, "another client");
        assert_eq!(count(&[&of_eve, &ended(1)]), 2, "another connection");
        let is_in = "09:01:31 dovecot: imap-login: Logged in: user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7";
        let late = &auth(1).replace("09:00:01", "09:01:28");
        assert_eq!(count(&[late, is_in]), 0, "another database let him in");
        assert_eq!(count(&[late, &ended(1), is_in]), 1, "it was refused, and tried again");
    }

    #[test]
    fn what_exim_gives_syslog_twice_is_one_attempt() {
        let exim = |stamp: &str, pid: u32| {
            format!(
                "09:00:00{stamp} exim[{pid}]: 2026-11-03 09:00:00 [{pid}] plain authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=bob)"
            )
        };
        let of = |stamps: &[(&str, u32)]| {
            let lines: Vec<String> = stamps.iter().map(|(stamp, pid)| exim(stamp, *pid)).collect();
            count(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let (first, again) = ((".376813", 7), (".376933", 7));
        assert_eq!(of(&[first, again]), 1);
        assert_eq!(of(&[first, again, (".380180", 7), (".380282", 7)]), 2);
        assert_eq!(of(&[first, again, (".376950", 7), (".376970", 7)]), 2, "without waiting for an answer");
        assert_eq!(of(&[first, (".376820", 8), again, (".376950", 8)]), 2, "two connections");
        assert_eq!(of(&[first, (".380180", 7), (".390180", 7)]), 3, "told once each");
        assert_eq!(of(&[("", 7), ("", 7)]), 2, "in whole seconds nobody knows");
        let auth = "08:59:59 auth[8]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob";
        assert_eq!(count(&[auth, &exim(first.0, 7), &exim(again.0, 7)]), 1, "a helper told of it too");
    }

    #[test]
    fn opensmtpd_tells_what_pam_told_in_another_of_its_processes() {
        let pam = |second: u32, user: &str| {
            format!(
                "09:00:{second:02} smtpd: pam_unix(smtpd:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost={user}"
            )
        };
        let own = |second: u32, user: &str| {
            format!(
                "09:00:{second:02} smtpd[9]: 92c3054b10e5b0ec smtp authentication user={user} result=permfail"
            )
        };
        let of_alice = [pam(0, "  user=alice"), own(2, "alice"), pam(2, "  user=alice"), own(4, "alice")];
        assert_eq!(count(&of_alice.each_ref().map(String::as_str)), 2);
        let of_nobody = [pam(0, " "), own(2, "x"), pam(2, " "), own(4, "x")];
        assert_eq!(count(&of_nobody.each_ref().map(String::as_str)), 2, "a name that does not exist");
        assert_eq!(count(&[&own(2, "alice"), &own(4, "alice")]), 2, "without PAM");
        assert_eq!(count(&[&pam(0, "  user=alice"), &own(2, "alice"), &own(4, "alice")]), 2, "one of two");
        let expired = "09:00:05 smtpd: pam_unix(smtpd:account): account carol has expired (account expired)";
        assert_eq!(count(&[expired, &own(5, "carol")]), 0);
    }

    #[test]
    fn openvpn_tells_what_its_plugin_told_under_whatever_service() {
        let ended = "09:00:03 ovpn-server[9]: 192.0.2.7:64480 TLS Auth Error: Auth Username/Password verification failed for peer";
        for service in ["openvpn", "login", "vpn-users"] {
            let pam = format!(
                "09:00:00 ovpn-server[8]: pam_unix({service}:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=bob"
            );
            let plugin = "09:00:02 ovpn-server[8]: AUTH-PAM: BACKGROUND: user 'bob' failed to authenticate: Authentication failure";
            assert_eq!(count(&[&pam, plugin, ended]), 1, "{service}");
            assert_eq!(count(&[&pam, ended]), 1, "{service}");
            assert_eq!(count(&[plugin, ended]), 1, "{service}");
            assert_eq!(count(&[&pam, plugin, ended, ended]), 2, "{service}");
        }
        assert_eq!(count(&[ended]), 1, "nobody else tells");
        let auth = "09:00:00 auth[8]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.7  user=bob";
        assert_eq!(count(&[auth, ended]), 2, "a mail server's is another");
    }
}
