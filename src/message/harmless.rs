//! Text in which X links, mentions and tags nothing.
//!
//! A user name such as `$AAPL`, `@somebody` or `evil.com` would make the post dearer (a link costs 13
//! times as much), reach people who did not ask, or have it refused. So the character that X would start from is
//! put in brackets, as malware reports do: `evil[.]com`, `[@]somebody`, `[#]tag`, `[$]AAPL`, `http[:]//`. Addresses
//! stay as they are (`192.0.2.7`, `2001:db8::1`): X links no bare address.
//!
//! The rules are wider than twitter-text's: any dot before a letter, whatever top-level domains exist
//! tomorrow, and the look-alikes that some parsers fold to `.`, `@`, `#` and `$`.

use crate::neutral::is_visible;

/// `text` with whatever X would act on put in brackets, blanks for line ends and tabs, and `?` for
/// every other character that does not show as itself. Doing it twice changes nothing more.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    let mut rest = text.chars().map(shown).peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        let starts = match c {
            '.' => before != ' ' && (next.is_ascii_alphabetic() || !next.is_ascii()),
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{fe52}' | '\u{2024}' => is_word(next),
            '@' | '\u{ff20}' | '\u{fe6b}' => is_word(next),
            '#' | '\u{ff03}' | '\u{fe5f}' => is_word(next),
            '$' | '\u{ff04}' | '\u{fe69}' => is_word(next),
            ':' => next == '/',
            _ => false,
        };
        if starts {
            out.extend(['[', c, ']']);
        } else {
            out.push(c);
        }
        before = c;
    }
    out
}

fn shown(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if is_visible(c) => c,
        _ => '?',
    }
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
    fn addresses_and_plain_sentences_stay_as_they_are() {
        for text in [
            "192.0.2.7",
            "2001:db8::1",
            "::ffff:192.0.2.7",
            "web1: wrong password for root from 192.0.2.7 (sshd[32239]) 12:01:47 ·a17",
            "Done. Next: 1.5 s.",
            "5 $ and # and @ alone",
        ] {
            assert_eq!(harmless(text), text);
        }
    }
}
