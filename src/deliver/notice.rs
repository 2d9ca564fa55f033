//! What the administrator must know, in syslog (facility authpriv): once per state, not once per
//! try. A logger is made for each message, so that nothing of it outlives a fork or a login.

use syslog::{Facility, Formatter3164, LoggerBackend};

use crate::neutral;
use crate::storage::plain;

/// How urgent a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It works again, or something was done.
    Info,
    /// Alerts wait, or something was lost.
    Error,
}

/// One line for syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How urgent.
    pub level: Level,
    /// The line, with what to do.
    pub text: String,
}

impl Notice {
    /// Something is wrong.
    pub fn error(text: impl AsRef<str>) -> Self {
        Self { level: Level::Error, text: neutral::text(plain(text.as_ref()), 900) }
    }

    /// Something is well again.
    pub fn info(text: impl AsRef<str>) -> Self {
        Self { level: Level::Info, text: neutral::text(text.as_ref(), 900) }
    }

    /// Send it. Without a syslog daemon it is lost: `status` shows the same.
    pub fn send(&self) {
        self.write(false);
    }

    /// The same, unless it had to be waited for. Says whether it is sent, or lost.
    pub fn send_at_once(&self) -> bool {
        self.write(true)
    }

    fn write(&self, at_once: bool) -> bool {
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTHPRIV,
            hostname: None,
            process: "authalert".into(),
            pid: std::process::id(),
        };
        let Ok(mut logger) = syslog::unix(formatter) else { return true };
        if at_once {
            let LoggerBackend::Unix(socket) = &logger.backend else { return false };
            if socket.set_nonblocking(true).is_err() {
                return false;
            }
        }
        let sent = match self.level {
            // Not "info": the systemd units keep that off the log, because of the manager's own lines.
            Level::Info => logger.notice(&self.text),
            Level::Error => logger.err(&self.text),
        };
        !at_once || sent.is_ok()
    }
}
