//! Addresses as they are grouped, matched and counted.

use std::net::IpAddr;

/// The address that a text is: no zone, mapped IPv4 as IPv4.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    // Few have a zone, and this is asked of each failure.
    let bare = || text.split_once('%').and_then(|(bare, _)| bare.parse::<IpAddr>().ok());
    Some(text.parse::<IpAddr>().ok().or_else(bare)?.to_canonical())
}

/// What attempts from an address are counted by: all of IPv4; of IPv6 its network of 64 bits, as who has one address
/// of that has all of them.
pub fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_by_what_one_machine_has() {
        let of = |text| network(parse(text).unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:DB8:0:0:ffff::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("fe80::1%eth0"), of("fe80::2"));
        assert_eq!(of("::ffff:203.0.113.5"), of("203.0.113.5"));
        assert_eq!(network("::ffff:203.0.113.5".parse().unwrap()), of("203.0.113.5"));
        assert_ne!(of("203.0.113.5"), of("203.0.113.6"));
        assert_eq!([parse("evil.example"), parse(""), parse("203.0.113.5 x")], [None; 3]);
    }
}
