//! From PAM's items to a line on disk, before libpam's delay begins.
//!
//! No password is among the items that are read. Nothing is allocated, no configuration is read,
//! and no lock is taken; a login that may not write here is left alone.

use std::ffi::{CStr, c_char, c_int};
use std::ops::Deref;

use authalert::event::{Class, Route};
use authalert::journal::append::{self, Error};
use authalert::journal::aside;
use authalert::journal::record::{Encoded, Record, encode_into};
use pam::items::{Item, RHost, RUser, Service, Tty, User};
use pam::module::PamHandle;

use crate::conversation::Prompts;
use crate::entry::Arguments;
use crate::file::File;
use crate::worker::Job;
use crate::{guard, libpam, worker};

/// Where the module records and reads when the stack names no other place.
const STATE: &CStr = c"/var/lib/authalert";
const CONFIG: &CStr = c"/etc/authalert/config.toml";

/// Record how this attempt ended, and wake the worker.
pub fn failure(pamh: &mut PamHandle, arguments: &Arguments<'_>, prompts: &Prompts, status: c_int) {
    let (state, config) = (arguments.state.unwrap_or(STATE), arguments.config.unwrap_or(CONFIG));
    let mut line = Encoded::empty();
    fill(&mut line, pamh, prompts.left_unanswered(status));
    let written = guard::unlimited(|| write(state, &line));
    if arguments.debug {
        debug(&line);
    }
    match written {
        // Counted as dropped; who delivers tells.
        Ok(()) | Err(Error::Full) => {}
        // A screen locker runs PAM as the user: the log route covers it.
        Err(Error::Os(_)) if !rustix::process::geteuid().is_root() => return,
        Err(Error::Os(why)) => {
            worker::complain(state, why);
            // Others can write there: nothing is.
            if why == libc::EPERM {
                return;
            }
        }
    }
    if guard::room_for_a_worker() {
        let unrecorded = if matches!(written, Err(Error::Os(_))) { line.as_bytes() } else { b"" };
        let mut job = Job::EMPTY;
        job.fill(state, config, unrecorded);
        worker::wake(&job);
    }
}

fn fill(line: &mut Encoded, pamh: &mut PamHandle, unanswered: bool) {
    // SAFETY: `now` outlives the call, which cannot fail for this clock.
    let now = unsafe {
        let mut now = std::mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        now
    };
    // A name comes from the attacker's own name server; sshd knows the address beside it.
    let named =
        item::<RHost<'_>>(pamh).iter().any(|b| !b.is_ascii_hexdigit() && !matches!(b, b'.' | b':' | b'%'));
    let mut address = [0; 64];
    let connection = if named { libpam::variable(pamh, c"SSH_CONNECTION") } else { None };
    let address = first_word(connection.map_or(b"", CStr::to_bytes), &mut address);
    let record = Record {
        time: (now.tv_sec, (now.tv_nsec / 1000) as u32),
        host: b"",
        route: Route::Pam,
        class: if unanswered { Class::Aborted } else { Class::Failure },
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

fn write(state: &CStr, line: &Encoded) -> Result<(), Error> {
    let mut buffer = [0; 512];
    let directory = append::join(&mut buffer, state.to_bytes(), authalert::journal::DIRECTORY.as_bytes())?;
    if !guard::ours_alone(state) || !guard::ours_alone(directory) {
        return Err(libc::EPERM.into());
    }
    if directory.count_bytes() == 0 {
        Err(libc::EINVAL.into())
    } else {
        let directory = directory.to_bytes();
        match append::append_to::<File>(directory, line) {
            Err(Error::Os(why)) if !aside::put(directory, line) => Err(why.into()),
            Err(Error::Os(_)) => Ok(()),
            other => other,
        }
    }
}

fn item<'a, T: Item<'a, Raw = c_char> + Deref<Target = &'a CStr>>(pamh: &'a PamHandle) -> &'a [u8] {
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
    let text = line.as_bytes();
    let length = c_int::try_from(text.len().saturating_sub(1)).unwrap_or(0);
    // SAFETY: a constant format with a length and as many bytes; no openlog, which is the host's.
    unsafe {
        libc::syslog(
            libc::LOG_AUTHPRIV | libc::LOG_DEBUG,
            c"pam_authalert: %.*s".as_ptr(),
            length,
            text.as_ptr(),
        );
    }
}
