//! Events are counted as they come; nothing of them is kept but what a report may show.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::Calendar;
use super::campaign::Campaigns;
use super::geo::{Geo, Place};
use super::network::{self, Addresses};
use super::numbers::{
    Counted, Distinct, Found, Lasting, OfAccount, OfDay, OfHour, OfKind, OfNetwork, Report,
};
use super::order::Order;
use super::top::{Row, Top};
use crate::accounts::{AccountKind, Accounts};
use crate::detect::{Detector, Rules};
use crate::event::{Class, Event};
use crate::message::{Reveal, UNKNOWN_ADDRESS};

/// Addresses, networks and names that are told apart; a report of a million of them takes some 30 MB.
const SOURCES: usize = 65_536;
const NETWORKS: usize = 16_384;
const NAMES: usize = 32_768;
const FEW: usize = 1024;
/// Rows of a list.
const LISTED: usize = 1000;
/// Logins after failures that are shown one by one.
const FOUND: usize = 200;
const KINDS: [AccountKind; 4] =
    [AccountKind::Existing, AccountKind::Root, AccountKind::System, AccountKind::Unknown];

/// What failed where nothing says from where.
const THIS_MACHINE: &str = "this machine";

/// First and last time, in seconds since 1970, and an index into the countries.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    first: i64,
    last: i64,
    country: Option<u16>,
}

/// Counts what comes.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    accounts: &'a mut Accounts,
    geo: Geo,
    failures: u64,
    aborted: u64,
    tests: u64,
    logins: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    calendar: Calendar,
    sources: Top<Times>,
    networks: Top<Addresses>,
    names: Top<()>,
    services: Top<()>,
    hosts: Top<()>,
    kinds: [u64; 4],
    countries: Vec<(String, u64)>,
    campaigns: Campaigns,
    order: Order,
    judge: Judge,
}

