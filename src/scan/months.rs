//! Stamps whose month is a word of another language, as `journalctl` writes it in the language of who calls it.

use super::stamp::{Stamp, clock, number, skip_blanks, wall};

/// As glibc has them, of January to December, without a full stop at the end. Names that stand for one month in one
/// language and for another in another (`lip`, `lis` and `srp` of Polish, Czech and Croatian) are left out.
const NAMES: [&[&str]; 12] = [
    &[
        "jan", "janv", "jän", "jaan", "ene", "gen", "ian", "sty", "led", "sij", "oca", "tammi", "saus",
        "xan", "urt", "яну", "янв", "јан", "січ", "сту", "Ιαν", "ינו",
    ],
    &[
        "feb", "febr", "fév", "févr", "fev", "lut", "úno", "velj", "Şub", "helmi", "veebr", "vas", "ots",
        "фев", "феб", "лют", "Φεβ", "פבר",
    ],
    &[
        "mar", "mars", "mär", "märts", "mrt", "març", "márc", "bře", "ožu", "maalis", "kov", "мар", "бер",
        "сак", "Μαρ", "Μάρ", "מרץ",
    ],
    &[
        "apr", "april", "avr", "avril", "abr", "ápr", "kwi", "dub", "tra", "nis", "huhti", "bal", "api",
        "апр", "кві", "кра", "Απρ", "אפר",
    ],
    &[
        "may", "mai", "maj", "maí", "máj", "mei", "mag", "maig", "kvě", "svi", "touko", "geg", "май", "мая",
        "мај", "тра", "Μαΐ", "Μάι", "מאי",
    ],
    &[
        "jun", "juni", "juin", "juny", "juuni", "jún", "jūn", "giu", "iun", "cze", "čen", "haz", "kesä",
        "birž", "xuñ", "eka", "июн", "юни", "јун", "чер", "чэр", "Ιουν", "Ιούν", "יונ",
    ],
    &[
        "jul", "juli", "juil", "jui", "juuli", "júl", "jūl", "lug", "iul", "čec", "tem", "heinä", "liep",
        "xul", "uzt", "июл", "юли", "јул", "лип", "ліп", "Ιουλ", "Ιούλ", "יול",
    ],
    &[
        "aug", "août", "aoû", "ago", "avg", "ag", "agu", "Ağu", "sie", "kol", "elo", "ágú", "aŭg", "rugp",
        "abu", "авг", "сер", "жні", "Αυγ", "Αύγ", "אוג",
    ],
    &[
        "sep", "sept", "set", "szept", "wrz", "zář", "eyl", "syys", "rugs", "ira", "сен", "сеп", "вер",
        "Σεπ", "ספט",
    ],
    &[
        "oct", "okt", "ott", "out", "paź", "říj", "eki", "loka", "spal", "urr", "окт", "жов", "кас", "Οκτ",
        "אוק",
    ],
    &[
        "nov", "nóv", "stu", "kas", "marras", "lapkr", "aza", "ноя", "ное", "нов", "лис", "ліс", "Νοε",
        "Νοέ", "נוב",
    ],
    &[
        "dec", "déc", "dez", "des", "dic", "dets", "gru", "pro", "ara", "joulu", "gruod", "abe", "дек",
        "дец", "гру", "сне", "Δεκ", "דצמ",
    ],
];

/// `Dez 31 23:59:59`, `déc. 31 …`, of `journalctl` in other languages; and in any encoding, as metalog writes it: of a
/// name that is not known, when it was is not known either; that there was a line is.
pub(super) fn foreign(text: &[u8]) -> Option<(Stamp, &[u8])> {
    // Catalan has a preposition before it.
    let text =
        [&b"de "[..], "d’".as_bytes()].iter().find_map(|word| text.strip_prefix(*word)).unwrap_or(text);
    let end = memchr::memchr(b' ', &text[..text.len().min(12)])?;
    let name = &text[..end];
    if end < 2 || name.iter().any(|b| b.is_ascii_digit() || (b.is_ascii_punctuation() && *b != b'.')) {
        return None;
    }
    let (day @ 1..=31, rest) = number(skip_blanks(&text[end..]), 2)? else { return None };
    let (second, micro, rest) = clock(rest.strip_prefix(b" ")?)?;
    let stamp = named(name).and_then(|month| wall(None, month, day, second, micro));
    rest.starts_with(b" ").then_some((stamp.unwrap_or(Stamp::Missing), rest))
}

