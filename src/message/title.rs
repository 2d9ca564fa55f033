//! Titles: one short line, for what shows one (ntfy, Pushover, Gotify, mail).

use super::content::Content;
use super::digest::Noun;
use super::login;
use super::reveal::Reveal;
use super::single::{sentence, user};
use super::summary::Summary;
use super::time::counted;

/// What stands before the machine, and after it.
pub(super) fn title(content: Content<'_>, reveal: Reveal) -> (&'static str, String) {
    match content {
        Content::Failures(summary) => ("", of_summary(summary, Noun::FailedLogin, reveal)),
        Content::Logins(summary) => ("", of_summary(summary, Noun::Login, reveal)),
        Content::BreakIn(content) => (BREAK_IN, login::sentence(&content.login, 1, reveal, false)),
        Content::UnderAttack(content) => {
            ("", format!("new source under attack: {}", user(&content.login, reveal)))
        }
        Content::NewSource(content) => ("", format!("new source: {}", user(&content.login, reveal))),
        Content::Heartbeat(_) => ("", "all quiet".into()),
        Content::Health(content) if content.cleared => ("", "well again".into()),
        Content::Health(_) => ("", "authalert needs you".into()),
        Content::Weekly(content) => {
            ("", format!("the week, {}", counted(content.failures.failures(), "failed login")))
        }
        Content::Test => ("", "a test of authalert".into()),
    }
}

/// What a break-in begins with, before the machine: it is read first.
pub(super) const BREAK_IN: &str = "BREAK-IN? ";

fn of_summary(summary: &Summary, noun: Noun, reveal: Reveal) -> String {
    match (summary.latest(), noun) {
        (Some(sample), Noun::FailedLogin) if summary.failures() == 1 => sentence(sample, 1, reveal, false),
        (Some(sample), Noun::Login) if summary.failures() == 1 => login::sentence(sample, 1, reveal, false),
        (_, Noun::FailedLogin) => counted(summary.failures(), "failed login"),
        (_, Noun::Login) => counted(summary.failures(), "login"),
    }
}
