//! Country and network of an address, from databases in MaxMind's format that the administrator names.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{Reader, path};

use crate::neutral;

/// What the databases say of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Two letters.
    pub(crate) country: String,
    /// Who runs the network it is in: `AS64500 Example`.
    pub(crate) operator: String,
}

/// The databases that were named.
#[derive(Debug, Default)]
pub(crate) struct Geo {
    readers: Vec<Reader<Vec<u8>>>,
}

impl Geo {
    /// Open `files`; an error names the file.
    pub(crate) fn open(files: &[PathBuf]) -> Result<Self, String> {
        let open = |file: &PathBuf| Reader::open_readfile(file).map_err(|why| unusable(file, &why));
        Ok(Self { readers: files.iter().map(open).collect::<Result<_, _>>()? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// What is known of `address`: of each the first database that says it. A damaged record says nothing.
    pub(crate) fn find(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for found in self.readers.iter().filter_map(|reader| reader.lookup(address).ok()) {
            if place.country.is_empty() {
                let code: Option<&str> = found.decode_path(&path!["country", "iso_code"]).ok().flatten();
                place.country = neutral::text(code.unwrap_or_default(), 2);
            }
            if place.operator.is_empty() {
                let number: Option<u32> =
                    found.decode_path(&path!["autonomous_system_number"]).ok().flatten();
                let name: Option<&str> =
                    found.decode_path(&path!["autonomous_system_organization"]).ok().flatten();
                if let Some(number) = number {
                    let name = neutral::text(name.unwrap_or_default(), 40);
                    place.operator = format!("AS{number} {name}").trim_end().to_owned();
                }
            }
        }
        place
    }
}

fn unusable(file: &Path, why: &maxminddb::MaxMindDbError) -> String {
    format!("cannot use the database {}: {why}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        // From 29 bytes on the length has a byte of its own.
        let long = text.len().checked_sub(29).map(|more| more as u8);
        let mut bytes = vec![0x40 | if long.is_some() { 29 } else { text.len() as u8 }];
        bytes.extend(long.into_iter().chain(text.bytes()));
        bytes
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0xe0 | entries.len() as u8];
        entries.iter().for_each(|(name, value)| bytes.extend([string(name), value.clone()].concat()));
        bytes
    }

    /// The smallest database: addresses below 128.0.0.0 have a record, the others have none.
    fn database() -> Vec<u8> {
        let short = |n: u8| vec![0xa1, n];
        let mut bytes = vec![0, 0, 1 + 16, 0, 0, 1];
        bytes.extend([0; 16]);
        bytes.extend(map(&[
            ("country", map(&[("iso_code", string("N\x1b"))])),
            ("autonomous_system_number", vec![0xc2, 0xfb, 0xf4]),
            ("autonomous_system_organization", string("Example <b>")),
        ]));
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(map(&[
            ("binary_format_major_version", short(2)),
            ("binary_format_minor_version", short(0)),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("database_type", string("Test")),
            ("description", map(&[])),
            ("ip_version", short(4)),
            ("languages", vec![0x00, 0x04]),
            ("node_count", vec![0xc1, 1]),
            ("record_size", short(24)),
        ]));
        bytes
    }

    #[test]
    fn a_database_says_where_an_address_is_and_a_broken_one_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), database()).unwrap();
        let geo = Geo::open(&[file.path().into()]).unwrap();
        let place = geo.find("1.2.3.4".parse().unwrap());
        assert_eq!(place.operator, "AS64500 Example <b>");
        assert!(!place.country.contains('\x1b') && !place.country.is_empty(), "{place:?}");
        assert_eq!(geo.find("198.51.100.1".parse().unwrap()), Place::default());
        assert_eq!(geo.find("2001:db8::1".parse().unwrap()), Place::default());
        std::fs::write(file.path(), "no database").unwrap();
        assert!(Geo::open(&[file.path().into()]).unwrap_err().contains("cannot use the database"));
    }
}
