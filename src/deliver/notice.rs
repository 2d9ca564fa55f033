//! What the administrator must know, in syslog (facility authpriv): once per state, not once per
//! try. A logger is made for each message, so that nothing of it outlives a fork or a login.

use syslog::{Facility, Formatter3164};

use crate::neutral;

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
        Self { level: Level::Error, text: neutral::text(text.as_ref(), 900) }
    }

    /// Something is well again.
    pub fn info(text: impl AsRef<str>) -> Self {
        Self { level: Level::Info, text: neutral::text(text.as_ref(), 900) }
    }

    /// Send it. Without a syslog daemon it is lost: `status` shows the same.
    pub fn send(&self) {
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTHPRIV,
            hostname: None,
            process: "authalert".into(),
            pid: std::process::id(),
        };
        if let Ok(mut logger) = syslog::unix(formatter) {
            let _ = match self.level {
                // Not "info": the systemd units keep that off the log, because of the manager's own lines.
                Level::Info => logger.notice(&self.text),
                Level::Error => logger.err(&self.text),
            };
        }
    }
}
