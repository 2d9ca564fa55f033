//! Refusals that were none: the password was right and PAM's account stack kept its owner out, or nobody could look at it.
//! Another line says so just before, and often another process than the one that tells of the refusal.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::relayed::is_service_of_mail;
use super::speaker::SECOND;
use super::spelling::{agree, text};
use super::{Attempts, Speaker, hash};
use crate::scan::rules::{Evidence, Family, Kind};

/// How many are remembered.
pub(super) const EXCUSES: usize = 64;
/// From the excuse to the refusal: pure-ftpd waits before it tells.
const WITHIN: i64 = 15 * SECOND;
/// Where nobody is named, or one of them is told in whole seconds.
const AT_ONCE: i64 = 2 * SECOND;

/// Whose refusal is none. It is told once by the program that asked PAM, and once by the server that it asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Excuse {
    host: u64,
    container: u32,
    program: u64,
    is_of_mail: bool,
    user: CompactString,
    time: i64,
    by_program: bool,
    by_server: bool,
}

impl Attempts {
    /// The refusal that is told next is none.
    pub(super) fn excuse(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) {
        // sshd says it itself, of the refusal that it tells; who is named by sudo is let in or tells nothing.
        if matches!(speaker.family, Family::Sshd | Family::Sudo) {
            return;
        }
        let excuse = Excuse {
            host: hash(&[speaker.host]),
            container: speaker.container,
            program: hash(&[speaker.program]),
            // Not all that saslauthd says names the service.
            is_of_mail: is_service_of_mail(evidence.service) || speaker.program == b"saslauthd",
            user: text(evidence.user),
            time,
            by_program: true,
            by_server: true,
        };
        // saslauthd says again what PAM said.
        let is_again = |other: &Excuse| {
            (other.host, other.container, other.program) == (excuse.host, excuse.container, excuse.program)
                && (other.by_program || other.by_server)
                && agree(&other.user, excuse.user.as_bytes())
                && (0..=AT_ONCE).contains(&(time - other.time))
        };
        if evidence.user.is_empty() && self.excuses.iter().any(is_again) {
            return;
        }
        self.excuses.push_back(excuse);
        if self.excuses.len() > EXCUSES {
            self.excuses.pop_front();
        }
    }

    /// Whether this refusal is none. Each excuse is one refusal's.
    pub(super) fn is_excused(&mut self, speaker: &Speaker<'_>, evidence: &Evidence<'_>, time: i64) -> bool {
        let by_server = evidence.kind == Kind::Relayed;
        if self.excuses.is_empty() || evidence.weight != 1 || !(by_server || evidence.kind == Kind::Program) {
            return false;
        }
        let (host, program) = (hash(&[speaker.host]), hash(&[speaker.program]));
        let is_of_mail = is_service_of_mail(evidence.service);
        let found = self.excuses.iter_mut().find(|excuse| {
            let is_named = !excuse.user.is_empty() && !evidence.user.is_empty();
            let within = if is_named { WITHIN } else { AT_ONCE };
            (excuse.host, excuse.container) == (host, speaker.container)
                && (excuse.program == program || by_server && excuse.is_of_mail && is_of_mail)
                && if by_server { excuse.by_server } else { is_named && excuse.by_program }
                && agree(&excuse.user, evidence.user)
                && (0..=within).contains(&(time - excuse.time))
        });
        let Some(excuse) = found else { return false };
        if by_server {
            // A server tells last.
            excuse.by_server = false;
        }
        excuse.by_program = false;
        true
    }
}