/// Judges logins, and keeps those that came after failures.
#[derive(Debug, Default)]
struct Judge {
    detector: Detector,
    rules: Rules,
    count: u64,
    /// Each with what its account is, and who asked where that is its source.
    found: Vec<(Found, AccountKind, AccountKind)>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(zone: TimeZone, geo: Geo, rules: Rules, accounts: &'a mut Accounts) -> Self {
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
            names: Top::new(NAMES),
            services: Top::new(FEW),
            hosts: Top::new(FEW),
            kinds: [0; 4],
            countries: Vec::new(),
            campaigns: Campaigns::default(),
            order: Order::default(),
            judge: Judge { rules, ..Judge::default() },
        }
    }

    /// Count `event`.
    pub(crate) fn add(&mut self, event: Event) {
        let count = u64::from(event.count);
        match event.class {
            Class::Failure => self.add_failure(&event, count),
            Class::Aborted => return self.aborted += count,
            Class::Test => return,
            Class::Login => {
                self.logins += count;
                self.cover(event.time);
            }
        }
        let Self { order, judge, accounts, .. } = self;
        order.push(event, &mut |event| judge.observe(event, accounts));
    }

    /// Count a failure that root announced.
    pub(crate) fn add_test(&mut self, count: u32) {
        self.tests += u64::from(count);
    }

    fn cover(&mut self, time: Timestamp) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    fn add_failure(&mut self, event: &Event, count: u64) {
        self.failures += count;
        self.cover(event.time);
        self.calendar.add(event.time, count);
        self.services.add(&event.service, count);
        if !event.host.is_empty() {
            self.hosts.add(&event.host, count);
        }
        let kind = self.accounts.tried(event);
        self.kinds[place_of(kind)] += count;
        self.names.add(&event.user, count);
        let at = event.time.as_second();
        let source = match event.rhost.as_str() {
            "" if event.is_local() => THIS_MACHINE,
            "" => UNKNOWN_ADDRESS,
            rhost => rhost,
        };
        let address = source.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        let (times, is_new) = self.sources.add(source, count);
        if is_new {
            times.first = at;
            times.country = address.and_then(|address| country_of(&mut self.countries, &self.geo, address));
        }
        (times.first, times.last) = (times.first.min(at), times.last.max(at));
        if let Some((_, failures)) = times.country.and_then(|i| self.countries.get_mut(usize::from(i))) {
            *failures += count;
        }
        if let Some(address) = address {
            let network = network::of(address).to_string();
            self.networks.add(&network, count).0.add(address);
            self.campaigns.add(source, &network, &event.user, at, count);
        }
    }

    /// The report, with the names of no account or without them.
    pub(crate) fn finish(mut self, names_hidden: bool) -> Report {
        let Self { judge, accounts, order, .. } = &mut self;
        std::mem::take(order).finish(&mut |event| judge.observe(event, accounts));
        let reveal = Reveal { unknown: !names_hidden };
        let mut report = Report {
            since: self.first,
            until: self.last,
            failures: self.failures,
            aborted: self.aborted,
            tests: self.tests,
            logins: self.logins,
            logins_after_failures: self.judge.count,
            names_hidden,
            ..Report::default()
        };
        self.put_times(&mut report);
        self.put_sources(&mut report, reveal);
        self.put_accounts(&mut report, names_hidden);
        let shown = |(name, row): (&str, &Row<()>), name_of: &dyn Fn(&str) -> Option<String>| Counted {
            name: name_of(name),
            failures: row.count,
            may_be_more: row.missed,
            ..Counted::default()
        };
        let service = |name: &str| reveal.service(name).map(str::to_owned);
        let rows = self.services.ranking(100).into_iter().map(|row| shown(row, &service)).collect();
        report.by_service = joined(rows);
        let host = |name: &str| reveal.remote(name).map(str::to_owned);
        let rows = self.hosts.ranking(100).into_iter().map(|row| shown(row, &host)).collect();
        report.by_host = joined(rows);
        let countries = self.countries.iter().map(|(name, failures)| Counted {
            name: Some(if name.is_empty() { "not known".into() } else { name.clone() }),
            failures: *failures,
            ..Counted::default()
        });
        report.by_country = joined(countries.collect());
        let found = std::mem::take(&mut self.judge.found);
        report.findings = found.into_iter().map(|found| revealed(found, reveal)).collect();
        self.put_notes(&mut report);
        self.put_campaigns(&mut report, reveal);
        report
    }

    fn put_times(&self, report: &mut Report) {
        report.by_day = self.calendar.days().map(|(day, failures)| OfDay { day, failures }).collect();
        let week = self.calendar.week();
        let of_hour = |hour: usize| week.iter().map(|day| day[hour]).sum();
        report.by_hour = (0..24).map(|hour| OfHour { hour, failures: of_hour(hour) }).collect();
        report.by_weekday = week.to_vec();
    }

    fn put_sources(&self, report: &mut Report, reveal: Reveal) {
        let place = |name: &str| {
            let address = name.parse().ok().filter(|_| !self.geo.is_empty());
            address.map_or(Place::default(), |address| self.geo.find(address))
        };
        let time = |at: i64| Timestamp::from_second(at).ok();
        let rows = self.sources.ranking(LISTED).into_iter().map(|(name, row)| {
            let Place { country, operator } = place(name);
            let plain = [THIS_MACHINE, UNKNOWN_ADDRESS].contains(&name).then_some(name);
            Counted {
                name: plain.or_else(|| reveal.remote(name)).map(str::to_owned),
                failures: row.count,
                may_be_more: row.missed,
                first: time(row.kept.first),
                last: time(row.kept.last),
                country,
                operator,
            }
        });
        report.by_source = joined(rows.collect());
        report.sources = Distinct {
            distinct: self.sources.len() as u64,
            others: self.failures - report.by_source.iter().map(|row| row.failures).sum::<u64>(),
            may_be_off_by: self.sources.error(),
        };
        let several = self.networks.ranking(NETWORKS).into_iter().filter(|(_, row)| row.kept.count() > 1);
        let rows = several.take(100).map(|(network, row)| {
            let address = network.split('/').next().unwrap_or_default();
            let Place { country, operator } = place(address);
            OfNetwork {
                network: network.into(),
                failures: row.count,
                may_be_more: row.missed,
                addresses: row.kept.count(),
                country,
                operator,
            }
        });
        report.by_network = rows.collect();
    }

    fn put_accounts(&mut self, report: &mut Report, names_hidden: bool) {
        let mut rows: Vec<OfAccount> = Vec::new();
        let mut listed = 0;
        for (name, row) in self.names.ranking(if names_hidden { NAMES } else { LISTED }) {
            let kind = self.accounts.standing(name);
            if names_hidden && kind == AccountKind::Unknown || rows.len() >= LISTED {
                continue;
            }
            listed += row.count;
            let (failures, may_be_more) = (row.count, row.missed);
            rows.push(OfAccount { name: Some(name.into()), kind, failures, may_be_more });
        }
        let unknown = self.kinds[place_of(AccountKind::Unknown)];
        if names_hidden && unknown > 0 {
            listed += unknown;
            rows.push(OfAccount {
                name: None,
                kind: AccountKind::Unknown,
                failures: unknown,
                may_be_more: 0,
            });
            rows.sort_by_key(|row| std::cmp::Reverse(row.failures));
        }
        report.by_account = rows;
        report.accounts = Distinct {
            distinct: self.names.len() as u64,
            others: self.failures.saturating_sub(listed),
            may_be_off_by: self.names.error(),
        };
        report.by_kind =
            KINDS.into_iter().zip(self.kinds).map(|(kind, failures)| OfKind { kind, failures }).collect();
    }

    fn put_campaigns(self, report: &mut Report, reveal: Reveal) {
        let time = |at: i64| Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        for mut campaign in self.campaigns.longest() {
            campaign.names.sort_by_key(|(_, tried)| std::cmp::Reverse(*tried));
            let all = campaign.names.len();
            let shown: Vec<String> = campaign
                .names
                .iter()
                .filter(|(name, _)| reveal.unknown || self.accounts.standing(name) != AccountKind::Unknown)
                .map(|(name, _)| name.to_string())
                .collect();
            report.campaigns.push(Lasting {
                source: Some(campaign.source.to_string()),
                first: time(campaign.first),
                last: time(campaign.last),
                failures: campaign.failures,
                more_accounts: campaign.more_names || shown.len() < all,
                accounts: shown,
            });
        }
    }

    fn put_notes(&self, report: &mut Report) {
        let off = self.sources.error().max(self.networks.error());
        if off > 0 {
            report.notes.push(format!(
                "More than {} sources: their counts, and those of networks and countries, may be too low, each by at most {off}. \
                 Totals are exact.",
                self.sources.len().max(SOURCES / 2)
            ));
        }
        if self.names.error() > 0 {
            report.notes.push(format!(
                "More than {} names were tried: the count of a name may be too low, by at most {}.",
                NAMES / 2,
                self.names.error()
            ));
        }
        if self.campaigns.incomplete {
            report
                .notes
                .push("So many sources failed at one time that small campaigns may be missing.".into());
        }
        if self.calendar.elsewhere() > 0 {
            report.notes.push(format!(
                "{} failures fall on further days that are not shown.",
                self.calendar.elsewhere()
            ));
        }
        if self.judge.count > FOUND as u64 {
            report.notes.push(format!("Of the logins after failures the latest {FOUND} are shown."));
        }
    }
}

