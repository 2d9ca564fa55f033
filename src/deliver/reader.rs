//! One receiver in one pass: take its lock, take in what is new in the journal, send what is due, save.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::config::{self, Alerts, Config};
use crate::journal::{CURRENT, Journal, room, segment, target};
use crate::neutral;
use crate::receiver::Receiver;

use super::clock::Reading;
use super::gate::Gate;
use super::health::Change;
use super::hub;
use super::intake::{self, Rules, Taken};
use super::judge::{self, Grounds, Judge};
use super::linger::Worker;
use super::lock::Lock;
use super::outage::{Kind, Outage};
use super::place::Place;
use super::route::Routes;
use super::state::{Cursor, Loaded, State};
use super::{Context, Fault, Moment, Notice, Policy, Request, Served, findings, quarantine};

/// In a login the state is not written for so few bytes: the next pass reads them again.
const WORTH_SAVING: u64 = 64 << 10;
/// So often a pass looks again for what came while it worked; then it leaves it to the next one.
const ROUNDS: usize = 20;

/// What a pass needs to serve one receiver.
#[derive(Debug)]
pub struct Reader<'a> {
    pub request: &'a Request,
    pub config: &'a Config,
    pub routes: &'a Routes,
    pub receiver: &'a config::Receiver,
    pub alerts: Alerts,
    pub policy: Policy,
    pub place: Place,
    /// Receivers, perhaps others, that nothing gets through to.
    pub stuck: Vec<Fault>,
    /// Behind which the others wait for the first.
    pub gate: Arc<Gate>,
}

impl<'a> Reader<'a> {
    /// For one of the receivers of `routes`.
    pub fn new(
        request: &'a Request,
        config: &'a Config,
        routes: &'a Routes,
        receiver: &'a config::Receiver,
        gate: Arc<Gate>,
    ) -> Self {
        let alerts = config.alerts_of(receiver);
        let policy = Policy::from(&alerts);
        let place = Place::new(&request.state, &receiver.name);
        Self { request, config, routes, receiver, alerts, policy, place, stuck: Vec::new(), gate }
    }

    /// Serve it until nothing is due and nothing new came; as a command, until nobody else of the pass is at work either.
    pub fn serve(&self, mut begun: Worker<'_>) -> Served {
        let mut all = Served { name: self.receiver.name.clone(), ..Served::default() };
        let (mut at_once, mut seen) = (self.request.at_once, Vec::new());
        loop {
            self.serve_what_is_there(&mut all, at_once, &mut seen);
            self.gate.open();
            // Once: what the service did not take now it is not asked to take again a moment later.
            at_once = false;
            // Nothing starts a pass beside this one for what falls due. After an outage the next one tries again.
            let due = all.next.filter(|_| all.outage.is_none()).map(|next| Instant::now() + next);
            let is_due = || due.is_some_and(|due| due <= Instant::now());
            let is_new = || is_due() || grew(&self.request.state, &seen);
            if self.request.context == Context::Login || !begun.linger(is_new) {
                return all;
            }
        }
    }

    /// `seen`: what was read of the journal at last. Where somebody else had the lock, or something failed, that stays: it
    /// is tried again when who lingers looks the next time.
    fn serve_what_is_there(&self, all: &mut Served, mut at_once: bool, seen: &mut Vec<(u64, u64)>) {
        for _ in 0..ROUNDS {
            let mut notices = Vec::new();
            let done = self.locked_pass(at_once, &mut notices);
            // What syslog did not take at once: it may block, and nobody should wait for it with the lock held.
            notices.iter().for_each(Notice::send);
            let (served, read) = match done {
                Ok(done) => done,
                Err(e) => {
                    all.error = Some(e);
                    return;
                }
            };
            let (mut sent, mut skipped) = (std::mem::take(&mut all.sent), std::mem::take(&mut all.skipped));
            sent.extend(served.sent);
            skipped.extend(served.skipped);
            *all = Served { sent, skipped, ..served };
            if all.busy {
                return;
            }
            *seen = read;
            if self.request.is_let_go() || !grew(&self.request.state, seen) {
                return;
            }
            at_once = false;
        }
    }

