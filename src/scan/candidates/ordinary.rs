//! What most logs are full of, and the words that are not in it.

use crate::scan::rules::book::SHORTEST;

/// Lines that most logs are full of.
pub(super) const ORDINARY: &[u8] = b"Nov  3 09:05:01 srv CRON[4711]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
2026-11-03T09:05:01.123456+01:00 srv CRON[4711]: pam_unix(cron:session): session closed for user root
Nov  3 09:05:02 srv sshd[4712]: Received disconnect from 203.0.113.17 port 50310:11: disconnected by user
Nov  3 09:05:02 srv sshd-session[4712]: Disconnected from user deploy 203.0.113.17 port 50310
Nov  3 09:05:03 srv sshd[4713]: Connection closed by 203.0.113.17 port 50310 [preauth]
Nov  3 09:05:03 srv sudo[4714]:   deploy : TTY=pts/0 ; PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/systemctl restart app
Nov  3 09:05:03 srv sudo: pam_unix(sudo:session): session opened for user root(uid=0) by deploy(uid=1000)
Nov  3 09:05:04 srv systemd-logind[612]: New session 4711 of user deploy.
Nov  3 09:05:04 srv systemd[1]: Starting Daily apt download activities...
2026-11-03T09:05:04.123456+01:00 srv systemd-logind[612]: Session 4711 logged out. Waiting for processes to exit.
Nov  3 09:05:05 srv su[4715]: pam_unix(su:session): session closed for user root
Nov  3 09:05:05 srv polkitd[700]: Registered Authentication Agent for unix-process:4711:123456 (system bus name :1.23)
Nov  3 09:05:06 srv sshd[4716]: Accepted publickey for deploy from 203.0.113.17 port 50310 ssh2: ED25519 SHA256:abcdefghijk
";

/// Of the fixed words of a line, those that begin as ordinary lines seldom have it.
pub(super) fn rarest<'a>(line: &[&'a [u8]]) -> Option<&'a [u8]> {
    let starts = |part: &'a [u8]| (0..part.len().saturating_sub(SHORTEST - 1)).map(move |at| &part[at..]);
    let often = |word: &&[u8]| {
        let places = memchr::memchr_iter(word[0], ORDINARY);
        places.filter(|at| ORDINARY[*at..].starts_with(&word[..SHORTEST])).count()
    };
    line.iter().flat_map(|part| starts(part)).min_by_key(|word| (often(word), usize::MAX - word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_as_ordinary_lines_seldom_have_it() {
        assert_eq!(rarest(&[b" of ", b"session x of y"]), Some(&b"on x of y"[..]));
        assert_eq!(rarest(&[b"a"]), None);
    }
}
