//! From PAM's items to a line on disk, before libpam's delay begins.
//!
//! No password is among the items that are read. Nothing is allocated, no configuration is read,
//! and no lock is taken; a login that may not write here is left alone.

use std::ffi::{CStr, OsStr, c_int};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use authalert::config::{DEFAULT_PATH, DEFAULT_STATE};
use authalert::failure::{Class, Route};
use authalert::journal::record::{Record, encode};
use authalert::journal::{self, append};
use jiff::Timestamp;
use pam::items::{Item, RHost, RUser, Service, Tty, User};
use pam::module::PamHandle;

use crate::conversation::Prompts;
use crate::entry::Arguments;
use crate::{guard, libpam, worker};

const CONV_ERR: c_int = 19;

/// Record how this attempt ended, and wake the worker.
pub fn failure(pamh: &mut PamHandle, arguments: &Arguments<'_>, prompts: &Prompts, status: c_int) {
    let unanswered = prompts.left_unanswered() || status == CONV_ERR;
    let mut address = Small::default();
    let rhost = remote(pamh, &mut address);
    // SAFETY: calls without arguments that cannot fail.
    let (pid, ppid, uid, euid) =
        unsafe { (libc::getpid(), libc::getppid(), libc::getuid(), libc::geteuid()) };
    let line = encode(&Record {
        time: Timestamp::now(),
        route: Route::Pam,
        class: if unanswered { Class::Aborted } else { Class::Failure },
        count: 1,
        service: item::<Service<'_>>(pamh),
        pid: pid.unsigned_abs(),
        ppid: ppid.unsigned_abs(),
        user: item::<User<'_>>(pamh),
        rhost: if rhost { address.bytes() } else { item::<RHost<'_>>(pamh) },
        tty: item::<Tty<'_>>(pamh),
        ruser: item::<RUser<'_>>(pamh),
        uid,
        origin: None,
    });
    let state = arguments.state.map_or(DEFAULT_STATE.as_bytes(), CStr::to_bytes);
    let config = arguments.config.map(CStr::to_bytes);
    let mut directory = Small::default();
    for part in [state, b"/", journal::DIRECTORY.as_bytes()] {
        let _ = directory.write_all(part);
    }
    if !guard::ours_alone(directory.bytes(), state.len()) {
        if euid == 0 {
            worker::complain(Path::new(OsStr::from_bytes(state)), &"others than root can write there");
        }
        return;
    }
    let written = guard::unlimited(|| append::append(Path::new(OsStr::from_bytes(directory.bytes())), &line));
    match &written {
        // Counted as dropped; who delivers tells.
        Err(e) if e.kind() == io::ErrorKind::StorageFull && e.raw_os_error().is_none() => {}
        // A screen locker runs PAM as the user: the log route covers it.
        Err(_) if euid != 0 => return,
        _ => {}
    }
    if arguments.debug {
        debug(&line);
    }
    if guard::room_for_a_worker() {
        worker::wake(Path::new(OsStr::from_bytes(state)), config, written.err().map(|e| (e, &*line)));
    } else if let Err(e) = written {
        worker::complain(Path::new(OsStr::from_bytes(state)), &e);
    }
}

/// Where the configuration is, when the stack names none.
pub fn default_config() -> &'static Path {
    Path::new(DEFAULT_PATH)
}

fn item<'a, T: Item<'a, Raw = libc::c_char> + std::ops::Deref<Target = &'a CStr>>(
    pamh: &'a PamHandle,
) -> &'a [u8] {
    match pamh.get_item::<T>() {
        Ok(Some(value)) => value.to_bytes(),
        _ => b"",
    }
}

/// The remote address in `out`, where PAM_RHOST or sshd's SSH_CONNECTION holds one. A host name
/// comes from the attacker's own name server; sshd knows the address beside it.
fn remote(pamh: &mut PamHandle, out: &mut Small) -> bool {
    let host = item::<RHost<'_>>(pamh);
    let mut found = address(host);
    if found.is_none() && !host.is_empty() {
        found = libpam::variable(pamh, c"SSH_CONNECTION")
            .and_then(|line| address(line.to_bytes().split(|b| *b == b' ').next()?));
    }
    found.is_some_and(|ip| write!(out, "{ip}").is_ok())
}

/// An address as it is grouped and matched: no zone, mapped IPv4 as IPv4.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.split(|b| *b == b'%').next()?;
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

fn debug(line: &[u8]) {
    let mut text = [0; authalert::journal::record::LONGEST + 1];
    let end = line.len().saturating_sub(1);
    text[..end].copy_from_slice(&line[..end]);
    // SAFETY: a constant format and a C string; no openlog, which belongs to the host.
    unsafe {
        libc::syslog(libc::LOG_AUTHPRIV | libc::LOG_DEBUG, c"pam_authalert: %s".as_ptr(), text.as_ptr());
    }
}

/// A few bytes on the stack that can be written to.
struct Small {
    bytes: [u8; 300],
    len: usize,
}

impl Default for Small {
    fn default() -> Self {
        Self { bytes: [0; 300], len: 0 }
    }
}

impl Small {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Small {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.bytes.get_mut(self.len..self.len + data.len()).ok_or(io::ErrorKind::StorageFull)?;
        room.copy_from_slice(data);
        self.len += data.len();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
