//! Campaigns: failures from one network without a pause of a day.
//!
//! Those under way are kept in a table of bounded size; where it is full, those that ended leave it, and then those with
//! the fewest failures. Of the finished the longest are kept.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use compact_str::CompactString;
use foldhash::fast::RandomState;

use super::network::Network;

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
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    network: Network,
    /// Where it was one alone.
    address: Option<IpAddr>,
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

    /// The address, or the network where there were several.
    pub(crate) fn source(&self) -> String {
        self.address.map_or_else(|| self.network.net().to_string(), |address| address.to_string())
    }

    fn new(address: IpAddr, network: Network, at: i64) -> Self {
        let address = Some(address);
        Self { network, address, first: at, last: at, failures: 0, names: Vec::new(), more_names: false }
    }

    fn add(&mut self, address: IpAddr, user: &str, at: i64, count: u64) {
        self.address = self.address.filter(|one| *one == address);
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
    active: HashMap<Network, Campaign, RandomState>,
    finished: Vec<Campaign>,
    /// Some gave way to others.
    pub(crate) incomplete: bool,
}

impl Campaigns {
    /// Count failures from `address`, which is part of `network`.
    pub(crate) fn add(&mut self, address: IpAddr, network: Network, user: &str, at: i64, count: u64) {
        if let Some(campaign) = self.active.get_mut(&network) {
            let ended = (at - campaign.last > PAUSE)
                .then(|| std::mem::replace(campaign, Campaign::new(address, network, at)));
            campaign.add(address, user, at, count);
            return ended.into_iter().for_each(|campaign| self.finish(campaign));
        }
        if self.active.len() >= ROOM {
            self.make_room(at);
        }
        let campaign = self.active.entry(network).or_insert_with(|| Campaign::new(address, network, at));
        campaign.add(address, user, at, count);
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
        self.finished.sort_by_cached_key(|c| (Reverse(c.seconds()), Reverse(c.failures), c.network));
        self.finished.truncate(KEPT);
    }

    fn make_room(&mut self, now: i64) {
        self.give_way(|campaign| now - campaign.last > PAUSE);
        if self.active.len() * 2 > ROOM {
            let mut counts: Vec<u64> = self.active.values().map(|campaign| campaign.failures).collect();
            let middle = counts.len() / 2;
            let median = *counts.select_nth_unstable(middle).1;
            self.incomplete = true;
            self.give_way(|campaign| campaign.failures <= median);
        }
    }

    fn give_way(&mut self, is_out: impl Fn(&Campaign) -> bool) {
        let out: Vec<Network> = self
            .active
            .iter()
            .filter(|(_, campaign)| is_out(campaign))
            .map(|(network, _)| *network)
            .collect();
        for network in out {
            if let Some(campaign) = self.active.remove(&network) {
                self.finish(campaign);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(campaigns: &mut Campaigns, address: &str, user: &str, at: i64, count: u64) {
        let address = address.parse().unwrap();
        campaigns.add(address, Network::of(address), user, at, count);
    }

    #[test]
    fn a_pause_of_a_day_ends_a_campaign_and_the_longest_comes_first() {
        let mut campaigns = Campaigns::default();
        for hour in 0..10 {
            add(&mut campaigns, "192.0.2.7", "root", hour * 3600, 1);
        }
        for minute in 0..100 {
            add(&mut campaigns, "192.0.2.8", "bob", 40 * 3600 + minute * 60, 2);
        }
        add(&mut campaigns, "198.51.100.1", "root", 0, 4);
        let longest = campaigns.longest();
        let shown: Vec<(String, i64, u64)> =
            longest.iter().map(|c| (c.source(), c.seconds(), c.failures)).collect();
        assert_eq!(shown, [("192.0.2.7".into(), 9 * 3600, 10), ("192.0.2.8".into(), 99 * 60, 200)]);
    }

    #[test]
    fn several_addresses_of_a_network_are_one_campaign_with_the_names_tried_most() {
        let mut campaigns = Campaigns::default();
        for i in 0..300_i64 {
            let name = if i % 2 == 0 { "root".to_owned() } else { format!("name{i}") };
            add(&mut campaigns, &format!("192.0.2.{}", i % 5), &name, i, 1);
        }
        let longest = campaigns.longest();
        assert_eq!((longest.len(), longest[0].source().as_str()), (1, "192.0.2.0/24"));
        assert!(longest[0].more_names && longest[0].names.iter().any(|(name, _)| name == "root"));
    }

    #[test]
    fn any_number_of_sources_fits_and_the_great_campaign_stays() {
        let mut campaigns = Campaigns::default();
        for i in 0..100_000_i64 {
            add(&mut campaigns, &format!("10.{}.{}.1", i / 256 % 256, i % 256), "root", i, 1);
            add(&mut campaigns, "192.0.2.7", "root", i, 1);
            assert!(campaigns.active.len() <= ROOM);
        }
        assert!(campaigns.incomplete);
        assert_eq!(campaigns.longest()[0].failures, 100_000);
    }
}
