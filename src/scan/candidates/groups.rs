//! Which words are looked for together.
//!
//! The searcher puts its words into groups, in turn as they are given, and looks closer where each half of four bytes fits
//! a word of a group, be it each another one: so which words share a group decides how often it stops in vain. In an
//! order that nobody chose it takes more than twice as long.

use super::ordinary::ORDINARY;

/// So many bytes of each word are compared at once.
const COMPARED: usize = 4;
/// Up to so many words are in [`FEW`] groups, more in [`MANY`] (`aho_corasick::packed`).
const UP_TO: usize = 32;
const FEW: usize = 8;
const MANY: usize = 16;

/// The halves, low and high, of each byte that a word of a group begins with.
type Halves = [(u16, u16); COMPARED];
/// Each four bytes of ordinary lines, and how often they stand there.
type Ordinary = Vec<([u8; COMPARED], usize)>;

#[derive(Default)]
struct Group<'a> {
    words: Vec<&'a [u8]>,
    halves: Halves,
    stops: usize,
}

impl<'a> Group<'a> {
    fn of(words: Vec<&'a [u8]>, ordinary: &Ordinary) -> Self {
        let halves = words.iter().fold(Halves::default(), |halves, word| joined(halves, word));
        Self { words, halves, stops: stops(&halves, ordinary) }
    }
}

/// The same words in an order whose groups ordinary lines seldom fit: each word in turn where it adds the fewest stops.
pub(super) fn grouped<'a>(words: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let count = if words.len() > UP_TO { MANY } else { FEW };
    let ordinary = ordinary();
    let mut groups: Vec<Group<'a>> = (0..count).map(|_| Group::default()).collect();
    for word in words {
        // As many in each, but for the first ones, which have one more.
        let open = groups.iter_mut().enumerate().filter(|(at, g)| g.words.len() * count + at < words.len());
        let with = open.map(|(_, group)| {
            let halves = joined(group.halves, word);
            (stops(&halves, &ordinary), halves, group)
        });
        if let Some((stops, halves, group)) = with.min_by_key(|(stops, _, group)| stops - group.stops) {
            group.words.push(word);
            (group.stops, group.halves) = (stops, halves);
        }
    }
    exchange(&mut groups, &ordinary);
    let turns = words.len().div_ceil(count);
    (0..turns)
        .flat_map(|turn| groups.iter().filter_map(move |group| group.words.get(turn).copied()))
        .collect()
}

/// What came last had no choice: two words change places where that makes fewer stops.
fn exchange(groups: &mut [Group<'_>], ordinary: &Ordinary) {
    for one in 0..groups.len() {
        for other in (0..groups.len()).filter(|other| *other != one) {
            let (mine, its) = (groups[one].words.len(), groups[other].words.len());
            for (mine, its) in (0..mine).flat_map(|mine| (0..its).map(move |its| (mine, its))) {
                let before = groups[one].stops + groups[other].stops;
                if groups[one].stops == 0 {
                    break;
                }
                let (mut words, mut of_other) = (groups[one].words.clone(), groups[other].words.clone());
                std::mem::swap(&mut words[mine], &mut of_other[its]);
                let both = [words, of_other].map(|words| Group::of(words, ordinary));
                if both.iter().map(|group| group.stops).sum::<usize>() < before {
                    [groups[one], groups[other]] = both;
                }
            }
        }
    }
}

fn ordinary() -> Ordinary {
    let mut all: Vec<&[u8]> = ORDINARY.windows(COMPARED).collect();
    all.sort_unstable();
    let each = all.chunk_by(|one, next| one == next);
    each.filter_map(|same| Some((*same.first()?.first_chunk()?, same.len()))).collect()
}

fn joined(mut halves: Halves, word: &[u8]) -> Halves {
    for ((low, high), byte) in halves.iter_mut().zip(word) {
        *low |= 1 << (byte & 15);
        *high |= 1 << (byte >> 4);
    }
    halves
}

fn stops(halves: &Halves, ordinary: &Ordinary) -> usize {
    let fits = |bytes: &[u8]| {
        halves.iter().zip(bytes).all(|((low, high), b)| low >> (b & 15) & 1 == 1 && high >> (b >> 4) & 1 == 1)
    };
    ordinary.iter().filter(|(bytes, _)| fits(&bytes[..])).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_of(words: &[&[u8]]) -> usize {
        let of =
            |group| words.iter().skip(group).step_by(FEW).fold(Halves::default(), |h, word| joined(h, word));
        (0..FEW).map(|group| stops(&of(group), &ordinary())).sum()
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
