//! Watermarks: how far each member's records are on this disk, each written only over the one that is known.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;

use super::alerted::Alerted;
use crate::engine::{Engine, Error};
use crate::protocol::hub::Cursors;
use crate::protocol::member::Answer;
use crate::protocol::{Epoch, MARKS, Mark, Name, VERSION, mark_of};

/// The watermarks that are at the engine.
#[derive(Debug)]
pub struct Marks {
    /// This hub.
    hub: Epoch,
    known: HashMap<Name, Known>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Known {
    /// The engine's number.
    sequence: u64,
    mark: Option<Mark>,
}

impl Marks {
    /// Nothing was read.
    pub fn of(hub: Epoch) -> Self {
        Self { hub, known: HashMap::new() }
    }

    /// Another connection: what the engine has is read again.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// What is known of others is read again where they are heard of.
    pub fn keep_members(&mut self, is_member: impl Fn(&str) -> bool) {
        self.known.retain(|member, _| is_member(member.as_str()));
    }

    /// The watermark of `member`: everything up to `last` is on disk.
    pub fn next(&self, member: &Name, (epoch, last, gap): (Epoch, u64, bool), alerted: &Alerted) -> Mark {
        let known = self.known.get(member).and_then(|known| known.mark.as_ref());
        let known = known.filter(|known| known.epoch == epoch).map_or(0, |known| known.alerted);
        let alerted = alerted.of(member.as_str(), epoch).max(known).min(last);
        Mark { v: VERSION, epoch, last, gap, alerted, hub: self.hub }
    }

    /// Watermarks of this hub that do not say how far it alerted.
    pub fn outdated(&self, alerted: &Alerted) -> Vec<(Name, Mark)> {
        let own = self.known.iter().filter_map(|(member, known)| Some((member, known.mark.as_ref()?)));
        own.filter(|(_, mark)| mark.hub == self.hub)
            .map(|(member, mark)| {
                (member.clone(), self.next(member, (mark.epoch, mark.last, mark.gap), alerted))
            })
            .collect()
    }

    /// Read the watermark of `member`, if that was not done: what an earlier hub had is not counted again, unless its disk
    /// is `lost`.
    pub async fn learn(
        &mut self,
        engine: &Engine,
        member: &Name,
        (cursors, lost): (&mut Cursors, &BTreeSet<Epoch>),
    ) -> Result<(), Error> {
        if self.known.contains_key(member) {
            return Ok(());
        }
        let known = read(engine, member).await?;
        if let Some(mark) = &known.mark {
            let last = if lost.contains(&mark.hub) { mark.alerted } else { mark.last };
            cursors.counted(member.as_str(), mark.epoch, last);
        }
        self.known.insert(member.clone(), known);
        Ok(())
    }

    /// Write these, beside each other. False where somebody else writes them: another hub.
    pub async fn write(&mut self, engine: &Engine, marks: Vec<(Name, Mark)>) -> Result<bool, Error> {
        let news = marks.into_iter().filter(|(member, mark)| {
            self.known.get(member).is_none_or(|known| known.mark.as_ref() != Some(mark))
        });
        let writes = news.map(|(member, mark)| {
            let known = self.known.get(&member).cloned();
            async move {
                let result = write_one(engine, &member, &mark, known).await;
                (member, mark, result)
            }
        });
        let mut ours = true;
        for (member, mark, result) in join_all(writes.collect::<Vec<_>>()).await {
            match result? {
                Some(sequence) => drop(self.known.insert(member, Known { sequence, mark: Some(mark) })),
                None => ours = false,
            }
        }
        Ok(ours)
    }
}

async fn read(engine: &Engine, member: &Name) -> Result<Known, Error> {
    let found = engine.last_of(MARKS, &mark_of(member)).await?;
    let sequence = found.as_ref().map_or(0, |found| found.sequence);
    Ok(Known { sequence, mark: found.and_then(|found| serde_json::from_slice(&found.body).ok()) })
}

/// The engine's number; none where another hub wrote one.
async fn write_one(
    engine: &Engine,
    member: &Name,
    mark: &Mark,
    known: Option<Known>,
) -> Result<Option<u64>, Error> {
    let body = serde_json::to_vec(mark).map_err(|e| Error::Away(e.to_string()))?;
    let mut known = match known {
        Some(known) => known,
        None => read(engine, member).await?,
    };
    for _ in 0..3 {
        match engine.append(&mark_of(member), known.sequence, body.clone()).await {
            Answer::Stored(sequence) => return Ok(Some(sequence)),
            Answer::Refused(why) => return Err(Error::Refused(0, why)),
            Answer::NoRoom => return Err(Error::Refused(0, "the engine is full".into())),
            Answer::WrongLast | Answer::Unknown => {}
        }
        let found = read(engine, member).await?;
        if found.mark.as_ref() == Some(mark) {
            return Ok(Some(found.sequence));
        }
        // The engine lost it, or came back to one from before: written anew over what there is now.
        let is_older = found.sequence < known.sequence || found.mark == known.mark;
        if !is_older {
            return Ok(None);
        }
        known = found;
    }
    Err(Error::Away("a watermark could not be written".into()))
}
