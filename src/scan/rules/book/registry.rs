//! The files of rules that are built in, and the administrator's own in `/etc/authalert/rules.d`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::file::{File, Mistake};
use crate::storage;

/// Where the administrator's own are. One of a built-in file's name takes its place.
pub const OWN: &str = "/etc/authalert/rules.d";

const LARGEST: u64 = 64 << 10;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../rules/", $name, ".toml")))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "courier",
    "cyrus",
    "doas",
    "dovecot",
    "dropbear",
    "duo",
    "exim",
    "ftpd",
    "kcheckpass",
    "monit",
    "newgrp",
    "opensmtpd",
    "openvpn",
    "pam_any",
    "pam_duo",
    "pam_google_authenticator",
    "pam_krb5",
    "pam_pwdfile",
    "pam_tacplus",
    "pam_winbind",
    "polkit",
    "pop3",
    "postfix",
    "proftpd",
    "proxmox",
    "pure-ftpd",
    "rsh",
    "saslauthd",
    "su",
    "vsftpd",
    "web",
    "webmin",
    "xrdp",
    "xscreensaver",
];

/// One file of rules that there is.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, without `.toml`.
    pub name: String,
    /// The rules, or what is wrong with them.
    pub file: Result<File, Mistake>,
    /// Whether it is the administrator's own.
    pub is_own: bool,
}

/// Every file that there is, by name, with the administrator's own in `directory`.
pub fn list(directory: &Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> = own(directory)
        .into_iter()
        .map(|name| {
            let path = directory.join(format!("{name}.toml"));
            let shown = path.display().to_string();
            let file = match read(&path) {
                Ok(text) => File::parse(&name, &shown, &text),
                Err(e) => Err(Mistake { file: shown, line: None, why: e.to_string() }),
            };
            Entry { name, file, is_own: true }
        })
        .collect();
    for (name, text) in BUILT_IN {
        if !entries.iter().any(|entry| entry.is_own && entry.name == *name) {
            let file = File::parse(name, &format!("{name}.toml (built in)"), text);
            entries.push(Entry { name: (*name).to_owned(), file, is_own: false });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The names of the administrator's own.
fn own(directory: &Path) -> Vec<String> {
    let is_name = |name: &String| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !name.starts_with('.')
    };
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(is_name)
        .collect()
}

/// The text of a file that only root (or who runs this) can have written: whoever writes rules says what is an attempt.
fn read(path: &Path) -> io::Result<String> {
    let file = storage::open(fs::OpenOptions::new().read(true), path)?;
    let meta = file.metadata()?;
    if !storage::is_ours(std::os::unix::fs::MetadataExt::uid(&meta)) || storage::others_can_write(&meta) {
        return Err(io::Error::other(format!(
            "it can be written by others than root; run: {}",
            storage::remedy(path)
        )));
    }
    let mut text = String::new();
    if file.take(LARGEST + 1).read_to_string(&mut text)? as u64 > LARGEST {
        return Err(io::Error::other(format!("it is longer than {LARGEST} bytes")));
    }
    Ok(text)
}
