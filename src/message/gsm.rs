//! Text for an SMS: the default alphabet of 3GPP 23.038 and its extension table.
//!
//! One character outside of it makes the whole message UCS-2: 70 characters instead of 160. So a text is
//! transliterated: what the alphabet has stays (`ä`, `ö`, `ü`, `ß`, `é`, `Ω`), accents are stripped,
//! a few signs have a form in it, everything else is `?`. Of the product's own signs `·` is written `-`
//! (`-a17`) and `×` is written `x`; `~`, the mark of a cut text, is in the extension table and stays.

use unicode_normalization::char::decompose_canonical;

/// The default alphabet; carriage return and escape are left out.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
    ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table; form feed is left out.
const EXTENSION: &str = "^{}\\[~]|€";

/// Signs without a canonical decomposition that leads into the alphabet.
const FORMS: [(&str, &str); 23] = [
    ("·•", "-"),
    ("×", "x"),
    ("‐‑‒–—−", "-"),
    ("‘’‚´`′", "'"),
    ("“”„«»″", "\""),
    ("‹", "<"),
    ("›", ">"),
    ("…", "..."),
    ("ł", "l"),
    ("Ł", "L"),
    ("đð", "d"),
    ("ĐÐ", "D"),
    ("þ", "th"),
    ("Þ", "Th"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("ı", "i"),
    ("ħ", "h"),
    ("ŧ", "t"),
    ("¦", "|"),
    ("µ", "u"),
    ("°", "o"),
    ("¢", "c"),
];

/// What `c` costs in septets; 2 for what no alphabet has, as nothing costs more.
pub(super) fn septets(c: char) -> usize {
    if is_plain(c) || ALPHABET.contains(c) { 1 } else { 2 }
}

/// Whether an SMS of 160 characters can hold `c`.
pub(super) fn has(c: char) -> bool {
    is_plain(c) || ALPHABET.contains(c) || EXTENSION.contains(c)
}

/// Most of a text, found without a search.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | ',' | ':')
}

/// Append `c` in letters of the alphabet.
pub(super) fn transliterate(c: char, out: &mut String) {
    if has(c) {
        out.push(c);
        return;
    }
    if let Some((_, form)) = FORMS.iter().find(|(signs, _)| signs.contains(c)) {
        out.push_str(form);
        return;
    }
    let mut letters = String::new();
    decompose_canonical(c, |part| letters.extend(has(part).then_some(part)));
    out.push_str(if letters.is_empty() { "?" } else { &letters });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> String {
        let mut out = String::new();
        text.chars().for_each(|c| transliterate(c, &mut out));
        out
    }

    #[test]
    fn the_alphabet_has_the_126_characters_of_the_table_and_nine_that_cost_two() {
        // 128 places, without escape and carriage return; ten in the extension, without form feed.
        assert_eq!((ALPHABET.chars().count(), EXTENSION.chars().count()), (126, 9));
        assert!(ALPHABET.chars().all(|c| septets(c) == 1) && EXTENSION.chars().all(|c| septets(c) == 2));
    }

    #[test]
    fn what_the_alphabet_has_stays_and_accents_go() {
        for (text, sms) in [
            ("jürgen groß MÜLLER", "jürgen groß MÜLLER"),
            ("Ångström café à la", "Ångström café à la"),
            ("ángel çelik Ťůň đorđe", "angel celik Tun dorde"),
            ("Łódź œuvre", "Lodz oeuvre"),
            ("web1 ×12 ·a17 ~", "web1 x12 -a17 ~"),
            ("東京 🐱 иван", "?? ? ????"),
            ("“a” – ‘b’…", "\"a\" - 'b'..."),
        ] {
            assert_eq!(letters(text), sms);
        }
    }

    #[test]
    fn no_character_leads_out_of_the_alphabet() {
        for c in ('\0'..='\u{ffff}').chain(['\u{1f431}', '\u{1d15e}', '\u{e0041}', char::MAX]) {
            let sms = letters(&c.to_string());
            assert!(!sms.is_empty() && sms.chars().all(has), "{c:?}: {sms}");
        }
    }
}
