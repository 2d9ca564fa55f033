//! How the module is linked.
//!
//! - `nodelete`: libpam unloads modules in `pam_end` while the worker may still run in this one.
//! - `now`, `relro`: no writable function pointers after loading.
//! - The unwinder is linked in: finding and relocating libgcc_s costs a login more than everything
//!   else of the module. The linker is shown a `libgcc_s.so` that names the static archive.

use std::env;
use std::fs;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for option in [
        "-Wl,-z,nodelete",
        "-Wl,-z,now",
        "-Wl,-z,relro",
        "-Wl,--gc-sections",
        "-Wl,--as-needed",
        "-Wl,-z,noseparate-code",
    ] {
        println!("cargo:rustc-cdylib-link-arg={option}");
    }
    let Ok(out) = env::var("OUT_DIR") else { return };
    let script = Path::new(&out).join("libgcc_s.so");
    if fs::write(&script, "/* GNU ld script */\nGROUP ( -l:libgcc_eh.a -lgcc -lc )\n").is_ok() {
        println!("cargo:rustc-link-search=native={out}");
    }
}
