//! Any bytes become visible text within the limit, and text that is visible already stays as it is.
#![no_main]

use authalert::neutral::{is_visible, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [limit, data @ ..] = data else { return };
    let limit = usize::from(*limit);
    let out = text(data, limit);
    assert!(out.chars().all(is_visible), "{out:?}");
    assert!(out.chars().count() <= limit.max(1), "{out:?}");
    assert_eq!(text(&out, 1000), out, "neutral text is a fixed point");
    if let Ok(plain) = std::str::from_utf8(data) {
        if plain.chars().all(is_visible) && plain.chars().count() <= limit {
            assert_eq!(out, plain);
        }
    }
});