impl Judge {
    fn observe(&mut self, event: &Event, accounts: &mut Accounts) {
        let kind = accounts.tried(event);
        let Some(finding) = self.detector.observe(event, kind, event.time, &self.rules) else { return };
        let Some(verdict) = Found::verdict_of(&finding) else { return };
        self.count += 1;
        if self.found.len() >= FOUND {
            self.found.remove(0);
        }
        let login = &finding.login;
        let (source, asker) = match login.rhost.as_str() {
            "" => (&login.ruser, accounts.asker(login)),
            _ => (&login.rhost, AccountKind::Existing),
        };
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        self.found.push((
            Found {
                time: login.time,
                verdict,
                account: some(&login.user),
                source: some(source),
                service: some(&login.service),
                failures: finding.failures.count,
                proven: finding.proven,
                host: login.host.clone(),
            },
            kind,
            asker,
        ));
    }
}

/// A finding with what may be shown of it.
fn revealed((found, user, asker): (Found, AccountKind, AccountKind), reveal: Reveal) -> Found {
    let shown =
        |text: Option<String>, show: &dyn Fn(&str) -> Option<String>| text.and_then(|text| show(&text));
    let named = |kind: AccountKind| reveal.unknown || kind.is_account();
    Found {
        account: found.account.filter(|_| named(user)),
        source: shown(found.source.filter(|_| named(asker)), &|text| reveal.remote(text).map(str::to_owned)),
        service: shown(found.service, &|text| reveal.service(text).map(str::to_owned)),
        host: reveal.remote(&found.host).unwrap_or_default().to_owned(),
        ..found
    }
}

/// Rows of one name as one, the most frequent first.
fn joined(rows: Vec<Counted>) -> Vec<Counted> {
    let mut joined: Vec<Counted> = Vec::with_capacity(rows.len());
    let mut places = std::collections::HashMap::new();
    for row in rows {
        match places.get(&row.name).and_then(|place: &usize| joined.get_mut(*place)) {
            Some(same) => {
                same.failures += row.failures;
                same.may_be_more += row.may_be_more;
                same.first = same.first.into_iter().chain(row.first).min();
                same.last = same.last.into_iter().chain(row.last).max();
            }
            None => {
                places.insert(row.name.clone(), joined.len());
                joined.push(row);
            }
        }
    }
    joined.sort_by_key(|row| std::cmp::Reverse(row.failures));
    joined
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

fn place_of(kind: AccountKind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len() - 1)
}
