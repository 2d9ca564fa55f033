//! A receiver's service, and the requests on the way to it.

use super::disk::Alert;
use super::receiver::Repeats;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    /// The process that waits for its answer.
    pub by: Option<usize>,
    pub alert: Alert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Accepted,
    /// It has this one already.
    Duplicate,
    /// It will not have this text.
    Refused,
    /// Not now.
    Limited,
    /// There was none, or none that says what became of it.
    Unknown,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Service {
    pub wire: Vec<Request>,
    /// What it shows, in order.
    pub shown: Vec<Alert>,
    /// Requests that were made.
    pub asked: u8,
}

impl Service {
    pub fn send(&mut self, request: Request) {
        self.wire.push(request);
        self.wire.sort();
    }

    /// A request arrives and is taken. It is known by its number.
    pub fn take(&mut self, request: &Request, repeats: Repeats) -> Reply {
        let is_known = self.shown.iter().any(|alert| alert.id == request.alert.id);
        match repeats {
            Repeats::Refused if is_known => return Reply::Duplicate,
            Repeats::Recognised if is_known => return Reply::Accepted,
            _ => self.shown.push(request.alert.clone()),
        }
        Reply::Accepted
    }
}
