//! Who may say what of whom. The systemd journal knows of which user's process a line is ([`Trust`], `Header::uid`, `Header::exe`);
//! a text log knows nothing, and there all of it is believed.
//!
//! | who wrote it | what it tells | what it is |
//! |---|---|---|
//! | root's process | anything | believed |
//! | another user's | of sshd | forged |
//! | su, sudo, pkexec, of whom the kernel knows who started them | of another user, or of a client elsewhere | forged |
//! | the same | that somebody got in elsewhere, or by a module that says no such thing | forged |
//! | the same | anything else | believed, of him who started it, from here |
//! | nobody knows, or a user who may not say it | that he himself was refused at su, sudo or polkit | counts once |
//! | the same | that he himself got in there | takes no failure back |
//! | nobody knows | that his own password was wrong, as unix_chkpwd says it | counts once |
//! | nobody knows, or a user who may not say it | anything else | unattributed, or forged |

use super::evidence::{CLAIMED, Evidence, Kind, Line, TEST};
use super::family::{Family, family};
use crate::installation::is_in_a_stack;
use crate::scan::header::{Header, Trust};
use crate::scan::origin::ThisMachine;
use crate::scan::writer::{PEOPLE, account_of, is_account_of, is_account_of_another, is_of};

/// What becomes of what a line tells.
pub enum Judged {
    /// It counts as often as it says.
    Counts,
    /// It counts, but not as often as its writer says.
    CountsOnce,
    /// The line is something else.
    Otherwise(Line<'static>),
}

/// By who wrote it; of whom it tells is put right where the kernel knows better.
pub fn judge<'a>(header: &Header<'a>, evidence: &mut Evidence<'a>) -> Judged {
    if names_another(header, evidence) {
        evidence.ruser = account_of(header.uid);
    }
    evidence.of_user = evidence.kind == Kind::CheckPassword && header.uid != 0;
    match (header.trust, evidence.kind) {
        (Trust::Believed, _)
            if accuses_another(header, evidence)
                || is_of_sshd(header, evidence)
                || excuses_elsewhere(header, evidence) =>
        {
            return Judged::Otherwise(Line::Forged);
        }
        (Trust::Believed, _) => is_of_who_started(header, evidence),
        // sshd's process of the user himself writes of its end, which says nothing of an attempt.
        (_, Kind::Client) => return Judged::Otherwise(Line::Nothing("the end of a connection")),
        (Trust::Unattributed | Trust::Forged, kind @ (Kind::PamFailure | Kind::Success))
            if accuses_himself(header, evidence) =>
        {
            if kind == Kind::Success {
                (evidence.kind, evidence.class) = (Kind::Claimed, CLAIMED);
            }
            return Judged::CountsOnce;
        }
        // It ends before the journal looks which program it was, each third time. A screen locker that runs as its user may
        // not speak for itself there, so nothing else would tell of what was typed in it.
        (Trust::Unattributed, Kind::CheckPassword) if is_account_of(evidence.user, header.uid) => {
            return Judged::CountsOnce;
        }
        (Trust::Unattributed, _) => return Judged::Otherwise(Line::Unattributed),
        (Trust::Forged, _) => return Judged::Otherwise(Line::Forged),
        (Trust::Test, _) => evidence.class = TEST,
    }
    Judged::Counts
}

/// How many attempts one line tells of in a program that a person started. sudo asks three times, and prompts in its caller's
/// words, which may be a number too: it is to multiply nothing without bound.
const MOST_OF_A_PERSON: u32 = 100;

/// How often what is believed counts, where the line says that it was repeated.
pub fn weight(header: &Header<'_>, evidence: &Evidence<'_>, times: u32) -> u32 {
    let weight = evidence.weight.saturating_mul(times);
    if header.uid >= PEOPLE { weight.min(MOST_OF_A_PERSON) } else { weight }
}