/// `11月 03 09:05:01`, `11월 03 09:05:01`, of `journalctl` in Chinese, Japanese and Korean, the latter with a blank
/// before a month of one figure.
pub(super) fn eastern(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let (month, rest) = number(text, 2)?;
    let rest = ["月 ", "월 "].iter().find_map(|word| rest.strip_prefix(word.as_bytes()))?;
    let (day, rest) = number(skip_blanks(rest), 2)?;
    let (second, micro, rest) = clock(rest.strip_prefix(b" ")?)?;
    Some((wall(None, i8::try_from(month).ok()?, day, second, micro)?, rest))
}

/// Which month, from 1 on, has this name.
fn named(name: &[u8]) -> Option<i8> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    (1..).zip(NAMES).find_map(|(month, names)| {
        names.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)).then_some(month)
    })
}

#[cfg(test)]
mod tests {
    use super::super::stamp::parse;
    use super::*;

    #[test]
    fn a_name_stands_for_one_month() {
        for (month, names) in (1..).zip(NAMES) {
            for name in names {
                assert_eq!(named(name.as_bytes()), Some(month), "{name}");
            }
        }
    }

    #[test]
    fn names_are_found_however_they_begin_and_end() {
        for (name, month) in [("Dez", 12), ("dez", 12), ("juil.", 7), ("Sept.", 9), ("MARS", 3), ("дек", 12)]
        {
            assert_eq!(named(name.as_bytes()), Some(month), "{name}");
        }
        for name in ["", ".", "lip", "lis", "srp", "marc", "de", "x"] {
            assert_eq!(named(name.as_bytes()), None, "{name}");
        }
        assert_eq!(named(b"D\xe9c"), None);
    }

    #[test]
    fn a_month_in_another_language_is_known() {
        for (text, english) in [
            ("Dez 31 23:59:59 x", "Dec 31 23:59:59 x"),
            ("déc. 31 23:59:59 x", "Dec 31 23:59:59 x"),
            ("дек 31 23:59:59 x", "Dec 31 23:59:59 x"),
            ("Ιουλ  3 23:59:59.25 x", "Jul  3 23:59:59.25 x"),
            ("mars 03 23:59:59 x", "Mar  3 23:59:59 x"),
            ("janv. 3 23:59:59 x", "Jan  3 23:59:59 x"),
            ("sept. 3 23:59:59 x", "Sep  3 23:59:59 x"),
            ("nov. 03 23:59:59 x", "Nov  3 23:59:59 x"),
            ("juni 03 23:59:59 x", "Jun  3 23:59:59 x"),
            ("marras 03 23:59:59 x", "Nov  3 23:59:59 x"),
            ("jaan  03 23:59:59 x", "Jan  3 23:59:59 x"),
            ("de gen. 03 23:59:59 x", "Jan  3 23:59:59 x"),
            ("d’abr. 03 23:59:59 x", "Apr  3 23:59:59 x"),
        ] {
            assert_eq!(parse(text.as_bytes()), parse(english.as_bytes()), "{text:?}");
            assert!(matches!(parse(text.as_bytes()), Some((Stamp::Wall { .. }, b"x"))), "{text:?}");
        }
    }

    #[test]
    fn a_month_that_is_not_known_is_a_time_that_is_not_known() {
        for text in ["Xyz 31 23:59:59 x", "De  31 23:59:59 x", "lis 3 23:59:59 x", "marx 3 23:59:59 x"] {
            assert_eq!(parse(text.as_bytes()), Some((Stamp::Missing, &b"x"[..])), "{text:?}");
        }
        assert_eq!(parse(b"D\xe9c 31 23:59:59 x"), Some((Stamp::Missing, &b"x"[..])));
        // No month has such a day.
        assert_eq!(parse("févr. 31 23:59:59 x".as_bytes()), Some((Stamp::Missing, &b"x"[..])));
    }

    #[test]
    fn a_month_in_figures_is_known() {
        for text in ["11月 03 09:05:01 x", "11월 3 09:05:01 x"] {
            assert_eq!(parse(text.as_bytes()), parse(b"Nov  3 09:05:01 x"), "{text:?}");
        }
        for text in ["2月 03 09:05:01 x", " 2月 03 09:05:01 x", " 2월 03 09:05:01 x"] {
            assert_eq!(parse(text.as_bytes()), parse(b"Feb  3 09:05:01 x"), "{text:?}");
        }
        for text in ["13月 03 09:05:01 x", "  2月 03 09:05:01 x", " Nov  3 09:05:01 x"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
