//! What differs from line to line in a template.

use std::net::IpAddr;

use crate::scan::header::decimal;

/// What differs from line to line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Who was tried, as the client typed it.
    User,
    /// Who was tried, as the program took it from the accounts.
    Account,
    /// Who asked, an account of this machine.
    Ruser,
    /// An address, or a host's name.
    Rhost,
    /// The client's port.
    Port,
    /// `<rhost>:<port>`
    Endpoint,
    /// A terminal.
    Tty,
    /// The PAM service.
    Service,
    /// How the client proved who it is, where it has a choice.
    Method,
    /// How many attempts.
    Count,
    /// A number that is not wanted.
    Number,
    /// A word of the program's own.
    Word,
    /// Words of the program's own.
    Text,
    /// Words that a client may have written.
    Anything,
}

/// Names of fields in templates.
pub(super) const NAMES: [(&str, Field); 13] = [
    ("user", Field::User),
    ("account", Field::Account),
    ("ruser", Field::Ruser),
    ("rhost", Field::Rhost),
    ("port", Field::Port),
    ("tty", Field::Tty),
    ("service", Field::Service),
    ("method", Field::Method),
    ("count", Field::Count),
    ("number", Field::Number),
    ("word", Field::Word),
    ("text", Field::Text),
    ("anything", Field::Anything),
];

impl Field {
    /// Its name in a template.
    pub(super) fn name(self) -> String {
        NAMES
            .iter()
            .find(|(_, field)| *field == self)
            .map_or_else(String::new, |(name, _)| format!("<{name}>"))
    }

    /// Whether a client may have written it.
    pub(super) fn is_clients(self) -> bool {
        matches!(self, Self::User | Self::Anything)
    }

    /// Whether it may be of any length and hold blanks.
    pub(super) fn is_open(self) -> bool {
        self.is_clients() || matches!(self, Self::Account | Self::Ruser | Self::Text)
    }

    /// Whether it may stand more than once.
    pub(super) fn may_repeat(self) -> bool {
        matches!(self, Self::Number | Self::Word | Self::Text | Self::Anything)
    }

    /// Whether `value` can be one.
    pub(super) fn accepts(self, value: &[u8]) -> bool {
        let is_word = |value: &[u8]| !value.is_empty() && !value.contains(&b' ');
        match self {
            Self::Rhost => host(value).is_some(),
            Self::Endpoint => endpoint(value).is_some(),
            Self::Port => decimal(value).is_some_and(|port| port <= 65535),
            Self::Count => decimal(value).is_some(),
            Self::Number => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            Self::Tty | Self::Service | Self::Method | Self::Word => is_word(value),
            _ => true,
        }
    }
}

/// A host's name or address, without the brackets around it.
pub(super) fn host(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    let is_address = |text: &[u8]| {
        let bare = text.split(|b| *b == b'%').next().unwrap_or_default();
        std::str::from_utf8(bare).is_ok_and(|bare| bare.parse::<IpAddr>().is_ok())
    };
    if let Some(inner) = inner {
        return is_address(inner).then_some(inner);
    }
    let is_name = || text.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
    (!text.is_empty() && (is_address(text) || is_name())).then_some(text)
}

/// `192.0.2.7:5543`, `[2001:db8::7]:5543`, `2001:db8::7:5543`
pub(super) fn endpoint(text: &[u8]) -> Option<(&[u8], u32)> {
    let colon = memchr::memrchr(b':', text)?;
    let port = decimal(&text[colon + 1..]).filter(|port| *port <= 65535)?;
    Some((host(&text[..colon])?, port))
}