/// Whether who wrote a line tells in it that he himself was refused or let in, here, by a program that everybody starts.
///
/// The journal keeps for a second what it knew of a process: of one that logs a word and then becomes su, it calls what su
/// says the word of the program before. And who is gone before the journal looks, because he ended his own su, is nobody's. So
/// could whoever guesses passwords there go unheard. Who makes such a line up could as well type a wrong password; that he
/// got in takes none back.
fn accuses_himself(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    is_anybodys(evidence) && evidence.rhost.is_empty() && is_account_of(evidence.ruser, header.uid)
}

/// Whether it tells so of another user, or of a client elsewhere. PAM is told by such a program who started it, and sudo tells
/// so itself; who writes a word before he becomes su, or has sudo prompt with it into the socket of the log, is taken for
/// them, and may name anybody in it.
fn accuses_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_pam = matches!(evidence.kind, Kind::PamFailure | Kind::PamMore | Kind::PamSuccess);
    let is_sudo =
        family(evidence.service) == Family::Sudo && matches!(evidence.kind, Kind::Program | Kind::Success);
    let is_elsewhere = || header.uid != 0 && is_pam && !evidence.rhost.is_empty() && !is_here(evidence.rhost);
    (is_pam || is_sudo) && is_anybodys(evidence) && (is_of_another(header, evidence) || is_elsewhere())
}

/// Whether it is a word about sshd, of which no process of another user than root says one.
fn is_of_sshd(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    header.uid != 0 && family(evidence.service) == Family::Sshd && evidence.kind != Kind::Client
}

/// Whether a program that a person started with root's rights says that somebody got in, or left a prompt, at another program
/// than itself, or by a module that says no such thing.
fn excuses_elsewhere(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_its = || {
        header.exe.is_empty()
            || header.exe.starts_with(b"busybox")
            || is_of(header.exe, evidence.service)
            // A module under its own tag says not in which program.
            || evidence.service == header.program
            || (header.exe, evidence.service) == (b"pkexec", b"polkit-1")
    };
    let is_known =
        || evidence.kind != Kind::PamSuccess || !is_here(header.host) || accepts_here(evidence.module);
    header.uid >= PEOPLE && evidence.kind.excuses() && !(is_its() && is_known())
}

/// Modules of PAM that stand in the stacks of distributions and say of nobody that he got in.
const SILENT: [&str; 16] = [
    "pam_authalert",
    "pam_cap",
    "pam_deny",
    "pam_ecryptfs",
    "pam_env",
    "pam_faildelay",
    "pam_faillock",
    "pam_gnome_keyring",
    "pam_group",
    "pam_localuser",
    "pam_permit",
    "pam_rootok",
    "pam_succeed_if",
    "pam_unix",
    "pam_usertype",
    "pam_wheel",
];

/// Whether this module may say on this machine that it accepted somebody whom another refused. sudo prompts in its caller's
/// words, and a prompt that says so stands behind each guess.
fn accepts_here(module: &[u8]) -> bool {
    let name = String::from_utf8_lossy(module).to_ascii_lowercase().replace('-', "_");
    !SILENT.contains(&&*name) && is_in_a_stack(&name)
}

fn is_here(host: &[u8]) -> bool {
    ThisMachine::default().is(&String::from_utf8_lossy(host))
}

/// Of what a program says that a person started with root's rights it is certain who that was, and that he is here: he may have
/// written it himself and then started the program, or have given it that as its name, where its output is the socket of the
/// log. Nothing that anybody may start knows of a client elsewhere.
fn is_of_who_started<'a>(header: &Header<'a>, evidence: &mut Evidence<'a>) {
    if header.uid < PEOPLE {
        return;
    }
    if !is_here(evidence.rhost) {
        (evidence.rhost, evidence.port) = (b"", 0);
    }
    // Another machine has other accounts.
    let is_told = !evidence.ruser.is_empty() || is_account_of(evidence.user, header.uid);
    if is_here(header.host) && (!is_told || is_account_of_another(evidence.ruser, header.uid)) {
        evidence.ruser = account_of(header.uid);
    }
}

/// Whether what su itself says, or PAM of a session, names somebody else: whose session it is, perhaps of another one. Of
/// whom it is the kernel knows.
fn names_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    let is_its_own = matches!(evidence.kind, Kind::Program | Kind::Success) && evidence.service == b"su";
    header.trust == Trust::Believed
        && (is_its_own || evidence.kind == Kind::PamSession)
        && is_anybodys(evidence)
        && is_of_another(header, evidence)
}

