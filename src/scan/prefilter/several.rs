//! A search for several words at once.

use aho_corasick::packed::{Config, MatchKind, Searcher};
use aho_corasick::{AhoCorasick, Input};

use super::groups::grouped;

/// So many are looked for at once with vector instructions.
const AT_ONCE: usize = 64;

/// Words, ready to be looked for.
#[derive(Clone, Debug)]
pub(super) enum Several {
    /// With vector instructions.
    Few(Searcher),
    /// Byte by byte: an administrator may have any number of rules, and a machine no such instructions.
    Many(AhoCorasick),
}

impl Several {
    /// None where there is nothing to look for.
    pub(super) fn of(words: &[&[u8]]) -> Option<Self> {
        let few = if words.len() > AT_ONCE { None } else { Self::few(words) };
        Self::or_byte_by_byte(few, words)
    }

    /// None where the machine has no vector instructions.
    fn few(words: &[&[u8]]) -> Option<Self> {
        let mut few = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
        few.extend(grouped(words)).build().map(Self::Few)
    }

    /// Not without a search: of refusals that are found the words that take them back have to be found too.
    fn or_byte_by_byte(few: Option<Self>, words: &[&[u8]]) -> Option<Self> {
        few.or_else(|| if words.is_empty() { None } else { AhoCorasick::new(words).ok().map(Self::Many) })
    }

    /// Where the first of them in `block[from..until]` begins and ends.
    pub(super) fn find(&self, block: &[u8], from: usize, until: usize) -> Option<(usize, usize)> {
        match self {
            Self::Few(words) => words.find_in(block, (from..until).into()).map(|m| (m.start(), m.end())),
            Self::Many(words) => {
                words.find(Input::new(block).span(from..until)).map(|m| (m.start(), m.end()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vector_instructions_find_is_found_without_them() {
        let words: [&[u8]; 4] =
            [b"granted", b"session opened for user ", b"on opened", "\u{e4}\u{6f22}q".as_bytes()];
        let block =
            "x grante session closed y granted\nsu: session opened for user bob\n \u{e4}\u{6f22}q granted"
                .as_bytes();
        let lines = |several: Option<Several>| {
            let several = several.unwrap();
            let (mut at, mut lines) = (0, Vec::new());
            while let Some((start, end)) = several.find(block, at, block.len()) {
                lines.push(block[..start].iter().filter(|b| **b == b'\n').count());
                at = end;
            }
            lines.dedup();
            lines
        };
        assert_eq!(lines(Several::or_byte_by_byte(None, &words)), [0, 1, 2]);
        assert_eq!(lines(Several::of(&words)), [0, 1, 2]);
        assert!(Several::of(&[]).is_none());
    }
}
