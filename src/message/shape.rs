//! Whether what stands in a field has the shape of what belongs there, for who sends records elsewhere: what has not
//! may have been typed.

use crate::event::Event;

use super::reveal::Reveal;

/// Which fields of an event have their shape, or are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// A service's name.
    pub service: bool,
    /// A terminal.
    pub tty: bool,
    /// An address or a host's name.
    pub rhost: bool,
}

/// Those of `event`.
pub fn of(event: &Event) -> Shape {
    let strict = Reveal { unknown: false };
    Shape {
        service: strict.service(&event.service).is_some(),
        tty: ["", "ssh"].contains(&event.tty.as_str()) || strict.terminal(&event.tty).is_some(),
        rhost: event.rhost.is_empty() || strict.remote(&event.rhost).is_some(),
    }
}
