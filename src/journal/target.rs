//! What appending needs of a file, and the files of who is not on the login path.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

/// Nobody else reads or writes the journal.
pub(super) const MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// How a file is opened to be appended to.
pub(super) const APPEND: OFlags = OFlags::RDWR
    .union(OFlags::APPEND)
    .union(OFlags::CREATE)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    // Each append is followed by a look at the first line, which would write the time of that look to the disk.
    .union(OFlags::NOATIME);

/// What appending needs of a file. The module brings its own, on bare system calls: safe descriptors
/// come with checks that can panic, and with these everything that a panic needs. Errors are errno.
pub trait Target: Sized {
    /// Open for appending and reading, and make it with `mode` where it is missing; follow no link,
    /// wait for no reader of a pipe, and keep off the descriptors 0, 1 and 2.
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32>;
    /// What it is now.
    fn look(&self) -> Result<Look, i32>;
    /// Lock it together with other writers, without waiting; false where somebody holds it alone.
    fn lock(&self) -> bool;
    /// Let go of that lock.
    fn unlock(&self);
    /// Give it `mode`.
    fn set_mode(&self, mode: Mode);
    /// Read its beginning; how much of it was there.
    fn head(&self, place: &mut [u8; HEAD]) -> usize;
    /// One write; how much of it was taken.
    fn write(&self, bytes: &[u8]) -> Result<usize, i32>;
}

/// What a file is.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Names that it has; none once it is deleted.
    pub links: u64,
}

/// How much of a segment is looked at for its limit.
pub const HEAD: usize = 128;

impl Target for OwnedFd {
    fn open(path: &CStr, flags: OFlags, mode: Mode) -> Result<Self, i32> {
        let file = rustix::fs::open(path, flags, mode).map_err(Errno::raw_os_error)?;
        if file.as_raw_fd() > 2 {
            return Ok(file);
        }
        rustix::io::fcntl_dupfd_cloexec(&file, 3).map_err(Errno::raw_os_error)
    }

    fn look(&self) -> Result<Look, i32> {
        let stat = rustix::fs::fstat(self).map_err(Errno::raw_os_error)?;
        // The types of these differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        Ok(Look { mode: stat.st_mode as u32, size: stat.st_size as u64, links: stat.st_nlink as u64 })
    }

    fn lock(&self) -> bool {
        flock(self, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK)
    }

    fn unlock(&self) {
        let _ = flock(self, FlockOperation::Unlock);
    }

    fn set_mode(&self, mode: Mode) {
        let _ = rustix::fs::fchmod(self, mode);
    }

    fn head(&self, place: &mut [u8; HEAD]) -> usize {
        rustix::io::pread(self, place, 0).unwrap_or(0)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        rustix::io::write(self, bytes).map_err(Errno::raw_os_error)
    }
}
