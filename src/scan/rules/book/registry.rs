//! The files of rules that are built in, and the administrator's own in `/etc/authalert/rules.d`.

use std::path::Path;
use std::{fs, io};

use super::file::{File, Mistake};
use crate::storage;

/// Where the administrator's own are. One of a built-in file's name takes its place.
pub const OWN: &str = "/etc/authalert/rules.d";

pub(super) const LARGEST: u64 = 64 << 10;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../rules/", $name, ".toml")))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "asterisk",
    "courier",
    "courier_smtp",
    "cpanel",
    "cyrus",
    "doas",
    "dovecot",
    "dropbear",
    "duo",
    "exim",
    "freeradius",
    "ftpd",
    "gitea",
    "jellyfin",
    "kcheckpass",
    "luci",
    "mariadb",
    "monit",
    "newgrp",
    "nextcloud",
    "opensmtpd",
    "openvpn",
    "pam_any",
    "pam_duo",
    "pam_google_authenticator",
    "pam_krb5",
    "pam_pwdfile",
    "pam_sss",
    "pam_tacplus",
    "pam_unix",
    "pam_winbind",
    "pfsense",
    "polkit",
    "pop3",
    "postfix",
    "postgresql",
    "proftpd",
    "proxmox",
    "pure-ftpd",
    "rsh",
    "samba",
    "saslauthd",
    "screensharing",
    "sendmail",
    "su",
    "vaultwarden",
    "vsftpd",
    "web",
    "webmin",
    "wordpress",
    "xrdp",
    "xscreensaver",
];

/// One file of rules that there is.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, without `.toml`; `*` where the administrator's own cannot be found.
    pub name: String,
    /// The rules, or what is wrong with them.
    pub file: Result<File, Mistake>,
    /// Whether it is the administrator's own.
    pub is_own: bool,
}

/// Every file that there is, by name, with the administrator's own in `directory`.
pub fn list(directory: &Path) -> Vec<Entry> {
    let (names, why) = match own(directory) {
        Ok(names) => (names, None),
        Err(e) => (Vec::new(), Some(e.to_string())),
    };
    let mut entries: Vec<Entry> = names
        .into_iter()
        .map(|name| {
            let path = directory.join(format!("{name}.toml"));
            let shown = path.display().to_string();
            let file = match storage::read_trusted_text(&path, LARGEST) {
                Ok(text) => File::parse(&name, &shown, &text),
                Err(e) => Err(Mistake { file: shown, line: None, column: None, why: e.to_string() }),
            };
            Entry { name, file, is_own: true }
        })
        .collect();
    entries.extend(why.map(|why| {
        let file = directory.display().to_string();
        Entry { name: "*".into(), file: Err(Mistake { file, line: None, column: None, why }), is_own: true }
    }));
    for (name, text) in BUILT_IN {
        if !entries.iter().any(|entry| entry.is_own && entry.name == *name) {
            let file = File::built_in(name, &format!("{name}.toml (built in)"), text);
            entries.push(Entry { name: (*name).to_owned(), file, is_own: false });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The names of the administrator's own.
fn own(directory: &Path) -> io::Result<Vec<String>> {
    let is_name = |name: &String| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !name.starts_with('.')
    };
    let files = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return storage::dangling(directory).map_or(Ok(Vec::new()), Err);
        }
        files => files?,
    };
    let names = files
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(is_name);
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_file_can_be_used_and_is_named() {
        let listed = list(Path::new("/nonexistent"));
        assert_eq!(listed.len(), BUILT_IN.len());
        for entry in listed {
            entry.file.unwrap_or_else(|mistake| panic!("{mistake}"));
        }
        for (name, text) in BUILT_IN {
            File::parse(name, name, text).unwrap_or_else(|mistake| panic!("{mistake}"));
        }
        let there = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap().count();
        assert_eq!(there, BUILT_IN.len(), "a file in rules/ is not built in");
    }

    #[test]
    fn an_own_file_takes_the_place_of_a_built_in_one() {
        let directory = tempfile::tempdir().unwrap();
        let text =
            include_str!("../../../../rules/doas.toml").replace("about = \"doas\"", "about = \"ours\"");
        for name in ["doas.toml", "mine.toml", ".hidden.toml", "no.txt"] {
            fs::write(directory.path().join(name), &text).unwrap();
        }
        let listed = list(directory.path());
        assert_eq!(listed.len(), BUILT_IN.len() + 1);
        for entry in listed.iter().filter(|entry| ["doas", "mine"].contains(&entry.name.as_str())) {
            assert!(entry.is_own && entry.file.as_ref().unwrap().about == "ours", "{entry:?}");
        }
        let path = directory.path().join("doas.toml");
        fs::write(&path, "x".repeat(1 + LARGEST as usize)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link.toml")).unwrap();
        let listed = list(directory.path());
        let why = |name: &str| {
            let entry = listed.iter().find(|entry| entry.name == name).unwrap();
            entry.file.as_ref().unwrap_err().to_string()
        };
        assert!(why("doas").contains("longer than"), "{}", why("doas"));
        assert!(why("link").contains("link.toml: "), "{}", why("link"));
    }

    #[test]
    fn where_the_own_files_cannot_be_found_that_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("rules.d");
        assert_eq!(list(&own).len(), BUILT_IN.len());
        std::os::unix::fs::symlink("/nonexistent/rules.d", &own).unwrap();
        for words in ["is a link to", "irectory"] {
            let listed = list(&own);
            let wrong: Vec<_> = listed.iter().filter_map(|entry| entry.file.as_ref().err()).collect();
            assert_eq!((listed.len(), wrong.len()), (1 + BUILT_IN.len(), 1));
            assert!(wrong[0].to_string().contains(words), "{}", wrong[0]);
            fs::remove_file(&own).unwrap();
            fs::write(&own, "").unwrap();
        }
    }
}
