//! What a text calls a machine.

use super::content::Content;
use super::listing;
use super::reveal::{Reveal, label};
use super::sample::Sample;
use super::style::Style;
use super::text::Composer;
use super::time::counted;
use super::weight::cut;

/// Of the machine's name; more would take the room of what happened.
pub(super) const HOST: usize = 32;

impl Composer {
    /// What a text calls the machine it is about: this one's name, another's, or how many.
    pub(super) fn machine(&self, content: Content<'_>) -> String {
        let of = |host: &str| match host {
            "" => self.host.clone(),
            host => another(host, self.reveal),
        };
        let login = |login: &Sample| of(&login.host);
        match content {
            Content::Failures(summary) | Content::Logins(summary) => match listing::machines(summary) {
                0 | 1 => of(listing::sole(summary.hosts()).unwrap_or_default()),
                n => counted(n, "machine"),
            },
            Content::BreakIn(content) => login(&content.login),
            Content::UnderAttack(content) => login(&content.login),
            Content::NewSource(content) => login(&content.login),
            Content::Heartbeat(_) | Content::Health(_) | Content::Weekly(_) | Content::Test => {
                self.host.clone()
            }
        }
    }
}

/// What a text calls another machine. Its name came with a record, and makes as little of the text around it.
pub(super) fn another(host: &str, reveal: Reveal) -> String {
    reveal.machine(host).map_or_else(|| "unknown machine".into(), short)
}

/// The first label of the machine's name; an address stays whole.
pub(super) fn short(host: &str) -> String {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    // A blank or a colon could make it look as if the text began earlier.
    let sign = |c: char| if c.is_whitespace() || c == ':' && !is_address { '_' } else { c };
    let label: String = label(host).chars().map(sign).collect();
    match cut(&Style::x().safe(&label).replace(' ', "_"), HOST) {
        empty if empty.is_empty() => "this machine".into(),
        label => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_machine_is_short_and_harmless() {
        for (host, shown) in [
            ("web1.example.com", "web1"),
            ("web1", "web1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("", "this machine"),
            ("a: 7 failed", "a__7_failed"),
            ("@x", "[@]x"),
            (&"x".repeat(99), &format!("{}~", "x".repeat(31))),
        ] {
            assert_eq!(short(host), shown);
            let another = another(host, Reveal { unknown: true });
            assert_eq!(another, if host.is_empty() { "unknown machine" } else { shown });
        }
        assert_eq!(another("a: 7 failed", Reveal { unknown: false }), "unknown machine");
    }
}
