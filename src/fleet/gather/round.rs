//! One round: pull, judge, record, sync, mark, acknowledge. A crash behind any step loses nothing and counts nothing
//! twice.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use authalert::deliver::Notice;
use authalert::event::Event;
use authalert::journal::Journal;
use jiff::Timestamp;

use super::alerted::Alerted;
use super::alerts::Alerts;
use super::lease::Held;
use super::marks::Marks;
use super::pull::{Handed, Pull};
use super::record::Clocks;
use super::state::State;
use super::{Broken, record, silence};
use crate::engine::{Engine, Newest, purge};
use crate::members::Fleet;
use crate::place::Place;
use crate::protocol::batch::Malformed;
use crate::protocol::hub::Verdict;
use crate::protocol::{Batch, Epoch, Mark, Name};
use crate::stop::Stop;

/// What is written down of the cursors is at most so old; what is newer is found in the journal.
const SAVE_EACH: Duration = Duration::from_secs(5);
/// A member's messages are removed when there are so many, or after so long.
const PURGE_AT: u64 = 400;
const PURGE_EACH: Duration = Duration::from_secs(60);
/// Between two tries where the journal is full.
const RETRY: Duration = Duration::from_millis(200);
/// So long it is waited for a message before the rest is looked after.
const PATIENCE: Duration = Duration::from_secs(2);
/// Silence is looked for so often.
const LOOK_EACH: Duration = Duration::from_secs(60);

/// What a round needs, and what it remembers for the next one.
#[derive(Debug)]
pub struct Round<'a> {
    place: &'a Place,
    engine: &'a Engine,
    journal: Journal,
    pull: Pull,
    marks: Marks,
    alerted: Alerted,
    saved: Instant,
    looked: Option<Instant>,
    changed: bool,
    stored: HashMap<Name, Stored>,
    clocks: Clocks,
}

/// Messages of a member since they were purged.
#[derive(Debug)]
struct Stored {
    count: u64,
    /// When the first came.
    since: Instant,
    newest: Newest,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The next round.
    Go,
    /// This process is to end.
    End,
}

/// What one round takes over.
#[derive(Debug, Default)]
struct Taken {
    events: Vec<Event>,
    acks: Vec<String>,
    touched: BTreeMap<Name, (Epoch, bool)>,
}

impl<'a> Round<'a> {
    /// With what the engine has.
    pub fn new(place: &'a Place, engine: &'a Engine, pull: Pull, marks: Marks) -> Self {
        Self {
            place,
            engine,
            journal: Journal::new(&place.state),
            pull,
            marks,
            alerted: Alerted::new(),
            saved: Instant::now(),
            looked: None,
            changed: false,
            stored: HashMap::new(),
            clocks: Clocks::default(),
        }
    }

    /// Another connection.
    pub async fn reconnected(&mut self) -> Result<(), Broken> {
        self.marks.forget();
        // The engine's numbers may begin anew.
        self.stored.clear();
        self.pull = Pull::on(self.engine).await?;
        Ok(())
    }

    /// Make one. What was taken over is never left half done.
    pub async fn make(
        &mut self,
        state: &mut State,
        held: &mut Held,
        alerts: &Alerts,
        stop: &Stop,
    ) -> Result<Turn, Broken> {
        held.written(state.generation());
        if !held.renew(self.engine).await? {
            return Err(Broken::Fenced);
        }
        let handed = tokio::select! {
            () = stop.requested() => return Ok(Turn::End),
            handed = self.pull.some(self.engine, PATIENCE) => handed?,
        };
        if !handed.is_empty() {
            self.take_over(state, held, alerts, handed).await?;
        }
        self.look_after(state).await?;
        Ok(Turn::Go)
    }

    async fn take_over(
        &mut self,
        state: &mut State,
        held: &mut Held,
        alerts: &Alerts,
        handed: Vec<Handed>,
    ) -> Result<(), Broken> {
        for member in handed.iter().filter_map(|message| message.member.as_ref()) {
            self.marks.learn(self.engine, member, (&mut state.cursors, &state.lost)).await?;
        }
        // From here to the end of recording nothing may come in between: what is judged counts as recorded.
        let mut taken = Taken::default();
        for message in handed {
            state.backlog = message.behind;
            taken.acks.push(message.ack);
            let Some(member) = message.member else { continue };
            state.member(member.as_str()).on_message(message.time);
            judge(state, &mut self.clocks, &member, &message.body, &mut taken);
            let newest = Newest { sequence: message.sequence, time: message.time };
            let stored =
                self.stored.entry(member).or_insert(Stored { count: 0, since: Instant::now(), newest });
            stored.count += 1;
            if newest.sequence > stored.newest.sequence {
                stored.newest = newest;
            }
        }
        self.changed = true;
        self.record(&taken.events, held, alerts).await.map_err(Broken::Disk)?;
        if !held.is_safe() && !held.assert(self.engine).await? {
            return Err(Broken::Fenced);
        }
        let marks = taken.touched.into_iter().filter_map(|(member, (epoch, gap))| {
            let last = state.cursors.of(member.as_str(), epoch).map_or(0, |cursor| cursor.last);
            (last > 0 || gap).then(|| {
                let mark = self.marks.next(&member, (epoch, last, gap), &self.alerted);
                (member, mark)
            })
        });
        let marks: Vec<(Name, Mark)> = marks.collect();
        if !self.marks.write(self.engine, marks).await? {
            return Err(Broken::Fenced);
        }
        for ack in &taken.acks {
            self.engine.publish(ack, "+ACK").await?;
        }
        Ok(())
    }