fn is_of_another(header: &Header<'_>, evidence: &Evidence<'_>) -> bool {
    is_account_of_another(evidence.ruser, header.uid)
        // Another machine has other accounts.
        && is_here(header.host)
}

/// Of a program that everybody starts. The tag of what PAM says is chosen by who does, as its name.
fn is_anybodys(evidence: &Evidence<'_>) -> bool {
    matches!(family(evidence.service), Family::Su | Family::Sudo) || evidence.service == b"polkit-1"
}

#[cfg(test)]
mod tests {
    use super::super::classify;
    use super::super::tests::{TABLE_HEAD, told_by};
    use super::*;
    use crate::scan::header;

    #[test]
    fn who_tells_of_his_own_refusal_is_believed_whatever_the_journal_takes_him_for() {
        // An account that every machine has.
        let (name, uid) = ("nobody", 65534);
        let taken = |program: &str, trust: Trust, uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}{program}[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            let line = classify(&Header { trust, uid, ..header });
            assert!(!matches!(line, Line::Evidence(evidence) if evidence.kind.excuses()), "{message}");
            matches!(line, Line::Evidence(Evidence { weight: 0 | 1, .. }))
        };
        let pam = |service: &str, ruser: &str, rhost: &str| {
            format!(
                "pam_unix({service}:auth): authentication failure; logname= uid={uid} euid=0 tty=pts/0 ruser={ruser} rhost={rhost}  user=root"
            )
        };
        for trust in [Trust::Forged, Trust::Unattributed] {
            for (program, service) in [
                ("su", "su"),
                ("x", "su"),
                ("su", "su-l"),
                ("sudo", "sudo"),
                ("polkit-agent-helper-1", "polkit-1"),
            ] {
                assert!(taken(program, trust, uid, &pam(service, name, "")), "{program}");
            }
            assert!(taken("su", trust, uid, &format!("(to root) {name} on pts/0")));
            let ran = format!("{name} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id");
            assert!(taken("sudo", trust, uid, &ran) && !taken("sudo", trust, 12, &ran));
            let repeated = format!("message repeated 900 times: [ {}]", pam("su", name, ""));
            assert!(taken("su", trust, uid, &repeated), "once");
            for (program, uid, message) in [
                // Somebody else, or from elsewhere.
                ("su", uid, pam("su", "root", "")),
                ("su", uid, pam("su", "daemon", "")),
                ("su", uid, pam("su", "", "")),
                ("su", 0, pam("su", "", "")),
                ("su", 12, pam("su", name, "")),
                ("su", uid, pam("su", name, "192.0.2.7")),
                ("su", uid, pam("sshd", name, "")),
                ("login", uid, pam("login", name, "")),
                ("sshd", uid, pam("sshd", name, "")),
                // What takes back a refusal, or counts more than one.
                ("su", uid, "(to root) daemon on pts/0".into()),
                (
                    "su",
                    uid,
                    format!("pam_unix(su:session): session opened for user root(uid=0) by {name}(uid={uid})"),
                ),
                ("su", uid, "pam_unix(su:auth): conversation failed".into()),
                (
                    "sudo",
                    uid,
                    format!(
                        "PAM 900 more authentication failures; logname= uid={uid} euid=0 tty=pts/0 ruser={name} rhost=  user=root"
                    ),
                ),
            ] {
                assert!(!taken(program, trust, uid, &message), "{program}: {message}");
            }
        }
    }

    #[test]
    fn what_unix_chkpwd_tells_of_whoever_started_it_counts_though_it_ended_before_the_journal_looked() {
        let taken = |trust: Trust, uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}unix_chkpwd[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            match classify(&Header { trust, uid, ..header }) {
                Line::Evidence(evidence) => Some((evidence.weight, evidence.of_user)),
                _ => None,
            }
        };
        let failed = "password check failed for user (nobody)";
        assert_eq!(taken(Trust::Unattributed, 65534, failed), Some((1, true)));
        assert_eq!(taken(Trust::Believed, 65534, failed), Some((1, true)));
        assert_eq!(taken(Trust::Believed, 0, failed), Some((1, false)));
        let again = format!("message repeated 900 times: [ {failed}]");
        assert_eq!(taken(Trust::Unattributed, 65534, &again), Some((1, true)), "once");
        assert_eq!(taken(Trust::Unattributed, 12, failed), None, "of another");
        assert_eq!(taken(Trust::Unattributed, 65534, &failed.replace("nobody", "root")), None, "of another");
        assert_eq!(taken(Trust::Forged, 65534, failed), None, "another program's word");
    }

    #[test]
    fn what_a_person_has_a_program_say_counts_within_bounds() {
        let weight = |program: &str, uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}{program}[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            match classify(&Header { trust: Trust::Believed, uid, ..header }) {
                Line::Evidence(evidence) => evidence.weight,
                other => panic!("{message}: {other:?}"),
            }
        };
        let fields = "logname= uid=65534 euid=0 tty=pts/0 ruser=nobody rhost=  user=root";
        let more = |times: u32| format!("PAM {times} more authentication failures; {fields}");
        let sudos = "nobody : 4000000000 incorrect password attempts ; TTY=pts/0 ; COMMAND=/bin/ls";
        let again = format!(
            "message repeated 4000000000 times: [ pam_unix(su:auth): authentication failure; {fields}]"
        );
        for (program, message) in [("sudo", &*more(4_000_000_000)), ("sudo", sudos), ("su", &again)] {
            assert_eq!(weight(program, 65534, message), MOST_OF_A_PERSON, "{message}");
        }
        assert_eq!(weight("sudo", 65534, &more(2)), 2);
        assert_eq!(weight("vsftpd", 0, &more(4000)), 4000, "what nobody else starts");
    }

    #[test]
    fn what_a_program_of_root_tells_of_another_user_than_who_started_it_is_forged() {
        let pam = |ruser: &str| {
            format!(
                "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty=pts/0 ruser={ruser} rhost=  user=root"
            )
        };
        for (uid, ruser, is_forged) in [
            (65534, "daemon", true),
            (65534, "root", true),
            (65534, "nobody", false),
            (65534, "of-a-directory", false),
            (65534, "", false),
            (0, "daemon", false),
        ] {
            let is_forged_here = |message: &str| {
                let line = format!("{TABLE_HEAD}su[71]: {message}");
                let header = header::parse(line.as_bytes()).unwrap();
                let here = Header { trust: Trust::Believed, uid, host: b"localhost", ..header };
                let elsewhere = Header { host: b"another-machine", ..here };
                assert!(classify(&elsewhere) != Line::Forged, "{uid}: {message}");
                classify(&here) == Line::Forged
            };
            assert_eq!(is_forged_here(&pam(ruser)), is_forged, "{uid} {ruser}");
            // util-linux's su names who logged in, who may have become another user since.
            for said in ["FAILED SU (to root) ", "(to root) "] {
                assert!(!is_forged_here(&format!("{said}{ruser} on pts/0")), "{uid} {ruser}");
            }
            // sudo names who started it.
            for said in ["3 incorrect password attempts ; TTY=pts/0", "TTY=pts/0"] {
                let said = format!("{ruser} : {said} ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id");
                let line = format!("{TABLE_HEAD}sudo[71]: {said}");
                let header = header::parse(line.as_bytes()).unwrap();
                let taken = classify(&Header { uid, host: b"localhost", ..header });
                assert_eq!(taken == Line::Forged, is_forged, "{uid} {said}");
            }
        }
    }

    #[test]
    fn who_asked_su_is_whom_the_kernel_says_and_nobody_elsewhere() {
        let taken = |uid: u32, message: &str| {
            let line = format!("{TABLE_HEAD}su[71]: {message}");
            let header = header::parse(line.as_bytes()).unwrap();
            match classify(&Header { uid, host: b"localhost", ..header }) {
                Line::Evidence(evidence) => String::from_utf8_lossy(evidence.ruser).into_owned(),
                _ => "forged".into(),
            }
        };
        for message in [
            "FAILED SU (to root) daemon on pts/0",
            "(to root) daemon on pts/0",
            "pam_unix(su:session): session opened for user root(uid=0) by daemon(uid=1)",
        ] {
            assert_eq!(
                (taken(65534, message), taken(0, message)),
                ("nobody".into(), "daemon".into()),
                "{message}"
            );
        }
        let pam = |rhost: &str| {
            format!(
                "pam_unix(su:auth): authentication failure; logname= uid=65534 euid=0 tty= ruser= rhost={rhost}  user=root"
            )
        };
        assert_eq!(
            (taken(65534, &pam("192.0.2.7")), taken(65534, &pam(""))),
            ("forged".into(), "nobody".into())
        );
        assert_eq!(taken(0, &pam("192.0.2.7")), "");
    }

    #[test]
    fn what_a_program_says_that_a_person_started_is_of_that_person_and_of_nobody_elsewhere() {
        let pam = |said: &str| {
            format!("pam_unix({said}; logname= uid=0 euid=0 tty=x ruser= rhost=192.0.2.7  user=root")
        };
        for (exe, tag, message) in [
            ("mount", "mount", &*pam("mount:auth): authentication failure")),
            ("passwd", "x", &pam("passwd:auth): authentication failure")),
            (
                "exim4",
                "exim4",
                "plain authenticator failed for (x) [192.0.2.7]: 535 Incorrect authentication data (set_id=root)",
            ),
            ("passwd", "pam_duo", "Failed Duo login for 'root' from 192.0.2.7: x"),
            ("newgrp", "newgrp", "Invalid password for group 'staff' from 'root'"),
            // `unix_chkpwd root nullok`, by whoever likes.
            ("unix_chkpwd", "unix_chkpwd", "password check failed for user (root)"),
            ("chsh", "chsh", "pam_unix(chsh:session): session opened for user root(uid=0) by (uid=0)"),
            ("su", "y", "pam_unix(su:session): session opened for user root"),
            (
                "pkexec",
                "pkexec",
                "pam_unix(polkit-1:session): session opened for user root(uid=0) by nobody(uid=65534)",
            ),
        ] {
            assert_eq!(told_by(65534, exe, tag, message), Some(["".into(), "nobody".into()]), "{message}");
        }
        let own = "password check failed for user (nobody)";
        assert_eq!(told_by(65534, "unix_chkpwd", "unix_chkpwd", own), Some(["".into(), "".into()]));
        // A service knows of its clients.
        let of_client = pam("nginx:auth): authentication failure");
        assert_eq!(told_by(12, "nginx", "nginx", &of_client), Some(["192.0.2.7".into(), "".into()]));
    }

    #[test]
    fn such_a_program_lets_in_nobody_elsewhere_and_takes_back_nothing_there() {
        for (exe, tag, message) in [
            ("chsh", "chsh", "pam_unix(smtp:account): account root has expired (account expired)"),
            ("passwd", "passwd", "pam_unix(login:session): session opened for user root(uid=0) by (uid=0)"),
            ("mount", "mount", "pam_foo(su:auth): conversation failed"),
            // `sudo -p '<38>sudo: pam_permit(sudo:auth): authentication success; …'` behind each guess.
            (
                "sudo",
                "sudo",
                "pam_permit(sudo:auth): authentication success; logname= uid=65534 euid=0 tty= ruser=nobody rhost=  user=nobody",
            ),
            (
                "sudo",
                "sudo",
                "pam_no_such(sudo:auth): authentication success; logname= uid=65534 euid=0 tty= ruser=nobody rhost=  user=nobody",
            ),
            ("sudo", "pam_no_such", "Accepted google_authenticator for nobody"),
        ] {
            assert_eq!(told_by(65534, exe, tag, message), None, "{message}");
        }
        let sshds = "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root";
        for (uid, exe) in [(65534, "mount"), (12, "nginx")] {
            assert_eq!(told_by(uid, exe, exe, sshds), None, "{exe}");
        }
    }
}
