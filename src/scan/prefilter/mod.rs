//! Which lines are worth taking apart: a search of whole blocks for a few words.
//!
//! Every line that tells of an attempt, or of how one ended, holds one of a few words; the samples
//! under `tests/scan` are read with and without the search, and must give the same. The words are searched for all at once
//! with vector instructions, so a log in which nothing happened is read about as fast as memory gives it.

mod groups;
mod ordinary;
mod reach;
mod several;
mod words;

use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::header::decimal;
use super::rules::book::book;
use super::rules::{Family, family};
pub use reach::{Passed, Reach};
use several::Several;
use words::{SESSION, Words, is_program};

/// Time, host and program are hardly longer.
const LONGEST_HEAD: usize = 128;

/// A line in a block.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Where it starts in the block.
    pub start: usize,
    /// Where it ends, without its line feed.
    pub end: usize,
    /// How many lines of the block come before it.
    pub lines_before: u64,
    /// The process, where the line tells only that sshd let somebody in; else 0.
    pub accepted: u32,
    /// No refusal is near that it could speak of: it matters where logins are wanted, and is nothing else's.
    pub is_login_only: bool,
}

/// Finds candidates.
#[derive(Debug)]
pub struct Search {
    words: Option<Several>,
    success: Option<Several>,
    /// Where logins are wanted.
    logins: Option<Several>,
    session: Finder<'static>,
    count_lines: bool,
}

impl Search {
    /// `count_lines`: whether [`Candidate::lines_before`] is wanted; counting takes time.
    pub fn new(count_lines: bool) -> Self {
        static WORDS: OnceLock<Words> = OnceLock::new();
        Self::of(WORDS.get_or_init(|| Words::of(book())).clone(), count_lines)
    }

    fn of(words: Words, count_lines: bool) -> Self {
        Self {
            words: words.always,
            success: words.success,
            logins: None,
            session: Finder::new(SESSION),
            count_lines,
        }
    }

    /// Logins are wanted too, whether or not a refusal came before.
    pub fn with_logins(self, are_wanted: bool) -> Self {
        static LOGINS: OnceLock<Option<Several>> = OnceLock::new();
        let logins = || LOGINS.get_or_init(|| words::logins(book())).clone();
        Self { logins: if are_wanted { logins() } else { None }, ..self }
    }

    /// Every line is a candidate.
    pub fn every_line() -> Self {
        Self { words: None, ..Self::new(true) }
    }

    /// Hand every candidate in `block`, which holds whole lines and follows what was searched with this `reach`, to `each`,
    /// which says what it was. The number of lines comes back, or 0 where they are not counted.
    pub fn run(&self, block: &[u8], reach: &mut Reach, each: &mut dyn FnMut(Candidate) -> Passed) -> u64 {
        let (mut at, mut lines) = (0, 0);
        let mut word = self.next_word(block, 0);
        loop {
            let found = word.unwrap_or(block.len());
            let within = end_of_line(block, reach.end(block.len()));
            let success = self.next_success(block, at..found.min(within));
            let logins = self.logins.as_ref().filter(|_| success.is_none());
            let login = logins.and_then(|words| self.next_login(words, block, at.max(within)..found));
            let Some(hit) = success.or(login).or(word) else { break };
            let end = memchr(b'\n', &block[hit..]).map_or(block.len(), |i| hit + i);
            let is_word = word.filter(|word| *word <= end);
            let is_login_only = login.is_some() && is_word.is_none();
            let hit = if success.is_none() { is_word.unwrap_or(hit) } else { hit };
            let start = memrchr(b'\n', &block[at..hit]).map_or(at, |i| at + i + 1);
            // A hole of NUL bytes that a crash or copytruncate left is no part of the line after it.
            let start = start + block[start..hit].iter().take_while(|b| **b == 0).count();
            if self.count_lines {
                lines += count(&block[at..start]);
            }
            let line = &block[start..end];
            let accepted = accepted(line, hit - start);
            let Passed { time, is_complete } =
                each(Candidate { start, end, lines_before: lines, accepted, is_login_only });
            if self.count_lines && end < block.len() {
                lines += 1;
            }
            at = (end + 1).min(block.len());
            let is_refusal = is_word.is_some() && !is_complete;
            reach.pass(time, is_refusal.then_some(at));
            if is_word.is_some() {
                word = self.next_word(block, at);
            }
        }
        if self.count_lines {
            lines += count(&block[at..]);
        }
        reach.leave(block.len());
        lines
    }

