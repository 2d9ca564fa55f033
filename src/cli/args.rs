//! What can be typed. Help, manual page and completions are made from this.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A notification on the phone for every wrong password on this machine.
///
/// The module pam_authalert.so records failed authentications where they happen; this command sends
/// them to the receiver, an X account or the timeline kept on this machine, reads the logs for what
/// the module cannot see, and shows how things stand.
#[derive(Debug, Parser)]
#[command(name = "authalert", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit status: 0 done, 1 could not, 2 wrong usage.\n\
    See authalert(1), pam_authalert(8), authalert.toml(5).")]
pub struct Args {
    /// Configuration file [default: /etc/authalert/config.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// State directory [default: /var/lib/authalert]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect this machine to an X account: asks for the app's keys, then for a PIN
    Authorize {
        /// Take the keys from the file of the Ruby tool `t` [default: ~/.trc]
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "~/.trc")]
        import_trc: Option<PathBuf>,
    },

    /// Send what is due; cron and systemd run this
    Deliver {
        /// Try now, even while X is to be left alone
        #[arg(long)]
        now: bool,
    },

    /// Send a test alert to the receiver
    Test {
        /// Instead, fail a real authentication through this service's PAM stack, and show what comes of it
        #[arg(long, value_name = "SERVICE")]
        pam: Option<String>,

        /// The account to fail for, with --pam
        #[arg(long, value_name = "NAME", default_value = "nobody", requires = "pam")]
        user: String,
    },

    /// Counters, the last post, what is wrong, where the module is active
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },

    /// The alerts as they were sent
    Timeline {
        /// Wait for more
        #[arg(short, long)]
        follow: bool,

        /// One JSON object a line
        #[arg(long)]
        json: bool,

        /// Only the last N
        #[arg(short = 'n', long, value_name = "N")]
        lines: Option<usize>,
    },
}
