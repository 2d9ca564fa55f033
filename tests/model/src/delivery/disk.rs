//! What a receiver has on disk: who holds its lock, its state in each epoch, its history.

use super::receiver::Class;

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

/// The files of one epoch: what was saved, and what was staged since, which is over the old staging.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Files {
    pub saved: Option<State>,
    pub staged: Option<State>,
    /// Whether that is durable; where it is not, what was before.
    is_synced: bool,
    before: Option<State>,
}

impl Files {
    pub fn newest(&self) -> Option<&State> {
        self.staged.as_ref().or(self.saved.as_ref())
    }
}

/// What a power cut makes of a staging that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Staging {
    Written,
    AsBefore,
    /// Some of its blocks are written and some are not: it cannot be read.
    Torn,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// Of the newest lock file, and the process that holds that.
    pub epoch: u8,
    pub holder: Option<usize>,
    pub lease_is_over: bool,
    /// Of each epoch, oldest first.
    pub states: Vec<(u8, Files)>,
    /// What was delivered.
    pub history: Vec<Alert>,
}

impl Disk {
    /// The newest epoch's state, with that epoch, and whether it is only staged.
    pub fn load(&self) -> Option<(u8, &State, bool)> {
        let newest = |(epoch, files): &'_ (u8, Files)| {
            files.newest().is_some().then_some((*epoch, files.staged.is_some()))
        };
        let (epoch, is_staged) = self.states.iter().rev().find_map(newest)?;
        let (_, files) = self.states.iter().find(|(of, _)| *of == epoch)?;
        Some((epoch, files.newest()?, is_staged))
    }

    pub fn newest(&self) -> Option<&State> {
        self.load().map(|(_, state, _)| state)
    }

    /// Durable.
    pub fn save(&mut self, epoch: u8, state: State) {
        *self.files(epoch) = Files { saved: Some(state), ..Files::default() };
    }

    /// It survives the process, but no power cut.
    pub fn stage(&mut self, epoch: u8, state: State) {
        let files = self.files(epoch);
        let before = files.staged.replace(state);
        if files.is_synced {
            files.before = before;
        }
        files.is_synced = false;
    }

    /// The same, durable.
    pub fn put(&mut self, epoch: u8, state: State) {
        let files = self.files(epoch);
        *files = Files { saved: files.saved.take(), staged: Some(state), is_synced: true, before: None };
    }

    pub fn lose_power(&mut self, becomes: Staging) {
        (self.holder, self.lease_is_over) = (None, false);
        for (_, files) in self.states.iter_mut().filter(|(_, files)| !files.is_synced) {
            let before = files.before.take();
            match becomes {
                Staging::Written => files.is_synced = files.staged.is_some(),
                Staging::AsBefore => (files.is_synced, files.staged) = (before.is_some(), before),
                Staging::Torn => files.staged = None,
            }
        }
    }

    fn files(&mut self, epoch: u8) -> &mut Files {
        let at = match self.states.iter().position(|(of, _)| *of >= epoch) {
            Some(at) if self.states[at].0 == epoch => at,
            at => {
                let at = at.unwrap_or(self.states.len());
                self.states.insert(at, (epoch, Files::default()));
                at
            }
        };
        &mut self.states[at].1
    }

    pub fn forget_before(&mut self, epoch: u8) {
        self.states.retain(|(of, _)| *of >= epoch);
    }

    /// An alert that is there already is not added again.
    pub fn add_to_history(&mut self, alert: &Alert, only_newest: bool) {
        let from = if only_newest { self.history.len().saturating_sub(1) } else { 0 };
        if !self.history[from..].contains(alert) {
            self.history.push(alert.clone());
        }
    }
}
