//! What an attacker writes, against everything that is promised of a text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::summary::Summary;
use super::summary::tests::failure;
use super::text::{Composer, count_in};
use super::time::number;
use super::weight::{LIMIT, weight};
use crate::accounts::AccountKind;
use crate::config::template::{Placeholder, Template};
use crate::event::Event;
use crate::neutral::is_visible;

fn now() -> Timestamp {
    failure(20, "", "").time
}

/// As an attacker would: pieces that X acts on, blanks, escapes, and any characters at all.
struct Attacker(u64);

impl Attacker {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 32] = [
            "evil",
            ".",
            ".com",
            "com",
            "@",
            "＠",
            "#",
            "＃",
            "$",
            "＄",
            "http://",
            "https:",
            "//",
            "www.",
            "東京",
            ".みんな",
            "xn--p1ai",
            "192.0.2.7",
            "-",
            "_",
            "/",
            " ",
            "7 failed",
            "·a9",
            "\"",
            "🐱",
            "\u{200d}",
            "\u{202e}",
            "\n",
            "。",
            "A",
            "é",
        ];
        let mut text = String::new();
        for _ in 0..self.below(9) {
            match self.below(5) {
                0 => text.extend(char::from_u32(self.below(0x11_0000) as u32)),
                1 => text.push_str(&"x".repeat(self.below(80) as usize)),
                _ => text.push_str(PIECES[self.below(32) as usize]),
            }
        }
        text
    }

    fn failure(&mut self) -> (Event, AccountKind) {
        let service = match self.below(3) {
            0 => self.text(),
            _ => ["sshd", "su", "sudo", "login"][self.below(4) as usize].into(),
        };
        let time = self.below(400_000) as i64 - 300_000;
        let count = if self.below(4) == 0 { self.below(1 << 32) as u32 } else { 1 };
        let standing = [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];
        let standing = standing[self.below(4) as usize];
        let rhost = if self.below(3) == 0 { String::new() } else { self.text() };
        let failure = Event {
            service,
            pid: self.below(1 << 22) as u32,
            tty: self.text(),
            ruser: self.text(),
            count,
            ..failure(time, &self.text(), &rhost)
        };
        (failure, standing)
    }

    fn template(&mut self) -> Option<Template> {
        const PARTS: [&str; 12] = [
            "{count}",
            "{host}",
            "{service}",
            "{pid}",
            "{user}",
            "{rhost}",
            "{tty}",
            "{ruser}",
            "{first}",
            "{last}",
            "{summary}",
            "{id}",
        ];
        let mut text = String::new();
        for _ in 0..self.below(12) {
            text.push_str(PARTS[self.below(12) as usize]);
            text.push_str(&self.text().replace(['{', '}'], ""));
        }
        Template::parse(&text).ok()
    }
}

/// What X could act on, by rules of its own, written apart from those of `harmless`.
fn acted_on(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let word = |i: usize| chars.get(i).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    for (i, c) in chars.iter().enumerate() {
        let dot = ".。．｡".contains(*c)
            && i > 0
            && !chars[i - 1].is_whitespace()
            && chars.get(i + 1).is_some_and(|c| c.is_alphabetic());
        let sigil = "@＠#＃$＄".contains(*c) && word(i + 1);
        let scheme = *c == ':' && chars[i + 1..].starts_with(&['/', '/']);
        if dot || sigil || scheme || !is_visible(*c) {
            return Some(chars[i.saturating_sub(8)..chars.len().min(i + 8)].iter().collect());
        }
    }
    None
}

#[test]
fn whatever_was_tried_the_text_fits_links_nothing_and_tells_the_exact_count() {
    let mut attacker = Attacker(0x2545_f491_4f6c_dd1d);
    for round in 0..1000u64 {
        let mut summary = Summary::default();
        let records = [1, 1, 2, 3, 5, 40][attacker.below(6) as usize];
        for _ in 0..records {
            let (failure, standing) = attacker.failure();
            summary.add(&failure, standing, AccountKind::Existing);
        }
        if attacker.below(5) == 0 {
            summary.add_dropped(attacker.below(u64::MAX >> 12));
            summary.add_unreadable(attacker.below(u64::MAX >> 12));
        }
        if summary.failures() == 0 {
            continue;
        }
        let template = if attacker.below(2) == 0 { attacker.template() } else { None };
        let says_count = template.as_ref().is_some_and(|t| t.says(Placeholder::Count));
        let composer = Composer::new(&attacker.text(), TimeZone::UTC, template, attacker.below(2) == 0);
        let id = attacker.below(u64::MAX >> 12);
        for text in [composer.compose(&summary, id, now()), composer.plain(&summary, id, now())] {
            assert!(weight(&text) <= LIMIT, "round {round}: {} {text}", weight(&text));
            assert_eq!(acted_on(&text), None, "round {round}: {text}");
            assert!(text.contains(&format!("a{id}")), "round {round}: {text}");
            if says_count {
                assert!(text.contains(&number(summary.failures())), "round {round}: {text}");
            } else {
                assert_eq!(count_in(&text), summary.failures(), "round {round}: {text}");
            }
        }
    }
}