    /// Until all are on disk. An error ends this process, which then counts what is in the journal.
    async fn record(&self, events: &[Event], held: &mut Held, alerts: &Alerts) -> io::Result<()> {
        let (mut left, mut said) = (events, false);
        while !left.is_empty() {
            let (rest, result) = record::record(&self.journal, left);
            left = rest;
            // A pass alerts of them, and makes room where there was none.
            alerts.wake();
            let Err(why) = result else { continue };
            if !said {
                Notice::error(format!("records of members wait: {why}")).send();
                said = true;
            }
            tokio::time::sleep(RETRY).await;
            if matches!(held.renew(self.engine).await, Ok(false)) || !held.is_safe() {
                return Err(io::Error::other("the lease of the hub ran out while its journal was full"));
            }
        }
        Ok(())
    }

    async fn look_after(&mut self, state: &mut State) -> Result<(), Broken> {
        if self.changed && self.saved.elapsed() >= SAVE_EACH {
            state.save(self.place)?;
            (self.saved, self.changed) = (Instant::now(), false);
        }
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EACH) {
            self.looked = Some(Instant::now());
            // What is wrong with that file, the commands that write it say.
            if let Ok(Some(fleet)) = Fleet::load(&self.place.configuration) {
                let is_member = |name: &str| fleet.members.contains_key(name);
                state.keep_members(is_member);
                self.marks.keep_members(is_member);
                silence::list_gone(self.place, state, is_member)?;
            }
            silence::look(self.place, state)?;
        }
        if self.alerted.look(self.place, &state.cursors)? {
            let began = Instant::now();
            if !self.marks.write(self.engine, self.marks.outdated(&self.alerted)).await? {
                return Err(Broken::Fenced);
            }
            self.alerted.written(began.elapsed());
        }
        let due = |stored: &Stored| stored.count >= PURGE_AT || stored.since.elapsed() >= PURGE_EACH;
        let full = self.stored.iter().filter(|(_, stored)| due(stored));
        let full: Vec<(Name, Newest)> =
            full.map(|(member, stored)| (member.clone(), stored.newest)).collect();
        for (member, newest) in full {
            purge(self.engine, &member, newest).await?;
            self.stored.remove(&member);
        }
        Ok(())
    }
}

/// What one message comes to. What it brings is counted at once, and recorded before anybody is told of it.
fn judge(state: &mut State, clocks: &mut Clocks, member: &Name, body: &[u8], taken: &mut Taken) {
    let (name, now) = (member.as_str(), Timestamp::now());
    let read = match Batch::decode(body) {
        Ok(read) => read,
        Err(why) => {
            let known = state.member(name);
            known.refused += 1;
            if known.refused == 1 {
                let why = match why {
                    Malformed::Newer => "is of a later version: install that on the hub first",
                    Malformed::Shape | Malformed::Numbers => "is no batch; it is counted and passed over",
                };
                Notice::error(format!("a message of {name} {why}")).send();
            }
            return;
        }
    };
    let Batch { epoch, first, last, floor, lost, .. } = read.batch;
    let verdict = state.cursors.judge(name, &read.batch);
    let gap = verdict == Verdict::Gap;
    if gap != state.member(name).gap {
        let what = if gap { "something is missing from" } else { "nothing is missing any more from" };
        Notice::info(format!("{what} {name}; it was asked to send it again")).send();
        state.member(name).gap = gap;
    }
    taken.touched.insert(member.clone(), (epoch, gap));
    if gap {
        return;
    }
    let items = (first..).zip(read.items).filter(|(number, _)| verdict.counts(*number));
    for (number, item) in items {
        let known = state.members.entry(name.to_owned()).or_default();
        match item {
            Some(item) => {
                known.records += 1;
                taken.events.push(record::event_of((member, epoch, number), item, clocks, now));
            }
            None => known.unreadable += 1,
        }
    }
    state.cursors.counted(name, epoch, last.max(floor));
    let lost = state.cursors.lost(name, epoch, lost);
    if lost > 0 {
        state.member(name).lost += lost;
        Notice::error(format!("{name} had no room for {lost} failures while the hub was away")).send();
    }
}
