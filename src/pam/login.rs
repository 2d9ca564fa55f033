//! Logins: who is in after failures, and by the session line who is in at all.
//!
//! A good login looks where failures leave their marks ([`crate::marks`]); only where one is fresh, or where the marks
//! cannot be relied on, a record is appended. Whether it is a break-in is judged where alerts are made.
//!
//! Root that becomes another user (su in a script, cron, a timer's session) is not a login: nobody is asked.

use pam::items::{RHost, Service};
use pam::module::PamHandle;

use crate::arguments::Arguments;
use crate::attempt;
use crate::marks::{self, Key, Marked};
use crate::record::{self, item};

/// Their sessions are of nobody who comes in.
const NEVER: [&[u8]; 6] = [b"cron", b"crond", b"atd", b"anacron", b"fcron", b"systemd-user"];

/// `pam_authenticate` succeeded. `spoken`: its stack asked or said something to somebody.
pub fn authenticated(pamh: &mut PamHandle, arguments: &Arguments<'_>, spoken: bool) {
    if is_roots_own_switch(pamh, spoken) || NEVER.contains(&item::<Service<'_>>(pamh)) {
        return;
    }
    let state = arguments.state();
    let marked = marks::look(state, &record::keys(pamh));
    if marked == Marked::No || !record::login(pamh, arguments) {
        return;
    }
    if marked == Marked::Unknown {
        // A fresh one, for the logins of tomorrow.
        marks::set(state, &[None; 2]);
    }
    marks::note_login(state, login_of(pamh));
    if let Some(attempt) = attempt::of(pamh) {
        attempt.login_recorded = true;
    }
}

/// A session was opened. What the attempt before it recorded, on this handle, on another of this process (sudo),
/// or in a child that sshd forked for it, is not recorded again.
pub fn session_opened(pamh: &mut PamHandle, arguments: &Arguments<'_>) {
    let (spoken, recorded) =
        attempt::of(pamh).map_or((false, false), |attempt| (attempt.prompts.spoken, attempt.login_recorded));
    let never = NEVER.contains(&item::<Service<'_>>(pamh)) || is_roots_own_switch(pamh, spoken);
    if !never && !recorded && !marks::has_login(arguments.state(), login_of(pamh)) {
        record::login(pamh, arguments);
    }
}

fn login_of(pamh: &PamHandle) -> Key {
    Key::login(item::<Service<'_>>(pamh))
}

fn is_roots_own_switch(pamh: &PamHandle, spoken: bool) -> bool {
    !spoken && rustix::process::getuid().is_root() && item::<RHost<'_>>(pamh).is_empty()
}
