//! The time of day.

use std::mem;

/// Seconds since 1970, and microseconds.
pub fn now() -> (i64, u32) {
    // SAFETY: `now` outlives the call, which cannot fail for this clock.
    let now = unsafe {
        let mut now = mem::zeroed::<libc::timespec>();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        now
    };
    // 32 bits on some platforms.
    #[allow(clippy::unnecessary_cast)]
    (now.tv_sec as i64, (now.tv_nsec / 1000) as u32)
}
