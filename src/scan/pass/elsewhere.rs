//! What PAM refused for Dovecot, where another log may tell of a login: Dovecot asks its databases one after another, PAM
//! writes into one log (`auth.log`) and Dovecot into another (`mail.log`). So whether it was a failure is known when all logs
//! have been read.

use std::collections::HashMap;

use super::Pass;
use super::log::Log;
use crate::scan::Error;
use crate::scan::attempts::{Open, Row};
use crate::scan::hash::hash;
use crate::scan::origin::StreamId;

/// Logins that are remembered at most in one pass.
const MOST: usize = 200_000;

/// Who got in by Dovecot in this pass, by name and address.
#[derive(Default)]
pub(super) struct LetIn {
    logins: HashMap<u64, Vec<Login>>,
    total: usize,
}

/// A login.
struct Login {
    /// Which log tells of it, and when it was.
    log: StreamId,
    time: i64,
    /// The logs of which it answers a refusal: several may tell of the same.
    answers: Vec<StreamId>,
}

impl LetIn {
    /// Remember logins of a log.
    pub(super) fn extend<'a>(&mut self, log: StreamId, logins: impl IntoIterator<Item = &'a Row>) {
        for row in logins {
            if row.service == "dovecot" && self.total < MOST {
                self.total += 1;
                self.logins.entry(client(row)).or_default().push(Login {
                    log,
                    time: row.time,
                    answers: Vec::new(),
                });
            }
        }
    }

    /// Whether another log than `log` tells of a login that makes what was refused here the first of several answers. One
    /// login does so once for each log.
    fn take(&mut self, log: StreamId, row: &Row) -> bool {
        let mut logins = self.logins.get_mut(&client(row)).into_iter().flatten();
        let is_answer = |login: &&mut Login| {
            login.log != log && !login.answers.contains(&log) && row.may_be_followed_at(login.time)
        };
        let Some(login) = logins.find(is_answer) else { return false };
        login.answers.push(log);
        true
    }
}

fn client(row: &Row) -> u64 {
    hash(&[row.host.as_bytes(), row.user.as_bytes(), row.rhost.as_bytes()])
}

impl Pass<'_> {
    /// Decide about what waited for the other logs.
    pub(super) fn record_undecided(&mut self) -> Result<(), Error> {
        let waits = self.checkpoint.streams.iter().filter(|(_, stream)| !stream.undecided.is_empty());
        let names: Vec<String> = waits.map(|(name, _)| name.clone()).collect();
        for name in names {
            let mut log = self.take_log(&name, false);
            self.decide_undecided(&mut log)?;
            self.put_back(log);
        }
        Ok(())
    }

    /// The same of one log.
    pub(super) fn decide_undecided(&mut self, log: &mut Log) -> Result<(), Error> {
        let mut rows = std::mem::take(&mut log.stream.undecided);
        rows.retain(|row| !self.let_in.take(log.id, row));
        let intake = self.intake(Open::default());
        self.decide(log, &intake, rows, Self::fate_by_module)?;
        log.stream.used = self.recorded.used(log.id, self.now.as_microsecond());
        self.recorded.unload();
        Ok(())
    }
}
