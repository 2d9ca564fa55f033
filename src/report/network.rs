//! The network that an address is counted with: /24 of IPv4, /48 of IPv6, what one customer mostly has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// A network, as one number: for each failure it is looked up. In the order of the addresses, IPv4 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Network(u64);

/// The bit of those of IPv6.
const V6: u64 = 1 << 63;

impl Network {
    /// The network of `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(v4) => u64::from(v4.to_bits() >> 8),
            IpAddr::V6(v6) => V6 | (v6.to_bits() >> 80) as u64,
        })
    }

    /// With its length.
    pub(crate) fn net(self) -> IpNet {
        let (address, length) = if self.0 & V6 == 0 {
            (IpAddr::from(Ipv4Addr::from_bits((self.0 as u32) << 8)), 24)
        } else {
            (IpAddr::from(Ipv6Addr::from_bits(u128::from(self.0 ^ V6) << 80)), 48)
        };
        IpNet::new(address, length).unwrap_or(IpNet::from(address))
    }
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
    }

    #[test]
    fn a_network_is_what_its_addresses_have_in_common_and_is_in_their_order() {
        let of = |address: &str| Network::of(address.parse().unwrap());
        for (address, network) in [
            ("0.0.0.0", "0.0.0.0/24"),
            ("192.0.2.7", "192.0.2.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("::1", "::/48"),
            ("2001:db8:1:2::7", "2001:db8:1::/48"),
            ("ffff:ffff:ffff:ffff::", "ffff:ffff:ffff::/48"),
        ] {
            assert_eq!(of(address).net().to_string(), network);
            assert!(of(address) == of(network.split('/').next().unwrap()));
            assert!(of("198.51.100.1") < of("203.0.113.1") && of("255.255.255.255") < of("::"));
        }
    }
}
