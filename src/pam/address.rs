//! The address that a text is. The C library reads it: Rust's own brings code that can panic.

use std::ffi::{c_char, c_int, c_void};
use std::net::IpAddr;

/// An address in text, with a zero after it, is not longer (INET6_ADDRSTRLEN).
const LONGEST: usize = 46;

unsafe extern "C" {
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

/// As [`authalert::journal`] reads it too: no zone, mapped IPv4 as IPv4.
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let mut buffer = [0_u8; LONGEST];
    let mut bare = text.iter().take_while(|byte| **byte != b'%');
    // The last byte stays zero.
    buffer.iter_mut().take(LONGEST - 1).zip(&mut bare).for_each(|(place, byte)| *place = *byte);
    if bare.next().is_some() {
        return None;
    }
    let (mut v4, mut v6) = ([0_u8; 4], [0_u8; 16]);
    // SAFETY: a C string, and as many bytes as the family's addresses have.
    unsafe {
        if inet_pton(libc::AF_INET, buffer.as_ptr().cast(), v4.as_mut_ptr().cast()) == 1 {
            Some(IpAddr::from(v4))
        } else if inet_pton(libc::AF_INET6, buffer.as_ptr().cast(), v6.as_mut_ptr().cast()) == 1 {
            Some(IpAddr::from(v6).to_canonical())
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_address_that_rust_finds_in_it() {
        let long = "0000:0000:0000:0000:0000:ffff:255.255.255.255";
        assert_eq!(long.len(), LONGEST - 1);
        let texts = [
            "192.0.2.7",
            "2001:DB8::1",
            "::ffff:203.0.113.5",
            "::",
            "",
            "mail.example.org",
            "cafe",
            "dead.beef",
            "192.0.2.7 22",
            "192.0.2",
            "192.0.2.007",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "::ffff:192.0.2.7x",
            long,
        ];
        for text in texts {
            let expected = text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
            assert_eq!(parse(format!("{text}%eth0").as_bytes()), expected, "{text} with a zone");
        }
        assert_eq!(parse(format!("{long}1").as_bytes()), None, "not the beginning of a longer one");
        assert_eq!(parse(&[b'1'; 5000]), None);
    }
}
