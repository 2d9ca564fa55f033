//! Of what kind a failure is, for the pace of alerts.

use crate::accounts::AccountKind;
use crate::event::Event;
use crate::receiver::Kind;

/// Of what kind a failure is: the bucket keeps something for each kind that no other can use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Somebody at the machine itself asked.
    Here,
    /// An account that somebody logs in to, from the network.
    Account,
    /// Everything else: root and system accounts from the network, names of no account.
    Other,
}

impl Matter {
    /// Of what kind `failure` is, whose tried name is of this `kind` here.
    pub fn of(failure: &Event, kind: AccountKind) -> Self {
        match kind {
            _ if failure.asker().is_some() => Self::Here,
            AccountKind::Existing => Self::Account,
            _ => Self::Other,
        }
    }

    /// Whether a receiver that `tells` of these kinds of message has it pending. Otherwise it is left out there.
    pub fn pends(self, tells: impl Fn(Kind) -> bool) -> bool {
        tells(Kind::Digest) || (self != Self::Other && tells(Kind::Urgent))
    }
}
