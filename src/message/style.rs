//! How a receiver wants its texts: how long, counted in what, and what must not stand in them.

use serde::{Deserialize, Serialize};

use super::gsm;
use super::harmless::{break_up, shown};
use super::markup::{is_replaced, look_alike};
use super::weight::char_weight;

/// In what a service counts the length of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// UTF-16 code units.
    Utf16,
    /// Septets of the GSM 7-bit default alphabet (3GPP 23.038). The text is transliterated to it.
    Gsm7,
    /// Weights of twitter-text, configuration version 3.
    X,
}

/// How a receiver wants its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// What `limit` is counted in.
    pub unit: Unit,
    /// The longest text. From 70 on a text says how many failures, on which machine, the worst of
    /// them and the number of the alert; below that it is cut.
    pub limit: usize,
    /// Characters that the service would read as markup (`*`, `_`, a backtick …): each is replaced by a look-alike or
    /// dropped, so that foreign text shows as it is and formats nothing. Letters, digits, blanks and `:,.()` stay
    /// whatever is written here: texts and addresses consist of them, and alone they format nothing.
    pub markup: String,
    /// Whether a text may have several lines, one idea each.
    pub lines: bool,
    /// Whether the service or its programs make a link of a bare IPv4 address: then it is written `192.0.2[.]7`.
    pub links_addresses: bool,
}

impl Style {
    /// One line of at most `limit` `unit`s, in which nothing is markup.
    pub fn new(unit: Unit, limit: usize) -> Self {
        Self { unit, limit, markup: String::new(), lines: false, links_addresses: false }
    }

    /// As a post on X wants it.
    pub fn x() -> Self {
        Self::new(Unit::X, super::weight::LIMIT)
    }
}

impl Unit {
    /// What `text` measures.
    pub fn measure(self, text: &str) -> usize {
        text.chars().map(|c| self.cost(c)).sum()
    }

    /// What one character measures.
    fn cost(self, c: char) -> usize {
        match self {
            Self::Characters => 1,
            Self::Bytes => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Gsm7 => gsm::septets(c),
            Self::X => char_weight(c),
        }
    }
}

impl Style {
    /// `text` in this style: in the letters of the unit's alphabet, with nothing in it that the service
    /// would act on. Line ends stay where lines are allowed. Doing it twice changes nothing more.
    pub(crate) fn safe(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        // Brackets cost twice as much in an SMS, and may be markup.
        let parentheses = self.unit == Unit::Gsm7 || self.markup.contains(['[', ']']);
        let brackets = if parentheses { ['(', ')'] } else { ['[', ']'] };
        let lines = text.split(|c| c == '\n' && self.lines);
        for (i, line) in lines.enumerate() {
            if i > 0 {
                out.push('\n');
            }
            let mut letters = String::with_capacity(line.len());
            line.chars().map(shown).for_each(|c| self.write(c, &mut letters));
            break_up(&letters.chars().collect::<Vec<_>>(), brackets, self.links_addresses, &mut out);
        }
        out
    }

    /// What `text` measures once it is [`Style::safe`].
    pub(crate) fn measure_safe(&self, text: &str) -> usize {
        self.unit.measure(&self.safe(text))
    }

    /// `text` made safe, and cut if it measures more than `room`: then it ends in `~`.
    pub(crate) fn fitted(&self, text: &str, room: usize) -> String {
        let safe = self.safe(text);
        let mut allowed = room;
        loop {
            // What was cut may have to be broken up where it was not before.
            let cut = self.safe(&self.cut(&safe, allowed));
            let measure = self.unit.measure(&cut);
            if measure <= room {
                return cut;
            }
            allowed = allowed.saturating_sub(measure - room);
        }
    }

    /// `text` if it measures `limit` at most, else as much of its beginning as fits, and `~`.
    pub(super) fn cut(&self, text: &str, limit: usize) -> String {
        if self.unit.measure(text) <= limit {
            return text.to_owned();
        }
        let mark = self.safe("~");
        let Some(room) = limit.checked_sub(self.unit.measure(&mark)) else { return String::new() };
        let mut used = 0;
        let fits = |c: &char| {
            used += self.unit.cost(*c);
            used <= room
        };
        text.chars().take_while(fits).collect::<String>() + &mark
    }

    fn write(&self, c: char, out: &mut String) {
        let mut letters = String::new();
        if self.unit == Unit::Gsm7 {
            gsm::transliterate(c, &mut letters);
        } else {
            letters.push(c);
        }
        let allowed = |c| !is_replaced(c, &self.markup) && (self.unit != Unit::Gsm7 || gsm::has(c));
        for c in letters.chars() {
            if is_replaced(c, &self.markup) {
                out.push_str(look_alike(c, allowed));
            } else {
                out.push(c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [Unit; 5] = [Unit::Characters, Unit::Bytes, Unit::Utf16, Unit::Gsm7, Unit::X];

    #[test]
    fn each_service_counts_in_its_own_unit() {
        let counted = UNITS.map(|unit| unit.measure("aä[東🐱"));
        assert_eq!(counted, [5, 11, 6, 8, 7]);
    }

    #[test]
    fn markup_is_replaced_in_the_letters_that_the_unit_has() {
        let discord = Style { markup: "*_`~|>[]#".into(), ..Style::new(Unit::Characters, 2000) };
        assert_eq!(
            discord.safe("**a**_b_ `c` ||d|| sshd[1] > evil.com"),
            "∗∗a∗∗ˍbˍ 'c' ¦¦d¦¦ sshd(1) › evil(.)com"
        );
        let sms = Style { markup: "*[]".into(), ..Style::new(Unit::Gsm7, 160) };
        assert_eq!(sms.safe("a*b [c] evil.com ·a17 ×3"), "ab (c) evil(.)com -a17 x3");
    }

    #[test]
    fn lines_stay_where_they_are_allowed() {
        let mut style = Style::new(Unit::Bytes, 4000);
        assert_eq!(style.safe("a\nb\tc"), "a b c");
        style.lines = true;
        assert_eq!(style.safe("a\nb\tc\r\n@d"), "a\nb c \n[@]d");
    }

    #[test]
    fn what_is_cut_fits_in_every_unit_and_shows_that_it_was_cut() {
        for unit in UNITS {
            let style = Style::new(unit, 280);
            for text in ["abcdef", "東東東東", "ääääää", "a.b.c.d", "/ab/cd/", "@@@@a", "\u{1f431}x\u{1f431}"]
            {
                for room in 0..20 {
                    let cut = style.fitted(text, room);
                    assert!(unit.measure(&cut) <= room, "{unit:?} {room} {cut}");
                    assert_eq!(style.safe(&cut), cut);
                    assert!(cut.is_empty() || cut == style.safe(text) || cut.contains('~'), "{cut}");
                }
            }
        }
        assert_eq!(Style::new(Unit::X, 280).fitted("abcde", 4), "abc~");
        assert_eq!(Style::new(Unit::Gsm7, 280).fitted("abcde", 4), "ab~");
    }
}
