//! Any failures, any host name, any template: a text fits into a post, holds nothing that X acts
//! on, and tells the exact number of failures it covers.
#![no_main]

use authalert::alert::{Composer, LIMIT, Standing, Summary, Template, count_in, harmless, weight};
use authalert::failure::{Class, Failure, Route};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut fields = text.split('\x1e');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (switches, host, template) = (next(), next(), next());
    let switch = |i: usize| switches.as_bytes().get(i).copied().unwrap_or_default();

    let mut summary = Summary::default();
    for i in 0..usize::from(switch(0) % 8) + 1 {
        let bits = switch(i + 2);
        let failure = Failure {
            time: Timestamp::from_second(1_795_435_307 - (i64::from(bits) << (bits % 24))).unwrap(),
            route: Route::Pam,
            class: Class::Failure,
            count: u32::from(bits & 15) + 1,
            service: if bits & 16 == 0 { "sshd".into() } else { next() },
            pid: u32::from(bits) << 3,
            ppid: 0,
            user: next(),
            rhost: next(),
            tty: next(),
            ruser: next(),
            uid: 0,
            origin: None,
        };
        let standings = [Standing::Existing, Standing::Root, Standing::System, Standing::Unknown];
        summary.add(&failure, standings[usize::from(bits >> 6)]);
    }
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.len() <= 64 << 10);
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);

    let says_count = template.contains("{count}");
    let template = Template::parse(&template).ok();
    let readable = template.is_none() || !says_count;
    let composer = Composer::new(&host, TimeZone::UTC, template, switch(1) & 1 == 1);
    let now = Timestamp::from_second(1_795_435_400).unwrap();
    for text in [composer.compose(&summary, 17, now), composer.plain(&summary, 17, now)] {
        assert!(weight(&text) <= LIMIT, "{text}");
        assert_eq!(harmless(&text), text);
        assert!(text.contains("a17"), "{text}");
        assert!(!readable || count_in(&text) == summary.failures(), "{text}");
    }
});
