//! Any bytes where the delivery state, its copy and the timeline should be: one is read, or none;
//! the counters add up without overflow, and what was read can be written and read again.
#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

use authalert::deliver::history::TIMELINE_FILE;
use authalert::deliver::place::Place;
use authalert::deliver::state::State;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static PLACE: OnceCell<PathBuf> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    // What serde makes of the inside of a state, whatever the checksum says.
    let inner = serde_json::from_slice::<State>(data).ok();
    if let Some(state) = &inner {
        round_trip(state);
    }
    // The files, where the input has more than one: they cost most of the time.
    if !data.contains(&0x1e) {
        return;
    }
    PLACE.with(|place| {
        let directory = place.get_or_init(|| {
            // run.sh gives a TMPDIR in memory and removes it.
            let path = std::env::temp_dir().join(format!("state-{}", std::process::id()));
            fs::create_dir_all(path.join("receivers")).unwrap();
            path
        });
        let mut files = data.splitn(3, |b| *b == 0x1e);
        for name in ["receivers/timeline.json", "receivers/timeline.json.bak", TIMELINE_FILE] {
            fs::write(directory.join(name), files.next().unwrap_or_default()).unwrap();
        }
        // An error: it says that a newer version wrote it.
        if let Ok(loaded) = State::load(&Place::new(directory, "timeline"), true) {
            round_trip(&loaded.expect("there are files").state);
        }
    });
});

fn round_trip(state: &State) {
    let _ = state.unsettled();
    let text = serde_json::to_string(state).unwrap();
    let again: State = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}
