//! An event that is held back, with all of its text in one piece: there are many, and each is looked at once more.

use jiff::Timestamp;

use crate::accounts::AccountKind;
use crate::event::{Class, Event, Route};

/// An event, and what its user is here.
#[derive(Debug)]
pub(super) struct Held {
    kind: AccountKind,
    time: Timestamp,
    route: Route,
    class: Class,
    count: u32,
    pid: u32,
    ppid: u32,
    uid: u32,
    has_origin: bool,
    /// Host, service, user, remote host, terminal, asker and origin, one behind the other.
    text: String,
    /// Where they end.
    ends: [usize; 7],
}

impl Held {
    pub(super) fn new(event: &Event, kind: AccountKind) -> Self {
        let mut held = Self {
            kind,
            time: event.time,
            route: event.route,
            class: event.class,
            count: 0,
            pid: 0,
            ppid: 0,
            uid: 0,
            has_origin: false,
            text: String::new(),
            ends: [0; 7],
        };
        held.put(event, kind);
        held
    }

    /// Hold `event` in place of the one before.
    pub(super) fn put(&mut self, event: &Event, kind: AccountKind) {
        let Event {
            time,
            host,
            route,
            class,
            count,
            service,
            pid,
            ppid,
            user,
            rhost,
            tty,
            ruser,
            uid,
            origin,
        } = event;
        (self.kind, self.time, self.route, self.class, self.count) = (kind, *time, *route, *class, *count);
        (self.pid, self.ppid, self.uid, self.has_origin) = (*pid, *ppid, *uid, origin.is_some());
        let parts: [&str; 7] =
            [host, service, user, rhost, tty, ruser, origin.as_deref().unwrap_or_default()];
        let length = parts.iter().map(|part| part.len()).sum();
        // Not more memory than is needed: names may be long.
        if self.text.capacity() < length {
            self.text = String::with_capacity(length);
        }
        self.text.clear();
        for (part, end) in parts.into_iter().zip(&mut self.ends) {
            self.text.push_str(part);
            *end = self.text.len();
        }
    }

    /// Make `event` the one that is held; gives what its user is.
    pub(super) fn get(&self, event: &mut Event) -> AccountKind {
        (event.time, event.route, event.class, event.count) = (self.time, self.route, self.class, self.count);
        (event.pid, event.ppid, event.uid) = (self.pid, self.ppid, self.uid);
        let mut begin = 0;
        let mut next = |end: usize| {
            let part = self.text.get(begin..end).unwrap_or_default();
            begin = end;
            part
        };
        let [host, service, user, rhost, tty, ruser, origin] = self.ends;
        next(host).clone_into(&mut event.host);
        next(service).clone_into(&mut event.service);
        next(user).clone_into(&mut event.user);
        next(rhost).clone_into(&mut event.rhost);
        next(tty).clone_into(&mut event.tty);
        next(ruser).clone_into(&mut event.ruser);
        event.origin = self.has_origin.then(|| next(origin).to_owned());
        self.kind
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
        let mut held = Held::new(&events[0], AccountKind::Root);
        let mut got = events[2].clone();
        for (event, kind) in events.iter().zip([AccountKind::Root, AccountKind::Unknown].into_iter().cycle())
        {
            held.put(event, kind);
            assert_eq!((held.get(&mut got), &got), (kind, event));
        }
    }
}
