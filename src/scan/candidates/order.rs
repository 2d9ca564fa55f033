//! The order of the words that are searched for, on which the speed of the search depends.
//!
//! The searcher puts words into eight groups in turn (sixteen from 33 words on), and of a group it knows only which halves of
//! bytes stand in which of the first four places. Words that do not go together make it stop at places where none of
//! them is: one order is half as fast as another. So an order is looked for in which it seldom stops in ordinary lines.

use crate::scan::rules::book::SHORTEST;

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
";
/// How often two words change places.
const TRIES: u32 = 400;

/// The words in such an order.
pub(super) fn arranged(mut words: Vec<&[u8]>) -> Vec<&[u8]> {
    let mut fewest = stops(&words);
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for _ in 0..TRIES {
        if words.len() < 2 {
            break;
        }
        let (a, b) = (next(words.len()), next(words.len()));
        words.swap(a, b);
        let found = stops(&words);
        if found <= fewest {
            fewest = found;
        } else {
            words.swap(a, b);
        }
    }
    words
}

/// Of the fixed words of a line, those that begin as ordinary lines seldom have it.
pub(super) fn rarest<'a>(line: &[&'a [u8]]) -> Option<&'a [u8]> {
    let starts = |part: &'a [u8]| (0..part.len().saturating_sub(SHORTEST - 1)).map(move |at| &part[at..]);
    let often = |word: &&[u8]| ORDINARY.windows(SHORTEST).filter(|start| word.starts_with(start)).count();
    line.iter().flat_map(|part| starts(part)).min_by_key(|word| (often(word), usize::MAX - word.len()))
}

/// At how many places of ordinary lines the searcher stops.
fn stops(words: &[&[u8]]) -> usize {
    const PLACES: usize = 4;
    let groups = if words.len() > 32 { 16 } else { 8 };
    // Of each place, the groups in which a word has this lower or upper half of a byte there.
    let mut halves = [[[0_u16; 16]; 2]; PLACES];
    for (number, word) in words.iter().enumerate() {
        for (place, byte) in word.iter().take(PLACES).enumerate() {
            let group = 1 << (number % groups);
            halves[place][0][usize::from(byte & 15)] |= group;
            halves[place][1][usize::from(byte >> 4)] |= group;
        }
    }
    let may_begin = |text: &&[u8]| {
        let of_place = |(place, byte): (usize, &u8)| {
            halves[place][0][usize::from(byte & 15)] & halves[place][1][usize::from(byte >> 4)]
        };
        text.iter().enumerate().map(of_place).fold(u16::MAX, |all, groups| all & groups) != 0
    };
    ORDINARY.windows(PLACES).filter(may_begin).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_in_which_the_search_seldom_stops() {
        let words: Vec<&[u8]> = super::super::WORDS.iter().map(|word| word.as_bytes()).collect();
        // Taken in steps that go round all sixteen.
        let orders = [1, 3, 5, 7, 9, 11, 13, 15]
            .map(|step| (0..words.len()).map(|n| words[n * step % words.len()]).collect::<Vec<_>>());
        let worst = orders.iter().max_by_key(|order| stops(order)).unwrap();
        let arranged = arranged(worst.clone());
        assert!(stops(&arranged) < stops(worst), "{}", stops(worst));
        assert!(orders.iter().all(|order| stops(&arranged) <= stops(order)));
        let sorted = |words: &[&'static [u8]]| {
            let mut words = words.to_vec();
            words.sort_unstable();
            words
        };
        assert_eq!(sorted(&arranged), sorted(&words));
        assert_eq!(super::arranged(vec![b"word"]), [b"word"]);
        assert_eq!(rarest(&[b" of ", b"session x of y"]), Some(&b"on x of y"[..]));
        assert_eq!(rarest(&[b"a"]), None);
    }
}
