//! The report of what was collected: lists with what may be shown of them, the most frequent first.

use std::cmp::Reverse;
use std::collections::HashMap;

use compact_str::CompactString;
use jiff::Timestamp;

use super::collect::{Collector, KINDS, NAMES, NETWORKS, SOURCES, THIS_MACHINE, place_of};
use super::geo::Place;
use super::judge::{FOUND, Judge};
use super::numbers::{Counted, Distinct, Lasting, OfAccount, OfDay, OfHour, OfKind, OfNetwork, Report};
use super::top::Top;
use crate::accounts::AccountKind;
use crate::message::{Reveal, UNKNOWN_ADDRESS};

/// Rows of a list.
const LISTED: usize = 1000;
/// Rows of a short one.
const FEW_LISTED: usize = 100;

impl Collector<'_> {
    /// The report, with the names of no account or without them.
    pub(super) fn finish(mut self, judge: Judge, names_hidden: bool) -> Report {
        let reveal = Reveal { unknown: !names_hidden };
        let (logins_after_failures, findings) = judge.finish(self.accounts, reveal);
        let mut report = Report {
            since: self.first,
            until: self.last,
            failures: self.failures,
            aborted: self.aborted,
            tests: self.tests,
            logins: self.logins,
            logins_after_failures,
            findings,
            names_hidden,
            ..Report::default()
        };
        self.put_times(&mut report);
        self.put_sources(&mut report, reveal);
        self.put_accounts(&mut report, names_hidden);
        report.by_service = listed(self.services.counted(), |name| reveal.service(name));
        report.by_host = listed(self.hosts.counted(), |name| reveal.remote(name));
        let countries = self.countries.iter().map(|(name, failures)| Counted {
            name: Some(if name.is_empty() { "not known".into() } else { name.clone() }),
            failures: *failures,
            ..Counted::default()
        });
        report.by_country = joined(countries.collect());
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
        let place = |address| if self.geo.is_empty() { Place::default() } else { self.geo.find(address) };
        let time = |at: i64| Timestamp::from_second(at).ok();
        let rows = self.sources.ranking(LISTED).into_iter().map(|(name, row)| {
            let Place { country, operator } = name.parse().map_or(Place::default(), place);
            let plain = [THIS_MACHINE, UNKNOWN_ADDRESS].contains(&name.as_str()).then_some(name.as_str());
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
        let mut several = self.networks.ranking(NETWORKS);
        several.retain(|(_, row)| row.kept.count() > 1);
        report.networks = Distinct {
            distinct: several.len() as u64,
            others: several.iter().skip(FEW_LISTED).map(|(_, row)| row.count).sum(),
            may_be_off_by: self.networks.error(),
        };
        let rows = several.into_iter().take(FEW_LISTED).map(|(network, row)| {
            let network = network.net();
            let Place { country, operator } = place(network.addr());
            OfNetwork {
                network: network.to_string(),
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
        let names = self.names.counted();
        for (name, row) in names.ranking(if names_hidden { NAMES } else { LISTED }) {
            let kind = self.accounts.standing(name);
            if names_hidden && kind == AccountKind::Unknown || rows.len() >= LISTED {
                continue;
            }
            listed += row.count;
            let (failures, may_be_more) = (row.count, row.missed);
            rows.push(OfAccount { name: Some(name.to_string()), kind, failures, may_be_more });
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
            rows.sort_by_key(|row| Reverse(row.failures));
        }
        report.by_account = rows;
        report.accounts = Distinct {
            distinct: names.len() as u64,
            others: self.failures.saturating_sub(listed),
            may_be_off_by: names.error(),
        };
        report.by_kind =
            KINDS.into_iter().zip(self.kinds).map(|(kind, failures)| OfKind { kind, failures }).collect();
    }

    fn put_campaigns(self, report: &mut Report, reveal: Reveal) {
        let time = |at: i64| Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        for mut campaign in self.campaigns.longest() {
            campaign.names.sort_by_key(|(_, tried)| Reverse(*tried));
            let all = campaign.names.len();
            let shown: Vec<String> = campaign
                .names
                .iter()
                .filter(|(name, _)| reveal.unknown || self.accounts.standing(name) != AccountKind::Unknown)
                .map(|(name, _)| name.to_string())
                .collect();
            report.campaigns.push(Lasting {
                source: Some(campaign.source()),
                first: time(campaign.first),
                last: time(campaign.last),
                failures: campaign.failures,
                more_accounts: campaign.more_names || shown.len() < all,
                accounts: shown,
            });
        }
    }

    fn put_notes(&mut self, report: &mut Report) {
        let off = self.sources.error().max(self.networks.error());
        if off > 0 {
            report.notes.push(format!(
                "More than {} sources: their counts, and those of networks and countries, may be too low, each by at most {off}. \
                 Totals are exact.",
                self.sources.len().max(SOURCES / 2)
            ));
        }
        let off = self.names.counted().error();
        if off > 0 {
            report.notes.push(format!(
                "More than {} names were tried: the count of a name may be too low, by at most {off}.",
                NAMES / 2,
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
        let (services, hosts) = (self.services.counted(), self.hosts.counted());
        let off = services.error().max(hosts.error());
        if services.len().max(hosts.len()) > LISTED || off > 0 {
            report.notes.push(format!(
                "So many services or machines are named that the rarest are not listed; the count of one may be too low, by at most {off}."
            ));
        }
        if report.logins_after_failures > FOUND as u64 {
            report.notes.push(format!("Of the logins after failures the latest {FOUND} are shown."));
        }
    }
}

/// The names of a list of their own, as they may be shown.
fn listed(top: &Top<CompactString, ()>, shown: impl Fn(&str) -> Option<&str>) -> Vec<Counted> {
    let rows = top.ranking(LISTED).into_iter().map(|(name, row)| Counted {
        name: shown(name).map(str::to_owned),
        failures: row.count,
        may_be_more: row.missed,
        ..Counted::default()
    });
    joined(rows.collect())
}

/// Rows of one name as one, the most frequent first.
fn joined(rows: Vec<Counted>) -> Vec<Counted> {
    let mut joined: Vec<Counted> = Vec::with_capacity(rows.len());
    let mut places = HashMap::new();
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
    joined.sort_by_key(|row| Reverse(row.failures));
    joined
}
