//! That nothing of the account's secrets is left in memory once they are not needed.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use authalert::credentials::{Credentials, Stored};
use authalert::receiver::http::Method;
use authalert::receiver::x::oauth::sign;
use authalert::receiver::{Kind, build};
use zeroize::Zeroizing;

use super::message;
use super::standin::Standin;

/// So the test itself holds none of what it looks for.
const MASK: u8 = 0xa5;

/// A copy of so many of its bytes is one of the secret: libraries that sign take it in pieces.
const PART: usize = 16;

/// Where a part of `masked` lies in this process's memory, in the clear.
fn found(masked: &[u8]) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut places = Vec::new();
    let is_part = |at: &[u8]| {
        let clear = |part: &[u8]| at.iter().zip(part).all(|(byte, masked)| byte ^ MASK == *masked);
        // All are hexadecimal: most of a memory is not.
        at.iter().all(u8::is_ascii_hexdigit) && masked.windows(PART).any(clear)
    };
    // As it is, never unmasked: it is looked at itself, and must hold what is masked elsewhere as it was there.
    let mut window = Zeroizing::new(vec![0; 4096 + PART]);
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")))
    {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        let (start, end) = (number(start), number(end));
        for at in (start..end).step_by(4096) {
            let Ok(read) = memory.read_at(&mut window, at) else { continue };
            if window[..read].windows(PART).any(is_part) {
                places.push(format!("{at:x} {line}"));
            }
        }
    }
    places
}

/// Far down the stack, where nothing that comes later overwrites what is left there.
#[inline(never)]
fn deep<T>(work: impl FnOnce() -> T) -> T {
    let room = [0_u8; 512 << 10];
    let result = work();
    black_box(&room);
    result
}

/// A credentials file of new secrets, and its four values, masked.
fn account(directory: &Path) -> (PathBuf, [Vec<u8>; 4]) {
    let file = directory.join("credentials.toml");
    let script = "umask 077; s() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \\n'; }; \
                  printf 'api_key = \"%s\"\\napi_secret = \"%s\"\\naccess_token = \"1-%s\"\\naccess_token_secret = \"%s\"\\n' \
                  \"$(s)\" \"$(s)\" \"$(s)\" \"$(s)\" > \"$1\"";
    assert!(Command::new("sh").args(["-c", script, "sh"]).arg(&file).status().unwrap().success());
    let mut masked = Vec::new();
    let mut byte = [0];
    let mut reader = File::open(&file).unwrap();
    while reader.read(&mut byte).unwrap() == 1 {
        masked.push(byte[0] ^ MASK);
    }
    let values: Vec<Vec<u8>> =
        masked.split(|b| *b == b'"' ^ MASK).skip(1).step_by(2).map(<[u8]>::to_vec).collect();
    (file, values.try_into().unwrap())
}

#[test]
fn after_a_post_no_secret_of_the_account_is_left_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (file, [_, api_secret, _, token_secret]) = account(directory.path());
    let secrets = [api_secret, token_secret];
    let standin = Standin::plain();
    let text = format!("kind = \"x\"\nname = \"x\"\napi_url = \"{}\"", standin.url());
    let stored = deep(|| Stored::load(&file).unwrap());
    // What is looked for can be found.
    assert!(secrets.iter().all(|secret| secret.len() == 48 && !found(secret).is_empty()));
    let receiver = build(&toml::from_str(&text).unwrap(), &stored.of("x", "x").unwrap(), Vec::new()).unwrap();
    let outcome = deep(|| receiver.send(&message(Kind::Digest, "t", "text"), Box::new(|| Ok(()))));
    // Strangers' keys: it was signed, and asked.
    assert!(format!("{outcome:?}").starts_with("Stop") && standin.requests().len() == 1, "{outcome:?}");
    drop((receiver, stored));
    for secret in secrets {
        assert_eq!(found(&secret), Vec::<String>::new());
    }
}

/// Alone: what a whole post does afterwards would overwrite most of what signing leaves.
#[test]
fn reading_and_signing_leave_nothing_of_the_account_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (file, values) = account(directory.path());
    drop(deep(|| Credentials::load(&file).unwrap().unwrap()));
    for value in &values {
        assert_eq!(found(value), Vec::<String>::new(), "after reading");
    }
    let credentials = deep(|| Credentials::load(&file).unwrap().unwrap());
    assert!(values.iter().all(|value| !found(value).is_empty()));
    let header = deep(|| sign(Method::Post, "https://api.x.com/2/tweets", &credentials));
    // Not searched: a search leaves pieces of it on the stack itself.
    assert!(header.len() > 200);
    drop((credentials, header));
    for value in &values {
        assert_eq!(found(value), Vec::<String>::new(), "after signing");
    }
}
