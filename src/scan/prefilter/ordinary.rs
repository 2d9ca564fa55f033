//! What most logs are full of, and the words that are not in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::scan::rules::book::SHORTEST;

/// What the beginnings of words are compared by.
pub(super) const FOUR: usize = 4;
pub(super) type Four = [u8; FOUR];
const _: () = assert!(FOUR <= SHORTEST);

/// Lines that most logs are full of.
const ORDINARY: &[u8] = b"Nov  3 09:05:01 srv CRON[4711]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
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
Nov  3 09:05:07 srv postfix/smtpd[4717]: connect from mail.example.org[203.0.113.17]
Nov  3 09:05:07 srv postfix/smtpd[4717]: disconnect from mail.example.org[203.0.113.17] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7
Nov  3 09:05:07 srv postfix/qmgr[800]: 4XyZ1a2b3c: from=<deploy@example.org>, size=4711, nrcpt=1 (queue active)
Nov  3 09:05:07 srv dovecot: imap(deploy)<4711><abcdefghijk>: Disconnected: Logged out in=47 out=11 deleted=0 expunged=0 hdr_count=0
Nov  3 09:05:08 srv kernel: [4711.123456] [UFW BLOCK] IN=eth0 OUT= MAC=00:11 SRC=203.0.113.17 DST=198.51.100.2 LEN=40 PROTO=TCP SPT=50310 DPT=23
[Tue Nov 03 09:05:08.123456 2026] [proxy_fcgi:error] [pid 4711:tid 4712] [client 203.0.113.17:50310] AH01071: Got error 'PHP message: x'
2026/11/03 09:05:08 [error] 4711#4711: *12 open() \"/srv/www/favicon.ico\", client: 203.0.113.17, server: example.org, request: \"GET / HTTP/1.1\"
";

/// A word has at most so many bytes: the more lines share it.
const LONGEST: usize = 8;

/// Words for `lines`, of each of which these are the fixed parts, as few as possible, and none that begins as ordinary lines
/// often do: the fewer words, the quicker the search.
pub(super) fn rarest<'a>(lines: &[Vec<&'a [u8]>]) -> Vec<&'a [u8]> {
    let mut lines_of: BTreeMap<&'a [u8], Vec<usize>> = BTreeMap::new();
    for (n, line) in lines.iter().enumerate() {
        for word in line.iter().flat_map(|part| words(part)) {
            let lines = lines_of.entry(word).or_default();
            if lines.last() != Some(&n) {
                lines.push(n);
            }
        }
    }
    let (mut chosen, mut is_found) = (Vec::new(), vec![false; lines.len()]);
    for (n, line) in lines.iter().enumerate() {
        if is_found[n] {
            continue;
        }
        let all = line.iter().flat_map(|part| words(part));
        let all = all.filter_map(|word| Some((word, lines_of.get(word)?)));
        // A short one stands in more lines than those of a rule.
        let best = all.min_by_key(|(word, of)| (often(word), word.len() < LONGEST, usize::MAX - of.len()));
        if let Some((word, of)) = best {
            chosen.push(word);
            of.iter().for_each(|line| is_found[*line] = true);
        }
    }
    chosen
}

/// What a line may be searched for by, of one of its fixed parts.
fn words(part: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = 0..part.len().saturating_sub(SHORTEST - 1);
    starts.map(|at| &part[at..part.len().min(at + LONGEST)])
}

/// How often ordinary lines have what the word begins with.
fn often(word: &[u8]) -> i64 {
    let place = fours().binary_search_by(|(four, _)| four[..].cmp(&word[..FOUR]));
    place.map_or(0, |place| fours()[place].1)
}

/// Each four bytes of ordinary lines, in their order, and how often they stand there.
pub(super) fn fours() -> &'static [(Four, i64)] {
    static ONCE: OnceLock<Vec<(Four, i64)>> = OnceLock::new();
    ONCE.get_or_init(|| {
        // As numbers, which are sorted quickly: this is done whenever a scan begins.
        let each = ORDINARY.windows(FOUR).filter_map(|four| Some(u32::from_be_bytes(*four.first_chunk()?)));
        let mut all: Vec<u32> = each.collect();
        all.sort_unstable();
        let each = all.chunk_by(|one, next| one == next);
        each.filter_map(|same| Some((same.first()?.to_be_bytes(), same.len() as i64))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_as_ordinary_lines_seldom_have_it() {
        assert_eq!(rarest(&[vec![b" of ", b"session x of y"]]), [b"on x of "]);
        assert_eq!(rarest(&[vec![b"a"]]), [b""; 0]);
    }

    #[test]
    fn lines_share_a_word() {
        let lines: [&[&[u8]]; 4] = [
            &[b"user ", b" was refused by a"],
            &[b"b refused by", b" user"],
            &[b" has expired ("],
            &[b" refused by "],
        ];
        let words = rarest(&lines.map(<[_]>::to_vec));
        assert_eq!(words.len(), 2, "{words:?}");
        for line in lines {
            let is_in = |word: &[u8]| line.iter().any(|part| memchr::memmem::find(part, word).is_some());
            assert!(words.iter().any(|word| is_in(word)));
        }
    }
}
