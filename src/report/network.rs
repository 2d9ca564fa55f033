//! The network that an address is counted with: /24 of IPv4, /48 of IPv6, what one customer mostly has.

use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses of one network, told apart: of IPv4 all; of IPv6 a lower bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses([u64; 4]);

impl Addresses {
    pub(crate) fn add(&mut self, address: IpAddr) {
        let place = match address {
            IpAddr::V4(v4) => v4.octets()[3],
            // The low bits are drawn by lot, the bits of the subnet are not: all of them count.
            IpAddr::V6(v6) => v6.octets()[6..].iter().fold(0_u8, |mix, octet| mix.wrapping_mul(31) ^ octet),
        };
        self.0[usize::from(place >> 6)] |= 1 << (place & 63);
    }

    pub(crate) fn count(self) -> u32 {
        self.0.iter().map(|part| part.count_ones()).sum()
    }
}

/// The network of `address`.
pub(crate) fn of(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, length).map_or(IpNet::from(address), |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_network_are_counted_once_each() {
        let mut addresses = Addresses::default();
        for last in [1, 2, 2, 255] {
            addresses.add(IpAddr::from([192, 0, 2, last]));
        }
        assert_eq!(addresses.count(), 3);
        assert_eq!(of("192.0.2.7".parse().unwrap()).to_string(), "192.0.2.0/24");
        assert_eq!(of("2001:db8:1:2::7".parse().unwrap()).to_string(), "2001:db8:1::/48");
    }
}
