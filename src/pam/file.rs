//! A file on bare system calls, for an append or a mark: no check that could panic, no allocation.
//!
//! What is called while one is open is inlined, here and in [`crate::marks`]: Rust 1.85 takes other calls for ones that may
//! unwind, and what closes the file then brings all of the panic's machinery into the module.

use std::ffi::{CStr, c_int};
use std::mem;
use std::os::fd::BorrowedFd;
use std::slice;

use authalert::journal::append::Error;
use authalert::journal::target::{HEAD, Look, Target};
use rustix::fs::{self, FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::{self, Errno};

use crate::late;

/// An open file; closed with it. A number rather than an owned descriptor, whose making can panic.
pub struct File(c_int);

impl Target for File {
    #[inline(always)]
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32> {
        // SAFETY: a C string; what is opened is owned by nobody else.
        let file = unsafe { libc::open(path.as_ptr(), flags.bits() as c_int, mode.bits()) };
        match file {
            3.. => Ok(Self(file)),
            _ => match behind_the_standard_streams(file) {
                moved @ 3.. => Ok(Self(moved)),
                _ => Err(errno()),
            },
        }
    }

    fn look(&self) -> Result<Look, i32> {
        let stat = fs::fstat(self.borrowed()?).map_err(Errno::raw_os_error)?;
        // The types of these differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        Ok(Look { mode: stat.st_mode as u32, size: stat.st_size as u64, links: stat.st_nlink as u64 })
    }

    fn lock(&self) -> bool {
        let locked = self.borrowed().map(|file| fs::flock(file, FlockOperation::NonBlockingLockShared));
        locked != Ok(Err(Errno::WOULDBLOCK))
    }

    fn unlock(&self) {
        let _ = self.borrowed().map(|file| fs::flock(file, FlockOperation::Unlock));
    }

    fn set_mode(&self, mode: Mode) {
        let _ = self.borrowed().map(|file| fs::fchmod(file, mode));
    }

    fn head(&self, place: &mut [u8; HEAD]) -> usize {
        self.beginning(place)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        io::write(self.borrowed()?, bytes).map_err(Errno::raw_os_error)
    }
}

impl File {
    /// The numbers at this place, where there are as many.
    pub fn numbers<const COUNT: usize>(&self, at: u64) -> Option<[u32; COUNT]> {
        let mut numbers = [0; COUNT];
        let length = mem::size_of_val(&numbers);
        // SAFETY: as many bytes as `numbers` has; any are numbers.
        let bytes = unsafe { slice::from_raw_parts_mut(numbers.as_mut_ptr().cast::<u8>(), length) };
        let read = io::pread(self.borrowed().ok()?, bytes, at);
        (read == Ok(length)).then_some(numbers)
    }

    /// Its beginning, as much as there is of it.
    pub fn beginning(&self, place: &mut [u8]) -> usize {
        self.borrowed().map_or(0, |file| io::pread(file, place, 0).unwrap_or(0))
    }

    /// Write numbers at this place.
    #[inline(always)]
    pub fn put(&self, at: u64, numbers: &[u32]) -> Result<(), Error> {
        let length = mem::size_of_val(numbers);
        // SAFETY: as many bytes as `numbers` has.
        let bytes = unsafe { slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), length) };
        match io::pwrite(self.borrowed()?, bytes, at) {
            Ok(written) if written == length => Ok(()),
            Ok(_) => Err(libc::ENOSPC.into()),
            Err(why) => Err(why.raw_os_error().into()),
        }
    }

    /// Have `size` bytes of zeros, with room on the disk for them where the file system can do that.
    pub fn allocate(&self, size: u64) -> Result<(), Error> {
        match fs::fallocate(self.borrowed()?, FallocateFlags::empty(), 0, size) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP) => self.put(size.saturating_sub(4), &[0]),
            Err(why) => Err(why.raw_os_error().into()),
        }
    }

    fn borrowed(&self) -> Result<BorrowedFd<'_>, i32> {
        // It never is; so the compiler knows that the check in there cannot fail.
        if self.0 < 0 {
            return Err(libc::EBADF);
        }
        // SAFETY: open until this is dropped.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { io::close(self.0) };
    }
}

/// The same file behind the standard streams, of which we must not become one: the host closed its own. As a function
/// of C, which the compiler knows not to unwind.
#[cold]
extern "C" fn behind_the_standard_streams(file: c_int) -> c_int {
    type Control = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;
    if file < 0 {
        return file;
    }
    // SAFETY: fcntl as <fcntl.h> declares it; a descriptor that we opened, and close once.
    unsafe {
        let moved = late::function::<Control>(c"fcntl")
            .map_or(-1, |control| control(file, libc::F_DUPFD_CLOEXEC, 3 as c_int));
        io::close(file);
        moved
    }
}

fn errno() -> i32 {
    // SAFETY: the address of this thread's errno.
    unsafe { *libc::__errno_location() }
}
