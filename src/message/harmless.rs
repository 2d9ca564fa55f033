//! Text in which no service links, mentions, tags or calls anything.
//!
//! A user name such as `$AAPL`, `@somebody` or `evil.com` would make a post dearer (on X a link costs 13
//! times as much), reach people who did not ask, or have it refused. So the character that a service would
//! start from is put in brackets, as malware reports do: `evil[.]com`, `[@]here`, `[#]tag`, `[$]AAPL`,
//! `http[:]//`, `[/]start` (a command in Telegram), `[<]!channel>` (Slack), `[:]skull:` (an emoji),
//! `[~]town` (a channel in Mattermost), `[&]lt;` (an entity), `[+]49` (a telephone number), `mailto[:]x`.
//! Addresses stay as they are (`192.0.2.7`, `2001:db8::1`), unless the style says that they would be linked.
//!
//! The rules are wider than any one service's: any dot before a letter, whatever top-level domains exist
//! tomorrow, and the look-alikes that some parsers fold to `.`, `@`, `#` and `$`. Not seen as a link: a long
//! run of digits, which some telephones offer to call.

use std::net::IpAddr;

use crate::neutral::is_visible;

/// `text` with whatever a service would act on put in brackets, blanks for line ends and tabs, and `?` for
/// every other character that does not show as itself. Doing it twice changes nothing more.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    break_up(&text.chars().map(shown).collect::<Vec<_>>(), ['[', ']'], false, &mut out);
    out
}

/// Append `chars`, of which all are visible, with what would be acted on in `brackets`; with `addresses`
/// IPv4 addresses too.
pub(super) fn break_up(chars: &[char], brackets: [char; 2], addresses: bool, out: &mut String) {
    let mut address_until = 0;
    let mut dots = 0;
    for (i, c) in chars.iter().copied().enumerate() {
        let before = if i > 0 { chars[i - 1] } else { ' ' };
        let rest = &chars[i + 1..];
        if i >= address_until && !is_word(before) && !matches!(before, ':' | '.') {
            address_until = i + address_at(&chars[i..]);
        }
        // The third dot between numbers is what makes an address of them.
        dots = match c {
            '.' if before.is_ascii_digit() && rest.first().is_some_and(char::is_ascii_digit) => dots % 3 + 1,
            c if c.is_ascii_digit() => dots,
            _ => 0,
        };
        let acted_on = match c {
            '.' if dots == 3 && addresses => true,
            _ if i < address_until => false,
            ':' => starts_scheme(&chars[..i], rest) || starts_emoji(before, rest),
            c => starts(c, before, rest),
        };
        if acted_on {
            out.extend([brackets[0], c, brackets[1]]);
        } else {
            out.push(c);
        }
    }
}

/// What a character shows as: blanks for line ends and tabs, `?` for what does not show as itself.
pub(super) fn shown(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if is_visible(c) => c,
        _ => '?',
    }
}

/// Whether something begins at `c`, which is no colon.
fn starts(c: char, before: char, rest: &[char]) -> bool {
    let next = rest.first().copied().unwrap_or(' ');
    match c {
        '.' => before != ' ' && (next.is_ascii_alphabetic() || !next.is_ascii()),
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{fe52}' | '\u{2024}' => is_word(next),
        '@' | '\u{ff20}' | '\u{fe6b}' | '#' | '\u{ff03}' | '\u{fe5f}' | '$' | '\u{ff04}' | '\u{fe69}' => {
            is_word(next)
        }
        '~' => is_word(next),
        '+' => next.is_ascii_digit(),
        '<' => !matches!(next, ' ' | ']' | ')'),
        '&' => next == '#' || next.is_ascii_alphabetic(),
        '/' => starts_command(before, rest),
        _ => false,
    }
}

/// `/start`, but not `/etc/passwd`, as Telegram has it. Telegram takes none beside `<` either, but that comes into brackets.
fn starts_command(before: char, rest: &[char]) -> bool {
    let name = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').count();
    let after = rest.get(name).copied().unwrap_or(' ');
    let in_word = before.is_alphanumeric() || before == '_';
    name > 0 && !in_word && !matches!(before, '/' | '>') && !matches!(after, '/' | '>')
}

/// `http://`, and a word such as `mailto:` with something behind it.
fn starts_scheme(before: &[char], rest: &[char]) -> bool {
    let letters = before.iter().rev().take_while(|c| c.is_ascii_alphabetic()).count();
    match rest.first() {
        Some('/') => true,
        Some(next) => letters >= 3 && (is_word(*next) || matches!(next, '+' | '?')),
        None => false,
    }
}

