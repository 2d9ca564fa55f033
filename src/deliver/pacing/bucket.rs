//! The token bucket that bounds all alerts of a receiver together, and what it keeps for whom.
//!
//! One token an alert; one more comes each [`Policy::refill`]. A part of the bucket is kept in pockets, each for one
//! kind of alert: nothing else can take it. What stands outside the pockets is common. A pocket is filled again out of
//! the same inflow, so that whoever spends common tokens waits while it fills: a flood of one kind, however long it
//! lasts, leaves the pockets of the others full.
//!
//! What is kept, in the order in which an attacker gives us reason to keep it:
//!
//! - A break-in that the module saw: may take all but what is kept for failures; the last tokens only for an account and
//!   a source of which no break-in was reported that day, so that an attacker who breaks in to an account that he owns
//!   over and over does not spend them, nor one who is in as many from one address.
//! - A break-in of which the module saw a part, the login or enough of the failures: half of that, and half of what
//!   is kept for the next. Whoever writes lines of a log alone does not keep it waiting.
//! - A break-in that only lines of a log tell of, which any user of the machine can write: a pocket of its own, half of it
//!   again for an account and a source that had none that day. A part of it is common: other alerts may take it, but
//!   not those of somebody at the machine or of an account of whom only the log tells.
//! - Somebody at the machine itself; an account from the network, for the first time in a day: a pocket each, for
//!   failures that the module saw.
//! - Failures, of whatever kind: no break-in takes the last token, so that these come out whatever break-ins go on. In
//!   [`ORDINARY`] refills there is another one.

use serde::{Deserialize, Serialize};

use super::change::Pace;
use super::moment::{Moment, milliseconds};
use crate::deliver::policy::Policy;

/// Who asks for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// A break-in that the module saw, of an account and from a source that had none in a day.
    BreakIn,
    /// A further one of the same account or source.
    BreakInAgain,
    /// A break-in of which the module saw a part, of an account and from a source of which none such was in a day.
    BreakInSeen,
    /// A break-in that the log tells of, of an account and from a source of which it told none in a day.
    BreakInLogged,
    /// A further one of the same account or source.
    BreakInLoggedAgain,
    /// Somebody at the machine.
    Here,
    /// An account from the network.
    Account,
    /// Somebody at the machine, or an account, of whom only a log tells.
    Logged,
    /// Anything else.
    #[default]
    Common,
}

/// The pockets, in the order in which a break-in empties them: its own first.
const POCKETS: [Pocket; 5] =
    [Pocket::BreakIn, Pocket::BreakInLogged, Pocket::Here, Pocket::Account, Pocket::Ordinary];
/// After so many refills of the whole at most there is a token for failures, whatever break-ins go on.
pub const ORDINARY: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pocket {
    BreakIn,
    BreakInLogged,
    Here,
    Account,
    Ordinary,
}

impl Pocket {
    /// Refilled once in so many refills of the whole. The shares come to one at most: then the common part
    /// never shrinks while nobody takes from it, and who waits for it is certain to get it.
    const fn slowness(self) -> u64 {
        match self {
            Self::BreakIn | Self::BreakInLogged | Self::Account => 4,
            Self::Here => 8,
            Self::Ordinary => ORDINARY as u64,
        }
    }

    fn size(self, policy: &Policy) -> u64 {
        u64::from(match self {
            Self::BreakIn => policy.break_ins(),
            Self::BreakInLogged => policy.break_ins_logged() + policy.shared(),
            Self::Here | Self::Account => policy.kept(),
            Self::Ordinary => 1,
        })
    }

    /// How many of its tokens are not for `claim`.
    fn barred(self, claim: Claim, policy: &Policy) -> u64 {
        let all = self.size(policy);
        match (self, claim) {
            (
                Self::Ordinary,
                Claim::BreakIn
                | Claim::BreakInAgain
                | Claim::BreakInSeen
                | Claim::BreakInLogged
                | Claim::BreakInLoggedAgain,
            )
            | (Self::BreakInLogged, Claim::Logged) => all,
            (Self::Ordinary, _)
            | (_, Claim::BreakIn)
            | (Self::BreakInLogged, Claim::BreakInLogged)
            | (Self::Here, Claim::Here)
            | (Self::Account, Claim::Account) => 0,
            (Self::BreakIn, Claim::BreakInAgain | Claim::BreakInSeen)
            | (Self::BreakInLogged, Claim::BreakInSeen | Claim::BreakInLoggedAgain) => all.div_ceil(2),
            (Self::BreakInLogged, _) => policy.break_ins_logged().into(),
            _ => all,
        }
    }
}

/// The bucket: when it is full again, the whole and each pocket. A moment in the past is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Bucket {
    full: Moment,
    kept: [Moment; POCKETS.len()],
    /// In the tokens of this pace.
    #[serde(flatten)]
    pace: Pace,
    /// What the pace had no room for when it was changed, of the whole and of each pocket, and when that was.
    cut: [u64; 1 + POCKETS.len()],
    cut_at: Moment,
}

