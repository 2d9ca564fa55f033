//! From PAM's items to a line on disk, before libpam's delay begins.
//!
//! No password is among the items that are read. Nothing is allocated, no configuration is read,
//! and no lock is taken; a login that may not write here is left alone.

use std::ffi::{CStr, c_char, c_int};
use std::mem;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use authalert::event::{Class, Route};
use authalert::journal::address::network;
use authalert::journal::append::{self, Error};
use authalert::journal::dropped;
use authalert::journal::line::Encoded;
use authalert::journal::path::join;
use authalert::journal::record::{Record, encode_into};
use authalert::journal::spill;
use pam::items::{Item, RHost, RUser, Service, Tty, User};
use pam::module::PamHandle;

use crate::arguments::Arguments;
use crate::file::File;
use crate::marks::Key;
use crate::worker::Job;
use crate::{address, clock, guard, late, libpam, marks, worker};

/// Record a failure or an aborted prompt, and wake the worker.
pub fn failure(pamh: &mut PamHandle, arguments: &Arguments<'_>, class: Class) {
    if !may_write(arguments.state()) {
        return complain(arguments.state(), libc::EPERM);
    }
    // First: a mark too many costs a record, one that is missing hides who is in.
    if class == Class::Failure {
        marks::set(arguments.state(), &keys(pamh));
    }
    // Also where it found no room: a pass has that to report.
    let _ = event(pamh, arguments, class);
    if worker::may_run() {
        let mut job = Job::EMPTY;
        job.fill(arguments.state(), arguments.config());
        worker::wake(&job);
    }
}

/// Record a login. Says whether that is done.
pub fn login(pamh: &mut PamHandle, arguments: &Arguments<'_>) -> bool {
    if !may_write(arguments.state()) {
        complain(arguments.state(), libc::EPERM);
        return false;
    }
    event(pamh, arguments, Class::Login).is_ok()
}

/// What a failure marks, and a login looks for: where it came from, and the account.
pub fn keys(pamh: &mut PamHandle) -> [Option<Key>; 2] {
    let address = address_of(pamh);
    let (rhost, user) = (item::<RHost<'_>>(pamh), item::<User<'_>>(pamh));
    let uid = rustix::process::getuid().as_raw();
    let source = if let Some(address) = address {
        // He has others of its network, and may come in from there.
        Some(Key::of(b'r', &network(address).to_ne_bytes()))
    } else if !rhost.is_empty() {
        Some(Key::of(b'r', rhost))
    } else if uid != 0 {
        Some(Key::of(b'u', &uid.to_ne_bytes()))
    } else {
        // login and display managers are root's own: the terminal is the place.
        let tty = item::<Tty<'_>>(pamh);
        (!tty.is_empty()).then(|| Key::of(b't', tty))
    };
    [source, (!user.is_empty()).then(|| Key::of(b'a', user))]
}

/// The address of who is at the other end, where one is known.
fn address_of(pamh: &mut PamHandle) -> Option<IpAddr> {
    address::parse(item::<RHost<'_>>(pamh)).or_else(|| address::parse(beside(pamh, &mut [0; 64])))
}

/// What sshd knows beside a name, which comes from the attacker's own name server; empty beside an address.
fn beside<'a>(pamh: &mut PamHandle, place: &'a mut [u8; 64]) -> &'a [u8] {
    let rhost = item::<RHost<'_>>(pamh);
    let named = !rhost.is_empty() && address::parse(rhost).is_none();
    let connection = if named { libpam::variable(pamh, c"SSH_CONNECTION") } else { None };
    first_word(connection.map_or(b"", CStr::to_bytes), place)
}

fn event(pamh: &mut PamHandle, arguments: &Arguments<'_>, class: Class) -> Result<(), Error> {
    let mut line = Encoded::empty();
    fill(&mut line, pamh, class);
    let written = write(arguments.state(), &line);
    if arguments.debug {
        debug(&line);
    }
    if let Err(Error::Os(why)) = written {
        complain(arguments.state(), why);
    }
    written
}

