//! How the module and the sender library are linked.
//!
//! - `nodelete`: libpam unloads modules in `pam_end` while the worker may still run in this one.
//! - `now`, `relro`: no writable function pointers after loading.
//! - GNU ld, where there is one: it drops the unwinding tables of functions that are gone, and with
//!   them the panic machinery that the module never reaches. lld keeps both, and then a login loads
//!   eight times as much.
//! - The module of a release without the start files of C: they ask for four functions, three of which no library
//!   has, and each login would look for them everywhere. What else they define is given where it is asked for, which
//!   depends on what the linker has dropped by then.
//! - That module in two segments instead of four, what is only read beside what runs: each one is mapped, and read from
//!   its first page, at each login.
//! - The unwinder, where anything needs it, is linked in: loading libgcc_s costs more than all the
//!   rest. The linker is shown a `libgcc_s.so` that names the static archive.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    // Not of a file: the path would be taken from each package's own directory, and a missing one
    // means building anew each time. A change here is a change of the build script, which cargo sees.
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    for option in ["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,--gc-sections", "-Wl,--as-needed"] {
        println!("cargo:rustc-cdylib-link-arg={option}");
    }
    if gnu_ld() {
        println!("cargo:rustc-cdylib-link-arg=-fuse-ld=bfd");
    }
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_PKG_NAME", "pam_authalert") && is("PROFILE", "release") && is("CARGO_CFG_TARGET_ENV", "gnu")
    {
        println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,noseparate-code");
        give_dso_handle();
    }
    if let Ok(out) = env::var("OUT_DIR") {
        let script = Path::new(&out).join("libgcc_s.so");
        if fs::write(&script, "/* GNU ld script */\nGROUP ( -l:libgcc_eh.a -lgcc -lc )\n").is_ok() {
            println!("cargo:rustc-link-search=native={out}");
        }
    }
}

/// The standard library names it to a destructor of a thread's own variable. The module has none.
fn give_dso_handle() {
    let Ok(out) = env::var("OUT_DIR") else { return };
    let script = Path::new(&out).join("dso_handle.ld");
    if fs::write(&script, "PROVIDE_HIDDEN(__dso_handle = 0);\n").is_ok() {
        println!("cargo:rustc-cdylib-link-arg={}", script.display());
    }
}

fn gnu_ld() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".into());
    let asked = Command::new(linker).args(["-fuse-ld=bfd", "-Wl,--version"]).stderr(Stdio::null()).output();
    asked.is_ok_and(|answer| answer.status.success() && answer.stdout.starts_with(b"GNU ld"))
}
