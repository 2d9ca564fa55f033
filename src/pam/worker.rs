//! The worker: one detached thread a process, which delivers while libpam keeps its delay.
//!
//! Everything is keyed by pid: sshd authenticates keyboard-interactive in a forked child, and a
//! child must not touch what its parent's threads hold. The channel stays for the life of the
//! process; the thread ends when there is nothing to do and is started anew.
//!
//! The failure is on disk before the worker hears of it. What the worker does not finish, because
//! the process ends, the next one does, or cron.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread;
use std::time::Duration;

use authalert::journal::record::Encoded;
use authalert::journal::{self, append};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{guard, record, sender};

/// TLS, JSON and the file formats need about a tenth of this; it is only reserved.
const STACK: usize = 1 << 20;
/// Failures that may wait for the worker; the journal has them all.
const BACKLOG: usize = 64;
/// A next step that is due sooner is waited for, if the process lives.
const PATIENCE: Duration = Duration::from_secs(10);

struct Wake {
    state: PathBuf,
    config: PathBuf,
    /// A line that could not be written.
    unrecorded: Option<Vec<u8>>,
}

struct Channel {
    pid: libc::pid_t,
    running: AtomicBool,
    sender: Sender<Wake>,
    receiver: Receiver<Wake>,
}

static CHANNEL: AtomicPtr<Channel> = AtomicPtr::new(ptr::null_mut());

/// Tell the worker that something was recorded, or could not be; start it if need be. Never waits.
pub fn wake(state: &Path, config: Option<&[u8]>, unrecorded: Option<(io::Error, &[u8])>) {
    if let Some((why, _)) = &unrecorded {
        complain(state, why);
    }
    let wake = Wake {
        state: state.into(),
        config: config.map_or(record::default_config(), |c| Path::new(OsStr::from_bytes(c))).into(),
        unrecorded: unrecorded.map(|(_, line)| line.to_vec()),
    };
    let channel = channel();
    // Full: the worker has enough to do, and the journal has the failure.
    let _ = channel.sender.try_send(wake);
    if !channel.running.swap(true, Ordering::AcqRel) && !start(channel) {
        channel.running.store(false, Ordering::Release);
    }
}

/// One line in syslog, once a process: the administrator must know that nothing can be recorded.
pub fn complain(state: &Path, why: &dyn Display) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut text = [0_u8; 512];
    let mut rest = &mut text[..511];
    let _ = io::Write::write_fmt(
        &mut rest,
        format_args!(
            "pam_authalert: a failed authentication could not be recorded in {}: {why}; \
             the login is not affected; see 'authalert check'",
            state.display()
        ),
    );
    // SAFETY: a constant format and a C string (the last byte stays 0); openlog is the host's.
    unsafe { libc::syslog(libc::LOG_AUTHPRIV | libc::LOG_ERR, c"%s".as_ptr(), text.as_ptr()) };
}

/// This process's channel. Made once, and never freed: another thread may be using it.
fn channel() -> &'static Channel {
    // SAFETY: a call without arguments that cannot fail.
    let pid = unsafe { libc::getpid() };
    let found = CHANNEL.load(Ordering::Acquire);
    // SAFETY: null, or a channel that was leaked below and so lives for ever; in a forked child it
    // is a copy, of which only the pid is looked at.
    if let Some(channel) = unsafe { found.as_ref() } {
        if channel.pid == pid {
            return channel;
        }
    }
    let (sender, receiver) = bounded(BACKLOG);
    let fresh = Box::into_raw(Box::new(Channel { pid, running: AtomicBool::new(false), sender, receiver }));
    let winner = match CHANNEL.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        Err(other) => {
            // SAFETY: nobody has seen it; another thread of this process was faster.
            drop(unsafe { Box::from_raw(fresh) });
            other
        }
    };
    // SAFETY: leaked on purpose: never freed once it was published.
    unsafe { &*winner }
}

fn start(channel: &'static Channel) -> bool {
    let Some(mask) = guard::block_all_signals() else { return false };
    let started =
        thread::Builder::new().name("authalert".into()).stack_size(STACK).spawn(move || run(channel));
    guard::restore_signals(&mask);
    started.is_ok()
}

fn run(channel: &'static Channel) {
    loop {
        let _ = std::panic::catch_unwind(|| work(&channel.receiver));
        channel.running.store(false, Ordering::Release);
        // Whoever sends after this starts a thread; what was sent before it is ours.
        if channel.receiver.is_empty() || channel.running.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

fn work(receiver: &Receiver<Wake>) {
    let Ok(mut wake) = receiver.try_recv() else { return };
    let mut unrecorded = Vec::new();
    loop {
        unrecorded.extend(wake.unrecorded.take());
        while let Ok(next) = receiver.try_recv() {
            unrecorded.extend(next.unrecorded.clone());
            wake = Wake { unrecorded: None, ..next };
        }
        unrecorded = retry(&wake.state, unrecorded);
        let mut again = sender::deliver(&wake.state, &wake.config);
        if !unrecorded.is_empty() {
            again = Some(again.unwrap_or(PATIENCE).min(Duration::from_secs(1)));
        }
        let Some(pause) = again.filter(|pause| *pause <= PATIENCE) else { return };
        if let Ok(next) = receiver.recv_timeout(pause) {
            wake = next;
        }
    }
}

/// Try to record again what could not be; gives back what still cannot.
fn retry(state: &Path, lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let directory = state.join(journal::DIRECTORY);
    let still_not = |line: &Vec<u8>| match Encoded::copy_of(line) {
        Some(line) => append::append(&directory, &line).is_err(),
        None => false,
    };
    lines.into_iter().filter(still_not).collect()
}
