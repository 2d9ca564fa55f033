//! An allocation that fails must not abort the host.
//!
//! Rust ends the process where memory runs out. Everything in this library that allocates runs on the worker's
//! thread, so the thread can stop instead: it sleeps for ever, the host goes on, and the failures
//! wait in the journal for the next process.

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
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        got(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        got(unsafe { System.realloc(memory, layout, size) })
    }
}
