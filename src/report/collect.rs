//! Events are counted as they come; nothing of them is kept but what a report may show. [`super::outcome`] makes the
//! report of it.

use std::net::IpAddr;

use compact_str::CompactString;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::Calendar;
use super::campaign::Campaigns;
use super::geo::Geo;
use super::network::{Addresses, Network};
use super::top::{Runs, Top};
use crate::accounts::{AccountKind, Accounts};
use crate::event::{Class, Event};
use crate::message::UNKNOWN_ADDRESS;

/// Addresses, networks and names that are told apart; a report of a million of them takes some 30 MB.
pub(super) const SOURCES: usize = 65_536;
pub(super) const NETWORKS: usize = 16_384;
pub(super) const NAMES: usize = 32_768;
const FEW: usize = 1024;
pub(super) const KINDS: [AccountKind; 4] =
    [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];

/// What failed where nothing says from where.
pub(super) const THIS_MACHINE: &str = "this machine";

/// First and last time, in seconds since 1970, and an index into the countries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) first: i64,
    pub(super) last: i64,
    country: Option<u16>,
}

/// Counts what comes.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    pub(super) accounts: &'a mut Accounts,
    pub(super) geo: Geo,
    pub(super) failures: u64,
    pub(super) aborted: u64,
    pub(super) tests: u64,
    pub(super) logins: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) calendar: Calendar,
    pub(super) sources: Top<CompactString, Times>,
    pub(super) networks: Top<Network, Addresses>,
    pub(super) names: Runs,
    pub(super) services: Runs,
    pub(super) hosts: Runs,
    pub(super) kinds: [u64; 4],
    pub(super) countries: Vec<(String, u64)>,
    pub(super) campaigns: Campaigns,
    /// The name that was tried last on this machine, and what it is.
    tried: (CompactString, AccountKind),
}

impl<'a> Collector<'a> {
    pub(crate) fn new(zone: TimeZone, geo: Geo, accounts: &'a mut Accounts) -> Self {
        Self {
            accounts,
            geo,
            failures: 0,
            aborted: 0,
            tests: 0,
            logins: 0,
            first: None,
            last: None,
            calendar: Calendar::new(zone),
            sources: Top::new(SOURCES),
            networks: Top::new(NETWORKS),
            names: Runs::new(NAMES),
            services: Runs::new(FEW),
            hosts: Runs::new(FEW),
            kinds: [0; 4],
            countries: Vec::new(),
            campaigns: Campaigns::default(),
            tried: (CompactString::default(), AccountKind::Unknown),
        }
    }

    /// Count `event`; gives what its user is, where it is to be judged.
    pub(crate) fn add(&mut self, event: &Event) -> Option<AccountKind> {
        let count = u64::from(event.count);
        match event.class {
            Class::Failure => self.failures += count,
            Class::Login => self.logins += count,
            Class::Aborted => self.aborted += count,
            Class::Test | Class::Address => {}
        }
        let kind = self.standing(event)?;
        self.cover(event.time);
        if event.class == Class::Failure {
            self.add_failure(event, kind, count);
        }
        Some(kind)
    }

    /// What the user of `event` is, where it is to be judged. Of who got in nobody asks that.
    pub(crate) fn standing(&mut self, event: &Event) -> Option<AccountKind> {
        match event.class {
            Class::Failure | Class::Address => Some(self.kind_of(event)),
            Class::Login => Some(AccountKind::Unknown),
            Class::Aborted | Class::Test => None,
        }
    }

    /// Count a failure that root announced.
    pub(crate) fn add_test(&mut self, count: u32) {
        self.tests += u64::from(count);
    }

    /// What the tried name is. One mostly comes again and again; an origin may say what it is on another machine.
    fn kind_of(&mut self, event: &Event) -> AccountKind {
        if event.origin.is_some() {
            return self.accounts.tried(event);
        }
        if self.tried.0 != event.user {
            self.tried = (event.user.as_str().into(), self.accounts.tried(event));
        }
        self.tried.1
    }

    fn cover(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    fn add_failure(&mut self, event: &Event, kind: AccountKind, count: u64) {
        self.calendar.add(event.time, count);
        self.services.add(&event.service, count);
        if !event.host.is_empty() {
            self.hosts.add(&event.host, count);
        }
        self.kinds[place_of(kind)] += count;
        self.names.add(&event.user, count);
        let at = event.time.as_second();
        let source = match event.rhost.as_str() {
            "" if event.is_local() => THIS_MACHINE,
            "" => UNKNOWN_ADDRESS,
            rhost => rhost,
        };
        let address = source.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        let (times, is_new) = self.sources.add(source.into(), count);
        if is_new {
            times.first = at;
            times.country = address.and_then(|address| country_of(&mut self.countries, &self.geo, address));
        }
        (times.first, times.last) = (times.first.min(at), times.last.max(at));
        if let Some((_, failures)) = times.country.and_then(|i| self.countries.get_mut(usize::from(i))) {
            *failures += count;
        }
        if let Some(address) = address {
            let network = Network::of(address);
            self.networks.add(network, count).0.add(address);
            self.campaigns.add(address, network, &event.user, at, count);
        }
    }
}

/// The index of the country of `address` among `countries`, where a database was named.
fn country_of(countries: &mut Vec<(String, u64)>, geo: &Geo, address: IpAddr) -> Option<u16> {
    if geo.is_empty() {
        return None;
    }
    let country = geo.find(address).country;
    let place = countries.iter().position(|(known, _)| *known == country).unwrap_or_else(|| {
        countries.push((country, 0));
        countries.len() - 1
    });
    u16::try_from(place).ok()
}

pub(super) fn place_of(kind: AccountKind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len() - 1)
}
