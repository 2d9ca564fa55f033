//! A receiver: its kind, what it has on disk, who serves it, its service.

use super::disk::{Disk, State};
use super::pass::Pass;
use super::service::{Reply, Service};

/// What a receiver's rules make of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Pending,
    Ignored,
    Aborted,
    LeftOut,
}

/// What a service does with a message that it has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Says that it has it.
    Refused,
    /// Says that it took it, and shows it once.
    Recognised,
    /// Shows it again.
    Shown,
}

/// A receiver: what its service does, and whether what may have arrived is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub repeats: Repeats,
    pub skips_unknown: bool,
    /// Of each failure.
    pub classes: &'static [Class],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Receiver {
    pub is_configured: bool,
    pub disk: Disk,
    pub passes: Vec<Pass>,
    pub service: Service,
    /// Of the numbers of its alerts.
    pub series: u8,
}

impl Receiver {
    /// With a series of its own, so that its numbers are none of those before.
    pub fn begin_at(&mut self, recorded: u8) {
        self.series += 16;
        let (begun, cursor, last_id) = (recorded, recorded, self.series);
        self.disk.save(self.disk.epoch, State { begun, cursor, last_id, ..State::default() });
    }

    pub fn arrive(&mut self, request: usize, repeats: Repeats) {
        let taken = self.service.wire[request].clone();
        let reply = self.service.take(&taken, repeats);
        self.answer(request, reply);
    }

    pub fn answer(&mut self, request: usize, reply: Reply) {
        if let Some(number) = self.service.wire.remove(request).by {
            self.passes[number].hear(reply);
        }
    }
}
