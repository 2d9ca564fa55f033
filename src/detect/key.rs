//! What failures are counted by, as a table keeps it: short text, without an address to follow, whose beginning is compared
//! as one number. A row is looked up for each failure, among thousands, and there are as many as all members of a fleet tell.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Bytes that are compared as one number.
const HEAD: usize = 16;
/// Bytes that are kept in the key itself: addresses, and most accounts.
const SHORT: usize = 22;

/// Text in the order of its bytes.
#[derive(Clone, Debug, Eq, Deserialize)]
#[serde(from = "CompactString")]
pub(super) struct Key(Text);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    /// Its length, its bytes, and zeros.
    Short(u8, [u8; SHORT]),
    /// All that is longer.
    Long(Box<str>),
}

impl Default for Key {
    fn default() -> Self {
        Self(Text::Short(0, [0; SHORT]))
    }
}

impl From<CompactString> for Key {
    fn from(text: CompactString) -> Self {
        text.as_str().into()
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::of(&[text])
    }
}

impl Key {
    /// Of several parts, one behind the other.
    pub(super) fn of(parts: &[&str]) -> Self {
        let (mut text, mut filled) = ([0; SHORT], 0);
        for part in parts {
            let Some(room) = text.get_mut(filled..filled + part.len()) else {
                return Self(Text::Long(parts.concat().into()));
            };
            room.copy_from_slice(part.as_bytes());
            filled += part.len();
        }
        Self(Text::Short(filled as u8, text))
    }

    /// A letter and so many digits to the base of 16, as `format!` has it: this is done for each failure and login.
    pub(super) fn of_number(kind: u8, digits: usize, number: u64) -> Self {
        let mut text = [0; SHORT];
        text[0] = kind;
        for (place, digit) in text[1..=digits].iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
        }
        Self(Text::Short(1 + digits as u8, text))
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.0, Text::Short(0, _))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short(length, text) => text.get(..usize::from(*length)).unwrap_or_default(),
            Text::Long(text) => text.as_bytes(),
        }
    }

    /// Bytes that it has elsewhere.
    pub(super) fn heap(&self) -> usize {
        match &self.0 {
            Text::Short(..) => 0,
            Text::Long(text) => text.len(),
        }
    }

    /// Its first bytes, so many of the [`HEAD`].
    pub(super) fn beginning(&self, bytes: usize) -> Beginning {
        let mask = u128::MAX.checked_shr(8 * HEAD.saturating_sub(bytes) as u32).unwrap_or_default();
        Beginning { mask, bytes: u128::from_le_bytes(*self.first()) & mask }
    }

    /// The first bytes as one number.
    fn head(&self) -> u128 {
        u128::from_be_bytes(*self.first())
    }

    /// The first bytes, and zeros where there are not so many.
    fn first(&self) -> &[u8; HEAD] {
        let first = match &self.0 {
            Text::Short(_, text) => text.first_chunk(),
            Text::Long(text) => text.as_bytes().first_chunk(),
        };
        first.unwrap_or(&[0; HEAD])
    }
}

/// The first bytes of a key: thousands of others are compared with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    mask: u128,
    bytes: u128,
}

impl Beginning {
    /// Whether `key` has the same.
    pub(super) fn is_of(self, key: &Key) -> bool {
        u128::from_le_bytes(*key.first()) & self.mask == self.bytes
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Nearly all that are not the same begin otherwise.
        self.first() == other.first() && self.0 == other.0
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.head());
        let bytes = self.bytes();
        if bytes.len() > HEAD {
            bytes.hash(state);
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal heads say nothing of what is behind them, nor whether a zero is a byte of the text.
        self.head().cmp(&other.head()).then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Short(..) => std::str::from_utf8(self.bytes()).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let (long, longest) = ("n".repeat(HEAD), "l".repeat(SHORT));
        let mut texts =
            ["", "\0", "4cb007109", "4cb00710", "a b", "a\0", "a", "a\0b", "é", "nhost.example.org"]
                .map(str::to_owned)
                .to_vec();
        texts.extend([long.clone(), long.clone() + "\0", long + "é", "x".repeat(300)]);
        texts.extend([longest.clone(), longest.clone() + "\0", longest[1..].to_owned(), longest + "l"]);
        for a in &texts {
            for b in &texts {
                let (one, other) = (Key::from(a.as_str()), Key::from(b.as_str()));
                assert_eq!(one.cmp(&other), a.as_bytes().cmp(b.as_bytes()));
                assert_eq!(one == other, a == b);
            }
            let begin =
                |text: &str, bytes| -> Vec<u8> { text.bytes().chain([0; HEAD]).take(bytes).collect() };
            for (b, bytes) in texts.iter().flat_map(|b| (0..=HEAD).map(move |bytes| (b, bytes))) {
                let (one, other) = (Key::from(a.as_str()), Key::from(b.as_str()));
                let is_same = one.beginning(bytes).is_of(&other);
                assert_eq!(is_same, begin(a, bytes) == begin(b, bytes), "{a:?} {b:?} {bytes}");
            }
        }
        for text in &texts {
            assert_eq!(Key::of(&["a", "", text, "b"]), format!("a{text}b").as_str().into());
        }
        for number in [0, 9, 0xcb00_7109, u64::from(u32::MAX)] {
            assert_eq!(Key::of_number(b'4', 8, number), format!("4{number:08x}").as_str().into());
        }
        for number in [0, 0x2001_0db8_0001_0002, u64::MAX] {
            assert_eq!(Key::of_number(b'6', 16, number), format!("6{number:016x}").as_str().into());
        }
        let json = serde_json::to_string(&Key::from("a\"b")).unwrap();
        assert_eq!(
            (json.as_str(), serde_json::from_str::<Key>(&json).unwrap()),
            ("\"a\\\"b\"", "a\"b".into())
        );
    }
}