    fn next_word(&self, block: &[u8], from: usize) -> Option<usize> {
        match &self.words {
            Some(words) => words.find(block, from, block.len()).map(|(start, _)| start),
            // Every line is a candidate.
            None => block.len().checked_sub(from + 1).map(|longest| {
                let nuls = block[from..].iter().take(longest).take_while(|b| **b == 0).count();
                from + nuls
            }),
        }
    }

    /// The next word of success `within` these bytes, which a refusal is before.
    fn next_success(&self, block: &[u8], within: Range<usize>) -> Option<usize> {
        let words = self.success.as_ref()?;
        let mut from = within.start;
        while from < within.end {
            let (start, end) = words.find(block, from, within.end)?;
            // cron opens sessions all day and authenticates nobody.
            if !block[..start].ends_with(b"cron:session): ") {
                return Some(start);
            }
            from = end;
        }
        None
    }

    /// The next of the `words` of a login `within` these bytes.
    fn next_login(&self, words: &Several, block: &[u8], within: Range<usize>) -> Option<usize> {
        let mut from = within.start;
        while from < within.end {
            let (start, end) = words.find(block, from, within.end)?;
            if !is_program(&block[start..end]) {
                return Some(start);
            }
            let line = memchr(b'\n', &block[end..within.end]).map_or(within.end, |i| end + i);
            if self.session.find(&block[end..line]).is_some() {
                return Some(start);
            }
            // Its line may say it in another word.
            from = end;
        }
        None
    }
}

/// The end of the line in which `near` is: one that begins before and has its word on both sides is not passed over.
fn end_of_line(block: &[u8], near: usize) -> usize {
    let last = near.checked_sub(1);
    last.map_or(0, |last| memchr(b'\n', &block[last..]).map_or(block.len(), |i| last + i))
}

/// The process of `… sshd[71]: Accepted password …`, where that is sure without taking the line
/// apart: most logins follow no refusal, and need no closer look.
fn accepted(line: &[u8], word: usize) -> u32 {
    let number = || {
        let (head, text) = line.split_at_checked(word)?;
        // Other words of it may be a line of the administrator's rules.
        let is_login =
            [&b"Accepted password for "[..], b"Accepted publickey for "].iter().any(|w| text.starts_with(w));
        let head = head.strip_suffix(b"]: ").filter(|_| is_login)?;
        // What stands before the number was written by the log daemon.
        let open = head.iter().rposition(|b| *b == b'[').filter(|open| *open < LONGEST_HEAD)?;
        let (before, pid) = (&head[..open], &head[open + 1..]);
        let mut pairs = before.iter().zip(before.get(1..).unwrap_or_default());
        (!pairs.any(|pair| pair == (&b':', &b' '))).then_some(())?;
        let program = before.rsplit(|b| *b == b' ').next().unwrap_or_default();
        decimal(pid).filter(|_| family(program) == Family::Sshd)
    };
    number().unwrap_or(0)
}

fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::header;
    use crate::scan::rules::Line;
    use crate::scan::rules::book::{Book, File};

    fn found(block: &str) -> Vec<(String, u64)> {
        found_after(&mut Reach::default(), block)
    }

    fn found_after(reach: &mut Reach, block: &str) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        let total = Search::new(true).run(block.as_bytes(), reach, &mut |c| {
            lines.push((block[c.start..c.end].to_owned(), c.lines_before));
            let line = &block[c.start..c.end];
            // Tests begin their lines with a second.
            let second = line.split(' ').next().and_then(|word| word.parse::<i64>().ok());
            Passed { time: second.map(|second| second * 1_000_000), is_complete: line.contains(" sshd[") }
        });
        assert_eq!(total, block.matches('\n').count() as u64);
        lines
    }

    #[test]
    fn every_line_of_a_rule_is_found_by_a_word() {
        let text = |means: &str, n: usize| {
            format!(
                "about = \"x\"\nprograms = [\"x\"]\n[[rule]]\nmeans = \"{means}\"\nlines = [\"<word> says nope{n} to <user>\"]\n\
                 samples = [{{ line = \"a says nope{n} to b\", user = \"b\" }}]\n"
            )
        };
        // More than the vector instructions take at once, too.
        let [one, other] = ["failure", "failure-of-helper"];
        for (means, rules) in
            [(one, 1), (one, 20), (one, 90), ("failure-too", 1), (other, 1), ("unknown-user", 1)]
        {
            let files = (0..rules).map(|n| File::parse("x", "x.toml", &text(means, n)).unwrap()).collect();
            let search = Search::of(Words::of(&Book::of(files)), false);
            for n in 0..rules {
                let block =
                    format!("Nov  3 09:05:01 srv x: a says nope{n} to b\nNov  3 09:05:01 srv x: hello\n");
                let mut found = 0;
                search.run(block.as_bytes(), &mut Reach::default(), &mut |_| {
                    found += 1;
                    Passed::default()
                });
                assert_eq!(found, 1, "{n} of {rules}, {means}");
            }
        }
    }

    #[test]
    fn a_line_that_was_cut_short_is_found_by_what_is_left_of_it() {
        // Lines without the end have nothing rare.
        let text = "about = \"x\"\nprograms = [\"x\"]\n[[rule]]\nmeans = \"failure\"\nlines = [\"session closed for user <user> is qzxk\"]\n\
            samples = [{ line = \"session closed for user bob is qzxk\", user = \"bob\" }]\n";
        let book = Book::of(vec![File::parse("x", "x.toml", text).unwrap()]);
        let search = Search::of(Words::of(&book), false);
        let line = format!("Nov  3 09:05:01 srv x: session closed for user {}", "y".repeat(1000));
        assert!(matches!(
            book.of_program(&header::parse(line.as_bytes()).unwrap(), &line.as_bytes()[23..]),
            Line::Evidence(_)
        ));
        for line in [&*line, "Nov  3 09:05:01 srv x: session closed for user bob is qzxk"] {
            let mut found = 0;
            search.run(line.as_bytes(), &mut Reach::default(), &mut |_| {
                found += 1;
                Passed::default()
            });
            assert_eq!(found, 1, "{line}");
        }
    }

    #[test]
    fn candidates_are_whole_lines_and_know_how_many_came_before() {
        let block = "a\nb Failed x Failed y\n\nc\nd Accepted \n\0\0\0e FAILED \nf";
        let expected = [("b Failed x Failed y", 1), ("d Accepted ", 4), ("e FAILED ", 5)];
        assert_eq!(found(block), expected.map(|(line, n)| (line.to_owned(), n)));
        assert_eq!(found(""), []);
        assert_eq!(found("Failed ").len(), 1);
    }

    #[test]
    fn every_line_begins_where_candidates_do() {
        let block = "a FAILED \n\0\0b FAILED \n\0\0\n\0";
        let starts = |search: Search| {
            let mut starts = Vec::new();
            search.run(block.as_bytes(), &mut Reach::default(), &mut |c| {
                starts.push(c.start);
                Passed::default()
            });
            starts
        };
        assert_eq!(starts(Search::new(true)), [0, 12]);
        assert_eq!(starts(Search::every_line()), [0, 12, 24, 25]);
    }

    /// More than what is looked through in any case.
    fn filler() -> String {
        "x\n".repeat(32 << 10)
    }

    #[test]
    fn sessions_matter_only_after_a_refusal() {
        let filler = filler();
        let session =
            |second: u32| format!("{second} su: pam_unix(su:session): session opened for user root\n");
        let cron = "1 CRON: pam_unix(cron:session): session opened for user root\n";
        let refusal = |second: u32| format!("{second} su: pam_unix(su:auth): authentication failure; \n");
        let complete = "2000 sshd[7]: Failed password for root from 192.0.2.7 port 1\n";
        // The refusal may be in the block before, or in one that nobody looked at.
        let mut reach = Reach::default();
        let blocks = [
            (session(0), 1),
            (filler.clone() + &session(600), 1),
            // A line about sshd alone, later than anything may be open.
            (complete.into(), 1),
            (session(2001), 0),
            (format!("{}{cron}{}{cron}", refusal(3000), session(3000)), 2),
            (filler.clone() + &session(3600), 1),
            (filler.clone() + &session(3601).replace("): ", "):  "), 1),
            (filler.clone() + &session(3602), 0),
            (filler.clone() + &refusal(4000) + &refusal(4500) + &filler + &session(5100), 3),
            // A refusal that begins with a word of success.
            (
                refusal(5200)
                    + "5700 x: unsuccessful login attempt\n"
                    + &complete.replace("2000", "5900")
                    + &filler
                    + &session(6300),
                4,
            ),
            // Who dates a line ahead hides nothing that is near.
            (refusal(7000) + complete.replace("2000", "9000").as_str() + &session(7001), 3),
        ];
        for (at, (block, expected)) in blocks.iter().enumerate() {
            assert_eq!(found_after(&mut reach, block).len(), *expected, "{at}");
        }
    }

    #[test]
    fn a_login_is_found_on_the_border_of_where_it_may_take_back_a_refusal() {
        let refusal = "1 su: pam_unix(su:auth): authentication failure; \n";
        let later = "2000 sshd[7]: Failed password for root from 192.0.2.7 port 1\n";
        let login = "2001 su: (to root) bob on pts/0\n";
        let border = refusal.len() + (32 << 10);
        for place in border - login.len() - 2..border + 2 {
            let filler = "x".repeat(place - refusal.len() - later.len() - 1);
            let text = [refusal, later, &filler, "\n", login].concat();
            let mut found = 0;
            Search::new(false).with_logins(true).run(text.as_bytes(), &mut Reach::default(), &mut |c| {
                let line = &text[c.start..c.end];
                found += usize::from(line.contains("(to root)"));
                let second = line.split(' ').next().and_then(|word| word.parse::<i64>().ok());
                Passed { time: second.map(|second| second * 1_000_000), is_complete: line.contains(" sshd[") }
            });
            assert_eq!(found, 1, "{}", border - place);
        }
    }

    #[test]
    fn where_logins_are_wanted_they_matter_everywhere_and_where_a_client_was_after_a_refusal() {
        let (login, place) =
            ("1 su: (to root) bob on pts/0\n", "1 sshd[7]: Connection closed by 192.0.2.7\n");
        let session = "1 su: pam_unix(su:session): session opened for user root\n";
        let gdm = "1 gdm-password][7]: pam_unix(gdm-password:session): session opened for user bob\n";
        let closed = gdm.replace("opened", "closed");
        let refusal = "1000 su: pam_unix(su:auth): authentication failure; \n";
        let count = |reach: &mut Reach, text: &str| {
            let (mut all, mut only) = (0, 0);
            Search::new(false).with_logins(true).run(text.as_bytes(), reach, &mut |c| {
                (all, only) = (all + 1, only + u32::from(c.is_login_only));
                let line = &text[c.start..c.end];
                let time = Some(if line.starts_with("1000 ") { 1_000_000_000 } else { 1_000_000 });
                Passed { time, is_complete: line.contains(" sshd[") }
            });
            (all, only)
        };
        let mut reach = Reach::default();
        for (text, expected) in [
            (format!("{place}{session}{}", filler()), (2, 0)),
            // A line about sshd alone that is later.
            (format!("1000 sshd[7]: Failed password from 192.0.2.7 port 1\n{}", filler()), (1, 0)),
            (format!("{place}{login}{session}{closed}{gdm}"), (2, 2)),
            (
                format!("{closed}1 gdm-password][7]: pam_x(gdm-password:auth): access granted to bob\n"),
                (1, 1),
            ),
            // What may be a refusal is more than a login, whatever else its line says.
            ("1 sshd[7]: Failed password for (to root) from 192.0.2.7 port 1\n".into(), (1, 0)),
            (format!("{refusal}{place}{login}"), (3, 0)),
        ] {
            assert_eq!(count(&mut reach, &text), expected, "{}", text.trim_end_matches("x\n"));
        }
    }

    #[test]
    fn a_login_is_known_by_its_number_where_that_is_sure() {
        let of = |line: &str| {
            let mut numbers = Vec::new();
            Search::new(false).run(line.as_bytes(), &mut Reach::default(), &mut |c| {
                numbers.push(c.accepted);
                Passed::default()
            });
            numbers
        };
        for line in [
            "Nov  3 09:05:01 srv sshd[71]: Accepted password for bob from 192.0.2.7 port 1 ssh2",
            "2026-11-03T09:05:01+01:00 srv sshd-session[71]: Accepted publickey for bob from 192.0.2.7 port 1 ssh2",
            "<38>Nov  3 09:05:01 sshd[71]: Accepted password for bob from 192.0.2.7 port 1 ssh2",
        ] {
            assert_eq!(of(line), [71], "{line}");
        }
        for line in [
            // Its child may have told a refusal under another number.
            "Nov  3 09:05:01 srv sshd[71]: Accepted keyboard-interactive/pam for bob from 192.0.2.7 port 1 ssh2",
            "Nov  3 09:05:01 srv sshd: Accepted password for bob from 192.0.2.7 port 1 ssh2",
            "<38>1 2026-11-03T09:05:01Z srv sshd 71 - - Accepted password for bob from 192.0.2.7 port 1 ssh2",
            // Not sshd's word, but somebody's who wrote it into a message.
            "Nov  3 09:05:01 srv x[5]: y[71]: Accepted password for bob FAILED",
            "Nov  3 09:05:01 srv sshd[71]: Failed password for x[5]: Accepted password from 192.0.2.7 port 1 ssh2",
            "Nov  3 09:05:01 srv sshd[99999999999]: Accepted password for bob from 192.0.2.7 port 1 ssh2",
            // Another program may mean anything by it, and so may sshd by another word.
            "Nov  3 09:05:01 srv wp[71]: Accepted password for bob from 192.0.2.7",
            "Nov  3 09:05:01 srv sshd[71]: Accepted proxy 192.0.2.7",
        ] {
            assert_eq!(of(line), [0], "{line}");
        }
    }
}
