//! The way of events through a report, on three threads: one reads, one counts what was read and puts it in the order of
//! time, one judges. A log is read about as fast as its failures are counted, and as they are judged.

use std::mem;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, ScopedJoinHandle};

use super::held::{Handed, Held};
use super::judge::Judge;
use super::order::Order;
use super::source::Intake;
use crate::event::Event;
use crate::scan::{self, Rows};

/// Events that are handed over at once, and how many batches may wait.
const BATCH: usize = 512;
const WAITING: usize = 2;

/// Read, count and judge; gives what reading gave, and those who counted and judged.
pub(super) fn run<T>(
    mut intake: Intake<'_>,
    mut judge: Judge,
    read: impl FnOnce(&mut Batches) -> T,
) -> (T, Intake<'_>, Judge) {
    let (read_on, to_count) = mpsc::sync_channel::<Batch>(WAITING);
    let (counted, to_judge) = mpsc::sync_channel::<Handed>(WAITING);
    let (emptied, empty) = mpsc::channel();
    let (judged, empty_handed) = mpsc::channel();
    thread::scope(|scope| {
        let judging = scope.spawn(move || {
            let mut event = scan::blank();
            for mut handed in to_judge {
                handed.drain(&mut event, &mut |event, kind| judge.take(event, kind));
                // At the end nobody needs it any more.
                let _ = judged.send(handed);
            }
            judge
        });
        let counting = scope.spawn(move || {
            let mut sorted = Sorted { sender: counted, empty: empty_handed, handed: Handed::default() };
            let mut order = Order::default();
            for mut batch in to_count {
                batch.each(&mut |event| {
                    if let Some(kind) = intake.take(event) {
                        order.push(event, kind, &mut |held| sorted.take(held));
                    }
                });
                let _ = emptied.send(batch);
            }
            order.finish(&mut |held| sorted.take(held));
            sorted.send();
            intake
        });
        let mut batches = Batches { sender: read_on, empty, events: Vec::new() };
        let result = read(&mut batches);
        batches.send_events();
        drop(batches);
        (result, joined(counting), joined(judging))
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What is handed over at once.
#[derive(Default)]
struct Batch {
    /// What a log tells.
    rows: Rows,
    /// Records of the journal.
    events: Vec<Event>,
}

impl Batch {
    fn each(&mut self, take: &mut dyn FnMut(&Event)) {
        self.rows.each(take);
        self.events.iter().for_each(take);
    }
}

/// Batches on their way to be counted.
pub(super) struct Batches {
    sender: SyncSender<Batch>,
    /// Those that were counted, whose memory serves again.
    empty: Receiver<Batch>,
    events: Vec<Event>,
}

impl Batches {
    /// Take a record of the journal.
    pub(super) fn take(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() >= BATCH {
            self.send_events();
        }
    }

    /// Take what a log tells; empty rows are left in its place.
    pub(super) fn take_rows(&mut self, rows: &mut Rows) {
        let mut batch = self.empty();
        mem::swap(&mut batch.rows, rows);
        self.send(batch);
    }

    fn send_events(&mut self) {
        let mut batch = self.empty();
        mem::swap(&mut batch.events, &mut self.events);
        self.send(batch);
    }

    fn empty(&self) -> Batch {
        let mut batch = self.empty.try_recv().unwrap_or_default();
        batch.rows.clear();
        batch.events.clear();
        batch
    }

    fn send(&self, batch: Batch) {
        // Nobody takes it where counting panicked, and then that is what ends us.
        let _ = self.sender.send(batch);
    }
}

/// Events in order, on their way to be judged.
struct Sorted {
    sender: SyncSender<Handed>,
    /// Those that were judged, whose memory serves again.
    empty: Receiver<Handed>,
    handed: Handed,
}

impl Sorted {
    fn take(&mut self, held: &Held) {
        self.handed.push(held);
        if self.handed.len() >= BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let handed = mem::replace(&mut self.handed, self.empty.try_recv().unwrap_or_default());
        // Nobody takes it where judging panicked, and then that is what ends us.
        let _ = self.sender.send(handed);
    }
}
