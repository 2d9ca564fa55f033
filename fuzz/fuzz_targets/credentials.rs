//! Any credentials file and any `~/.trc`: read or refused, and no refusal quotes what stands in it.
#![no_main]

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use authalert::credentials::{Credentials, trc};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{Mode, OFlags};

/// What must not be quoted: a run of this many characters that stands in the file.
const SECRET: &[u8] = b"s3cr3tS3CR3T";

thread_local! {
    static PLACE: OnceCell<(File, PathBuf)> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    PLACE.with(|place| {
        let (file, path) = place.get_or_init(|| {
            // run.sh gives a TMPDIR in memory and removes it.
            let path = std::env::temp_dir().join(format!("credentials-{}", std::process::id()));
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
            let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).unwrap());
            (file, path)
        });
        file.set_len(0).unwrap();
        file.write_all_at(data, 0).unwrap();
        let quoted = |shown: String| {
            let secret = data.windows(SECRET.len()).any(|w| w == SECRET);
            assert!(!secret || !shown.contains("s3cr3tS3CR3T"), "{shown}");
        };
        match trc::import(path) {
            Ok(credentials) => {
                assert_eq!(format!("{credentials:?}"), "Credentials(hidden)");
                let again = Credentials::new(
                    credentials.api_key.expose(),
                    credentials.api_secret.expose(),
                    credentials.access_token.expose(),
                    credentials.access_token_secret.expose(),
                );
                assert!(again.is_ok_and(|c| c == credentials));
            }
            Err(error) => quoted(error.to_string()),
        }
        match Credentials::load(path) {
            Ok(credentials) => quoted(format!("{credentials:?}")),
            Err(error) => quoted(error.to_string()),
        }
    });
});
