//! What an attacker writes, against everything that is promised of a text, in every style.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::content::{After, BreakIn, Content, Dispatch, Health, Heartbeat, NewSource, UnderAttack, Weekly};
use super::count::count_in;
use super::sample::Sample;
use super::style::{Style, Unit};
use super::summary::Summary;
use super::summary::tests::failure;
use super::text::Composer;
use super::time::number;
use crate::accounts::AccountKind;
use crate::config::template::{Placeholder, Template};
use crate::event::Event;
use crate::neutral::is_visible;

/// Stands in every name that no account bears; must be in no text.
const SECRET: &str = "hUnter2Xq";

fn now() -> Timestamp {
    failure(20, "", "").time
}

/// As an attacker would: pieces that services act on, blanks, escapes, and any characters at all.
struct Attacker(u64);

impl Attacker {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 48] = [
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
            "/start",
            "<!channel>",
            "@here",
            ":skull:",
            "~town",
            "&lt;",
            "+49",
            "mailto:",
            "**b**",
            "`c`",
            "||d||",
            "[x](y)",
            "2001:db8::1",
            "ß",
            "€",
            "~",
        ];
        let mut text = String::new();
        for _ in 0..self.below(9) {
            match self.below(5) {
                0 => text.extend(char::from_u32(self.below(0x11_0000) as u32)),
                1 => text.push_str(&"x".repeat(self.below(80) as usize)),
                _ => text.push_str(PIECES[self.below(48) as usize]),
            }
        }
        text
    }

    fn kind(&mut self) -> AccountKind {
        let kinds = [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];
        kinds[self.below(4) as usize]
    }

    /// A name of this kind: what no account bears holds the secret.
    fn name(&mut self, kind: AccountKind) -> String {
        if kind == AccountKind::Unknown { format!("{SECRET}{}", self.text()) } else { self.text() }
    }

    /// A field that has a shape: any text, with the secret in it, is out of it.
    fn out_of_shape(&mut self) -> String {
        format!("{} {SECRET}", self.text())
    }

    fn failure(&mut self) -> (Event, AccountKind, AccountKind) {
        let service = match self.below(3) {
            0 => self.out_of_shape(),
            _ => ["sshd", "su", "sudo", "unix_chkpwd"][self.below(4) as usize].into(),
        };
        let rhost = match self.below(4) {
            0 => String::new(),
            1 => self.out_of_shape(),
            2 => "evil.example.com".into(),
            _ => format!("192.0.2.{}", self.below(256)),
        };
        let host = match self.below(4) {
            0 => format!("web{}", self.below(3)),
            1 => self.out_of_shape(),
            _ => String::new(),
        };
        let tty = if self.below(2) == 0 { self.out_of_shape() } else { "/dev/pts/0".into() };
        let (kind, ruser_kind) = (self.kind(), self.kind());
        let ruser = if self.below(2) == 0 { self.name(ruser_kind) } else { String::new() };
        let event = Event {
            host,
            service,
            pid: self.below(1 << 22) as u32,
            tty,
            ruser,
            count: if self.below(4) == 0 { self.below(1 << 32) as u32 } else { 1 },
            ..failure(self.below(400_000) as i64 - 300_000, &self.name(kind), &rhost)
        };
        (event, kind, ruser_kind)
    }

    fn summary(&mut self) -> Summary {
        let mut summary = Summary::default();
        let records = [1, 1, 2, 3, 5, 40][self.below(6) as usize];
        for _ in 0..records {
            let (failure, kind, ruser_kind) = self.failure();
            summary.add(&failure, kind, ruser_kind);
        }
        if self.below(5) == 0 {
            summary.add_dropped(self.below(u64::MAX >> 12));
            summary.add_unreadable(self.below(u64::MAX >> 12));
        }
        summary
    }

    fn sample(&mut self) -> Sample {
        let (event, kind, ruser_kind) = self.failure();
        Sample::of(&event, kind, ruser_kind)
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

/// Every unit and limits from the smallest to the largest, as services have them.
fn styles() -> Vec<Style> {
    let mut styles = Vec::new();
    for unit in [Unit::Characters, Unit::Bytes, Unit::Utf16, Unit::Gsm7, Unit::X] {
        for limit in [70, 160, 280, 500, 1024, 2000, 4000, 16_000, 65_536] {
            for markup in ["", "*_`~|>", "*_~`|<>[]\\#@&{}=!^;\"'/-$%+"] {
                let many = limit > 280;
                let base = Style::new(unit, limit);
                styles.push(Style { markup: markup.into(), lines: many, links_addresses: many, ..base });
            }
        }
    }
    styles
}

/// What a service could act on, by rules of its own, written apart from those of `harmless`.
fn acted_on(text: &str, style: &Style) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (i, c) in chars.iter().copied().enumerate() {
        let (before, next) = (if i > 0 { at(i - 1) } else { ' ' }, at(i + 1));
        let run = chars[i + 1..].iter().take_while(|c| plain(**c)).count();
        let dot = ".。．｡".contains(c) && !before.is_whitespace() && i > 0 && next.is_alphabetic();
        let sigil = "@＠#＃$＄".contains(c) && word(next);
        let scheme = c == ':' && next == '/' && at(i + 2) == '/';
        let emoji = c == ':' && before.is_whitespace() && run > 0 && at(i + 1 + run) == ':';
        let command = c == '/' && before.is_whitespace() && run > 0 && !"/<>".contains(at(i + 1 + run));
        let tag = c == '<' && (next == '!' || next == '@' || next.is_alphabetic());
        let other =
            c == '~' && next.is_alphanumeric() || c == '&' && next == '#' || c == '+' && next.is_numeric();
        let markup = c.is_ascii_punctuation() && !":,.()-?".contains(c) && style.markup.contains(c);
        let shown = is_visible(c) || c == '\n' && style.lines;
        if dot || sigil || scheme || emoji || command || tag || other || markup || !shown {
            return Some(chars[i.saturating_sub(8)..chars.len().min(i + 8)].iter().collect());
        }
    }
    // Four numbers in a row; `1.2..3.4` is no address to anybody.
    let quad = |part: &str| {
        let numbers: Vec<bool> = part.split('.').map(|n| n.parse::<u8>().is_ok()).collect();
        numbers.windows(4).any(|four| four.iter().all(|number| *number))
    };
    let addresses = text.split(|c: char| !c.is_ascii_digit() && c != '.').any(quad);
    (style.links_addresses && addresses).then(|| "an address".into())
}

