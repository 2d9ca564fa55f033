//! One program, started and ended: text on its standard input, a time limit, and nothing of ours in its hands.
//!
//! It gets no file, no environment and no capability that a mail program or a modem's does not need. What it prints is
//! bounded. At the time limit it is ended with everything that is still in its process group; no signal goes
//! anywhere else, and none after it was waited for, when its number may be another's.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::thread::CapabilitySet;

/// As much of what it prints is kept; more is read and forgotten.
const OUTPUT_LIMIT: usize = 4 << 10;
/// So often is looked whether it ended, where it neither reads nor prints.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What mail programs and those of modems need, where they run as root: to become another account and to write to
/// spools that belong to one.
const CAPABILITIES: [CapabilitySet; 7] = [
    CapabilitySet::CHOWN,
    CapabilitySet::DAC_OVERRIDE,
    CapabilitySet::DAC_READ_SEARCH,
    CapabilitySet::FOWNER,
    CapabilitySet::FSETID,
    CapabilitySet::SETGID,
    CapabilitySet::SETUID,
];

/// What is to be run.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// The program's absolute path, and its arguments; no shell reads them.
    pub argv: &'a [String],
    /// Its environment, beside `PATH` and `LANG`.
    pub environment: &'a [(&'static str, String)],
    /// Its standard input.
    pub input: &'a [u8],
    /// From its start to its end.
    pub timeout: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It could not be started.
    NotStarted(io::Error),
    /// By itself, with this status and, first, these words.
    Exited(i32, String),
    /// By a signal of somebody else's.
    Killed(i32),
    /// At the time limit, by us.
    OutOfTime,
}

impl Program<'_> {
    /// Run it to its end.
    pub fn run(&self) -> Ended {
        let Some((program, arguments)) = self.argv.split_first() else {
            return Ended::NotStarted(io::ErrorKind::InvalidInput.into());
        };
        let deadline = Instant::now() + self.timeout;
        renounce_capabilities();
        let started = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        match started {
            Ok(child) => follow(child, self.input, deadline),
            Err(e) => Ended::NotStarted(e),
        }
    }
}

/// Give it the input and read what it prints, until it ends or has to.
fn follow(mut child: Child, input: &[u8], deadline: Instant) -> Ended {
    let mut pipes = Pipes::of(&mut child, input);
    loop {
        match has_ended(&child) {
            Ok(true) => break,
            Ok(false) if Instant::now() < deadline => pipes.serve(),
            // It cannot be watched, or its time is over.
            _ => {
                end_with_its_group(&child);
                let _ = child.wait();
                return Ended::OutOfTime;
            }
        }
    }
    pipes.drain();
    let Ok(status) = child.wait() else { return Ended::OutOfTime };
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code, String::from_utf8_lossy(&pipes.printed).into_owned()),
        (None, signal) => Ended::Killed(signal.unwrap_or_default()),
    }
}

