//! The hash by which what is kept on disk is named.

/// FNV-1a, 64 bits: the same in every version of this program, as what it names is kept on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Take in bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The hash of all that was taken in.
    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

/// One number for several words.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Fnv::default();
    for part in parts {
        hash.write(part);
        hash.write(b"\0");
    }
    hash.finish()
}

/// The same in half the room.
pub(crate) fn short(parts: &[&[u8]]) -> u32 {
    let long = hash(parts);
    (long ^ (long >> 32)) as u32
}
