//! The counters of now in the text exposition format of Prometheus.

use std::fmt::Write;

use jiff::Timestamp;

use crate::deliver::status::{Named, Status};
use crate::neutral;

/// What there is beside the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// When the last scan saved its place.
    pub(crate) last_scan: Option<Timestamp>,
    /// PAM services that have the module.
    pub(crate) services: usize,
    /// Something is wrong, as `status` says.
    pub(crate) has_problem: bool,
}

/// Of one metric: name without the prefix, type, help.
type Head = (&'static str, &'static str, &'static str);
type Figure = (Head, fn(&Named) -> Option<f64>);

/// Of each receiver.
const OF_RECEIVER: [Figure; 13] = [
    (
        (
            "receiver_failures_recorded_total",
            "counter",
            "Failures recorded since the receiver was set up: the sum of the next five.",
        ),
        |r| some(r.counters.recorded),
    ),
    (("receiver_failures_posted_total", "counter", "Failures reported in delivered messages."), |r| {
        some(r.counters.posted)
    }),
    (("receiver_failures_pending", "gauge", "Failures in no delivered message yet."), |r| {
        some(r.counters.pending)
    }),
    (("receiver_failures_ignored_total", "counter", "Failures that the configuration ignores."), |r| {
        some(r.counters.ignored)
    }),
    (("receiver_failures_aborted_total", "counter", "Aborted: prompts left without an answer."), |r| {
        some(r.counters.aborted)
    }),
    (
        (
            "receiver_failures_left_out_total",
            "counter",
            "Failures of a kind that the receiver does not want.",
        ),
        |r| some(r.counters.left_out),
    ),
    (("receiver_messages_total", "counter", "Messages delivered."), |r| some(r.counters.posts)),
    (
        (
            "receiver_messages_unclear_total",
            "counter",
            "Delivered messages of which nobody knows whether they arrived.",
        ),
        |r| some(r.counters.unclear),
    ),
    (
        (
            "receiver_texts_refused_total",
            "counter",
            "Texts that the service refused; what they told went out in numbers alone.",
        ),
        |r| some(r.counters.refused),
    ),
    (("receiver_messages_queued", "gauge", "Messages of other kinds that wait."), |r| {
        some(r.counters.queued)
    }),
    (("receiver_up", "gauge", "1 where the receiver can be sent to, 0 where something is wrong."), |r| {
        Some(if r.counters.last_error.is_none() { 1.0 } else { 0.0 })
    }),
    (("receiver_last_message_timestamp_seconds", "gauge", "When the last message was delivered."), |r| {
        r.counters.last_post.as_ref().map(|post| seconds(post.time))
    }),
    (
        ("receiver_error_since_timestamp_seconds", "gauge", "Since when the receiver cannot be sent to."),
        |r| r.counters.error_since.map(seconds),
    ),
];

/// The counters as a page that Prometheus, or the textfile collector of its node exporter, reads.
pub(crate) fn page(status: &Status, beside: &Beside) -> String {
    let mut page = String::new();
    let mut put = |head: Head, value: Option<f64>| {
        if let Some(value) = value {
            put_head(&mut page, head);
            let _ = writeln!(page, "authalert_{} {value}", head.0);
        }
    };
    // The timeline began with the journal.
    let all = status.receivers.last().map_or(0, |timeline| timeline.counters.recorded);
    put(("failures_total", "counter", "Failed authentications recorded."), some(all));
    put(("logins_total", "counter", "Successful authentications recorded."), some(status.logins));
    put(("tests_total", "counter", "Failures that root announced as tests."), some(status.tests));
    put(("dropped_total", "counter", "Failures that found no room in the journal."), some(status.dropped));
    put(
        ("unreadable_total", "counter", "Lines of the journal that could not be read."),
        some(status.unreadable),
    );
    put(
        ("module_services", "gauge", "PAM services whose stacks have the module."),
        some(beside.services as u64),
    );
    put(
        ("problem", "gauge", "1 where authalert status names something that is wrong."),
        some(u64::from(beside.has_problem)),
    );
    put(
        ("last_scan_timestamp_seconds", "gauge", "When the last scan of the logs saved its place."),
        beside.last_scan.map(seconds),
    );
    put_head(&mut page, ("build_info", "gauge", "Always 1; the version is in the label."));
    let _ = writeln!(page, "authalert_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    for (head, figure) in OF_RECEIVER {
        let values: Vec<(&Named, f64)> =
            status.receivers.iter().filter_map(|receiver| Some((receiver, figure(receiver)?))).collect();
        if values.is_empty() {
            continue;
        }
        put_head(&mut page, head);
        for (Named { name, kind, .. }, value) in values {
            let (name, kind) = (label(name), label(kind));
            let _ = writeln!(page, "authalert_{}{{receiver=\"{name}\",kind=\"{kind}\"}} {value}", head.0);
        }
    }
    page
}

fn put_head(page: &mut String, (name, kind, help): Head) {
    let _ = writeln!(page, "# HELP authalert_{name} {help}\n# TYPE authalert_{name} {kind}");
}

fn some(n: u64) -> Option<f64> {
    // Exact up to 2^53, as all numbers of Prometheus are.
    Some(n as f64)
}

fn seconds(time: Timestamp) -> f64 {
    time.as_second() as f64
}

/// A label's value: quotes and backslashes are escaped, and there is no other line.
fn label(text: &str) -> String {
    neutral::name(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::deliver::status;

    #[test]
    fn each_metric_is_described_once_and_each_receiver_has_a_line() {
        let state = tempfile::tempdir().unwrap();
        let config = "[[receiver]]\nname = \"desk\"\nkind = \"timeline\"\n";
        let config =
            Config::parse(config, std::path::Path::new("/etc/authalert/config.toml")).unwrap_or_default();
        let mut status = status::take(state.path(), &config).unwrap();
        let mut odd = status.receivers[0].clone();
        odd.name = "a\"b\\c\nd".into();
        status.receivers.push(odd);
        let page =
            page(&status, &Beside { last_scan: Some(Timestamp::UNIX_EPOCH), services: 3, has_problem: true });
        let mut described: Vec<&str> = page.lines().filter(|line| line.starts_with("# HELP")).collect();
        let all = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), all);
        assert!(
            page.contains("authalert_receiver_messages_total{receiver=\"timeline\",kind=\"timeline\"} 0\n"),
            "{page}"
        );
        assert!(page.contains("{receiver=\"a\\\"b\\\\c\\\\x0ad\""), "{page}");
        assert!(page.contains("authalert_module_services 3\n") && page.contains("authalert_problem 1\n"));
        assert!(page.ends_with('\n'));
    }
}