/// Whether it ended. It is not yet waited for: until then its number is no other process's.
fn has_ended(child: &Child) -> io::Result<bool> {
    let Some(pid) = pid_of(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    match rustix::process::waitid(WaitId::Pid(pid), options) {
        Ok(status) => Ok(status.is_some()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The one signal that authalert sends: to the group that this child leads, before it is waited for.
fn end_with_its_group(child: &Child) {
    if let Some(pid) = pid_of(child) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// What is not in [`CAPABILITIES`] can be had by nothing that this thread starts from now on; what the thread itself
/// may do stays as it is.
fn renounce_capabilities() {
    for capability in CapabilitySet::all().iter().filter(|one| !CAPABILITIES.contains(one)) {
        // Without the right to do so there is little to renounce.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
}

/// The child's three pipes; none of them can block us.
struct Pipes<'a> {
    input: Option<(std::process::ChildStdin, &'a [u8])>,
    output: [Option<Box<dyn Output>>; 2],
    printed: Vec<u8>,
}

trait Output: Read + AsFd {}
impl<T: Read + AsFd> Output for T {}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> Self {
        let nonblocking = |fd: BorrowedFd<'_>| rustix::io::ioctl_fionbio(fd, true).is_ok();
        let stdin = child.stdin.take().filter(|pipe| nonblocking(pipe.as_fd()));
        let stdout = child.stdout.take().filter(|pipe| nonblocking(pipe.as_fd()));
        let stderr = child.stderr.take().filter(|pipe| nonblocking(pipe.as_fd()));
        Self {
            input: stdin.map(|pipe| (pipe, input)),
            output: [stdout.map(|p| Box::new(p) as Box<dyn Output>), stderr.map(|p| Box::new(p) as _)],
            printed: Vec::new(),
        }
    }

    /// Wait a moment for something to do, and do it.
    fn serve(&mut self) {
        let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(3);
        if let Some((pipe, _)) = &self.input {
            watched.push(PollFd::new(pipe, PollFlags::OUT));
        }
        for pipe in self.output.iter().flatten() {
            watched.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        }
        let _ = poll(&mut watched, Some(&LOOK));
        self.feed();
        self.read(1);
    }

    /// What it printed before it ended.
    fn drain(&mut self) {
        self.read(16);
    }

    fn feed(&mut self) {
        let Some((pipe, rest)) = &mut self.input else { return };
        match pipe.write(rest) {
            Ok(written) => *rest = &rest[written..],
            Err(e) if is_passing(&e) => return,
            // It does not read: its exit status says what that means.
            Err(_) => *rest = &[],
        }
        if rest.is_empty() {
            self.input = None;
        }
    }

    /// At most `rounds` pieces of each: what prints without end is stopped by the time limit alone.
    fn read(&mut self, rounds: usize) {
        for output in &mut self.output {
            for _ in 0..rounds {
                let mut piece = [0; 4096];
                let Some(pipe) = output else { break };
                match pipe.read(&mut piece) {
                    Ok(0) => *output = None,
                    Ok(read) => {
                        let room = OUTPUT_LIMIT.saturating_sub(self.printed.len());
                        self.printed.extend_from_slice(&piece[..read.min(room)]);
                    }
                    Err(e) if is_passing(&e) => break,
                    Err(_) => *output = None,
                }
            }
        }
    }
}

fn is_passing(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, input: &[u8], timeout: Duration) -> Ended {
        let argv = ["/bin/sh", "-c", script].map(String::from);
        Program { argv: &argv, environment: &[("AUTHALERT_X", "y z".into())], input, timeout }.run()
    }

    fn exited(script: &str, input: &[u8]) -> (i32, String) {
        match run(script, input, Duration::from_secs(10)) {
            Ended::Exited(code, words) => (code, words),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_gets_the_text_and_its_own_environment_and_nothing_else() {
        assert_eq!(exited("cat; exit 3", "ä\nb".as_bytes()), (3, "ä\nb".into()));
        // The shell adds PWD and its like.
        let (_, names) = exited("tr '\\0' '\\n' < /proc/self/environ", b"");
        let mut names: Vec<_> = names.lines().collect();
        names.retain(|line| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own)));
        names.sort_unstable();
        assert_eq!(names, ["AUTHALERT_X=y z", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        assert_eq!(exited("pwd", b"").1.trim(), "/");
    }

    #[test]
    fn a_program_that_reads_nothing_or_floods_its_output_holds_nobody_up() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(exited("exit 0", &input).0, 0);
        let (code, words) = exited("head -c 3000000 /dev/zero | tr '\\0' x; exit 75", &input);
        assert!(code == 75 && words.len() <= OUTPUT_LIMIT);
        let began = Instant::now();
        assert!(matches!(run("exec yes", b"", Duration::from_millis(300)), Ended::OutOfTime));
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn at_the_time_limit_everything_in_its_group_ends_and_a_quick_end_is_seen_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        // The grandchild would leave a mark, long after.
        let script = format!("(sleep 5; touch {}) & sleep 60", mark.display());
        let began = Instant::now();
        assert!(matches!(run(&script, b"", Duration::from_millis(200)), Ended::OutOfTime));
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5500));
        assert!(!mark.exists());
        // A child in the background that holds the pipes open is not waited for.
        let began = Instant::now();
        assert_eq!(exited("sleep 30 & exit 0", b"").0, 0);
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_cannot_be_started_or_is_killed_by_others_is_known() {
        let argv = ["/nonexistent/program".to_owned()];
        let program = Program { argv: &argv, environment: &[], input: b"", timeout: Duration::from_secs(1) };
        assert!(matches!(program.run(), Ended::NotStarted(_)));
        assert!(matches!(run("kill -9 $$", b"", Duration::from_secs(5)), Ended::Killed(9)));
    }

    #[test]
    fn it_has_no_capability_that_it_does_not_need() {
        let (_, bounds) = exited("grep CapBnd /proc/self/status", b"");
        let bounds = u64::from_str_radix(bounds.split_whitespace().nth(1).unwrap(), 16).unwrap();
        let allowed = CAPABILITIES.iter().fold(CapabilitySet::empty(), |all, one| all | *one);
        if rustix::process::geteuid().is_root() {
            assert_eq!(bounds & !allowed.bits(), 0, "{bounds:x}");
        }
    }
}