impl Bucket {
    /// Reckon in the tokens of `policy`. Moments that only a damaged or older state can bear are brought into what is
    /// possible: everything is full again within its time.
    pub(super) fn settle(&mut self, now: Moment, policy: &Policy) {
        let (one, size) = (token(policy), policy.capacity());
        let change = self.pace.change(Pace { one, size }, &mut self.cut_at, now);
        let most = POCKETS.map(|pocket| pocket.size(policy) * pocket.slowness());
        let all = std::iter::once(&mut self.full).chain(&mut self.kept);
        for ((full, most), cut) in all.zip(std::iter::once(size).chain(most)).zip(&mut self.cut) {
            let (missing, most) = (full.0.saturating_sub(now.0), one.saturating_mul(most));
            let left = change.map_or(missing.min(most), |change| change.of(missing, most, cut));
            if left != missing {
                *full = Moment(now.0.saturating_add(left));
            }
        }
        if change.is_some() {
            self.leave_what_is_kept(now, policy);
        }
    }

    /// What is in the pockets is in the whole: a smaller one gives up nothing of what nobody took.
    fn leave_what_is_kept(&mut self, now: Moment, policy: &Policy) {
        let held: u64 = POCKETS.into_iter().map(|pocket| self.held(pocket, now, policy)).sum();
        let lacking = held.saturating_sub(self.level(now, policy));
        self.full = Moment(self.full.0.saturating_sub(lacking));
        self.cut[0] = self.cut[0].saturating_add(lacking);
    }

    /// Whether there is a token for `claim`.
    pub(super) fn has(&self, claim: Claim, now: Moment, policy: &Policy) -> bool {
        let mut bucket = *self;
        bucket.settle(now, policy);
        bucket.lacks(claim, now, policy) == 0
    }

    /// What is missing to a token for `claim`, in milliseconds of the time that it takes to fill the bucket.
    fn lacks(&self, claim: Claim, now: Moment, policy: &Policy) -> u64 {
        let one = token(policy);
        let barred = |pocket: Pocket| match pocket.barred(claim, policy) {
            0 => 0,
            tokens => self.held(pocket, now, policy).min(tokens * one),
        };
        let needed = POCKETS.into_iter().map(barred).fold(one, u64::saturating_add);
        needed.saturating_sub(self.level(now, policy))
    }

    /// When there is a token for `claim`, if nobody takes one before.
    pub(super) fn when(&self, claim: Claim, now: Moment, policy: &Policy) -> Moment {
        let mut bucket = *self;
        bucket.settle(now, policy);
        // What is missing takes at least its time, and longer while pockets fill, see `Pocket::slowness`. After this
        // long everything is full.
        let latest = Moment(now.0.saturating_add(token(policy) * policy.capacity()));
        let mut at = now;
        loop {
            match bucket.lacks(claim, at, policy) {
                0 => return at,
                _ if at >= latest => return latest,
                missing => at = Moment(at.0.saturating_add(missing)).min(latest),
            }
        }
    }

    /// Take a token for `claim`, whether there is one or not: what was sent is counted.
    pub(super) fn take(&mut self, claim: Claim, now: Moment, policy: &Policy) {
        self.settle(now, policy);
        let (one, whole) = (token(policy), token(policy) * policy.capacity());
        let level = self.level(now, policy);
        self.full = Moment(now.0.saturating_add((whole - level).saturating_add(one).min(whole)));
        let held = POCKETS.map(|pocket| self.held(pocket, now, policy));
        // What is in no pocket goes first, then what is common of what is in one, then what is kept for this.
        let mut missing = held.iter().sum::<u64>().saturating_sub(level.saturating_sub(one));
        let barred = |pocket: Pocket, claim| one.saturating_mul(pocket.barred(claim, policy));
        let left: [&dyn Fn(Pocket) -> u64; 3] = [
            &|pocket| barred(pocket, claim).max(barred(pocket, Claim::Common)),
            &|pocket| barred(pocket, claim),
            // What was sent is counted, though there was nothing for it.
            &|_| 0,
        ];
        for left in left {
            for (i, pocket) in POCKETS.into_iter().enumerate() {
                let part = missing.min(self.held(pocket, now, policy).saturating_sub(left(pocket)));
                missing -= part;
                self.kept[i] = Moment(self.kept[i].max(now).0.saturating_add(part * pocket.slowness()));
            }
        }
    }

    /// What is in it, in milliseconds of the time that it takes to fill it.
    fn level(&self, now: Moment, policy: &Policy) -> u64 {
        let whole = token(policy) * policy.capacity();
        whole - self.full.0.saturating_sub(now.0).min(whole)
    }

    fn held(&self, pocket: Pocket, now: Moment, policy: &Policy) -> u64 {
        let whole = pocket.size(policy) * token(policy);
        let at = POCKETS.iter().position(|p| *p == pocket).unwrap_or_default();
        // In a damaged state it is empty, and fills within its time.
        whole - (self.kept[at].0.saturating_sub(now.0) / pocket.slowness()).min(whole)
    }
}

fn token(policy: &Policy) -> u64 {
    milliseconds(policy.refill())
}
