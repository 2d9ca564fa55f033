//! Who stays where not all fit: room, rows of a [`super::table`] by their size, and the parts of what is to be shared.

/// Room for rows and what is in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) rows: usize,
    pub(super) counts: usize,
}

impl Room {
    /// Whether there was room for so many counts.
    pub(super) fn take(&mut self, counts: usize) -> bool {
        let left = self.counts.checked_sub(counts);
        self.counts = left.unwrap_or_default();
        left.is_some()
    }
}

/// Sizes of rows that are told apart: eight between a number and its double.
pub(super) const SIZES: usize = 8 * 64;

/// The size of a row that failed so often; more is never smaller.
pub(super) fn size(total: u64) -> usize {
    let Some(doublings) = total.checked_ilog2() else { return 0 };
    let eighth = if doublings < 3 { total << (3 - doublings) } else { total >> (doublings - 3) };
    8 * doublings as usize + (eighth & 7) as usize
}

/// Bytes that so many values take beside who has them.
pub(super) const fn allocated<T>(number: usize) -> usize {
    // The allocator keeps a word with each, and gives them in steps of two.
    if number == 0 { 0 } else { number * size_of::<T>() + 16 }
}

/// How much each of these may have, so that none has less for what another one wants beyond it: all together have at most
/// `most`, and who has less than that keeps what it has.
pub(super) fn share(mut wanted: Vec<usize>, most: usize) -> usize {
    wanted.sort_unstable();
    let (mut left, mut others) = (most, wanted.len());
    for wants in wanted {
        if wants > left / others {
            return left / others;
        }
        (left, others) = (left - wants, others - 1);
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_failed_more_is_of_no_smaller_size() {
        let mut totals: Vec<u64> = (0..5000).chain([u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX]).collect();
        totals.extend((5..64).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1]));
        totals.sort_unstable();
        assert!(totals.windows(2).all(|pair| size(pair[0]) <= size(pair[1])));
        assert_eq!((size(0), size(u64::MAX)), (0, SIZES - 1));
    }

    #[test]
    fn who_wants_most_gives_way_and_nobody_gets_less_than_an_equal_part() {
        for (wanted, most, each) in [
            (vec![], 9, usize::MAX),
            (vec![3, 3, 3], 9, usize::MAX),
            (vec![3, 3, 4], 9, 3),
            (vec![1, 1, 100], 9, 7),
            (vec![50, 1, 100], 9, 4),
            (vec![50, 60, 100], 9, 3),
            (vec![1, 2], 0, 0),
        ] {
            assert_eq!(share(wanted.clone(), most), each, "{wanted:?}");
            assert!(wanted.iter().map(|wants| each.min(*wants)).sum::<usize>() <= most);
        }
    }
}
