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
    /// Byte by byte: an administrator may have any number of rules.
    Many(AhoCorasick),
}

impl Several {
    /// None where the machine has no vector instructions.
    pub(super) fn of(words: &[&[u8]]) -> Option<Self> {
        if words.len() > AT_ONCE {
            return AhoCorasick::new(words).ok().map(Self::Many);
        }
        let mut few = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
        few.extend(grouped(words)).build().map(Self::Few)
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
