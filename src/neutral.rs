//! What the attacker wrote, made harmless: the one place where foreign bytes become text.
//!
//! User names, host names, log lines and answers from the network arrive as any bytes at all.
//! Before they are stored, shown, logged or posted they pass through [`Neutral`], which keeps
//! visible characters and writes everything else as `\xNN`: controls, invalid UTF-8, and the
//! characters that hide or reorder text (bidi and format controls, variation selectors, tags,
//! private use, line and paragraph separators). It allocates nothing, because the module uses it inside a login.

use std::fmt::{self, Display, Write};

/// Longest name kept, in characters; Linux itself allows 32 in a user name.
pub const NAME_LIMIT: usize = 64;

/// Foreign bytes that display as neutral text of at most `limit` characters.
///
/// A text that was cut ends in `~`.
#[derive(Clone, Copy, Debug)]
pub struct Neutral<'a> {
    bytes: &'a [u8],
    limit: usize,
}

impl<'a> Neutral<'a> {
    /// A name: at most [`NAME_LIMIT`] characters.
    pub fn name(bytes: &'a [u8]) -> Self {
        Self::bounded(bytes, NAME_LIMIT)
    }

    /// Text of at most `limit` characters.
    pub fn bounded(bytes: &'a [u8], limit: usize) -> Self {
        Self { bytes, limit }
    }
}

/// Neutral text of a name, at most [`NAME_LIMIT`] characters.
pub fn name(bytes: impl AsRef<[u8]>) -> String {
    Neutral::name(bytes.as_ref()).to_string()
}

/// Neutral text of at most `limit` characters.
pub fn text(bytes: impl AsRef<[u8]>, limit: usize) -> String {
    Neutral::bounded(bytes.as_ref(), limit).to_string()
}

impl Neutral<'_> {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Hand the neutral text to `each`, character by character. Cannot panic, and calls nothing
    /// that could: the module is linked without any of that.
    pub fn chars(&self, each: &mut impl FnMut(char)) {
        // Each character costs up to four bytes of input, so what is cut here is beyond the limit.
        let most = self.limit.saturating_mul(4).saturating_add(4);
        let (bytes, cut_input) = match self.bytes.get(..most) {
            Some(bytes) => (bytes, self.bytes.len() > most),
            None => (self.bytes, false),
        };
        // First pass: does it fit? Only then is the last place not needed for the mark.
        let mut full = 0;
        pieces(bytes, &mut |piece| {
            full += piece.width();
            true
        });
        let fits = full <= self.limit && !cut_input;
        let room = if fits { self.limit } else { self.limit.saturating_sub(1) };
        let mut used = 0;
        pieces(bytes, &mut |piece| {
            used += piece.width();
            let room_left = used <= room;
            match piece {
                _ if !room_left => {}
                Piece::Visible(c) => each(c),
                Piece::Byte(b) => ['\\', 'x', hex(b >> 4), hex(b)].into_iter().for_each(&mut *each),
            }
            room_left
        });
        if !fits {
            each('~');
        }
    }
}

impl Display for Neutral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.chars(&mut |c| {
            if result.is_ok() {
                result = f.write_char(c);
            }
        });
        result
    }
}

#[derive(Clone, Copy)]
enum Piece {
    Visible(char),
    Byte(u8),
}

impl Piece {
    fn width(self) -> usize {
        match self {
            Self::Visible(_) => 1,
            Self::Byte(_) => 4,
        }
    }
}

/// Hand the pieces of `bytes` to `each` until it has enough.
fn pieces(bytes: &[u8], each: &mut impl FnMut(Piece) -> bool) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let enough = if is_visible(c) {
                !each(Piece::Visible(c))
            } else {
                let mut utf8 = [0; 4];
                !c.encode_utf8(&mut utf8).bytes().all(|b| each(Piece::Byte(b)))
            };
            if enough {
                return;
            }
        }
        if !chunk.invalid().iter().all(|b| each(Piece::Byte(*b))) {
            return;
        }
    }
}

fn hex(nibble: u8) -> char {
    char::from(match nibble & 15 {
        n @ 0..=9 => b'0' + n,
        n => b'a' + n - 10,
    })
}

/// Whether a character shows as itself and moves nothing around it.
///
/// Refused: Unicode general categories Cc, Cf, Co, Cs, Zl, Zp, the noncharacters, and combining
/// or invisible characters that are known to hide text, and the one that stands for an object. Blanks other than U+0020 are refused too:
/// they look alike, and a log line could be forged with them.
pub fn is_visible(c: char) -> bool {
    !matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}'
        | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
        | '\u{1680}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3000}' | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
        && (c as u32) & 0xfffe != 0xfffe
        // A pile of combining marks can paint over its neighbours.
        && !matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_stays_as_it_is() {
        assert_eq!(name("root"), "root");
        assert_eq!(name("jürgen 東"), "jürgen 東");
        assert_eq!(name(""), "");
    }

    #[test]
    fn everything_else_is_spelled_out() {
        assert_eq!(name(b"a\nb\x1b[31m\xff"), "a\\x0ab\\x1b[31m\\xff");
        assert_eq!(name("a\u{202e}b"), "a\\xe2\\x80\\xaeb");
        assert_eq!(name("\u{e0041}"), "\\xf3\\xa0\\x81\\x81");
    }

    #[test]
    fn a_long_text_is_cut_at_the_limit_with_a_mark() {
        assert_eq!(name("x".repeat(64)), "x".repeat(64));
        assert_eq!(name("x".repeat(65)), format!("{}~", "x".repeat(63)));
        assert_eq!(text("\n\n\n", 8), "\\x0a~");
        assert_eq!(text("東".repeat(1000), 5), "東東東東~");
        assert_eq!(text(vec![b'\n'; 100_000], 4), "~");
    }

    #[test]
    fn no_input_gives_an_invisible_character_or_more_than_the_limit() {
        for c in '\0'..=char::MAX {
            let out = text(c.to_string(), 20);
            assert!(out.chars().all(is_visible), "{c:?} gave {out:?}");
            assert!(out.chars().count() <= 20);
        }
    }
}
