//! What a program of the system prints, read for a bounded time: one that is slow or hangs holds nothing up.

use std::io::Read;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Start `command` without input and read what it prints until its end, or until more than `most` bytes are there; then it
/// is ended. Absent where it cannot be started, or its end did not come within `patience`.
pub(crate) fn of(command: &mut Command, patience: Duration, most: usize) -> Option<Vec<u8>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let output = child.stdout.take().and_then(|stdout| read(stdout, patience, most));
    // It has said what it had to say, or is not waited for any longer.
    let _ = child.kill();
    let _ = child.wait();
    output
}

fn read(mut from: ChildStdout, patience: Duration, most: usize) -> Option<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let mut output = Vec::new();
    while output.len() <= most {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut part = [0; 1024];
        match from.read(&mut part) {
            Ok(0) => break,
            Ok(n) => output.extend(&part[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Option<Vec<u8>> {
        of(Command::new("/bin/sh").args(["-c", script]), Duration::from_millis(500), 4096)
    }

    #[test]
    fn what_a_program_prints_is_read_to_its_end_or_its_bound() {
        assert_eq!(shell("printf 'a b'; echo no >&2").unwrap(), b"a b");
        assert_eq!(shell("exit 1").unwrap(), b"");
        let endless = shell("exec cat /dev/zero").unwrap().len();
        assert!((4097..4097 + 1024).contains(&endless), "{endless}");
        assert_eq!(of(&mut Command::new("/nonexistent"), Duration::from_secs(1), 1), None);
    }

    #[test]
    fn a_program_that_does_not_end_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(shell("echo something; exec sleep 60"), None);
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
}
