//! The record of an attempt: by its process, else by who, whom and when.

use super::free::MAIL;
use super::sought::{Kind, Sought, agree};
use super::{CHILD_TO_PARENT, NEAR, OTHER_CLOCK, Record, Recorded, SAME_MOMENT, SAME_PROCESS, ZONES};
use crate::scan::attempts::{Mail, Row, SUMMED_UP};
use crate::scan::origin::StreamId;

impl Recorded {
    /// The free record that is nearest in time among those that may be of this attempt.
    pub(super) fn nearest(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let by_its_time = if row.pid != 0 && !row.is_check_password() {
            self.of_process(row, sought)
        } else {
            self.of_names(row, sought)
        };
        by_its_time.or_else(|| self.as_read(row, sought)).or_else(|| self.by_server(row, sought))
    }

    /// A mail server tells of what it had a helper ask (saslauthd, Dovecot's auth, PAM and the module in them), into another log and
    /// under a number of its own: at once, or, as Dovecot does, when the client leaves. Not every helper knows the address.
    fn by_server(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let kind = Mail::of(&row.service)?;
        let is_relayed = row.is_relayed();
        let window = match (is_relayed, row.is_of_mail()) {
            (true, _) => row.time - SUMMED_UP..=row.time + SAME_MOMENT,
            (false, true) => row.time - SAME_MOMENT..=row.time + SUMMED_UP,
            (false, false) => return None,
        };
        let fits = |record: &Record| {
            // One of both is a helper's, and what the module recorded of that is known by its process. Of two helpers, or two
            // servers, each tells its own.
            let may_be = self.log_of(record).map_or(is_relayed, |log| log.relayed != is_relayed);
            let Some(of_record) = record.mail else { return false };
            let (server, helper, rhost) =
                if is_relayed { (kind, of_record, record.rhost) } else { (of_record, kind, sought.rhost) };
            let may_be = may_be && server.may_have_asked(helper, rhost != 0);
            let is_one_client = sought.rhost != 0 && record.rhost == sought.rhost;
            // A helper that knows the address asked for no client of another service of whom that is not known.
            let may_be = may_be
                && (is_relayed || is_one_client || sought.rhost == 0 || record.service == sought.service);
            let is_near = (record.time - row.time).abs() <= CHILD_TO_PARENT;
            may_be && (is_one_client || is_near) && sought.agrees(record) && self.is_free(record, sought)
        };
        // Of several servers each tells its own within some seconds, in the order in which they were asked: of attempts that follow
        // upon each other the next one is often nearer than the one that the server tells of.
        let own = if is_relayed {
            row.time - CHILD_TO_PARENT..=row.time
        } else {
            row.time..=row.time + CHILD_TO_PARENT
        };
        // Nobody tells of what he had asked before the other was: two logs may be so far apart.
        let at_once = if is_relayed {
            row.time - CHILD_TO_PARENT..=row.time + SAME_MOMENT
        } else {
            row.time - SAME_MOMENT..=row.time + CHILD_TO_PARENT
        };
        let is_told_so = |record: &Record| record.mail == Some(kind) && fits(record);
        // Whoever was asked first is told of first, by whichever server: who is behind him may be told of by none but a later line.
        let of_client = |record: &Record| record.rhost == sought.rhost && fits(record);
        let knows_client = !is_relayed && sought.rhost != 0 && !self.has_smtp_helper;
        let first = knows_client.then(|| self.first_of(MAIL, window.clone(), of_client)).flatten();
        first
            .or_else(|| {
                self.first_of(MAIL, own.clone(), |record| record.user == sought.user && is_told_so(record))
            })
            .or_else(|| self.first_of(MAIL, own, is_told_so))
            .or_else(|| self.nearest_of(MAIL, row.time, at_once, is_told_so))
            // Dovecot says so when the client leaves: another server's line that is nearer may be of another attempt.
            .or_else(|| self.nearest_of(MAIL, row.time, window.clone(), is_told_so))
            .or_else(|| self.nearest_of(MAIL, row.time, window, fits))
    }