fn fill(line: &mut Encoded, pamh: &mut PamHandle, class: Class) {
    let mut address = [0; 64];
    let address = beside(pamh, &mut address);
    let record = Record {
        time: clock::now(),
        host: b"",
        route: Route::Pam,
        class,
        count: 1,
        service: item::<Service<'_>>(pamh),
        pid: rustix::process::getpid().as_raw_nonzero().get().unsigned_abs(),
        ppid: rustix::process::getppid().map_or(0, |p| p.as_raw_nonzero().get().unsigned_abs()),
        user: item::<User<'_>>(pamh),
        rhost: item::<RHost<'_>>(pamh),
        address,
        tty: item::<Tty<'_>>(pamh),
        ruser: item::<RUser<'_>>(pamh),
        uid: rustix::process::getuid().as_raw(),
        origin: b"",
    };
    encode_into(line, &record);
}

/// Not where others can write.
fn may_write(state: &CStr) -> bool {
    let mut buffer = [0; 512];
    let journal = join(&mut buffer, state.to_bytes(), authalert::journal::DIRECTORY.as_bytes());
    guard::ours_alone(state) && journal.map_or(true, guard::ours_alone)
}

fn write(state: &CStr, line: &Encoded) -> Result<(), Error> {
    let mut buffer = [0; 512];
    let directory = join(&mut buffer, state.to_bytes(), authalert::journal::DIRECTORY.as_bytes())?;
    let directory = directory.to_bytes();
    match guard::unlimited(|| append::append_to::<File>(directory, line)) {
        Err(Error::Os(why)) => {
            // Once: what was counted is not to be counted again.
            guard::unlimited(|| {
                if spill::put(directory, line) {
                    return Ok(());
                }
                dropped::count::<File>(directory, line);
                Err(Error::Full)
            })
            .map_err(|_| why.into())
        }
        other => other,
    }
}

/// One of the handle's items, as somebody wrote it; empty where there is none.
pub fn item<'a, T: Item<'a, Raw = c_char> + Deref<Target = &'a CStr>>(pamh: &'a PamHandle) -> &'a [u8] {
    match pamh.get_item::<T>() {
        Ok(Some(value)) => value.to_bytes(),
        _ => b"",
    }
}

/// A copy of what stands before the first blank: the handle is needed again meanwhile.
fn first_word<'a>(text: &[u8], place: &'a mut [u8; 64]) -> &'a [u8] {
    let mut length = 0;
    for (byte, place) in text.iter().take_while(|b| **b != b' ').zip(place.iter_mut()) {
        *place = *byte;
        length += 1;
    }
    place.get(..length).unwrap_or_default()
}

fn debug(line: &Encoded) {
    let Some(syslog) = late::syslog() else { return };
    let text = line.as_bytes();
    let length = c_int::try_from(text.len().saturating_sub(1)).unwrap_or(0);
    // SAFETY: a constant format with a length and as many bytes; no openlog, which is the host's.
    unsafe {
        syslog(libc::LOG_AUTHPRIV | libc::LOG_DEBUG, c"pam_authalert: %.*s".as_ptr(), length, text.as_ptr());
    }
}

/// One line in syslog, once a process: the administrator must know that nothing can be recorded. A screen locker
/// runs PAM as the user, and is quiet: the log route covers it.
fn complain(state: &CStr, why: i32) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !rustix::process::geteuid().is_root() || DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    let Some(syslog) = late::syslog() else { return };
    let text = c"pam_authalert: a failed authentication could not be recorded in %s: %m; the login is not affected; see 'authalert check'";
    // SAFETY: a constant format and a C string; `%m` reads errno, which is put back afterwards.
    // openlog is the host's.
    unsafe {
        let errno = libc::__errno_location();
        let before = mem::replace(&mut *errno, why);
        syslog(libc::LOG_AUTHPRIV | libc::LOG_ERR, text.as_ptr(), state.as_ptr());
        *errno = before;
    }
}
