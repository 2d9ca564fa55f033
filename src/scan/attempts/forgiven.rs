//! Refusals that were no failure: another module, or sshd itself, accepted right after.

use super::process::Key;
use super::row::forgive;
use super::spelling::agree;
use super::{Attempts, SECOND_MODULE, Speaker};
use crate::scan::rules::Evidence;

impl Attempts {
    /// sshd let somebody in: what only PAM refused, moments ago, was one module of several.
    pub(super) fn accepted(&mut self, key: Key, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        if let Some(process) = self.processes.get_mut(&key) {
            for row in process.rows.iter_mut().filter(|row| agree(&row.user, evidence.user)) {
                forgive(row, time, SECOND_MODULE);
            }
        }
        if !evidence.module.starts_with(b"keyboard-interactive") {
            return;
        }
        for (other, _) in self.pam_only.iter().rev() {
            let Some(process) = self.processes.get_mut(other) else { continue };
            if other.host != key.host || process.family != speaker.family || !process.pam_only() {
                continue;
            }
            let Some(row) = process.rows.last_mut() else { continue };
            let same = agree(&row.user, evidence.user) && agree(&row.rhost, evidence.rhost);
            if same && forgive(row, time, SECOND_MODULE) {
                return;
            }
        }
    }

    /// A module accepted, or a session began: the last refusal was that of another module.
    pub(super) fn second_module(
        &mut self,
        key: Key,
        module: Option<&[u8]>,
        evidence: &Evidence<'_>,
        within: i64,
        time: i64,
    ) {
        let Some(process) = self.processes.get_mut(&key) else { return };
        if process.ended || process.modules.iter().any(|(name, _)| Some(name.as_bytes()) == module) {
            return;
        }
        if let Some(row) = process.rows.last_mut() {
            if agree(&row.user, evidence.user) {
                forgive(row, time, within);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SSH, count, failed, pam};

    #[test]
    fn a_second_module_that_accepts_is_no_failure() {
        let accepted = "09:00:01 sshd[7]: Accepted password for alice from 192.0.2.7 port 57 ssh2";
        let sss = format!("09:00:01 sshd[7]: pam_sss(sshd:auth): authentication success; {SSH} user=alice");
        let sss_failed =
            format!("09:00:01 sshd[7]: pam_sss(sshd:auth): authentication failure; {SSH} user=alice");
        let first = pam("09:00:00", "sshd[7]", "alice");
        assert_eq!(count(&[&first, accepted]), 0);
        assert_eq!(count(&[&first, &sss]), 0);
        let other = first.replace("user=alice", "user=bob");
        assert_eq!(count(&[&other, accepted]), 1, "one name refused, another let in");
        assert_eq!(count(&[&first, &sss_failed]), 1, "both refuse: one attempt");
        assert_eq!(count(&[&first, &failed("09:00:01", 7), accepted]), 1, "wrong, then right");
        let unix = "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob";
        let opened = "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)";
        let sudo = |time: &str, text: &str| format!("{time} sudo[7]: {text}");
        // The user of the session is root, and bob's refusal stays his.
        assert_eq!(count(&[&sudo("09:00:00", unix), &sudo("09:00:03", opened)]), 1);
    }
}
