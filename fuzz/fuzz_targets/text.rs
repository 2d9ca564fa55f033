//! Any failures, any host name, any template: a text fits into a post, holds nothing that X acts
//! on, and tells the exact number of failures it covers.
#![no_main]

use authalert::accounts::AccountKind;
use authalert::config::Template;
use authalert::event::{Class, Event, Route};
use authalert::message::{Composer, LIMIT, Summary, count_in, harmless, weight};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut fields = text.split('\x1e');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (switches, host, template) = (next(), next(), next());
    let switch = |i: usize| switches.as_bytes().get(i).copied().unwrap_or_default();

    let mut summary = Summary::default();
    for i in 0..usize::from(switch(0) % 8) + 1 {
        let bits = switch(i + 2);
        let failure = Event {
            time: Timestamp::from_second(1_795_435_307 - (i64::from(bits) << (bits % 24))).unwrap(),
            route: Route::Pam,
            class: Class::Failure,
            count: u32::from(bits & 15) + 1,
            service: if bits & 16 == 0 { "sshd".into() } else { next() },
            pid: u32::from(bits) << 3,
            ppid: 0,
            user: next(),
            rhost: next(),
            tty: next(),
            ruser: next(),
            uid: 0,
            origin: None,
        };
        let standings = [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];
        summary.add(&failure, standings[usize::from(bits >> 6)]);
    }
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.len() <= 64 << 10);
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);

    let says_count = template.contains("{count}");
    let template = Template::parse(&template).ok();
    let readable = template.is_none() || !says_count;
    let composer = Composer::new(&host, TimeZone::UTC, template, switch(1) & 1 == 1);
    let now = Timestamp::from_second(1_795_435_400).unwrap();
    for text in [composer.compose(&summary, 17, now), composer.plain(&summary, 17, now)] {
        assert!(weight(&text) <= LIMIT, "{text}");
        assert_eq!(harmless(&text), text);
        assert_eq!(acted_on(&text), None, "{text}");
        assert!(counted(&text) <= 280, "{text}");
        assert!(text.contains("a17"), "{text}");
        assert!(!readable || count_in(&text) == summary.failures(), "{text}");
    }
});

/// What X would link, mention, tag or quote, by the rules of twitter-text and nothing of ours.
fn acted_on(text: &str) -> Option<&'static str> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (i, c) in chars.iter().enumerate() {
        let next = at(i + 1);
        let before = if i > 0 { at(i - 1) } else { ' ' };
        let found = match c {
            ':' if next == '/' && at(i + 2) == '/' => "a link with a scheme",
            '.' if (before.is_alphanumeric() || before == '-' || before == '_') && next.is_alphabetic() => {
                "a link"
            }
            '@' | '\u{ff20}' if name(next) => "a mention",
            '#' | '\u{ff03}' if next.is_alphanumeric() || next == '_' => "a tag",
            '$' if next.is_ascii_alphabetic() => "a cashtag",
            _ => continue,
        };
        return Some(found);
    }
    chars.iter().any(|c| c.is_control()).then_some("a control character")
}

/// The length by twitter-text's configuration version 3, for a text without links and composed emoji.
fn counted(text: &str) -> usize {
    let light = |c: u32| matches!(c, 0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247);
    text.chars().map(|c| if light(c.into()) { 1 } else { 2 }).sum()
}
