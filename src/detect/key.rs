//! What failures are counted by, as a table keeps it: text whose beginning is compared as one number. A row is looked up
//! for each failure, among thousands.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Bytes that are compared as one number.
const HEAD: usize = 16;

/// Text in the order of its bytes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "CompactString")]
pub(super) struct Key {
    /// The first bytes, and zeros where there are not so many.
    head: u128,
    text: CompactString,
}

impl From<CompactString> for Key {
    fn from(text: CompactString) -> Self {
        let length = text.len().min(HEAD);
        let mut head = [0; HEAD];
        head[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { head: u128::from_be_bytes(head), text }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        CompactString::from(text).into()
    }
}

impl Key {
    /// Of several parts, one behind the other.
    pub(super) fn of(parts: &[&str]) -> Self {
        // On the stack where that is enough, as for nearly all: each failure needs one or two.
        let mut text = [0; 64];
        let mut filled = 0;
        for part in parts {
            let Some(room) = text.get_mut(filled..filled + part.len()) else {
                return CompactString::from(parts.concat()).into();
            };
            room.copy_from_slice(part.as_bytes());
            filled += part.len();
        }
        CompactString::from_utf8(&text[..filled]).unwrap_or_default().into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == 0 && self.text.is_empty()
    }

    /// Its first bytes as one number, so many of the [`HEAD`].
    pub(super) fn begin(&self, bytes: usize) -> u128 {
        self.head & u128::MAX.checked_shl(8 * HEAD.saturating_sub(bytes) as u32).unwrap_or_default()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
            && self.text.len() == other.text.len()
            && (self.text.len() <= HEAD || self.text == other.text)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.head);
        if self.text.len() > HEAD {
            self.text.hash(state);
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal heads say nothing of what is behind them, nor whether a zero is a byte of the text.
        self.head.cmp(&other.head).then_with(|| self.text.cmp(&other.text))
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
        &self.text
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let long = "n".repeat(HEAD);
        let mut texts =
            ["", "\0", "4cb007109", "4cb00710", "a b", "a\0", "a", "a\0b", "é", "nhost.example.org"]
                .map(str::to_owned)
                .to_vec();
        texts.extend([long.clone(), long.clone() + "\0", long + "é", "x".repeat(300)]);
        for a in &texts {
            for b in &texts {
                let (one, other) = (Key::from(a.as_str()), Key::from(b.as_str()));
                assert_eq!(one.cmp(&other), a.as_bytes().cmp(b.as_bytes()));
                assert_eq!(one == other, a == b);
            }
            let key = Key::from(a.as_str());
            for bytes in 0..=HEAD {
                let begin: Vec<u8> =
                    a.bytes().chain([0; HEAD]).take(bytes).chain([0; HEAD]).take(HEAD).collect();
                assert_eq!(key.begin(bytes).to_be_bytes(), *begin, "{a:?} {bytes}");
            }
        }
        for text in &texts {
            assert_eq!(Key::of(&["a", "", text, "b"]), format!("a{text}b").as_str().into());
        }
        let json = serde_json::to_string(&Key::from("a\"b")).unwrap();
        assert_eq!(
            (json.as_str(), serde_json::from_str::<Key>(&json).unwrap()),
            ("\"a\\\"b\"", "a\"b".into())
        );
    }
}
