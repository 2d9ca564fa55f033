//! The member: what it knows of the engine and of the hub, and its next step.
//!
//! One batch is on its way at a time. The engine appends it only where the last message of the member's subject is
//! the one that the member believes it to be (`S`), so a repeat is stored once, however late it comes. What the
//! engine has lost is sent again from the hub's watermark on; what the hub has twice it passes over.
//!
//! | step | here | by |
//! |---|---|---|
//! | 1 keep until the hub has alerted of it | [`Member::on_mark`] | a read of the own watermark |
//! | 2 send, one batch in flight, if the last is `S` | [`Step::Send`] | the batch with the number after `stored` |
//! | 3 stored as `N` | [`Member::on_answer`], [`Answer::Stored`] | `S = N` |
//! | 4 another last message | [`Answer::WrongLast`], then [`Member::on_own`] | a read of the own subject |
//! | 5 acknowledged data is gone | [`Member::on_own`] | everything above the watermark again |
//! | 6 no room | [`Answer::NoRoom`] | wait, longer each time |
//! | 7 read the watermark | [`Member::on_mark`] | on connecting, each half minute, sooner after something was sent |

use serde::{Deserialize, Serialize};

use super::{Epoch, Mark};

/// What the member knows. Of this only `epoch`, `watermark`, `gone`, `begun` and `heeded` must outlive the process: the rest
/// is read from the engine ([`Member::on_own`]) whenever a connection begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Of its numbers.
    pub epoch: Epoch,
    /// `S`: the engine's number of the last message of the own subject; 0 where there is none.
    #[serde(skip)]
    pub sequence: u64,
    /// The engine has everything up to this number, as far as is known.
    #[serde(skip)]
    pub stored: u64,
    /// The hub has everything up to this number.
    pub watermark: u64,
    /// Everything up to this number is here no more: the hub has alerted of it, or has it and there was no room.
    #[serde(default)]
    pub gone: u64,
    /// A message of this epoch was stored.
    pub begun: bool,
    /// The engine's number of the newest watermark that told of a gap and was followed.
    pub heeded: u64,
}

/// What the engine answered to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is stored, with this number.
    Stored(u64),
    /// The last message of the subject is another one than `S`.
    WrongLast,
    /// The subject, or the engine, is full.
    NoRoom,
    /// Nobody knows: no answer came, the connection broke, the engine is not up yet.
    Unknown,
    /// It cannot be stored, and why.
    Refused(String),
}

/// The last message of the own subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// There is none.
    Nothing,
    /// A batch.
    Batch {
        /// The engine's number.
        sequence: u64,
        /// Of its numbers.
        epoch: Epoch,
        /// Its last number.
        last: u64,
        /// These very bytes are in the outbox, or there is nothing in it.
        same: bool,
    },
    /// Something else.
    Foreign {
        /// The engine's number.
        sequence: u64,
    },
}

/// What the member does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the batch that follows `stored`, if there is one.
    Send,
    /// Read the last message of the own subject, with a connection that stands.
    LookUp,
    /// Say what an earlier hub has confirmed: this one does not know of it.
    SendFloor,
    /// Wait, longer each time; then read the last message of the own subject.
    Wait,
    /// Somebody else writes as this member: a copy of this machine, or of its key. Stop, and say so.
    Stop,
    /// The hub has numbers that were never given out here: this state is older than what was sent. Begin a new
    /// epoch.
    BeginAnew,
}

