//! A line while it is put together, on the stack of a login: nothing here allocates or can panic, so that the module is
//! linked without everything that a panic needs.

use crate::neutral::Neutral;

/// Longest line, in bytes: seven names of 64 characters at four bytes each, and the rest.
pub const LONGEST: usize = 2048;

/// An encoded line, newline included, on the stack.
pub struct Encoded {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Encoded {
    /// A line that was encoded before; nothing where it is too long to be one.
    pub fn copy_of(line: &[u8]) -> Option<Self> {
        let mut copy = Self::empty();
        copy.put(line);
        (copy.len == line.len()).then_some(copy)
    }

    /// The line.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// No line yet.
    pub fn empty() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    // Not inlined, nor is what calls it: a login runs through a line of code once, and fetching it takes longer than that.
    #[inline(never)]
    pub(super) fn put(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    /// At least `digits` of them.
    #[inline(never)]
    pub(super) fn number(&mut self, mut n: u64, digits: usize) {
        let mut reversed = [b'0'; 20];
        let mut used = 0;
        for place in &mut reversed {
            if n == 0 && used >= digits {
                break;
            }
            *place = b'0' + (n % 10) as u8;
            n /= 10;
            used += 1;
        }
        for digit in reversed.iter().take(used).rev() {
            self.put(&[*digit]);
        }
    }

    /// `,"key":`
    #[inline(never)]
    pub(super) fn key(&mut self, key: &str) {
        self.put(b",\"");
        self.put(key.as_bytes());
        self.put(b"\":");
    }

    /// A member, unless it is zero.
    pub(super) fn count(&mut self, key: &str, n: u32) {
        if n != 0 {
            self.key(key);
            self.number(n.into(), 1);
        }
    }

    /// A member with neutral text, unless it is empty. Of what JSON escapes, neutral text holds
    /// only quotes and backslashes.
    pub(super) fn text(&mut self, key: &str, text: Neutral<'_>) {
        if text.is_empty() {
            return;
        }
        self.key(key);
        self.put(b"\"");
        text.chars(&mut |c| {
            if matches!(c, '"' | '\\') {
                self.put(b"\\");
            }
            self.put(c.encode_utf8(&mut [0; 4]).as_bytes());
        });
        self.put(b"\"");
    }

    /// RFC 3339, UTC, microseconds. The date by the days since 0000-03-01, as in Howard Hinnant's
    /// "chrono-compatible low-level date algorithms"; what is outside 1970 to 9999 is brought there.
    pub(super) fn time(&mut self, seconds: i64, microseconds: u32) {
        let seconds = seconds.clamp(0, 253_402_207_199) as u64;
        let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let parts: [(u64, usize, &[u8]); 7] = [
            (year, 4, b"-"),
            (month, 2, b"-"),
            (day, 2, b"T"),
            (second / 3600, 2, b":"),
            (second / 60 % 60, 2, b":"),
            (second % 60, 2, b"."),
            (u64::from(microseconds % 1_000_000), 6, b"Z"),
        ];
        for (n, digits, after) in parts {
            self.number(n, digits);
            self.put(after);
        }
    }

    /// The checksum of what stands there so far, and the end of the line.
    pub(super) fn seal(&mut self) {
        let crc = crc(self.as_bytes());
        self.put(b",\"crc\":\"");
        for shift in (0..8).rev() {
            let nibble = (crc >> (4 * shift) & 15) as u8;
            self.put(&[nibble + if nibble < 10 { b'0' } else { b'a' - 10 }]);
        }
        self.put(b"\"}\n");
    }
}

impl std::ops::Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// CRC-32 (IEEE 802.3), as crc32fast computes it; small rather than fast, for one line a login.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
                bit += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, b| TABLE[((crc ^ u32::from(*b)) & 0xff) as usize] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_everybody_computes() {
        for bytes in [&b""[..], b"123456789", &[0xff; 300]] {
            assert_eq!(crc(bytes), crc32fast::hash(bytes));
        }
    }
}