    /// One taking of the lock. Also gives what was read of the journal: inode and size of each segment.
    fn locked_pass(&self, at_once: bool, notices: &mut Vec<Notice>) -> io::Result<(Served, Vec<(u64, u64)>)> {
        let busy = || Served { name: self.receiver.name.clone(), busy: true, ..Served::default() };
        let Some(lock) = Lock::take(&self.place, self.request.patience())? else {
            return Ok((busy(), Vec::new()));
        };
        // Removed since this pass read its configuration: begun anew, it would be told the whole journal.
        let Some(state) = self.load(&lock, notices)? else { return Ok((busy(), Vec::new())) };
        Pass::new(self, lock, state, at_once, notices).run()
    }

    /// The state, in the epoch that is held: what an earlier epoch left is copied before anything is done.
    fn load(&self, lock: &Lock, notices: &mut Vec<Notice>) -> io::Result<Option<State>> {
        let name = &self.receiver.name;
        let Some(loaded) = State::load(&self.place, false)? else { return Ok(None) };
        let Loaded { mut state, epoch, is_staged, quarantined, recovered } = loaded;
        for path in &quarantined {
            let path = path.display();
            notices.push(Notice::error(format!("the state of {name} was damaged and is kept as {path}")));
        }
        if recovered {
            notices.push(Notice::info(format!("the state of {name} was found again from what it was sent")));
        }
        if state.series.is_empty() {
            state.series = super::enrol::series();
        }
        let held = lock.token().epoch();
        let is_older = epoch.is_some_and(|epoch| epoch < held);
        // What a pass that was cut has staged, perhaps a request that was made, stands nowhere else, and the next
        // staging is written over it: a power cut in the middle of that would leave neither.
        if is_older || is_staged {
            state.save(&self.place, held)?;
        }
        if is_older {
            lock.token().check()?;
            self.place.forget_before(held);
            notices
                .push(Notice::info(format!("another pass over {name} stood still; this one goes on for it")));
        }
        Ok(Some(state))
    }
}

/// Whether the journal grew since it was read. Whoever recorded then found the lock taken, and
/// left it to us.
fn grew(state: &Path, read: &[(u64, u64)]) -> bool {
    let segments = segment::list(Journal::new(state).directory()).unwrap_or_default();
    segments.iter().any(|s| match read.iter().find(|(inode, _)| *inode == s.inode) {
        // Not beyond the last whole line: half a line that nobody finishes is nothing new.
        // A smaller one is another file, with the number of one that was deleted.
        Some((_, size)) => s.size != *size,
        // Not one that was only made in this pass.
        None => s.headless || s.size > target::HEAD as u64,
    })
}

/// A pass that holds the lock of one receiver.
pub struct Pass<'a> {
    pub reader: &'a Reader<'a>,
    pub lock: Lock,
    pub state: State,
    pub now: Moment,
    pub at_once: bool,
    pub served: Served,
    pub notices: &'a mut Vec<Notice>,
    /// What became wrong or well, and is in no message yet.
    pub changes: Vec<Change>,
    /// Files of the journal that were read and perhaps are not on disk yet.
    fresh: Vec<PathBuf>,
}

impl<'a> Pass<'a> {
    pub fn new(
        reader: &'a Reader<'a>,
        lock: Lock,
        state: State,
        at_once: bool,
        notices: &'a mut Vec<Notice>,
    ) -> Self {
        let served = Served { name: reader.receiver.name.clone(), ..Served::default() };
        Self {
            reader,
            lock,
            state,
            now: Moment(0),
            at_once,
            served,
            notices,
            changes: Vec::new(),
            fresh: Vec::new(),
        }
    }

