//! From rows to the journal: what nobody has recorded yet, when it is certain that nobody will.

use std::collections::HashSet;
use std::io;

use super::log::Log;
use super::{AGE, Pass};
use crate::event::{Class, Event};
use crate::scan::attempts::Row;
use crate::scan::coverage::Judgement;
use crate::scan::dedup::{Found, Recorded};
use crate::scan::intake::Intake;
use crate::scan::origin::{StreamId, origin};
use crate::scan::{Error, event};

/// Attempts that wait for the module at one time; over it nobody is waited for.
const DEFERRED: usize = 10_000;

/// Rows are given to the journal so many at a time: at the end of a pass thousands may be due, and each is some
/// kilobyte on its way.
const AT_ONCE: usize = 512;
/// Logins that are kept until the failures before them are recorded.
const LOGINS: usize = 2000;
/// Lines of two logs about one attempt are no further apart, in microseconds.
const SAME_MOMENT: i64 = 2_000_000;

/// Logins that wait for the end of the pass.
#[derive(Default)]
pub(super) struct Due {
    /// Up to which time those of a log may be recorded, in microseconds of the epoch.
    until: Vec<(String, i64)>,
    /// Of whom, and from where, failures wait, for the module or for what else their process says. No login waits for them, and
    /// they are held against it when they come.
    waiting: HashSet<u32>,
}

/// A login that may be a break-in.
struct Suspect {
    log: StreamId,
    row: Row,
    event: Event,
}

/// What becomes of a row.
pub(super) enum Fate {
    /// It is recorded, as far as it is not already.
    Record,
    /// The module may be about to record it.
    Defer,
    /// Another log may tell of a login.
    Wait,
    /// The module, which hears all there, said nothing of it.
    Doubt,
}

