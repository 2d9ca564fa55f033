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
