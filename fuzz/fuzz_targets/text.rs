//! Any failures, any host name, any template, any style, the shipped definitions' among them: a text fits into the limit in its unit, holds
//! nothing that a service acts on, no name that may be a password, and tells the exact number of failures.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use authalert::accounts::AccountKind;
use authalert::config::Template;
use authalert::event::{Class, Event, Route};
use authalert::message::{
    After, BreakIn, Composer, Content, Dispatch, Sample, Style, Summary, Unit, count_in, harmless,
};
use authalert::neutral::is_visible;
use authalert::receiver::definition;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

/// Stands in every name that no account bears.
const SECRET: &str = "hUnter2Xq";
const MARKUP: [&str; 4] = ["", "*_`~|>", "*_~`|<>[]\\#@&{}=!^;\"'/$%+", "[]()·.:-a7"];

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut fields = text.split('\x1e');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (switches, host, template) = (next(), next(), next());
    let switch = |i: usize| switches.as_bytes().get(i).copied().unwrap_or_default();
    let open = switch(1) & 1 == 1;

    let mut summary = Summary::default();
    for i in 0..usize::from(switch(0) % 8) + 1 {
        let bits = switch(i + 5);
        let kinds = [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];
        let (kind, ruser_kind) = (kinds[usize::from(bits >> 6)], kinds[usize::from(bits >> 2) & 3]);
        let mut name = |kind| {
            let name = next();
            if kind == AccountKind::Unknown { format!("{SECRET}{name}") } else { without_secret(&name) }
        };
        let (user, ruser) = (name(kind), name(ruser_kind));
        // A blank is in the shape of none of these.
        let mut shaped =
            |shaped: &str| if bits & 16 == 0 { shaped.into() } else { format!("{} {SECRET}", next()) };
        let failure = Event {
            time: Timestamp::from_second(1_795_435_307 - (i64::from(bits) << (bits % 24))).unwrap(),
            host: if bits & 32 == 0 { String::new() } else { shaped("db1.example.com") },
            route: Route::Pam,
            class: Class::Failure,
            count: u32::from(bits & 15) + 1,
            service: shaped("sshd"),
            pid: u32::from(bits) << 3,
            ppid: 0,
            user,
            rhost: if bits & 1 == 0 { "192.0.2.7".into() } else { shaped("evil.example.com") },
            tty: shaped("/dev/pts/0"),
            ruser,
            uid: 0,
            origin: None,
        };
        summary.add(&failure, kind, ruser_kind);
    }
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.len() <= 64 << 10);
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);

    let style = style(switch(2), switch(3), switch(4));
    let says_count = template.contains("{count}");
    let template = Template::parse(&without_secret(&template)).ok();
    let readable = template.is_none() || !says_count;
    let composer = Composer::new(&without_secret(&host), TimeZone::UTC, template, open);
    let now = Timestamp::from_second(1_795_435_400).unwrap();
    let dispatch = Dispatch { number: 17, now, unclear: (switch(1) & 2 == 2).then_some(16) };
    let failures = Content::Failures(&summary);
    for text in [composer.text(&style, failures, dispatch), composer.plain(&style, failures, dispatch)] {
        check(&text, &style, open);
        assert!(text.contains("a17"), "{text}");
        assert!(!readable || count_in(&text) == summary.failures(), "{text}");
    }
    check(&composer.title(&style, failures), &style, open);
    let facts = composer.facts(failures, dispatch).to_string();
    assert!(open || !facts.contains(SECRET), "{facts}");

    if let Some(login) = summary.latest() {
        let login: Sample = login.clone();
        let also = vec![login.clone(); usize::from(switch(1) >> 6)];
        let (more, since) = (also.len() as u64, now);
        let content =
            BreakIn { login, failures: 37, since, after: After::Source, more, more_sources: more, also };
        let text = composer.text(&style, Content::BreakIn(&content), dispatch);
        check(&text, &style, open);
        assert!(text.starts_with("BREAK-IN? ") && text.contains("a17"), "{text}");
    }
});

/// Nor does one come about where markup, or what does not show, is taken out.
fn without_secret(text: &str) -> String {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    if plain.contains(SECRET) { String::new() } else { text.to_owned() }
}