    fn run(mut self) -> io::Result<(Served, Vec<(u64, u64)>)> {
        let reader = self.reader;
        self.tick();
        let cleared = self.clear_what_was_fixed();
        let journal = Journal::new(&reader.request.state);
        let rules = Rules {
            ignore: &reader.config.ignore,
            policy: &reader.policy,
            receiver: reader.receiver,
            by_hub: false,
        };
        let mut accounts = match reader.request.context {
            Context::Login => Accounts::in_login(),
            Context::Command => Accounts::outside_login(),
        };
        let changed = self.note_mistake() | self.look_after_itself();
        let segments = segment::list(journal.directory())?;
        let (before, totals) = (self.state.cursors.clone(), self.state.totals);
        let link = if self.is_the_timeline() {
            None
        } else {
            hub::decided(&reader.request.state, reader.request.context == Context::Command)?
        };
        let (state, accounts_of) = (&mut self.state, &mut accounts);
        let taken = match &link {
            Some(link) => {
                intake::take_decided(state, &segments, &journal, (&rules, link), accounts_of, self.now)?
            }
            None => intake::take_in(state, &segments, &journal, &rules, accounts_of, self.now)?,
        };
        let grounds = Grounds {
            segments: &segments,
            rules: &reader.config.logins,
            ignore: rules.ignore,
            by_hub: link.is_some_and(|link| !link.is_own()),
        };
        let has_logins = self.state.totals.logins > totals.logins || std::mem::take(&mut self.state.has_late);
        let judge = self.judge(&before, has_logins, taken.read.bytes, grounds, &mut accounts)?;
        self.fresh.clone_from(&taken.read.files);
        if self.is_the_timeline() {
            self.keep_unreadable(&taken)?;
        }
        let changed = self.send_what_is_due(None)? | changed;
        reader.gate.open();
        // An alert that was sent keeps its failures; those that wait are kept by the journal.
        journal.sync()?;
        let by_a_command = reader.request.context == Context::Command;
        let worth_saving = taken.read.bytes > if by_a_command { 0 } else { WORTH_SAVING };
        if cleared || changed || worth_saving || has_logins || !taken.unreadable.is_empty() {
            self.save()?;
            if let Some(judge) = judge {
                judge.save(&reader.request.state)?;
            }
        }
        if by_a_command && self.is_the_timeline() && taken.read.bytes > 0 {
            room::reserve(&journal.directory().join(CURRENT));
        }
        let outage = self.state.outage.as_ref();
        // An outage that began just now: who waits for it, a person or the worker, learns until when.
        let until = outage.filter(|o| o.next > self.now).map(|o| o.next.since(self.now));
        self.served.next = self.served.next.or(until);
        self.served.pending = self.state.unsettled();
        self.served.outage = outage.map(|o| o.why.clone());
        Ok((self.served, taken.read.seen))
    }

    /// Judge the logins that were just taken in, from `before` on, or are to be judged again. Gives the judge where it is to be kept: behind the
    /// state, which is saved first.
    fn judge(
        &mut self,
        before: &[Cursor],
        has_logins: bool,
        bytes: u64,
        grounds: Grounds<'_>,
        accounts: &mut Accounts,
    ) -> io::Result<Option<Judge>> {
        self.state.unjudged = if self.is_the_timeline() { self.state.unjudged + bytes } else { 0 };
        let Reader { receiver, policy, request, .. } = self.reader;
        let is_far_behind = judge::is_far_behind(&request.state, self.state.unjudged);
        if !has_logins && !is_far_behind {
            return Ok(None);
        }
        let mut judge = Judge::before(&request.state, before, grounds);
        // Or each login to come would read all of it again.
        let is_kept = is_far_behind || (self.is_the_timeline() && judge.is_anew(grounds));
        judge.read_to(before, grounds, accounts, &mut |_, _| {})?;
        judge.forget_gone(&request.state);
        let (until, now, state) = (self.state.cursors.clone(), self.now, &mut self.state);
        judge.read_to(&until, grounds, accounts, &mut |finding, accounts| {
            let told_elsewhere = grounds.by_hub || intake::is_told_elsewhere(&finding.login);
            let kind = findings::told_as(finding.verdict, receiver).filter(|_| !told_elsewhere);
            let Some(kind) = kind else { return };
            let login = &finding.login;
            let turn = state.pacing.on_finding(now, &finding, kind, policy);
            let kinds = (accounts.tried(login), accounts.asker(login));
            state.findings.add(&finding, kind, turn, kinds);
        })?;
        if !is_kept {
            return Ok(None);
        }
        state.unjudged = 0;
        Ok(Some(judge))
    }

    /// Look at the clock.
    pub fn tick(&mut self) {
        self.now = self.state.clock.advance(&Reading::now());
    }

