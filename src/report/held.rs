//! Events that are held back, and then handed on: there are many.

use crate::accounts::AccountKind;
use crate::event::Event;
use crate::event::packed::{Fixed, Packed};

/// An event that is held back, and what its user is here.
#[derive(Debug)]
pub(super) struct Held {
    event: Packed,
    kind: AccountKind,
}

impl Held {
    pub(super) fn new(event: &Event, kind: AccountKind) -> Self {
        Self { event: Packed::of(event), kind }
    }

    /// Hold `event` in place of the one before.
    pub(super) fn put(&mut self, event: &Event, kind: AccountKind) {
        self.event.put(event);
        self.kind = kind;
    }
}

/// Events that are handed on, in their order.
#[derive(Debug, Default)]
pub(super) struct Handed {
    events: Vec<(Fixed, AccountKind)>,
    /// The text of all of them, one behind the other.
    text: String,
}

impl Handed {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn push(&mut self, held: &Held) {
        let (fixed, text) = held.event.apart();
        self.events.push((fixed, held.kind));
        self.text.push_str(text);
    }

    /// Hand each to `take`, all of them in the same `event`, and forget them.
    pub(super) fn drain(&mut self, event: &mut Event, take: &mut dyn FnMut(&Event, AccountKind)) {
        let mut text = self.text.as_str();
        for (fixed, kind) in self.events.drain(..) {
            text = fixed.put_into(event, text);
            take(event, kind);
        }
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Class, Route};
    use crate::message::summary::tests::failure;

    #[test]
    fn what_is_held_is_what_it_was() {
        let plain = failure(5, "root", "192.0.2.7");
        let mut events = vec![
            Event { origin: Some("fleet:1:2:eu".into()), host: "web1".into(), ..plain.clone() },
            Event { origin: Some(String::new()), ppid: 7, uid: 1000, count: 9, ..plain.clone() },
            Event { class: Class::Login, route: Route::Log, tty: "東".repeat(90), ..plain.clone() },
            Event {
                user: String::new(),
                rhost: String::new(),
                service: "é".into(),
                ruser: "bob".into(),
                ..plain.clone()
            },
        ];
        events.push(plain);
        let kinds = [AccountKind::Root, AccountKind::Unknown];
        let (mut held, mut handed) = (Held::new(&events[0], AccountKind::Root), Handed::default());
        for round in 0..2 {
            for (event, kind) in events.iter().zip(kinds.into_iter().cycle()) {
                held.put(event, kind);
                handed.push(&held);
            }
            assert_eq!(handed.len(), events.len());
            let mut got = Vec::new();
            handed.drain(&mut events[2].clone(), &mut |event, kind| got.push((event.clone(), kind)));
            assert_eq!(
                got,
                events.iter().cloned().zip(kinds.into_iter().cycle()).collect::<Vec<_>>(),
                "{round}"
            );
            assert_eq!(handed.len(), 0);
        }
    }
}