fn style(unit: u8, limit: u8, rest: u8) -> Style {
    if rest & 64 == 64 {
        let shipped = shipped();
        return shipped[usize::from(unit) % shipped.len()].clone();
    }
    let units = [Unit::X, Unit::Characters, Unit::Bytes, Unit::Utf16, Unit::Gsm7];
    let limits = [280, 70, 160, 500, 1024, 2000, 4000, 65_536];
    let mut style =
        Style::new(units[usize::from(unit) % units.len()], limits[usize::from(limit) % limits.len()]);
    style.markup = MARKUP[usize::from(rest) % MARKUP.len()].into();
    style.lines = rest & 4 == 4;
    style.links_addresses = rest & 8 == 8;
    style
}

/// As each service that is shipped has it.
fn shipped() -> &'static [Style] {
    static ALL: OnceLock<Vec<Style>> = OnceLock::new();
    ALL.get_or_init(|| {
        let found = definition::list(Path::new("/nonexistent")).into_iter();
        found.map(|entry| entry.definition.unwrap().style()).collect()
    })
}

fn check(text: &str, style: &Style, open: bool) {
    assert!(measured(text, style.unit) <= style.limit, "{style:?} {text}");
    assert_eq!(acted_on(text, style), None, "{style:?} {text}");
    assert!(open || !text.contains(SECRET), "{style:?} {text}");
    if !style.lines && style.markup.is_empty() && !style.links_addresses && style.unit != Unit::Gsm7 {
        assert_eq!(harmless(text), text);
    }
}

/// What a service would link, mention, tag, quote or format, by rules that are none of ours.
fn acted_on(text: &str, style: &Style) -> Option<&'static str> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (i, c) in chars.iter().copied().enumerate() {
        let next = at(i + 1);
        let before = if i > 0 { at(i - 1) } else { ' ' };
        let run = chars[i + 1..].iter().take_while(|c| name(**c)).count();
        let found = match c {
            ':' if next == '/' && at(i + 2) == '/' => "a link with a scheme",
            ':' if before == ' ' && run > 0 && at(i + 1 + run) == ':' => "an emoji",
            '.' if (before.is_alphanumeric() || before == '-' || before == '_') && next.is_alphabetic() => {
                "a link"
            }
            '@' | '\u{ff20}' if name(next) => "a mention",
            '#' | '\u{ff03}' if next.is_alphanumeric() || next == '_' => "a tag",
            '$' if next.is_ascii_alphabetic() => "a cashtag",
            '/' if before == ' ' && run > 0 && !"/<>".contains(at(i + 1 + run)) => "a command",
            '<' if "!@#:".contains(next) || next.is_ascii_alphabetic() => "a tag of Slack or HTML",
            '~' if next.is_ascii_alphanumeric() => "a channel",
            '\n' if style.lines => continue,
            c if !is_visible(c) => "a character that does not show",
            c if "*_`~|<>[]\\#@".contains(c) && style.markup.contains(c) => "markup",
            _ => continue,
        };
        return Some(found);
    }
    // Four numbers in a row; `1.2..3.4` is no address to anybody.
    let quad = |part: &str| {
        let numbers: Vec<bool> = part.split('.').map(|n| n.parse::<u8>().is_ok()).collect();
        numbers.windows(4).any(|four| four.iter().all(|number| *number))
    };
    let addresses = text.split(|c: char| !c.is_ascii_digit() && c != '.').any(quad);
    (style.links_addresses && addresses).then_some("an address")
}

/// The length as the services publish it; X's for a text without links and composed emoji.
fn measured(text: &str, unit: Unit) -> usize {
    let light = |c: u32| matches!(c, 0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247);
    match unit {
        Unit::Characters => text.chars().count(),
        Unit::Bytes => text.len(),
        Unit::Utf16 => text.encode_utf16().count(),
        Unit::Gsm7 => text.chars().map(|c| if "^{}\\[~]|€".contains(c) { 2 } else { 1 }).sum(),
        Unit::X => text.chars().map(|c| if light(c.into()) { 1 } else { 2 }).sum(),
    }
}