#[track_caller]
fn assert_promises(text: &str, style: &Style, number: u64, hidden: bool) {
    assert!(style.unit.measure(text) <= style.limit, "{style:?} {text}");
    assert_eq!(acted_on(text, style), None, "{style:?} {text}");
    assert_eq!(style.safe(text), text, "{style:?}");
    assert!(text.contains(&format!("a{number}")), "{style:?} {text}");
    assert!(!hidden || !text.contains(SECRET), "{style:?} {text}");
    assert!(style.unit != Unit::Gsm7 || text.chars().all(super::gsm::has), "{text}");
}

#[test]
fn whatever_was_tried_the_text_fits_links_nothing_and_tells_the_exact_count() {
    let mut attacker = Attacker(0x2545_f491_4f6c_dd1d);
    let styles = styles();
    for round in 0..250usize {
        let summary = attacker.summary();
        if summary.failures() == 0 {
            continue;
        }
        let template = if attacker.below(2) == 0 { attacker.template() } else { None };
        let says_count = template.as_ref().is_some_and(|t| t.says(Placeholder::Count));
        let open = attacker.below(4) == 0;
        let composer = Composer::new(&attacker.text(), TimeZone::UTC, template, open);
        let id = attacker.below(u64::MAX >> 12);
        let unclear = (id % 2 == 0).then_some(id / 2);
        let dispatch = Dispatch { number: id, now: now(), unclear };
        let content = Content::Failures(&summary);
        for style in [&styles[round % styles.len()], &styles[(round * 7 + 3) % styles.len()]] {
            for text in [composer.text(style, content, dispatch), composer.plain(style, content, dispatch)] {
                assert_promises(&text, style, id, !open);
                if says_count {
                    assert!(text.contains(&number(summary.failures())), "round {round}: {text}");
                } else {
                    assert_eq!(count_in(&text), summary.failures(), "round {round}: {style:?} {text}");
                }
            }
            let title = composer.title(style, content);
            assert!(style.unit.measure(&title) <= style.limit.min(100) && acted_on(&title, style).is_none());
            assert!(!title.contains('\n') && (open || !title.contains(SECRET)), "{title}");
        }
        let facts = composer.facts(content, dispatch).to_string();
        assert!(open || !facts.contains(SECRET), "{facts}");
        assert!(facts.chars().all(is_visible), "{facts}");
    }
}

#[test]
fn every_other_kind_of_message_keeps_the_same_promises() {
    let mut attacker = Attacker(0x9e37_79b9_7f4a_7c15);
    let styles = styles();
    for round in 0..100usize {
        let (login, failures) = (attacker.sample(), attacker.below(1 << 40));
        let (since, more) = (failure(-(failures as i64 % 900_000), "", "").time, attacker.below(3));
        let after = [After::Source, After::Account, After::Asker][round % 3];
        let break_in = BreakIn {
            login: login.clone(),
            failures,
            since,
            after,
            more,
            more_sources: more,
            also: vec![login.clone(); 4],
        };
        let under_attack = UnderAttack { login: login.clone(), failures, sources: more, since, more };
        let new_source = NewSource { login, more };
        let services = (0..attacker.below(5)).map(|_| attacker.text()).collect();
        let heartbeat = Heartbeat { services, logs: round % 2 == 0, failures, since };
        let health = Health { what: attacker.text(), since, cleared: round % 2 == 0 };
        let summary = attacker.summary();
        let weekly = Weekly { since, failures: attacker.summary(), logins: 3, break_ins: more, alerts: 9 };
        let composer = Composer::new(&attacker.text(), TimeZone::UTC, None, false);
        for content in [
            Content::BreakIn(&break_in),
            Content::UnderAttack(&under_attack),
            Content::NewSource(&new_source),
            Content::Logins(&summary),
            Content::Heartbeat(&heartbeat),
            Content::Health(&health),
            Content::Weekly(&weekly),
            Content::Test,
        ] {
            let style = &styles[attacker.below(styles.len() as u64) as usize];
            let dispatch = Dispatch::new(round as u64 + 1_000_000, now());
            let text = composer.text(style, content, dispatch);
            assert_promises(&text, style, dispatch.number, true);
            assert_promises(&composer.plain(style, content, dispatch), style, dispatch.number, true);
            assert!(acted_on(&composer.title(style, content), style).is_none());
            assert!(!composer.facts(content, dispatch).to_string().contains(SECRET));
            if let Content::BreakIn(_) = content {
                assert!(text.starts_with("BREAK-IN? "), "{text}");
                assert!(text.contains(&number(failures)) || style.limit == 70, "{style:?} {text}");
            }
        }
    }
}
