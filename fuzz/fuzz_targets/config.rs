//! Any configuration: it is refused in words, or everything that works by it holds its bounds.
#![no_main]

use std::path::Path;

use authalert::accounts::AccountKind;
use authalert::config::Config;
use authalert::config::Template;
use authalert::deliver::{Moment, Pacing, Policy};
use authalert::event::{Class, Event, Route};
use authalert::message::{Composer, Content, Dispatch, LIMIT, Style, Summary, weight};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = match Config::parse(text, Path::new("/etc/authalert/config.toml")) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let failure = Event {
        time: Timestamp::from_second(1_795_435_307).unwrap(),
        host: String::new(),
        route: Route::Pam,
        class: Class::Failure,
        count: 1,
        service: "sshd".into(),
        pid: 4711,
        ppid: 0,
        user: "root".into(),
        rhost: "192.0.2.7".into(),
        tty: "ssh".into(),
        ruser: String::new(),
        uid: 0,
        origin: None,
    };
    let policy = Policy::from(&config.alerts);
    let mut pacing = Pacing::default();
    for step in 0..5 {
        let now = Moment(step * 600_000);
        pacing.on_failure(now, &failure, AccountKind::Root, &policy);
        let _ = pacing.due(now, &policy);
        pacing.sent(now, &policy);
    }
    let template = config.alerts.text.as_deref().map(|t| Template::parse(t).unwrap());
    let mut summary = Summary::default();
    summary.add(&failure, AccountKind::Root, AccountKind::Unknown);
    let composer = Composer::new("web1", TimeZone::UTC, template, config.alerts.post_unknown_users);
    let text = composer.text(&Style::x(), Content::Failures(&summary), Dispatch::new(1, failure.time));
    assert!(weight(&text) <= LIMIT);
});