    /// What was sent before counts by the pace that is configured now; says whether that is to be kept.
    pub fn settle_pace(&mut self) -> bool {
        let (state, policy) = (&mut self.state, &self.reader.policy);
        state.pacing.settle(self.now, policy) | state.requests.settle(self.now, policy)
    }

    /// Write the state, after the records that it says were read: a power cut that took those would
    /// make room for others, which would then be passed over.
    pub fn save(&mut self) -> io::Result<()> {
        self.sync_what_was_read()?;
        self.lock.token().check()?;
        self.send_notices();
        self.state.save(&self.reader.place, self.lock.token().epoch())
    }

    /// Before the state says that it was said: a process that ends in between says it twice rather than never.
    fn send_notices(&mut self) {
        self.notices.retain(|notice| !notice.send_at_once());
    }

    /// See [`Pass::save`].
    pub fn sync_what_was_read(&mut self) -> io::Result<()> {
        for path in std::mem::take(&mut self.fresh) {
            match File::open(path) {
                // Deleted since: then everybody had read it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                file => file?.sync_data()?,
            }
        }
        Ok(())
    }

    /// The receiver itself; where there is none, that is noted as an outage.
    pub fn build(&mut self) -> Option<Box<dyn Receiver>> {
        let Reader { routes, receiver, request, .. } = self.reader;
        match routes.build(receiver, request.context, self.state.addresses.as_ref()) {
            Ok(built) => Some(built),
            Err((kind, why)) => {
                self.record(kind, why, None);
                None
            }
        }
    }

    /// Note why nothing is sent.
    pub fn record(&mut self, kind: Kind, why: String, until: Option<Duration>) {
        let (why, now) = (neutral::text(why, 600), (self.now, Timestamp::now()));
        let fingerprint = self.reader.routes.fingerprint.clone();
        let (outage, tell) = Outage::record(self.state.outage.as_ref(), kind, why, now, until, fingerprint);
        if tell {
            let (name, why) = (&self.reader.receiver.name, &outage.why);
            self.notices.push(Notice::error(format!("alerts are not delivered to {name}: {why}")));
        }
        self.state.outage = Some(outage);
    }

    /// What is wrong with its table in the configuration is an outage before anything is due, and said at once.
    fn note_mistake(&mut self) -> bool {
        let Some(why) = &self.reader.receiver.mistake else { return false };
        let why = neutral::text(why, 600);
        if self.state.outage.as_ref().is_some_and(|o| o.kind == Kind::Config && o.why == why) {
            return false;
        }
        self.record(Kind::Config, why, None);
        true
    }

    /// An outage of this machine ends when its cause does, not only with the next alert.
    fn clear_what_was_fixed(&mut self) -> bool {
        let Reader { routes, receiver, request, .. } = self.reader;
        let over = self.state.outage.as_ref().is_some_and(|outage| outage.kind.is_of_this_machine())
            && routes.build(receiver, request.context, None).is_ok();
        if over {
            let name = &receiver.name;
            self.notices
                .push(Notice::info(format!("configuration and credentials of {name} can be used again")));
            self.state.outage = None;
        }
        over
    }

    /// Of which it is known what it has.
    pub fn is_the_timeline(&self) -> bool {
        self.reader.receiver.name == config::TIMELINE
    }

    /// Keep what could not be read, neutral and bounded, and say so.
    fn keep_unreadable(&mut self, taken: &Taken) -> io::Result<()> {
        if taken.unreadable.is_empty() {
            return Ok(());
        }
        let path = quarantine::lines(&self.reader.request.state, &taken.unreadable)?;
        self.notices.push(Notice::error(format!(
            "{} line(s) of the journal could not be read; they are counted and kept in {}",
            taken.unreadable.len(),
            path.display()
        )));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::prepare;
    use crate::message::summary::tests::failure;

    #[test]
    fn what_is_larger_than_it_was_read_is_new_and_another_file_with_the_number_of_one_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path()).unwrap();
        let journal = Journal::new(directory.path());
        journal.append(&[failure(0, "root", "192.0.2.7")]).unwrap();
        let there = segment::list(journal.directory()).unwrap();
        let grew_since = |size: u64| grew(directory.path(), &[(there[0].inode, size)]);
        let size = there[0].size;
        assert_eq!([size - 1, size, size + 1].map(grew_since), [true, false, true]);
    }
}