impl Pass<'_> {
    /// Record what has been settled and is not recorded, and what was deferred for long enough.
    pub(super) fn record(&mut self, log: &mut Log, intake: &mut Intake) -> Result<(), Error> {
        for complaint in intake.complaints.drain(..) {
            self.checkpoint.coverage.complained(complaint);
        }
        let mut rows = std::mem::take(&mut log.stream.deferred);
        rows.append(&mut intake.attempts.take_settled());
        let wanted = log.from.unwrap_or(i64::MIN)..log.until.unwrap_or(i64::MAX);
        rows.retain(|row| wanted.contains(&row.time));
        let mut logins = intake.attempts.take_logins();
        logins.retain(|row| wanted.contains(&row.time));
        self.let_in.extend(log.id, &logins);
        log.stream.logins.append(&mut logins);
        self.decide(log, intake, rows, Self::fate)?;
        if log.stream.logins.len() >= LOGINS {
            self.record_all_logins(log, intake)?;
        }
        let believed = self.believed(log);
        self.decide(log, intake, believed, Self::fate_of_believed)
    }

    /// Decide about rows, and append to the journal those that are to be recorded.
    pub(super) fn decide(
        &mut self,
        log: &mut Log,
        intake: &Intake,
        mut rows: Vec<Row>,
        fate: impl Fn(&mut Self, &Log, &mut Row) -> Fate,
    ) -> Result<(), Error> {
        // In the order in which they were tried: so they are told of by others.
        rows.sort_by_key(|row| row.time);
        self.recorded.note_helpers(&rows);
        self.recorded.load_since(&self.journal, &rows).map_err(Error::Record)?;
        let saved = self.checkpoint.saved;
        // All of them first: a record that is claimed is that of no other line.
        let mut claim =
            |row: &Row, class| self.recorded.claim_origin(&origin(row, log.id, saved), row, class, log.id);
        let known = rows.iter().map(|row| {
            claim(row, Class::Address);
            claim(row, Class::Failure)
        });
        let known: Vec<bool> = known.collect();
        let mut fresh = Vec::new();
        for (mut row, is_known) in rows.into_iter().zip(known) {
            let count = row.count;
            let fate = if is_known {
                row.count = 0;
                Fate::Record
            } else {
                fate(self, log, &mut row)
            };
            self.report.found += u64::from(count - row.count);
            let path = intake.path(row.place.source);
            match fate {
                Fate::Defer => log.stream.deferred.push(row),
                Fate::Wait => log.stream.undecided.push(row),
                Fate::Doubt => {
                    self.report.doubted += u64::from(row.count);
                    self.style.doubt(self.out, path, &row).map_err(Error::Output)?;
                    log.stream.doubted.push(row);
                }
                Fate::Record if row.count > 0 => {
                    self.report.count(&row);
                    self.style.row(self.out, path, &row, row.count).map_err(Error::Output)?;
                    let origin = origin(&row, log.id, saved);
                    self.recorded.add(&origin, Class::Failure);
                    fresh.push((event(&row, row.count, Class::Failure, Some(origin), &self.here), row));
                }
                Fate::Record => {}
            }
            if fresh.len() + self.addresses.len() >= AT_ONCE {
                self.append(log, std::mem::take(&mut fresh))?;
            }
        }
        self.append(log, fresh)
    }

    /// What becomes of a row, in which those attempts are left that nobody has recorded.
    fn fate(&mut self, log: &Log, row: &mut Row) -> Fate {
        let waits = self.recorded.is_of_several() && log.name != "-" && log.stream.undecided.len() < DEFERRED;
        if waits && row.is_of_first_database() { Fate::Wait } else { self.fate_by_module(log, row) }
    }

    /// The same where it waits for no other log.
    pub(super) fn fate_by_module(&mut self, log: &Log, row: &mut Row) -> Fate {
        let found = self.find(log, row);
        let is_heard = self.module.hears(row);
        if is_heard && found.by_module > 0 {
            self.checkpoint.coverage.recorded(row);
        }
        if row.count == 0 {
            return Fate::Record;
        }
        let may_wait = log.stream.deferred.len() < DEFERRED && !self.options.dry_run && log.name != "-";
        if may_wait && self.module.may_record(row, log.time) {
            return Fate::Defer;
        }
        if !is_heard {
            return Fate::Record;
        }
        if self.is_doubted(row) {
            row.count = 0;
            return Fate::Record;
        }
        match self.checkpoint.coverage.silent(row) {
            Judgement::Record => Fate::Record,
            Judgement::Doubt | Judgement::Dismiss => Fate::Doubt,
        }
    }

    /// Leave in a row the attempts that nobody has recorded. Where those that are have no address, and the row has, that is due.
    fn find(&mut self, log: &Log, row: &mut Row) -> Found {
        let found = self.recorded.find(row, Class::Failure, log.id);
        if found.without_address > 0 {
            let origin = origin(row, log.id, self.checkpoint.saved);
            // A pass that was killed may have come so far, and another log may tell of the same.
            let is_known = self.recorded.claim_origin(&origin, row, Class::Address, log.id);
            row.count = if is_known { 0 } else { found.without_address };
            let count = self.recorded.find(row, Class::Address, log.id).left;
            if count > 0 {
                self.recorded.add(&origin, Class::Address);
                self.addresses.push(event(row, count, Class::Address, Some(origin), &self.here));
            }
        }
        row.count = found.left;
        found
    }

    /// The failures of a log before its logins up to this time are recorded.
    pub(super) fn logins_are_due(&mut self, log: &Log, intake: &Intake, until: i64) {
        self.due.waiting.extend(waiting(log, intake));
        self.due.until.push((log.name.clone(), until));
    }

    /// Record the logins that are due. Those of all logs together, in the order of time: what failed before one may stand in
    /// another log, lines may be out of order, and a login that took back what failed is known before the next is judged.
    pub(super) fn record_logins(&mut self) -> Result<(), Error> {
        self.record_due(true)?;
        self.recorded.unload();
        Ok(())
    }

    /// The same on a long way: a break-in does not wait for its end, and a login before which nobody failed so far does. What is
    /// known of the journal stays.
    pub(super) fn record_break_ins(&mut self) -> Result<(), Error> {
        self.record_due(false)
    }

    fn record_due(&mut self, is_all_read: bool) -> Result<(), Error> {
        let Due { until, waiting } = std::mem::take(&mut self.due);
        let read_before = self.now.as_microsecond() - AGE;
        let mut due: Vec<(StreamId, Vec<Row>)> = Vec::new();
        for (name, until) in &until {
            let Some(stream) = self.checkpoint.streams.get_mut(name) else { continue };
            let is_due = |row: &Row| row.time <= *until || row.read <= read_before;
            let (of_log, early) = std::mem::take(&mut stream.logins).into_iter().partition(is_due);
            stream.logins = early;
            due.push((StreamId::new(name), of_log));
        }
        let rows = due.iter().flat_map(|(_, rows)| rows);
        self.recorded.load_since(&self.journal, rows).map_err(Error::Record)?;
        let (mut suspect, mut left) = (Vec::new(), Vec::new());
        for (log, rows) in due {
            let is_judged = |row: &Row| is_all_read || self.recorded.has_failed(row, &waiting);
            let (rows, others): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(is_judged);
            left.extend(others.into_iter().map(|row| (log, row)));
            let of_log = self.suspect(log, rows, &waiting);
            // Another log may tell of the same.
            self.recorded.expect(of_log.iter().map(|login| &login.event));
            suspect.extend(of_log);
        }
        let without_room = self.append_logins(suspect)?;
        left.extend(without_room.into_iter().map(|login| (login.log, login.row)));
        for (name, _) in &until {
            let id = StreamId::new(name);
            if let Some(stream) = self.checkpoint.streams.get_mut(name) {
                stream.used = self.recorded.used(id, self.now.as_microsecond());
                let of_log = left.iter().filter(|(log, _)| *log == id);
                stream.logins.extend(of_log.map(|(_, row)| row.clone()));
            }
        }
        if !is_all_read {
            self.due = Due { until, waiting };
        }
        Ok(())
    }

    /// Record all logins of one log, as far as there is room.
    pub(super) fn record_all_logins(&mut self, log: &mut Log, intake: &Intake) -> Result<(), Error> {
        let rows = std::mem::take(&mut log.stream.logins);
        self.recorded.load_since(&self.journal, &rows).map_err(Error::Record)?;
        let mut waiting = waiting(log, intake);
        waiting.extend(Recorded::waiting(&log.stream.undecided));
        waiting.extend(&self.due.waiting);
        let suspect = self.suspect(log.id, rows, &waiting);
        let left = self.append_logins(suspect)?;
        log.stream.logins = left.into_iter().map(|login| login.row).take(LOGINS / 2).collect();
        Ok(())
    }

    /// The logins of a log that nobody recorded, of somebody who failed before, or from where somebody did: all others are what
    /// a machine is for, and are in the log.
    fn suspect(&mut self, log: StreamId, mut rows: Vec<Row>, waiting: &HashSet<u32>) -> Vec<Suspect> {
        rows.sort_by_key(|row| row.time);
        let mut suspect = Vec::new();
        for row in rows {
            let origin = origin(&row, log, self.checkpoint.saved);
            let is_known = !self.recorded.has_failed(&row, waiting)
                || self.recorded.claim_origin(&origin, &row, Class::Login, log)
                || self.recorded.find(&row, Class::Login, log).left == 0;
            if !is_known {
                self.recorded.add(&origin, Class::Login);
                let event = event(&row, 1, Class::Login, Some(origin), &self.here);
                suspect.push(Suspect { log, row, event });
            }
        }
        suspect
    }

    /// Append logins to the journal in the order of time. Those that find no room come back.
    fn append_logins(&mut self, mut logins: Vec<Suspect>) -> Result<Vec<Suspect>, Error> {
        if self.options.dry_run {
            return Ok(Vec::new());
        }
        logins.sort_by_key(|login| login.row.time);
        let events: Vec<Event> = logins.iter().map(|login| login.event.clone()).collect();
        let (appended, result) = self.journal.append_as_fits(&events);
        self.report.logins += appended as u64;
        match result {
            Err(why) if why.kind() == io::ErrorKind::StorageFull => {
                self.report.errors.push(Error::Record(why).to_string());
            }
            result => result.map_err(Error::Record)?,
        }
        Ok(logins.split_off(appended))
    }

    /// Whether another log reports the same, and it is in doubt there: one word for it is enough.
    fn is_doubted(&self, row: &Row) -> bool {
        let others = self.checkpoint.streams.values().flat_map(|stream| &stream.doubted);
        others.into_iter().any(|other| {
            other.service == row.service
                && other.user == row.user
                && other.host == row.host
                && (other.time - row.time).abs() <= SAME_MOMENT
        })
    }

    /// The same of a row that was in doubt, and is not any more.
    fn fate_of_believed(&mut self, log: &Log, row: &mut Row) -> Fate {
        self.find(log, row);
        Fate::Record
    }

    /// Those rows in doubt that are failures after all, by what came after them; what is none goes.
    fn believed(&mut self, log: &mut Log) -> Vec<Row> {
        let mut believed = Vec::new();
        for row in std::mem::take(&mut log.stream.doubted) {
            match self.checkpoint.coverage.again(&row, self.module.hears(&row)) {
                Judgement::Record => believed.push(row),
                Judgement::Doubt => log.stream.doubted.push(row),
                Judgement::Dismiss => {}
            }
        }
        believed
    }

    /// Settle all that is open or waits in a log, which is read no more.
    pub(super) fn settle_all(&mut self, log: &mut Log) -> Result<(), Error> {
        let mut intake = self.begin(log);
        self.report.sources.pop();
        intake.attempts.finish();
        // Nobody is waited for.
        log.time = i64::MAX;
        self.record(log, &mut intake)?;
        self.decide_undecided(log)?;
        self.record_all_logins(log, &intake)?;
        if log.stream.deferred.is_empty() && log.stream.logins.is_empty() {
            self.recorded.unload();
            return Ok(());
        }
        // There was no room: the next pass tries again.
        self.checkpoint.streams.insert(log.name.clone(), std::mem::take(&mut log.stream));
        Ok(())
    }

    /// Append to the journal. What finds no room there waits for the next pass, as far as it is not too much.
    fn append(&mut self, log: &mut Log, fresh: Vec<(Event, Row)>) -> Result<(), Error> {
        let addresses = std::mem::take(&mut self.addresses);
        if self.options.dry_run {
            return Ok(());
        }
        if !addresses.is_empty() {
            match self.journal.append_as_fits(&addresses).1 {
                // Their failures are recorded; those of which that cannot be said are more.
                Err(why) if why.kind() == io::ErrorKind::StorageFull => {}
                result => result.map_err(Error::Record)?,
            }
        }
        let (events, rows): (Vec<Event>, Vec<Row>) = fresh.into_iter().unzip();
        let (appended, why) = match (self.is_full, rows.is_empty()) {
            (false, _) => self.journal.append_as_fits(&events),
            (true, true) => return Ok(()),
            (true, false) => (0, Err(io::ErrorKind::StorageFull.into())),
        };
        let Err(why) = why else { return Ok(()) };
        let too_many = log.stream.deferred.len() + rows.len() - appended > DEFERRED;
        if why.kind() != io::ErrorKind::StorageFull || too_many {
            return Err(Error::Record(why));
        }
        if !self.is_full {
            self.report.errors.push(Error::Record(why).to_string());
            self.is_full = true;
        }
        for row in rows.into_iter().skip(appended) {
            self.report.take_back(&row);
            log.stream.deferred.push(row);
        }
        Ok(())
    }
}

/// Of whom, and from where, failures of a log are not recorded yet.
fn waiting(log: &Log, intake: &Intake) -> HashSet<u32> {
    let of_log = log.stream.deferred.iter().chain(&log.stream.doubted);
    Recorded::waiting(of_log.chain(intake.attempts.unsettled()))
}
