//! The record of an attempt: by its process, else by who, whom and when.

use std::ops::RangeInclusive;

use super::sought::{Sought, agree};
use super::{CHILD_TO_PARENT, NEAR, OTHER_CLOCK, Recorded, SAME_MOMENT, SAME_PROCESS, ZONES};
use crate::scan::attempts::{Row, SUMMED_UP};

impl Recorded {
    /// The free record that is nearest in time among those that may be of this attempt.
    pub(super) fn nearest(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let by_its_time = if row.pid != 0 && !row.is_check_password() {
            self.of_process(row, sought)
        } else {
            self.of_names(row, sought)
        };
        by_its_time.or_else(|| self.as_read(row, sought)).or_else(|| self.summed_up(row, sought))
    }

    /// Dovecot says what was refused when the client leaves, into another log than PAM or the module before.
    fn summed_up(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let window = match (row.is_relayed(), row.is_of_first_database()) {
            (true, _) => row.time - SUMMED_UP..=row.time + SAME_MOMENT,
            (false, true) => row.time - SAME_MOMENT..=row.time + SUMMED_UP,
            (false, false) => return None,
        };
        let certain = |i: &usize| {
            let record = &self.records[*i];
            record.service == sought.service
                && [record.user, record.rhost] == [sought.user, sought.rhost]
                && ![record.user, record.rhost].contains(&0)
        };
        // In a flood there are thousands: most are passed over by the names.
        let free = self.all_within(window).filter(certain).filter(|i| self.is_free(*i, sought));
        self.closest(row.time, free)
    }

    /// Of a line that was dated ahead another log may have told just now.
    fn as_read(&self, row: &Row, sought: &Sought) -> Option<usize> {
        if row.happened() == row.time {
            return None;
        }
        let certain = |i: &usize| {
            let record = &self.records[*i];
            record.service == sought.service && sought.is_exactly(record)
        };
        let window = row.read - SAME_MOMENT..=row.read + SAME_MOMENT;
        self.closest(row.read, self.within(window, sought).filter(certain))
    }

    fn of_process(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let first = self.by_pid.partition_point(|(pid, _)| *pid < row.pid);
        let of_pid = self.by_pid[first..].iter().take_while(|(pid, _)| *pid == row.pid);
        let same = of_pid.map(|(_, index)| *index as usize);
        let same: Vec<usize> =
            same.filter(|i| self.is_free(*i, sought) && self.records[*i].service == sought.service).collect();
        // A line may sum up what was long before; only clocks put it behind a record.
        let soon = (sought.since - SAME_PROCESS)..=(row.time + NEAR);
        let at_hand = same.iter().copied().filter(|i| soon.contains(&self.records[*i].time));
        self.closest(row.time, at_hand)
            .or_else(|| {
                // The same process for certain, by a clock that is wrong or was stuck.
                let certain = same.iter().copied().filter(|i| sought.is_exactly(&self.records[*i]));
                let apart = |i: &usize| (self.records[*i].time - row.time).abs() <= OTHER_CLOCK;
                self.closest(row.time, certain.filter(apart))
            })
            .or_else(|| {
                // Another log has the same lines without the pid.
                let nameless = |i: &usize| {
                    let record = &self.records[*i];
                    !record.has_pid && record.service == sought.service && sought.is_exactly(record)
                };
                let window = sought.since - SAME_MOMENT..=row.time + SAME_MOMENT;
                self.closest(row.time, self.within(window, sought).filter(nameless))
            })
            .or_else(|| {
                // One log has the lines of sshd, another those of the child that runs PAM.
                let relative = |i: &usize| {
                    let record = &self.records[*i];
                    let one_of_both =
                        self.log_of(record).is_some_and(|log| log.keyboard != sought.log.keyboard);
                    one_of_both && record.service == sought.service && sought.is_exactly(record)
                };
                let window = row.time - CHILD_TO_PARENT..=row.time + CHILD_TO_PARENT;
                self.closest(row.time, self.within(window, sought).filter(relative))
            })
    }

    fn of_names(&self, row: &Row, sought: &Sought) -> Option<usize> {
        let near = if row.is_check_password() { NEAR } else { SAME_MOMENT };
        let fits = |i: &usize| {
            let record = &self.records[*i];
            (row.is_check_password() || record.service == sought.service)
                && agree(record.user, sought.user)
                && agree(record.ruser, sought.ruser)
                && agree(record.rhost, sought.rhost)
        };
        let window = sought.since - near..=row.time + near;
        self.closest(row.time, self.within(window, sought).filter(fits)).or_else(|| {
            let steps = 1..=OTHER_CLOCK / ZONES;
            steps.flat_map(|n| [n * ZONES, -n * ZONES]).find_map(|off| {
                let time = row.time + off;
                let certain = |i: &usize| fits(i) && sought.is_exactly(&self.records[*i]);
                self.closest(time, self.within(time - near..=time + near, sought).filter(certain))
            })
        })
    }

    fn is_free(&self, index: usize, sought: &Sought) -> bool {
        let record = &self.records[index];
        // What a container wrote is what no other than it did.
        let others = self.log_of(record).map_or(!sought.log.contained, |log| {
            let ours = log.stream == sought.log.stream;
            log.contained == sought.log.contained
                && agree(log.host, sought.log.host)
                && (!ours || self.is_unsaved(record.key, *log))
        });
        let same_kind = record.is_login == sought.is_login;
        same_kind
            && others
            && self.used.get(&(sought.log.stream, record.key)).is_none_or(|u| u.times < record.count)
    }

    fn within(&self, times: RangeInclusive<i64>, sought: &Sought) -> impl Iterator<Item = usize> {
        self.all_within(times).filter(|i| self.is_free(*i, sought))
    }

    fn all_within(&self, times: RangeInclusive<i64>) -> impl Iterator<Item = usize> {
        let (first, last) = times.into_inner();
        let time = |index: &u32| self.records[*index as usize].time;
        let from = self.by_time.partition_point(|index| time(index) < first);
        let range = self.by_time[from..].iter().take_while(move |index| time(index) <= last);
        range.map(|index| *index as usize)
    }

    fn closest(&self, time: i64, among: impl Iterator<Item = usize>) -> Option<usize> {
        among.min_by_key(|i| (self.records[*i].time - time).abs())
    }
}
