//! The count of failures, read back from a text.

/// How many failures a text covers.
///
/// Built-in texts that cover several begin `HOST: N failed`, with commas in N; without that it is 1. A text
/// by a template that does not say `{count}` itself ends in `(N failed)`, before the id if that was added too.
pub fn count_in(text: &str) -> u64 {
    let is_tag = |tag: &str| {
        tag.strip_prefix("·a")
            .or(tag.strip_prefix("-a"))
            .is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()))
    };
    let end = match text.rsplit_once(' ') {
        Some((before, tag)) if is_tag(tag) => before,
        _ => text,
    };
    let appended = end.strip_suffix(" failed)").and_then(|t| t.rsplit_once(" (")).map(|(_, n)| n);
    let leading = text.split_once(": ").and_then(|(_, t)| t.split_once(" failed")).map(|(n, _)| n);
    let parse = |n: &str| n.replace(',', "").parse().ok();
    appended.and_then(parse).or(leading.and_then(parse)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_failures_can_be_read_from_any_text_and_not_be_forged() {
        for (text, count) in [
            ("web1: 4,489 failed logins from 139 sources", 4489),
            ("web1: 1 failed login from 1 source, 12:01:47 ·a1", 1),
            ("web1: failed login for root from 192.0.2.7 12:01:47 ·a17", 1),
            ("web1: unknown user \"7 failed\" from 192.0.2.7 12:01:47 ·a17", 1),
            ("web1: 7 failed (3 failed) ·a17", 3),
            ("a17 web1: 7 (9 failed) (1,003 failed)", 1003),
        ] {
            assert_eq!(count_in(text), count, "{text}");
        }
    }
}
