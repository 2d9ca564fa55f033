//! Paths in a buffer on the stack, for a login: nothing here allocates or can panic.

use std::ffi::CStr;

use rustix::io::Errno;

use super::line::Encoded;

pub(super) const TOO_LONG: i32 = Errno::NAMETOOLONG.raw_os_error();
/// Numbered names that are tried on the login path.
pub(super) const TRIES: u32 = 32;

/// `directory/name` in the caller's buffer, as the kernel wants it. Too long is an error.
#[inline(never)]
pub fn join<'a>(buffer: &'a mut [u8; 512], directory: &[u8], name: &[u8]) -> Result<&'a CStr, i32> {
    let mut length: usize = 0;
    for part in [directory, b"/", name, b"\0"] {
        let places = buffer.get_mut(length..length.saturating_add(part.len())).ok_or(TOO_LONG)?;
        places.iter_mut().zip(part).for_each(|(place, byte)| *place = *byte);
        length += part.len();
    }
    CStr::from_bytes_until_nul(buffer).map_err(|_| TOO_LONG)
}

/// Give `line` one of the `most` names `directory/prefixNNN`, with so many digits: `make` takes it, or says that it
/// is taken. Whether it has one.
pub(super) fn name<const DIGITS: usize>(
    line: &Encoded,
    (directory, prefix, most): (&[u8], &str, u32),
    mut make: impl FnMut(&CStr) -> Result<(), Errno>,
) -> bool {
    let mut path = [0; 512];
    let start = anywhere(line);
    for n in 0..TRIES {
        let n = start.wrapping_add(n) % most;
        let Ok(path) = numbered::<DIGITS>(&mut path, directory, prefix, n) else { return false };
        match make(path) {
            Err(Errno::EXIST) => {}
            made => return made.is_ok(),
        }
    }
    false
}

/// Where to begin among numbered names: the checksum differs from record to record.
fn anywhere(line: &Encoded) -> u32 {
    line.as_bytes().iter().rev().take(12).fold(0, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(*b)))
}

/// `directory/prefix` with a number of so many digits, in the caller's buffer.
fn numbered<'a, const DIGITS: usize>(
    buffer: &'a mut [u8; 512],
    directory: &[u8],
    prefix: &str,
    n: u32,
) -> Result<&'a CStr, i32> {
    let mut name = [0; 16];
    let mut len = 0;
    for (place, byte) in name.iter_mut().zip(prefix.bytes().chain(digits::<DIGITS>(n))) {
        *place = byte;
        len += 1;
    }
    join(buffer, directory, name.get(..len).unwrap_or_default())
}

/// The last digits of a number.
pub fn digits<const DIGITS: usize>(mut n: u32) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for place in digits.iter_mut().rev() {
        *place = b'0' + (n % 10) as u8;
        n /= 10;
    }
    digits
}
