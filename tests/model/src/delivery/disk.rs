//! What a receiver has on disk: who holds its lock, its state in each epoch, its history.

use super::Class;

/// Failures as a set, a bit each.
pub(crate) type Set = u8;

/// An alert on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Alert {
    pub id: u8,
    pub covers: Set,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// Where it began to read, and where it is.
    pub begun: u8,
    pub cursor: u8,
    pub pending: Set,
    pub alert: Option<Alert>,
    /// An attempt at that may have succeeded.
    pub maybe_sent: bool,
    pub last_id: u8,
    pub posted: Set,
    pub ignored: Set,
    pub aborted: Set,
    pub left_out: Set,
    /// Requests that are entered.
    pub requests: u8,
}

impl State {
    pub fn beginning_at(recorded: u8) -> Self {
        Self { begun: recorded, cursor: recorded, ..Self::default() }
    }

    /// Read the journal to its end.
    pub fn take_in(&mut self, recorded: u8, classes: &[Class]) {
        for at in self.cursor..recorded {
            let set = match classes[usize::from(at)] {
                Class::Pending => &mut self.pending,
                Class::Ignored => &mut self.ignored,
                Class::Aborted => &mut self.aborted,
                Class::LeftOut => &mut self.left_out,
            };
            *set |= 1 << at;
        }
        self.cursor = recorded;
    }

    pub fn compose(&mut self) {
        self.last_id += 1;
        self.alert = Some(Alert { id: self.last_id, covers: std::mem::take(&mut self.pending) });
    }

    /// An alert that surely was not sent is pending again, and its number is free.
    pub fn take_back(&mut self) {
        if self.maybe_sent {
            return;
        }
        if let Some(alert) = self.alert.take() {
            self.pending |= alert.covers;
            self.last_id -= u8::from(self.last_id == alert.id);
        }
    }

    /// The receiver would not have this text: its failures are told in the next alert.
    pub fn reject(&mut self) {
        if let Some(alert) = self.alert.take() {
            self.pending |= alert.covers;
        }
        self.maybe_sent = false;
    }

    pub fn acknowledge(&mut self) {
        if let Some(alert) = self.alert.take() {
            self.posted |= alert.covers;
        }
        self.maybe_sent = false;
    }

    /// The entry of a request, before its first byte.
    pub fn enter(&mut self) {
        self.requests += 1;
        self.maybe_sent = true;
    }

    /// recorded = posted + pending + ignored + aborted + left_out
    pub fn adds_up(&self) -> bool {
        let sent = self.alert.as_ref().map_or(0, |alert| alert.covers);
        let sets = [self.posted, self.pending, sent, self.ignored, self.aborted, self.left_out];
        let sum: u32 = sets.iter().map(|set| set.count_ones()).sum();
        sum == u32::from(self.cursor - self.begun)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// Of the newest lock file, and the process that holds that.
    pub epoch: u8,
    pub holder: Option<usize>,
    pub lease_is_over: bool,
    /// The state of each epoch, oldest first: what was put there last, staged or saved.
    pub states: Vec<(u8, State)>,
    /// What was delivered.
    pub history: Vec<Alert>,
}

impl Disk {
    /// The newest epoch's, with that epoch.
    pub fn load(&self) -> Option<&(u8, State)> {
        self.states.last()
    }

    pub fn newest(&self) -> Option<&State> {
        self.load().map(|(_, state)| state)
    }

    pub fn save(&mut self, epoch: u8, state: State) {
        match self.states.iter_mut().find(|(of, _)| *of == epoch) {
            Some((_, saved)) => *saved = state,
            None => {
                self.states.push((epoch, state));
                self.states.sort_by_key(|(of, _)| *of);
            }
        }
    }

    pub fn forget_before(&mut self, epoch: u8) {
        self.states.retain(|(of, _)| *of >= epoch);
    }

    /// An alert that is the newest already is not added again.
    pub fn add_to_history(&mut self, alert: &Alert) {
        if self.history.last().is_none_or(|newest| newest.id != alert.id) {
            self.history.push(alert.clone());
        }
    }
}
