//! The page of the weekly summary: what mail carries beside the three lines of a receiver with `tell = ["summary"]`.

use std::path::Path;

use jiff::Timestamp;

use super::html;
use super::source::{self, Request};
use crate::config::Config;
use crate::zone;

/// The report of what was recorded from `since` to `until`, as a page; none where the journal cannot be read. Names of no
/// account are in it only where the configuration says so. Takes no lock; outside of a login only.
pub fn page(state: &Path, config: &Config, since: Timestamp, until: Timestamp) -> Option<String> {
    let request = Request {
        files: Vec::new(),
        journald: false,
        since: Some(since),
        until: Some(until),
        geo: config.report.geo.clone(),
        names_hidden: !config.alerts.post_unknown_users,
    };
    let report = source::of_journal(&request, state, config).ok()?;
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(html::page(&report, &machine, &zone::local(), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::message::summary::tests::failure;

    #[test]
    fn the_page_covers_its_week_and_hides_what_may_be_a_password() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(state.path());
        std::fs::create_dir(journal.directory()).unwrap();
        let events = [
            failure(99, "root", "198.51.100.1"),
            failure(200, "root", "192.0.2.7"),
            failure(201, "hunter2", "192.0.2.7"),
            failure(1001, "root", "198.51.100.2"),
        ];
        journal.append(&events).unwrap();
        let (since, until) = (failure(100, "", "").time, failure(1000, "", "").time);
        let page = page(state.path(), &Config::default(), since, until).unwrap();
        assert!(page.contains("192.0.2.7") && !page.contains("hunter2"));
        assert!(!page.contains("198.51.100.1") && !page.contains("198.51.100.2"));
    }
}
