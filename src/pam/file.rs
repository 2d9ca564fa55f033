//! A file on bare system calls, for an append or a mark: no check that could panic, no allocation.

use std::ffi::{CStr, c_int};
use std::mem;

use authalert::journal::append::{Error, HEAD, Look, Target};
use rustix::fs::{Mode, OFlags};

/// An open file; closed with it.
pub struct File(c_int);

impl Target for File {
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32> {
        // SAFETY: a C string; what is opened is owned by nobody else.
        let file = unsafe { libc::open(path.as_ptr(), flags.bits() as c_int, mode.bits()) };
        match file {
            0..=2 => {
                // The host closed its standard streams: we must not become one of them.
                // SAFETY: a descriptor that we opened.
                let moved = unsafe { libc::fcntl(file, libc::F_DUPFD_CLOEXEC, 3) };
                drop(Self(file));
                if moved < 0 { Err(errno()) } else { Ok(Self(moved)) }
            }
            3.. => Ok(Self(file)),
            _ => Err(errno()),
        }
    }

    fn look(&self) -> Result<Look, i32> {
        // SAFETY: plain numbers, for which zero is a value; written by fstat before they are used.
        let (code, stat) = unsafe {
            let mut stat: libc::stat = mem::zeroed();
            (libc::fstat(self.0, &mut stat), stat)
        };
        // The types of these differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        let look = Look { mode: stat.st_mode, size: stat.st_size as u64, links: stat.st_nlink as u64 };
        if code == 0 { Ok(look) } else { Err(errno()) }
    }

    fn lock(&self) -> bool {
        // SAFETY: a descriptor that we opened; it does not wait.
        let locked = unsafe { libc::flock(self.0, libc::LOCK_SH | libc::LOCK_NB) };
        locked == 0 || errno() != libc::EWOULDBLOCK
    }

    fn unlock(&self) {
        // SAFETY: a descriptor that we opened.
        unsafe { libc::flock(self.0, libc::LOCK_UN) };
    }

    fn set_mode(&self, mode: Mode) {
        // SAFETY: a descriptor that we opened.
        unsafe { libc::fchmod(self.0, mode.bits()) };
    }

    fn head(&self, place: &mut [u8; HEAD]) -> usize {
        self.beginning(place)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        // SAFETY: as many bytes as there are.
        let written = unsafe { libc::write(self.0, bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(written).map_err(|_| errno())
    }
}

impl File {
    /// The numbers at this place, where there are as many.
    pub fn numbers<const COUNT: usize>(&self, at: u64) -> Option<[u32; COUNT]> {
        let mut numbers = [0; COUNT];
        let length = mem::size_of_val(&numbers);
        // SAFETY: as many bytes as `numbers` has; any are numbers.
        let read = unsafe { libc::pread(self.0, numbers.as_mut_ptr().cast(), length, at as libc::off_t) };
        (usize::try_from(read) == Ok(length)).then_some(numbers)
    }

    /// Its beginning, as much as there is of it.
    pub fn beginning(&self, place: &mut [u8]) -> usize {
        // SAFETY: as many bytes as there are in `place`.
        let read = unsafe { libc::pread(self.0, place.as_mut_ptr().cast(), place.len(), 0) };
        usize::try_from(read).unwrap_or(0)
    }

    /// Write numbers at this place.
    pub fn put(&self, at: u64, numbers: &[u32]) -> Result<(), Error> {
        let length = mem::size_of_val(numbers);
        // SAFETY: as many bytes as `numbers` has.
        let written = unsafe { libc::pwrite(self.0, numbers.as_ptr().cast(), length, at as libc::off_t) };
        match usize::try_from(written) {
            Ok(written) if written == length => Ok(()),
            Ok(_) => Err(libc::ENOSPC.into()),
            Err(_) => Err(errno().into()),
        }
    }

    /// Have `size` bytes of zeros, with room on the disk for them where the file system can do that.
    pub fn allocate(&self, size: u64) -> Result<(), Error> {
        // SAFETY: a descriptor that we opened.
        let code = unsafe { libc::fallocate(self.0, 0, 0, size as libc::off_t) };
        match if code == 0 { 0 } else { errno() } {
            0 => Ok(()),
            libc::EOPNOTSUPP => self.put(size.saturating_sub(4), &[0]),
            why => Err(why.into()),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { libc::close(self.0) };
    }
}

fn errno() -> i32 {
    // SAFETY: the address of this thread's errno.
    unsafe { *libc::__errno_location() }
}
