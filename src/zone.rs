//! The time zone in which alerts tell times: the machine's.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::tz::TimeZone;

/// The largest zone file of the IANA database has 4 KiB.
const LARGEST: u64 = 64 << 10;

/// The zone of `/etc/localtime`, UTC if there is none. `TZ` is not asked: inside su and sudo the
/// environment belongs to whoever called them.
pub fn local() -> TimeZone {
    read(Path::new("/etc/localtime")).unwrap_or(TimeZone::UTC)
}

fn read(path: &Path) -> Option<TimeZone> {
    let mut data = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut data).ok()?;
    TimeZone::tzif("local", &data).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_zone_file_is_read_and_anything_else_gives_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("localtime");
        assert!(read(&file).is_none());
        std::fs::write(&file, "not a zone").unwrap();
        assert!(read(&file).is_none());
        // Version 1, one type: 5 h 30 min east of Greenwich, "IST".
        let mut data = b"TZif".to_vec();
        data.extend([0; 16]);
        for count in [0u32, 0, 0, 0, 1, 4] {
            data.extend(count.to_be_bytes());
        }
        data.extend(19_800i32.to_be_bytes());
        data.extend([0, 0]);
        data.extend(b"IST\0");
        std::fs::write(&file, data).unwrap();
        let zone = read(&file).unwrap();
        assert_eq!(zone.to_datetime(Timestamp::UNIX_EPOCH).to_string(), "1970-01-01T05:30:00");
    }
}
