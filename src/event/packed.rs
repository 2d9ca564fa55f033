//! Events that are held by the thousand, each with all of its text in one piece.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::{Class, Event, Route};

/// An event that is held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Event")]
pub(crate) struct Packed {
    fixed: Fixed,
    text: String,
}

impl From<Event> for Packed {
    fn from(event: Event) -> Self {
        Self::of(&event)
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.event().serialize(serializer)
    }
}

impl Packed {
    pub(crate) fn of(event: &Event) -> Self {
        let mut packed = Self { fixed: Fixed::of(event), text: String::new() };
        packed.put(event);
        packed
    }

    /// Hold `event` in place of the one before.
    pub(crate) fn put(&mut self, event: &Event) {
        self.fixed = Fixed::of(event);
        let length = self.fixed.length();
        // Not more memory than is needed: names may be long.
        if self.text.capacity() < length {
            self.text = String::with_capacity(length);
        }
        self.text.clear();
        parts(event).into_iter().filter(|part| !part.is_empty()).for_each(|part| self.text.push_str(part));
    }

    /// What it holds.
    pub(crate) fn event(&self) -> Event {
        let [host, service, user, rhost, tty, ruser, origin] =
            [0, 1, 2, 3, 4, 5, 6].map(|part| self.part(part).to_owned());
        let Fixed { time, route, class, count, pid, ppid, uid, has_origin, .. } = self.fixed;
        let origin = has_origin.then_some(origin);
        Event { time, host, route, class, count, service, pid, ppid, user, rhost, tty, ruser, uid, origin }
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.fixed.time
    }

    pub(crate) fn route(&self) -> Route {
        self.fixed.route
    }

    pub(crate) fn host(&self) -> &str {
        self.part(0)
    }

    pub(crate) fn user(&self) -> &str {
        self.part(2)
    }

    /// See [`Event::is_claimed`].
    pub(crate) fn is_claimed(&self) -> bool {
        super::is_claimed(self.fixed.class, self.fixed.route, self.part(6))
    }

    /// What of it is no text, and its text.
    pub(crate) fn apart(&self) -> (Fixed, &str) {
        (self.fixed, &self.text)
    }

    /// Bytes that it has elsewhere.
    pub(crate) fn heap(&self) -> usize {
        self.text.capacity()
    }

    fn part(&self, part: usize) -> &str {
        let end = |part: usize| self.fixed.ends[part] as usize;
        let begin = part.checked_sub(1).map_or(0, end);
        self.text.get(begin..end(part)).unwrap_or_default()
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
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
    fn of(event: &Event) -> Self {
        let Event { time, route, class, count, pid, ppid, uid, ref origin, .. } = *event;
        let mut length = 0;
        let ends = parts(event).map(|part| {
            length += part.len() as u32;
            length
        });
        Self { time, route, class, count, pid, ppid, uid, has_origin: origin.is_some(), ends }
    }

    fn length(&self) -> usize {
        self.ends[PARTS - 1] as usize
    }

    /// Make `event` the one of which `text` begins with the text; gives what is behind that.
    pub(crate) fn put_into<'a>(&self, event: &mut Event, text: &'a str) -> &'a str {
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
        let events = [
            Event { origin: Some("fleet:1:2:eu".into()), host: "web1".into(), ..plain.clone() },
            Event { origin: Some(String::new()), ppid: 7, uid: 1000, count: 9, ..plain.clone() },
            Event { class: Class::Login, route: Route::Log, tty: "東".repeat(90), ..plain.clone() },
            Event { rhost: String::new(), service: "é".into(), ruser: "bob".into(), ..plain.clone() },
            plain,
        ];
        let mut packed = Packed::of(&events[0]);
        for event in &events {
            packed.put(event);
            assert_eq!((packed.event(), &packed), (event.clone(), &Packed::of(event)));
            assert_eq!((packed.host(), packed.user()), (event.host.as_str(), event.user.as_str()));
            assert_eq!((packed.time(), packed.route()), (event.time, event.route));
            let (fixed, text) = packed.apart();
            let mut other = events[0].clone();
            assert_eq!(fixed.put_into(&mut other, &format!("{text}more")), "more");
            assert_eq!(other, *event);
            let json = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::to_string(&packed).unwrap(), json);
            assert_eq!(serde_json::from_str::<Packed>(&json).unwrap(), packed);
        }
    }
}