impl Member {
    /// Nothing was sent yet.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, sequence: 0, stored: 0, watermark: 0, gone: 0, begun: false, heeded: 0 }
    }

    /// The engine answered to the batch that ends in `last`.
    pub fn on_answer(&mut self, answer: &Answer, last: u64) -> Step {
        match answer {
            Answer::Stored(sequence) => {
                self.sequence = *sequence;
                self.stored = last;
                self.begun = true;
                Step::Send
            }
            Answer::WrongLast | Answer::Unknown => Step::LookUp,
            Answer::NoRoom | Answer::Refused(_) => Step::Wait,
        }
    }

    /// A connection begins: a gap that is still marked is followed anew, as what was sent may not have arrived.
    pub fn on_connection(&mut self) {
        self.heeded = 0;
    }

    /// What the last message of the own subject is.
    pub fn on_own(&mut self, own: Own) -> Step {
        match own {
            // Purged whole, a new engine, or one that lost everything.
            Own::Nothing => {
                self.sequence = 0;
                self.stored = self.watermark;
                Step::Send
            }
            Own::Batch { sequence, epoch, last, .. } if epoch == self.epoch && last <= self.watermark => {
                self.sequence = sequence;
                self.stored = self.watermark;
                self.begun = true;
                Step::Send
            }
            Own::Batch { sequence, epoch, last, same: true } if epoch == self.epoch => {
                self.sequence = sequence;
                self.stored = last;
                self.begun = true;
                Step::Send
            }
            // Before this epoch had its first message, what is there is of an epoch before it.
            Own::Batch { sequence, epoch, .. } if epoch != self.epoch && !self.begun => {
                self.sequence = sequence;
                self.stored = self.watermark;
                Step::Send
            }
            Own::Foreign { sequence } if !self.begun => {
                self.sequence = sequence;
                self.stored = self.watermark;
                Step::Send
            }
            Own::Batch { .. } | Own::Foreign { .. } => Step::Stop,
        }
    }

    /// The watermark was read, which is the engine's message `sequence`; `highest` is the last number that was given
    /// out.
    pub fn on_mark(&mut self, mark: &Mark, sequence: u64, highest: u64) -> Step {
        if mark.epoch != self.epoch {
            return Step::Send;
        }
        if mark.last > highest {
            return Step::BeginAnew;
        }
        self.begun = true;
        self.watermark = self.watermark.max(mark.last);
        self.gone = self.gone.max(mark.alerted.min(mark.last));
        self.stored = self.stored.max(self.watermark);
        if mark.gap && sequence > self.heeded {
            self.heeded = sequence;
            // It has less than a hub before it had, whose disk is lost.
            self.watermark = mark.last.max(self.gone);
            self.stored = self.watermark;
            if mark.last < self.gone {
                return Step::SendFloor;
            }
        }
        Step::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Epoch = Epoch(7);
    const OTHER: Epoch = Epoch(8);

    fn member(sequence: u64, stored: u64, watermark: u64) -> Member {
        Member { sequence, stored, watermark, begun: true, ..Member::new(E) }
    }

    fn mark(last: u64, gap: bool) -> Mark {
        Mark { v: 1, epoch: E, last, gap, alerted: 0, hub: Epoch(1) }
    }

    fn own(sequence: u64, epoch: Epoch, last: u64, same: bool) -> Own {
        Own::Batch { sequence, epoch, last, same }
    }

    #[test]
    fn what_is_stored_is_followed_by_the_next() {
        let mut m = Member::new(E);
        assert_eq!(m.on_answer(&Answer::Stored(41), 10), Step::Send);
        assert_eq!((m.sequence, m.stored, m.begun), (41, 10, true));
    }

    #[test]
    fn an_answer_that_is_lost_is_looked_up_and_the_batch_found_stored() {
        let mut m = member(41, 10, 0);
        for answer in [Answer::Unknown, Answer::WrongLast] {
            assert_eq!(m.clone().on_answer(&answer, 20), Step::LookUp);
        }
        assert_eq!(m.on_own(own(55, E, 20, true)), Step::Send);
        assert_eq!((m.sequence, m.stored), (55, 20));
    }

    #[test]
    fn a_batch_that_was_not_stored_is_sent_again_with_the_same_expectation() {
        let mut m = member(41, 10, 0);
        assert_eq!(m.on_own(own(41, E, 10, true)), Step::Send);
        assert_eq!((m.sequence, m.stored), (41, 10));
    }

    #[test]
    fn what_the_engine_lost_is_sent_again_from_what_it_has_or_from_the_watermark() {
        // M < S: its last message is an older one of ours, above the watermark or below it.
        let mut m = member(90, 60, 20);
        assert_eq!(m.on_own(own(70, E, 40, true)), Step::Send);
        assert_eq!((m.sequence, m.stored), (70, 40));
        let mut m = member(90, 60, 20);
        assert_eq!(m.on_own(own(30, E, 10, false)), Step::Send);
        assert_eq!((m.sequence, m.stored), (30, 20));
        // 404.
        let mut m = member(90, 60, 20);
        assert_eq!(m.on_own(Own::Nothing), Step::Send);
        assert_eq!((m.sequence, m.stored), (0, 20));
    }

    #[test]
    fn another_writer_with_the_same_name_is_never_built_upon() {
        for found in [own(91, OTHER, 5, false), own(91, E, 70, false), Own::Foreign { sequence: 91 }] {
            let mut m = member(90, 60, 20);
            assert_eq!(m.on_own(found), Step::Stop, "{found:?}");
            assert_eq!(m, member(90, 60, 20));
        }
    }

    #[test]
    fn a_new_epoch_goes_on_after_the_one_before_it() {
        let mut m = Member::new(E);
        assert_eq!(m.on_own(own(91, OTHER, 60, false)), Step::Send);
        assert_eq!((m.sequence, m.stored, m.begun), (91, 0, false));
        // Its mark is still of the epoch before.
        assert_eq!(m.on_mark(&Mark { epoch: OTHER, ..mark(60, false) }, 5, 10), Step::Send);
        assert_eq!(m.watermark, 0);
    }

    #[test]
    fn a_full_subject_is_waited_for() {
        let mut m = member(41, 10, 0);
        assert_eq!(m.on_answer(&Answer::NoRoom, 20), Step::Wait);
        assert_eq!(m.on_answer(&Answer::Refused("too long".into()), 20), Step::Wait);
        assert_eq!(m, member(41, 10, 0));
    }

    #[test]
    fn the_watermark_never_goes_back_and_a_gap_is_filled_once() {
        let mut m = member(90, 60, 20);
        assert_eq!(m.on_mark(&mark(40, false), 5, 80), Step::Send);
        assert_eq!((m.watermark, m.stored), (40, 60));
        m.on_mark(&mark(30, false), 6, 80);
        assert_eq!(m.watermark, 40);
        m.on_mark(&mark(40, true), 7, 80);
        assert_eq!(m.stored, 40);
        m.stored = 60;
        m.on_mark(&mark(40, true), 7, 80);
        assert_eq!(m.stored, 60);
        m.on_mark(&mark(40, true), 8, 80);
        assert_eq!(m.stored, 40);
        // The connection was cut before it was stored again.
        m.stored = 60;
        m.on_connection();
        m.on_mark(&mark(40, true), 8, 80);
        assert_eq!(m.stored, 40);
    }

    #[test]
    fn a_hub_without_the_disk_of_the_one_before_gets_what_that_one_had_not_alerted_of() {
        let mut m = member(90, 60, 20);
        m.on_mark(&Mark { alerted: 30, ..mark(60, false) }, 5, 80);
        assert_eq!((m.watermark, m.gone), (60, 30));
        // What is alerted of without being counted is a lie.
        m.on_mark(&Mark { alerted: 70, ..mark(20, false) }, 6, 80);
        assert_eq!((m.watermark, m.gone), (60, 30));
        assert_eq!(m.on_mark(&mark(30, true), 7, 80), Step::Send);
        assert_eq!((m.watermark, m.stored), (30, 30));
        // It knows less than what is here no more.
        m.on_mark(&mark(60, false), 8, 80);
        assert_eq!(m.on_mark(&mark(0, true), 9, 80), Step::SendFloor);
        assert_eq!((m.watermark, m.stored), (30, 30));
        assert_eq!(m.on_mark(&mark(0, true), 9, 80), Step::Send);
    }

    #[test]
    fn a_state_that_is_older_than_what_was_sent_begins_a_new_epoch() {
        assert_eq!(member(90, 60, 20).on_mark(&mark(81, false), 5, 80), Step::BeginAnew);
    }
}
