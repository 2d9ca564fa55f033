//! Marking failures, and looking for marks at a login: a few reads and writes in a file of fixed size. How it is
//! laid out, and why nobody can clear a mark, stands with [`authalert::journal::marks`].

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

use authalert::journal::append::Error;
use authalert::journal::marks::{FRESH, LOGINS, MINUTES, NAME, NEW, SIZE, header, made};
use authalert::journal::path::{digits, join};
use authalert::journal::target::Target;
use authalert::journal::{CURRENT, DIRECTORY};
use rustix::fs::{Mode, OFlags};

use crate::file::File;
use crate::waiting::this_thread;
use crate::{clock, guard};

const FLAGS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Seconds from an attempt to its session at most; sshd's LoginGraceTime is two minutes.
const SESSION_AFTER: u32 = 150;

/// What is marked.
#[derive(Clone, Copy)]
pub struct Key(u32);

impl Key {
    /// `kind` keeps an account apart from a machine of the same name. The hash is FNV-1a.
    pub fn of(kind: u8, name: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = name.iter().fold(step(0xcbf2_9ce4_8422_2325, &kind), step);
        Self((hash ^ (hash >> 32)) as u32)
    }

    /// A login at `service`. Not of which account: sudo authenticates who asks, and opens the session of whom he becomes.
    pub fn login(service: &[u8]) -> Self {
        Self::of(b's', service)
    }

    fn place(self) -> u64 {
        MINUTES.0 + 4 * u64::from(self.0 % MINUTES.1)
    }
}

/// What the marks say of a login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// Nothing failed here that may still count.
    No,
    /// A failure may have been.
    Yes,
    /// There is no file that can be relied on.
    Unknown,
}

/// Whether one of `keys` failed, so lately that it may count.
pub fn look(state: &CStr, keys: &[Option<Key>; 2]) -> Marked {
    // Looking is not to write the time of it to the disk.
    let file = match open(state, OFlags::RDONLY | OFlags::NOATIME) {
        Ok(file) => file,
        // Not root's: it may not look, and may not record either.
        Err(libc::EACCES) => return Marked::No,
        // Nothing was ever recorded here.
        Err(libc::ENOENT) if !has_journal(state) => return Marked::No,
        Err(_) => return Marked::Unknown,
    };
    let minute = seconds() / 60;
    let Some(since) = made_of(&file) else { return Marked::Unknown };
    let recent = |then: u32| minute.saturating_sub(then) <= FRESH;
    let mut marked = recent(since);
    for key in keys.iter().flatten() {
        if marked {
            break;
        }
        match file.numbers(key.place()) {
            // A mark of the future is one from before the clock was set back.
            Some([then]) => marked = then != 0 && recent(then),
            None => return Marked::Unknown,
        }
    }
    if marked { Marked::Yes } else { Marked::No }
}

/// Mark a failure of `keys`. Without any: have a file that can be relied on from now on.
pub fn set(state: &CStr, keys: &[Option<Key>; 2]) {
    let marked = guard::unlimited(|| {
        let minute = seconds() / 60;
        match open(state, OFlags::RDWR) {
            Ok(file) if made_of(&file).is_some() && is_whole(&file) => put_all(&file, keys, minute),
            Err(libc::EACCES) => Ok(()),
            // Missing, damaged, or something else in its place.
            _ => create(state, keys, minute),
        }
    });
    if marked.is_err() {
        // What cannot be relied on goes, and then every login is recorded.
        let mut buffer = [0; 512];
        if let Ok(path) = path(&mut buffer, state, NAME.as_bytes()) {
            let _ = rustix::fs::unlink(path);
        }
    }
}

/// The last login that is recorded of this process: process, hash of the service, second.
static LAST: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

/// The process that loaded the module. Not 0 at first: with zeros alone the loader would have to map their page apart.
static LOADED_BY: AtomicU32 = AtomicU32::new(u32::MAX);

/// Called by the loader.
#[used]
#[unsafe(link_section = ".init_array")]
static WHEN_LOADED: extern "C" fn() = when_loaded;

extern "C" fn when_loaded() {
    LOADED_BY.store(own_pid(), Ordering::Relaxed);
}

