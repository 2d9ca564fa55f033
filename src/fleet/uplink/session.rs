//! The member's half that talks to the engine.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::offline::Uplink;
use crate::engine::{Engine, Error};
use crate::protocol::member::{Answer, Own, Step};
use crate::protocol::{Batch, LEASE, MARKS, Mark, Name, RECORDS, mark_of, records_of};

/// So often a member that has nothing to say says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(3600);
/// After the first refusal; doubled with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is wrong while a session lasts.
#[derive(Debug)]
pub enum Broken {
    /// The engine.
    Engine(Error),
    /// This machine.
    Disk(io::Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine(e) => e.fmt(f),
            Self::Disk(e) => e.fmt(f),
        }
    }
}

/// A connection, and where the member stands on it.
#[derive(Debug)]
pub struct Session<'a> {
    uplink: &'a mut Uplink,
    engine: Engine,
    records: String,
    mark: String,
    made: watch::Receiver<u64>,
    wait: Duration,
    /// The engine's number of the newest watermark that was read.
    newest_mark: u64,
}

impl<'a> Session<'a> {
    /// On a connection that was just made.
    pub fn new(uplink: &'a mut Uplink, engine: Engine, name: &Name) -> Self {
        let made = engine.made();
        let (records, mark) = (records_of(name), mark_of(name));
        Self { uplink, engine, records, mark, made, wait: FIRST_WAIT, newest_mark: 0 }
    }

    /// The disk's half.
    pub fn uplink(&mut self) -> &mut Uplink {
        self.uplink
    }

    /// Return when the connection was made anew.
    pub fn remade(&self) -> impl Future<Output = ()> + use<> {
        let mut made = self.made.clone();
        async move {
            let _ = made.changed().await;
        }
    }

    /// Read the own subject and the watermark: what is sent next follows from these.
    pub async fn look_up(&mut self) -> Result<Step, Broken> {
        self.made.borrow_and_update();
        self.uplink.state.member.on_connection();
        self.look_again().await
    }

    /// The same on a connection that lasts: what the hub was to have by now may be gone from the engine.
    pub async fn look_again(&mut self) -> Result<Step, Broken> {
        let (sequence, mark) = self.fetch_mark().await?;
        if let Some(mark) = &mark {
            // First what is confirmed; a gap only when it is known what the engine has.
            let step = self.uplink.on_mark(&Mark { gap: false, ..mark.clone() }, sequence)?;
            if step != Step::Send {
                return Ok(step);
            }
        }
        let own = match self.engine.last_of(RECORDS, &self.records).await? {
            None => Own::Nothing,
            Some(found) => self.uplink.recognize(found.sequence, &found.body),
        };
        match (self.uplink.state.member.on_own(own), &mark) {
            (Step::Send, Some(mark)) => Ok(self.uplink.on_mark(mark, sequence)?),
            (step, _) => Ok(step),
        }
    }

    /// Read the watermark, and whether the hub lives.
    pub async fn read_mark(&mut self) -> Result<Step, Broken> {
        let (sequence, mark) = self.fetch_mark().await?;
        match mark {
            Some(mark) => Ok(self.uplink.on_mark(&mark, sequence)?),
            None => Ok(Step::Send),
        }
    }

    async fn fetch_mark(&mut self) -> Result<(u64, Option<Mark>), Broken> {
        let lease = self.engine.last_of(MARKS, LEASE).await?.map_or(0, |lease| lease.sequence);
        let found = self.engine.last_of(MARKS, &self.mark).await?;
        let sequence = found.as_ref().map_or(0, |found| found.sequence);
        let is_new = sequence != self.newest_mark && self.newest_mark != 0;
        if is_new || (lease != self.uplink.state.lease && lease != 0) {
            self.uplink.on_heard()?;
        }
        (self.uplink.state.lease, self.newest_mark) = (lease, sequence);
        Ok((sequence, found.and_then(|found| serde_json::from_slice(&found.body).ok())))
    }

    /// Send one batch. None where there is nothing to send.
    pub async fn send(&mut self) -> Result<Option<Step>, Broken> {
        if self.made.has_changed().unwrap_or(false) {
            return Ok(Some(Step::LookUp));
        }
        let mut next = self.uplink.next_to_send()?;
        if next.is_none() && self.uplink.take_in()? {
            next = self.uplink.next_to_send()?;
        }
        let (last, message) = match next {
            Some((entry, message)) => (entry.last, message),
            None if self.is_heartbeat_due() => self.heartbeat(self.uplink.state.next - 1)?,
            None => return Ok(None),
        };
        self.append(last, message).await.map(Some)
    }

    /// Say what an earlier hub has alerted of.
    pub async fn send_floor(&mut self) -> Result<Step, Broken> {
        let (last, message) = self.heartbeat(self.uplink.state.member.gone)?;
        self.append(last, message).await
    }

    fn heartbeat(&self, last: u64) -> Result<(u64, Vec<u8>), Broken> {
        let state = &self.uplink.state;
        let marks = (state.member.gone, state.lost);
        let batch = Batch::heartbeat(state.member.epoch, self.uplink.inst, last, marks);
        Ok((last, batch.encode().map_err(io::Error::from)?))
    }

    async fn append(&mut self, last: u64, message: Vec<u8>) -> Result<Step, Broken> {
        let expected = self.uplink.state.member.sequence;
        let answer = self.engine.append(&self.records, expected, message).await;
        match &answer {
            Answer::Stored(_) => {
                self.uplink.state.spoke = Timestamp::now();
                self.wait = FIRST_WAIT;
            }
            Answer::Refused(why) => {
                authalert::deliver::Notice::error(format!("the engine refuses a batch: {why}")).send();
            }
            Answer::WrongLast | Answer::NoRoom | Answer::Unknown => {}
        }
        Ok(self.uplink.state.member.on_answer(&answer, last))
    }

    /// How long to wait before the next try; longer each time.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST_WAIT);
        wait
    }

    /// Whether the hub has everything that the engine has.
    pub fn is_settled(&self) -> bool {
        self.uplink.state.member.watermark + 1 >= self.uplink.state.next
    }

    fn is_heartbeat_due(&self) -> bool {
        Timestamp::now().duration_since(self.uplink.state.spoke).unsigned_abs() >= HEARTBEAT
    }
}
