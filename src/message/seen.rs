//! How many different names there were, by their hashes.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hashes of names, as many as a limit allows. In JSON a text of six base-64 digits a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    hashes: BTreeSet<u32>,
    overflowed: bool,
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const OVERFLOWED: &str = "+";

impl Seen {
    /// Remember `name`, unless `limit` names are remembered already.
    pub(super) fn insert(&mut self, name: &str, limit: usize) {
        self.insert_hash(crc32fast::hash(name.as_bytes()), limit);
    }

    /// Remember what `other` does, within `limit`.
    pub(super) fn merge(&mut self, other: Self, limit: usize) {
        if other.overflowed {
            *self = other;
            return;
        }
        for hash in other.hashes {
            self.insert_hash(hash, limit);
        }
    }

    /// How many different names there were; none if more than the limit.
    pub(super) fn len(&self) -> Option<usize> {
        (!self.overflowed).then_some(self.hashes.len())
    }

    /// Whether there was none.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty() && !self.overflowed
    }

    fn insert_hash(&mut self, hash: u32, limit: usize) {
        if self.overflowed || self.hashes.contains(&hash) {
            return;
        }
        if self.hashes.len() < limit {
            self.hashes.insert(hash);
        } else {
            // From here on only "more than the limit" is known: the hashes have done their work.
            self.hashes.clear();
            self.overflowed = true;
        }
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.overflowed {
            return serializer.serialize_str(OVERFLOWED);
        }
        let digits = self
            .hashes
            .iter()
            .flat_map(|hash| (0..6).map(move |i| char::from(DIGITS[(hash >> (6 * i)) as usize & 63])));
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OVERFLOWED {
            return Ok(Self { hashes: BTreeSet::new(), overflowed: true });
        }
        // What is no digit counts as 0: a damaged text costs a few hashes, not the whole state.
        let digit = |c: &u8| DIGITS.iter().position(|d| d == c).unwrap_or(0) as u32;
        let hash = |six: &[u8]| six.iter().rev().fold(0u32, |n, c| (n << 6) | digit(c));
        Ok(Self { hashes: text.as_bytes().chunks_exact(6).map(hash).collect(), overflowed: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_short_text_and_read_back() {
        let mut seen = Seen::default();
        for limit in [5, 5, 5, 3] {
            let json = serde_json::to_string(&seen).unwrap();
            assert_eq!(serde_json::from_str::<Seen>(&json).unwrap(), seen);
            assert!(json.len() <= 2 + 6 * 3, "{json}");
            let name = format!("name{}", seen.len().unwrap());
            seen.insert(&name, limit);
            seen.insert(&name, limit);
        }
        assert_eq!((seen.len(), seen.is_empty()), (None, false));
        assert_eq!(serde_json::to_string(&seen).unwrap(), "\"+\"");
        assert_eq!(serde_json::from_str::<Seen>("\"+\"").unwrap(), seen);
        assert_eq!(serde_json::from_str::<Seen>("\"_____DAAAAAAxx\"").unwrap().len(), Some(2));
    }
}
