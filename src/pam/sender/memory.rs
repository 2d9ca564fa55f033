//! An allocation that fails must not abort the host, and what is freed must not stay in it.
//!
//! Rust ends the process where memory runs out. Everything in this library that allocates runs on the worker's
//! thread, so the thread can stop instead: it sleeps for ever, the host goes on, and the failures
//! wait in the journal for the next process.
//!
//! A request bears its receiver's token, and libraries copy it as they please. The process lives on as somebody's
//! session: so all memory is wiped when it is given back. What grows moves, for what it leaves behind is wiped too.

use std::alloc::{GlobalAlloc, Layout, System};

struct Patient;

#[global_allocator]
static ALLOCATOR: Patient = Patient;

fn got(memory: *mut u8) -> *mut u8 {
    while memory.is_null() {
        // SAFETY: a call without arguments; every signal is blocked here, so it does not return.
        unsafe { libc::pause() };
    }
    memory
}

// SAFETY: every call goes to the system's allocator; a null pointer is never handed on.
unsafe impl GlobalAlloc for Patient {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        got(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; so many bytes are the caller's until they are given back.
        unsafe {
            libc::explicit_bzero(memory.cast(), layout.size());
            System.dealloc(memory, layout);
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        got(unsafe { System.alloc_zeroed(layout) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    /// How many bytes of the mark are in the memory that was at this address.
    fn left(at: *const u8) -> usize {
        let mut bytes = [0; 3000];
        File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, at as u64).unwrap();
        bytes.iter().filter(|byte| **byte == b'#').count()
    }

    #[test]
    fn what_is_freed_or_grows_leaves_nothing_behind() {
        let mut text = vec![b'#'; 3000];
        let first = text.as_ptr();
        assert_eq!(left(first), 3000);
        text.reserve_exact(30_000);
        let second = text.as_ptr();
        assert_eq!((left(first), left(second)), (0, 3000));
        drop(text);
        assert_eq!(left(second), 0);
    }
}
