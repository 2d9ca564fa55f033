//! Which words are looked for together.
//!
//! The searcher puts its words into groups, in turn as they are given, and looks closer where each half of four bytes fits
//! a word of a group, be it each another one: so which words share a group decides how often it stops in vain. In an
//! order that nobody chose it takes more than twice as long.

use super::ordinary::{FOUR, Four, fours};

/// Up to so many words are in [`FEW`] groups, more in [`MANY`] (`aho_corasick::packed`).
pub(super) const UP_TO: usize = 32;
const FEW: usize = 8;
const MANY: usize = 16;

#[derive(Default)]
struct Group<'a> {
    words: Vec<&'a [u8]>,
    /// How often ordinary lines fit it in vain.
    stops: i64,
}

impl<'a> Group<'a> {
    fn of(words: Vec<&'a [u8]>) -> Self {
        // The halves, low and high, of each byte that one of the words begins with.
        let mut halves = [(0_u16, 0_u16); FOUR];
        for word in &words {
            for ((low, high), byte) in halves.iter_mut().zip(*word) {
                *low |= 1 << (byte & 15);
                *high |= 1 << (byte >> 4);
            }
        }
        let fits = |four: &Four| {
            let mut each = halves.iter().zip(four);
            each.all(|((low, high), b)| low >> (b & 15) & 1 == 1 && high >> (b >> 4) & 1 == 1)
        };
        let is_word = |four: &Four| words.iter().any(|word| word.starts_with(four));
        let in_vain = fours().iter().filter(|(four, _)| fits(four) && !is_word(four));
        Self { stops: in_vain.map(|(_, often)| *often).sum(), words }
    }

    fn with(&self, word: &'a [u8]) -> Self {
        Self::of([&self.words[..], &[word]].concat())
    }
}

/// The same words in an order whose groups ordinary lines seldom fit: each word in turn where it adds the fewest stops.
pub(super) fn grouped<'a>(words: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let count = if words.len() > UP_TO { MANY } else { FEW };
    let mut groups: Vec<Group<'a>> = (0..count).map(|_| Group::default()).collect();
    for word in words {
        // As many in each, but for the first ones, which have one more.
        let open = groups.iter_mut().enumerate().filter(|(at, g)| g.words.len() * count + at < words.len());
        let with = open.map(|(_, group)| (group.with(word), group));
        if let Some((with, group)) = with.min_by_key(|(with, group)| with.stops - group.stops) {
            *group = with;
        }
    }
    exchange(&mut groups);
    let turns = words.len().div_ceil(count);
    (0..turns)
        .flat_map(|turn| groups.iter().filter_map(move |group| group.words.get(turn).copied()))
        .collect()
}

/// What came last had no choice: two words change places where that makes fewer stops.
fn exchange(groups: &mut [Group<'_>]) {
    for one in 0..groups.len() {
        for other in (0..groups.len()).filter(|other| *other != one) {
            let (mine, its) = (groups[one].words.len(), groups[other].words.len());
            for (mine, its) in (0..mine).flat_map(|mine| (0..its).map(move |its| (mine, its))) {
                if groups[one].stops == 0 {
                    break;
                }
                let (mut words, mut of_other) = (groups[one].words.clone(), groups[other].words.clone());
                std::mem::swap(&mut words[mine], &mut of_other[its]);
                let both = [words, of_other].map(Group::of);
                if both[0].stops + both[1].stops < groups[one].stops + groups[other].stops {
                    [groups[one], groups[other]] = both;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_of(words: &[&[u8]]) -> i64 {
        let of = |group| words.iter().skip(group).step_by(FEW).copied().collect();
        (0..FEW).map(|group| Group::of(of(group)).stops).sum()
    }

    #[test]
    fn all_words_are_there_once_in_groups_that_ordinary_lines_seldom_fit() {
        // In turn, the first of both rows are a group, whose bytes make `user`.
        let bad: [&[u8]; 16] = [
            b"uxer", b"0001", b"0002", b"0003", b"0004", b"0005", b"0006", b"0007", //
            b"xsxx", b"0011", b"0012", b"0013", b"0014", b"0015", b"0016", b"0017",
        ];
        assert!(stops_of(&bad) > 0);
        let good = grouped(&bad);
        assert_eq!(stops_of(&good), 0);
        let sorted = |words: &[&[u8]]| {
            let mut words = words.to_vec();
            words.sort_unstable();
            words.iter().map(|word| word.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(sorted(&good), sorted(&bad));
        for few in [0, 1, 7, 9] {
            assert_eq!(sorted(&grouped(&bad[..few])), sorted(&bad[..few]));
        }
        let many: Vec<Vec<u8>> = (10..73).map(|n| format!("word{n}").into_bytes()).collect();
        let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
        assert_eq!(sorted(&grouped(&many)), sorted(&many));
    }
}
