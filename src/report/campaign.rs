//! Campaigns: failures from one network without a pause of a day.
//!
//! Those under way are kept in a table of bounded size; where it is full, those that ended leave it, and then those with
//! the fewest failures. Of the finished the longest are kept.

use std::cmp::Reverse;
use std::collections::HashMap;

use compact_str::CompactString;

/// A pause of so many seconds ends a campaign.
const PAUSE: i64 = 86_400;
/// Campaigns that are under way at one time and told apart.
const ROOM: usize = 8192;
/// Finished ones that are kept.
const KEPT: usize = 20;
/// Fewer failures are no campaign.
const FEWEST: u64 = 5;
/// Names that are told apart in one.
const NAMES: usize = 4;

/// One campaign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Campaign {
    /// The address, or the network where there were several.
    pub(crate) source: CompactString,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) failures: u64,
    /// The names tried most often, and how often at least.
    pub(crate) names: Vec<(CompactString, u64)>,
    /// Further names were tried.
    pub(crate) more_names: bool,
}

impl Campaign {
    pub(crate) fn seconds(&self) -> i64 {
        self.last - self.first
    }

    fn add(&mut self, source: &str, network: &str, user: &str, at: i64, count: u64) {
        if self.failures == 0 {
            (self.first, self.last, self.source) = (at, at, source.into());
        } else if self.source != source && self.source != network {
            self.source = network.into();
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.failures += count;
        if let Some((_, tried)) = self.names.iter_mut().find(|(name, _)| name == user) {
            *tried += count;
        } else if self.names.len() < NAMES {
            self.names.push((user.into(), count));
        } else {
            self.more_names = true;
            self.names.iter_mut().for_each(|(_, tried)| *tried = tried.saturating_sub(count));
            self.names.retain(|(_, tried)| *tried > 0);
        }
    }
}

/// The campaigns of a history.
#[derive(Debug, Default)]
pub(crate) struct Campaigns {
    active: HashMap<CompactString, Campaign>,
    finished: Vec<Campaign>,
    /// Some gave way to others.
    pub(crate) incomplete: bool,
}

impl Campaigns {
    /// Count failures from `source`, which is part of `network`.
    pub(crate) fn add(&mut self, source: &str, network: &str, user: &str, at: i64, count: u64) {
        if let Some(campaign) = self.active.get_mut(network) {
            if at - campaign.last > PAUSE {
                let ended = std::mem::take(campaign);
                campaign.add(source, network, user, at, count);
                return self.finish(ended);
            }
            return campaign.add(source, network, user, at, count);
        }
        if self.active.len() >= ROOM {
            self.make_room(at);
        }
        self.active.entry(network.into()).or_default().add(source, network, user, at, count);
    }

    /// The longest, the longest first.
    pub(crate) fn longest(mut self) -> Vec<Campaign> {
        for (_, campaign) in std::mem::take(&mut self.active) {
            self.finish(campaign);
        }
        self.sort();
        self.finished
    }

    fn finish(&mut self, campaign: Campaign) {
        if campaign.failures < FEWEST {
            return;
        }
        self.finished.push(campaign);
        if self.finished.len() >= 2 * KEPT {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.finished.sort_by_cached_key(|c| (Reverse(c.seconds()), Reverse(c.failures), c.source.clone()));
        self.finished.truncate(KEPT);
    }

    fn make_room(&mut self, now: i64) {
        let ended: Vec<Campaign> = self.active.extract(|campaign| now - campaign.last > PAUSE);
        ended.into_iter().for_each(|campaign| self.finish(campaign));
        if self.active.len() * 2 > ROOM {
            let mut counts: Vec<u64> = self.active.values().map(|campaign| campaign.failures).collect();
            let middle = counts.len() / 2;
            let median = *counts.select_nth_unstable(middle).1;
            let fewest: Vec<Campaign> = self.active.extract(|campaign| campaign.failures <= median);
            self.incomplete = true;
            fewest.into_iter().for_each(|campaign| self.finish(campaign));
        }
    }
}

/// Takes values out of a map.
trait Extract<V> {
    fn extract(&mut self, is_out: impl Fn(&V) -> bool) -> Vec<V>;
}

impl<V: Default> Extract<V> for HashMap<CompactString, V> {
    fn extract(&mut self, is_out: impl Fn(&V) -> bool) -> Vec<V> {
        let mut out = Vec::new();
        self.retain(|_, value| {
            let leaves = is_out(value);
            if leaves {
                out.push(std::mem::take(value));
            }
            !leaves
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = "192.0.2.0/24";

    #[test]
    fn a_pause_of_a_day_ends_a_campaign_and_the_longest_comes_first() {
        let mut campaigns = Campaigns::default();
        for hour in 0..10 {
            campaigns.add("192.0.2.7", NET, "root", hour * 3600, 1);
        }
        for minute in 0..100 {
            campaigns.add("192.0.2.8", NET, "bob", 40 * 3600 + minute * 60, 2);
        }
        campaigns.add("198.51.100.1", "198.51.100.0/24", "root", 0, 4);
        let longest = campaigns.longest();
        let shown: Vec<(&str, i64, u64)> =
            longest.iter().map(|c| (c.source.as_str(), c.seconds(), c.failures)).collect();
        assert_eq!(shown, [("192.0.2.7", 9 * 3600, 10), ("192.0.2.8", 99 * 60, 200)]);
    }

    #[test]
    fn several_addresses_of_a_network_are_one_campaign_with_the_names_tried_most() {
        let mut campaigns = Campaigns::default();
        for i in 0..300_i64 {
            let name = if i % 2 == 0 { "root".to_owned() } else { format!("name{i}") };
            campaigns.add(&format!("192.0.2.{}", i % 5), NET, &name, i, 1);
        }
        let longest = campaigns.longest();
        assert_eq!((longest.len(), longest[0].source.as_str()), (1, NET));
        assert!(longest[0].more_names && longest[0].names.iter().any(|(name, _)| name == "root"));
    }

    #[test]
    fn any_number_of_sources_fits_and_the_great_campaign_stays() {
        let mut campaigns = Campaigns::default();
        for i in 0..100_000_i64 {
            campaigns.add("10.0.0.1", &format!("net{i}"), "root", i, 1);
            campaigns.add("192.0.2.7", NET, "root", i, 1);
            assert!(campaigns.active.len() <= ROOM);
        }
        assert!(campaigns.incomplete);
        assert_eq!(campaigns.longest()[0].failures, 100_000);
    }
}
