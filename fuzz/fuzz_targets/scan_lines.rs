//! Any bytes as a log: nothing panics, what comes out is neutral and bounded, reading by lines and
//! by candidates gives the same, and so does going on from a saved state.
#![no_main]

use std::io;
use std::path::Path;

use authalert::neutral::is_visible;
use authalert::scan::attempts::{Open, Row};
use authalert::scan::intake::{Intake, Source};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn rows(log: &[u8], explain: bool) -> Vec<Row> {
    let mut intake = Intake::new(true, explain, Open::default());
    let source = Source::stream(Path::new("-"), log, Timestamp::UNIX_EPOCH);
    let mut out = io::sink();
    let read = intake.read(source, &mut |_, _, _| {}, &mut |intake| intake.explained(&mut out));
    assert!(read.is_ok());
    intake.attempts.finish();
    intake.attempts.take_settled()
}

fuzz_target!(|log: &[u8]| {
    let found = rows(log, false);
    for row in &found {
        assert!(row.count > 0, "{row:?}");
        for text in [&row.host, &row.service, &row.user, &row.ruser, &row.tty] {
            assert!(text.chars().all(is_visible) && text.chars().count() <= 64, "{row:?}");
        }
        assert!(row.rhost.chars().all(is_visible) && row.rhost.chars().count() <= 255, "{row:?}");
    }
    // Every line by itself tells no less than the candidates among them.
    let explained = rows(log, true);
    let sum = |rows: &[Row]| rows.iter().map(|row| u64::from(row.count)).sum::<u64>();
    assert_eq!(sum(&found), sum(&explained));
});