    /// Of a line that was dated ahead another log may have told just now.
    fn as_read(&self, row: &Row, sought: &Sought) -> Option<usize> {
        if row.happened() == row.time {
            return None;
        }
        let window = row.read - SAME_MOMENT..=row.read + SAME_MOMENT;
        self.nearest_in(row.read, window, |record| {
            record.service == sought.service && sought.is_exactly(record) && self.is_free(record, sought)
        })
    }

    /// One that asks for clients of a mail server is known by their names, too.
    fn of_process(&self, row: &Row, sought: &Sought) -> Option<usize> {
        // Whoever writes that he is in, into another log and under the number of somebody else, hides no login of that.
        let is_forged = |record: &Record| {
            record.kind == Kind::Login
                && record.log != 0
                && sought.rhost != 0
                && !agree(record.user, sought.user)
        };
        let is_same = |record: &Record| {
            record.service == sought.service
                && (!row.is_of_mail() || sought.agrees(record))
                && !is_forged(record)
                && self.is_free(record, sought)
        };
        // A line may sum up what was long before; only clocks put it behind a record.
        let soon = (sought.since - SAME_PROCESS)..=(row.time + NEAR);
        self.nearest_of(row.pid, row.time, soon, is_same)
            .or_else(|| {
                // The same process for certain, by a clock that is wrong or was stuck. One that asks for many clients was
                // asked in those hours before, too.
                let certain = |record: &Record| {
                    (!row.is_of_mail() || is_zone(record.time - row.time))
                        && sought.is_exactly(record)
                        && is_same(record)
                };
                let apart = row.time - OTHER_CLOCK..=row.time + OTHER_CLOCK;
                self.nearest_of(row.pid, row.time, apart, certain)
            })
            .or_else(|| {
                // Another log has the same lines without the pid.
                let window = sought.since - SAME_MOMENT..=row.time + SAME_MOMENT;
                self.nearest_in(row.time, window, |record| {
                    record.pids[0] == 0 && sought.is_exactly(record) && is_same(record)
                })
            })
            .or_else(|| {
                // One log has the lines of sshd, another those of the child that runs PAM.
                let window = row.time - CHILD_TO_PARENT..=row.time + CHILD_TO_PARENT;
                self.nearest_in(row.time, window, |record| {
                    let one_of_both =
                        self.log_of(record).is_some_and(|log| log.keyboard != sought.log.keyboard);
                    one_of_both && sought.is_exactly(record) && is_same(record)
                })
            })
    }

    fn of_names(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let near = if row.is_check_password() { NEAR } else { SAME_MOMENT };
        let fits = |record: &Record| {
            (row.is_check_password() || record.service == sought.service)
                && sought.agrees(record)
                && self.is_free(record, sought)
        };
        self.nearest_in(row.time, sought.since - near..=row.time + near, fits).or_else(|| {
            let steps = 1..=OTHER_CLOCK / ZONES;
            steps.flat_map(|n| [n * ZONES, -n * ZONES]).find_map(|off| {
                let time = row.time + off;
                let certain = |record: &Record| sought.is_exactly(record) && fits(record);
                self.nearest_in(time, time - near..=time + near, certain)
            })
        })
    }

    fn is_free(&self, record: &Record, sought: &Sought) -> bool {
        // What a container wrote is what no other than it did.
        let others = self.log_of(record).map_or(!sought.log.contained, |log| {
            log.contained == sought.log.contained && agree(log.host, sought.log.host)
        });
        let is_same_kind = record.kind == sought.kind;
        // By its place, too.
        is_same_kind && others && !self.is_taken(record, StreamId(sought.log.stream))
    }
}

/// Whether two clocks that go by two zones may be so far apart.
fn is_zone(apart: i64) -> bool {
    (apart.abs() + SAME_MOMENT) % ZONES <= 2 * SAME_MOMENT
}
