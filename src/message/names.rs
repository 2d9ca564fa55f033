//! Of an alert about many failures, or many logins: the clauses that name accounts, sources, services and machines.

use super::detail::Detail;
use super::digest::{Digest, Noun};
use super::listing::{self, in_all, listed, places, sole};
use super::single::quoted;
use super::time::number;
use super::weight::cut;

impl Digest<'_> {
    /// The clauses about names: whom, from where, through what, on which machine.
    pub(super) fn names(&self, most: usize) -> Vec<String> {
        let detail = Detail {
            hosts: most,
            accounts: most,
            system: most,
            strangers: most,
            sources: most,
            services: most,
            ..Detail::default()
        };
        self.clauses(detail, None)
    }

    /// The only account that was tried, or what all that were tried are.
    pub(super) fn only(&self) -> Option<String> {
        let summary = self.summary;
        let (accounts, system, strangers) = (summary.accounts(), summary.system(), summary.strangers());
        match (sole(accounts), sole(system), strangers.is_empty()) {
            (Some(only), _, true) if system.is_empty() => Some(cut(only, 32)),
            (_, Some(only), true) if accounts.is_empty() => Some(cut(only, 32)),
            (_, _, false) if accounts.is_empty() && system.is_empty() => Some(match sole(strangers) {
                Some(only) if self.reveal.unknown && !only.is_empty() => {
                    format!("unknown user {}", quoted(only))
                }
                Some(_) => "an unknown user".into(),
                None => "unknown users".into(),
            }),
            _ => None,
        }
    }

    pub(super) fn clauses(&self, detail: Detail, only: Option<&str>) -> Vec<String> {
        let (summary, reveal) = (self.summary, self.reveal);
        let (accounts, system, strangers) = (summary.accounts(), summary.system(), summary.strangers());
        let mut clauses = Vec::new();
        if detail.hosts > 0 && listing::machines(summary) > 1 {
            let here = summary.failures().saturating_sub(summary.hosts().total());
            let here = (here > 0).then(|| format!("{} ×{}", self.here, number(here)));
            let list = listed(summary.hosts(), detail.hosts, "", |name| self.host(name));
            clauses.extend(clause("Machines", here.into_iter().chain(list).collect()));
        }
        if only.is_none() && (!detail.untotalled || detail.accounts + detail.system > 0) {
            let show = |name: &str| cut(name, 32);
            let kinds = [
                (
                    listed(accounts, detail.accounts, " account", show),
                    in_all(accounts, "account", " of this machine"),
                ),
                (listed(system, detail.system, "", show), in_all(system, "system account", "")),
            ];
            let mut list = Vec::new();
            for (names, all) in kinds {
                if names.is_empty() { list.extend(all) } else { list.extend(names) }
            }
            if !strangers.is_empty() {
                list.push(format!("unknown users ×{}", number(strangers.total())));
            }
            let word = if self.noun == Noun::Login { "Accounts" } else { "Tried" };
            clauses.extend(clause(word, list));
        }
        if reveal.unknown && detail.strangers > 0 && (only.is_none() || sole(strangers).is_none()) {
            clauses.extend(clause("Unknown", listed(strangers, detail.strangers, "", quoted)));
        }
        if detail.sources > 0 && places(summary) > 1 {
            let here = (summary.local() > 0)
                .then(|| format!("{} ×{}", listing::itself(summary), number(summary.local())));
            let show = |name: &str| cut(reveal.remote(name).unwrap_or("(unknown)"), 40);
            let list = listed(summary.sources(), detail.sources, "", show);
            clauses.extend(clause("From", here.into_iter().chain(list).collect()));
        }
        if detail.services > 0 && summary.services().distinct().at_least() > 1 {
            let show = |name: &str| cut(reveal.service(name).unwrap_or("(unknown)"), 32);
            clauses.extend(clause("By", listed(summary.services(), detail.services, "", show)));
        }
        clauses
    }

    /// Whether the notable failure is not all that there is.
    pub(super) fn says_more(&self, one_account: bool) -> bool {
        !one_account || places(self.summary) > 1 || self.summary.local() > 0
    }
}

fn clause(word: &str, list: Vec<String>) -> Option<String> {
    (!list.is_empty()).then(|| format!("{word}: {}", list.join(", ")))
}
