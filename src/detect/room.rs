//! Which rows of a [`super::table`] stay where not all fit: room, and rows by their size.

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
}