/// Remember that this login is recorded, for the session that comes of it: on another handle of this process (sudo),
/// or in its parent, where sshd authenticates in a child. Only for the parent it is written down.
pub fn note_login(state: &CStr, login: Key) {
    let (own, now) = (own_pid(), seconds());
    LAST.iter().zip([own, login.0, now]).for_each(|(place, number)| place.store(number, Ordering::Relaxed));
    // A user's shell is nobody whose session comes of it.
    if own == LOADED_BY.load(Ordering::Relaxed) || !guard::is_roots_own() {
        return;
    }
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_pid().unsigned_abs());
    let _ = guard::unlimited(|| open(state, OFlags::RDWR)?.put(login_at(parent), &[parent, login.0, now]));
}

/// Whether the login of this process is recorded already.
pub fn has_login(state: &CStr, login: Key) -> bool {
    let pid = own_pid();
    let is_this = |[process, hash, then]: [u32; 3]| {
        (process, hash) == (pid, login.0) && seconds().wrapping_sub(then) <= SESSION_AFTER
    };
    let [process, hash, then] = &LAST;
    is_this([process, hash, then].map(|number| number.load(Ordering::Relaxed)))
        || open(state, OFlags::RDONLY).is_ok_and(|file| file.numbers(login_at(pid)).is_some_and(is_this))
}

/// A new file in the place of what is there. Each is made with the marks that it is made for, and marks everything
/// as long as they last: whichever of several that are made at once stays, no mark is missed.
fn create(state: &CStr, keys: &[Option<Key>; 2], minute: u32) -> Result<(), Error> {
    let (mut buffer, mut other) = ([0; 512], [0; 512]);
    let unique = digits::<10>(own_pid()).into_iter().chain(digits::<10>((this_thread() >> 6) as u32));
    let mut name = [0; NEW.len() + 20];
    name.iter_mut().zip(NEW.bytes().chain(unique)).for_each(|(place, byte)| *place = byte);
    let new = path(&mut buffer, state, &name)?;
    let marks = path(&mut other, state, NAME.as_bytes())?;
    let made = File::open(new, FLAGS | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC, MODE)
        .map_err(Error::from)
        .and_then(|file| {
            file.set_mode(MODE);
            file.allocate(SIZE)?;
            file.put(0, &header(minute))?;
            put_all(&file, keys, minute)
        })
        .and_then(|()| rustix::fs::rename(new, marks).map_err(|why| why.raw_os_error().into()));
    if made.is_err() {
        let _ = rustix::fs::unlink(new);
    }
    made
}

#[inline(always)]
fn put_all(file: &File, keys: &[Option<Key>; 2], minute: u32) -> Result<(), Error> {
    for key in keys.iter().flatten() {
        // Once a minute does: most who fail do it again at once.
        if file.numbers(key.place()) != Some([minute]) {
            file.put(key.place(), &[minute])?;
        }
    }
    Ok(())
}

/// Whether it is as long as it should be; a place behind the end would lengthen it.
fn is_whole(file: &File) -> bool {
    file.numbers::<1>(SIZE - 4).is_some()
}

fn open(state: &CStr, access: OFlags) -> Result<File, i32> {
    let mut buffer = [0; 512];
    File::open(path(&mut buffer, state, NAME.as_bytes())?, FLAGS | access, Mode::empty())
}

fn has_journal(state: &CStr) -> bool {
    let mut buffer = [0; 512];
    path(&mut buffer, state, CURRENT.as_bytes()).is_ok_and(|path| rustix::fs::lstat(path).is_ok())
}

/// `state/journal/name`.
fn path<'a>(buffer: &'a mut [u8; 512], state: &CStr, name: &[u8]) -> Result<&'a CStr, i32> {
    let mut directory = [0; 512];
    let directory = join(&mut directory, state.to_bytes(), DIRECTORY.as_bytes())?;
    join(buffer, directory.to_bytes(), name)
}

#[inline(always)]
fn made_of(file: &File) -> Option<u32> {
    made(file.numbers(0)?)
}

fn login_at(pid: u32) -> u64 {
    LOGINS.0 + 12 * u64::from(pid % LOGINS.1)
}

fn own_pid() -> u32 {
    rustix::process::getpid().as_raw_pid().unsigned_abs()
}

fn seconds() -> u32 {
    clock::now().0 as u32
}
