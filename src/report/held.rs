//! Events that are held back, and then handed on, each with all of its text in one piece: there are many.

use jiff::Timestamp;

use crate::accounts::AccountKind;
use crate::event::{Class, Event, Route};

/// An event that is held back, and what its user is here.
#[derive(Debug)]
pub(super) struct Held {
    fixed: Fixed,
    text: String,
}

impl Held {
    pub(super) fn new(event: &Event, kind: AccountKind) -> Self {
        let mut held = Self { fixed: Fixed::of(event, kind), text: String::new() };
        held.put(event, kind);
        held
    }

    /// Hold `event` in place of the one before.
    pub(super) fn put(&mut self, event: &Event, kind: AccountKind) {
        self.fixed = Fixed::of(event, kind);
        let length = self.fixed.ends[PARTS - 1] as usize;
        // Not more memory than is needed: names may be long.
        if self.text.capacity() < length {
            self.text = String::with_capacity(length);
        }
        self.text.clear();
        parts(event).into_iter().for_each(|part| self.text.push_str(part));
    }
}

/// Events that are handed on, in their order.
#[derive(Debug, Default)]
pub(super) struct Handed {
    events: Vec<Fixed>,
    /// The text of all of them, one behind the other.
    text: String,
}

impl Handed {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn push(&mut self, held: &Held) {
        self.events.push(held.fixed);
        self.text.push_str(&held.text);
    }

    /// Hand each to `take`, all of them in the same `event`, and forget them.
    pub(super) fn drain(&mut self, event: &mut Event, take: &mut dyn FnMut(&Event, AccountKind)) {
        let mut text = self.text.as_str();
        for fixed in self.events.drain(..) {
            text = fixed.put_into(event, text);
            take(event, fixed.kind);
        }
        self.text.clear();
    }
}

/// Pieces of text in an event.
const PARTS: usize = 7;

/// Host, service, user, remote host, terminal, asker and origin.
fn parts(event: &Event) -> [&str; PARTS] {
    let Event { host, service, user, rhost, tty, ruser, origin, .. } = event;
    [host, service, user, rhost, tty, ruser, origin.as_deref().unwrap_or_default()]
}

/// What of an event is no text.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    kind: AccountKind,
    time: Timestamp,
    route: Route,
    class: Class,
    count: u32,
    pid: u32,
    ppid: u32,
    uid: u32,
    has_origin: bool,
    /// Where in the text its pieces end.
    ends: [u32; PARTS],
}

impl Fixed {
    fn of(event: &Event, kind: AccountKind) -> Self {
        let Event { time, route, class, count, pid, ppid, uid, ref origin, .. } = *event;
        let mut length = 0;
        let ends = parts(event).map(|part| {
            length += part.len() as u32;
            length
        });
        Self { kind, time, route, class, count, pid, ppid, uid, has_origin: origin.is_some(), ends }
    }

    /// Make `event` the one of which `text` begins with the text; gives what is behind that.
    fn put_into<'a>(&self, event: &mut Event, text: &'a str) -> &'a str {
        (event.time, event.route, event.class, event.count) = (self.time, self.route, self.class, self.count);
        (event.pid, event.ppid, event.uid) = (self.pid, self.ppid, self.uid);
        let mut begin = 0;
        let mut next = |end: usize| {
            let part = text.get(begin..end).unwrap_or_default();
            begin = end;
            part
        };
        let [host, service, user, rhost, tty, ruser, origin] = self.ends.map(|end| end as usize);
        next(host).clone_into(&mut event.host);
        next(service).clone_into(&mut event.service);
        next(user).clone_into(&mut event.user);
        next(rhost).clone_into(&mut event.rhost);
        next(tty).clone_into(&mut event.tty);
        next(ruser).clone_into(&mut event.ruser);
        event.origin = self.has_origin.then(|| next(origin).to_owned());
        text.get(origin..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
