//! Whether the loader takes a library: the file whole, for this processor, every symbol bound, on a
//! file system that may hold programs. Asked in a process of its own, which it may crash.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::neutral;

const SUBJECTS: [&str; 2] = ["/usr/bin/true", "/bin/true"];
/// The module calls the sender by a name that ends in the number of their convention.
const CONVENTION: &[u8] = b"authalert_take_";

/// What the loader says against `library`; absent where it takes it or cannot be asked.
pub(super) fn complaint(library: &Path) -> Option<String> {
    let subject = SUBJECTS.into_iter().find(|path| Path::new(path).exists())?;
    let output = Command::new(subject)
        .env_clear()
        .envs([("LD_PRELOAD", library.as_os_str()), ("LD_BIND_NOW", "1".as_ref())])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // "ERROR: ld.so: object 'PATH' from LD_PRELOAD cannot be preloaded (WHY): ignored."
    let why = said.split_once("cannot be preloaded (").and_then(|(_, rest)| rest.split_once("): "));
    match why {
        Some((why, _)) => Some(neutral::text(why, 200)),
        None if output.status.success() => None,
        None if said.trim().is_empty() => Some("loading it ends in a crash".into()),
        None => Some(neutral::text(said.trim(), 200)),
    }
}

/// Whether `sender` has the function that `module` calls.
pub(super) fn fits(module: &Path, sender: &Path) -> bool {
    let (Ok(module), Ok(sender)) = (fs::read(module), fs::read(sender)) else { return true };
    let Some(at) = find(&module, CONVENTION) else { return true };
    let digits = module[at + CONVENTION.len()..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut name = module[at..at + CONVENTION.len() + digits].to_vec();
    name.push(0);
    find(&sender, &name).is_some()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_none_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libbroken.so");
        fs::write(&path, "not a library").unwrap();
        let why = complaint(&path).unwrap();
        assert!(why.contains("file too short") || why.contains("invalid ELF"), "{why}");
    }

    #[test]
    fn a_sender_of_another_convention_does_not_fit() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let module = file("module", "..authalert_take_2\0..");
        assert!(fits(&module, &file("same", "..authalert_take_2\0..")));
        assert!(!fits(&module, &file("newer", "..authalert_take_21\0..")));
        assert!(!fits(&module, &file("none", "")));
    }
}
