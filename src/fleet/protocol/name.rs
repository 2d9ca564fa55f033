//! Names of members: what a certificate says, a subject holds and a text shows.

use std::fmt;

/// Longest name.
const LONGEST: usize = 40;
/// Of the hub's own certificate.
pub const HUB: &str = "hub";
/// Of the certificates that are nobody's.
const RESERVED: [&str; 3] = [HUB, "authority", "engine"];

/// Letters, digits and dashes: nothing that a subject, a certificate or a text takes for something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// A member's name; none where it has not the shape of one, or is reserved.
    pub fn new(name: &str) -> Option<Self> {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let (first, last) = (name.as_bytes().first(), name.as_bytes().last());
        let shaped = name.len() <= LONGEST
            && edge(first)
            && edge(last)
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (shaped && !RESERVED.contains(&name)).then(|| Self(name.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_digits_and_dashes() {
        for name in ["web1", "a", "db-2", "0"] {
            assert!(Name::new(name).is_some(), "{name}");
        }
        let long = "x".repeat(41);
        for name in ["", "Web1", "web.1", "web*", "web>", "-a", "a-", "a b", "hub", "engine", "wéb", &long] {
            assert!(Name::new(name).is_none(), "{name}");
        }
    }

    #[test]
    fn who_wrote_is_in_the_subject_and_nowhere_else() {
        let name = Name::new("web1").unwrap();
        assert_eq!(crate::protocol::member_of(&crate::protocol::records_of(&name)), Some(name));
        for subject in ["aa.f.", "aa.f.hub", "aa.f.web1.x", "aa.ack.web1", "aa.f.*"] {
            assert_eq!(crate::protocol::member_of(subject), None, "{subject}");
        }
    }
}