/// `:skull:`, but no part of `12:01:47`.
fn starts_emoji(before: char, rest: &[char]) -> bool {
    let name = rest.iter().take_while(|c| is_word(**c) || matches!(c, '+' | '-')).count();
    let time = before.is_ascii_digit() && rest[..name].iter().all(char::is_ascii_digit);
    name > 0 && rest.get(name) == Some(&':') && !time
}

/// How many of the next characters are an address that stands by itself.
fn address_at(chars: &[char]) -> usize {
    const LONGEST: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();
    let mut run: String = chars
        .iter()
        .take(LONGEST + 2)
        .take_while(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'))
        .collect();
    let ended = chars.get(run.len()).copied().unwrap_or(' ');
    // What ends a clause is not its own.
    while run.ends_with('.') || (run.ends_with(':') && !run.ends_with("::")) {
        run.pop();
    }
    let is_scheme = chars[run.len()..].starts_with(&['/', '/']);
    let alone = !is_word(ended) && ended != '@' && !is_scheme;
    if alone && run.parse::<IpAddr>().is_ok() { run.len() } else { 0 }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_x_would_link_is_broken_visibly() {
        for (text, safe) in [
            ("evil.com", "evil[.]com"),
            ("a.b.evil.co.uk", "a[.]b[.]evil[.]co[.]uk"),
            ("http://evil.com/x", "http[:]//evil[.]com/x"),
            ("http://192.0.2.7/", "http[:]//192.0.2.7/"),
            ("8:://evil", "8:[:]//evil"),
            ("1.2.3.4.com", "1.2.3.4[.]com"),
            ("test.みんな", "test[.]みんな"),
            ("東京evil.com東京", "東京evil[.]com東京"),
            ("evil.xn--p1ai", "evil[.]xn--p1ai"),
            ("evil。com", "evil[。]com"),
            ("evil．com", "evil[．]com"),
            ("@somebody", "[@]somebody"),
            ("＠somebody", "[＠]somebody"),
            ("root@web1", "root[@]web1"),
            ("@@a", "@[@]a"),
            ("#tag ＃tag #東", "[#]tag [＃]tag [#]東"),
            ("$AAPL", "[$]AAPL"),
            ("a\u{202e}b\nc", "a?b c"),
        ] {
            assert_eq!(harmless(text), safe);
            assert_eq!(harmless(safe), safe);
        }
    }

    #[test]
    fn what_other_services_would_act_on_is_broken_too() {
        for (text, safe) in [
            ("/start now", "[/]start now"),
            ("the file /etc/passwd", "the file /etc/passwd"),
            ("/a<b </a> \u{203a}/a \u{e9}/a", "[/]a[<]b [<]/a> \u{203a}[/]a \u{e9}/a"),
            ("@here <!channel> <@U123>", "[@]here [<]!channel> [<][@]U123>"),
            (":skull: x:skull:", "[:]skull: x[:]skull:"),
            ("~town-square", "[~]town-square"),
            ("&lt;b&#62; a & b", "[&]lt;b[&][#]62; a & b"),
            ("+491701234567", "[+]491701234567"),
            ("mailto:x tel:+49 javascript:x", "mailto[:]x tel[:][+]49 javascript[:]x"),
            ("a:b::c", "a:b::c"),
            ("::a:zz:", ":[:]a[:]zz:"),
        ] {
            assert_eq!(harmless(text), safe);
            assert_eq!(harmless(safe), safe);
        }
    }

    #[test]
    fn addresses_and_plain_sentences_stay_as_they_are() {
        for text in [
            "192.0.2.7",
            "2001:db8::1",
            "from 2001:db8:a:b::c ×3. From: 2001:dead:beef:: ×2",
            "::ffff:192.0.2.7",
            "web1: wrong password for root from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17",
            "Done. Next: 1.5 s.",
            "5 $ and # and @ alone",
        ] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn where_addresses_are_linked_none_is_left_whole() {
        for (text, safe) in [
            ("192.0.2.7", "192.0.2[.]7"),
            ("1.2.3.4.5.6.7.8", "1.2.3[.]4.5.6[.]7.8"),
            ("::ffff:192.0.2.7, 1.5 s", "::ffff:192.0.2[.]7, 1.5 s"),
        ] {
            let mut out = String::new();
            break_up(&text.chars().collect::<Vec<_>>(), ['[', ']'], true, &mut out);
            assert_eq!(out, safe);
        }
    }
}
