//! A configuration that cannot be used: no pass is made, and that is said once.

use std::io;
use std::time::Duration;

use super::lock::Lock;
use super::place::Place;
use super::{Notice, Request, clock, outage, state};
use crate::config::{self, TIMELINE};
use crate::storage;

/// Why the configuration cannot be used, as it was said before there was any state.
pub(super) const UNUSABLE: &str = "unusable";

/// Say once that the configuration cannot be used: the timeline's state remembers that it was said, or a file of its
/// own before the first pass.
pub(super) fn unusable(request: &Request, why: &config::Error) {
    let place = Place::new(&request.state, TIMELINE);
    let said = (|| {
        storage::trusted(&request.state, &[])?;
        if place.states()?.is_empty() {
            let notice = Notice::error(format!("nothing is sent: {why}"));
            let file = request.state.join(UNUSABLE);
            if !std::fs::read(&file).is_ok_and(|said| said == notice.text.as_bytes()) {
                storage::replace(&file, notice.text.as_bytes())?;
                notice.send();
            }
            return Ok(());
        }
        let Some(lock) = Lock::take(&place, Duration::ZERO)? else { return Ok(()) };
        let Some(mut loaded) = state::State::load(&place, true)? else { return Ok(()) };
        let now = loaded.state.clock.advance(&clock::Reading::now());
        let (why, time) = (crate::neutral::text(why.to_string(), 600), jiff::Timestamp::now());
        let before = loaded.state.outage.as_ref();
        let (outage, tell) =
            outage::Outage::record(before, outage::Kind::Config, why, (now, time), None, String::new());
        if tell {
            let notice = Notice::error(format!("nothing is sent: {}", outage.why));
            loaded.state.outage = Some(outage);
            lock.token().check()?;
            // First, as in a pass.
            let sent = notice.send_at_once();
            loaded.state.save(&place, lock.token().epoch())?;
            drop(lock);
            if !sent {
                notice.send();
            }
        }
        Ok::<(), io::Error>(())
    })();
    // What is wrong with the state is said by the pass that can use the configuration.
    drop(said);
}
