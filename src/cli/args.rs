//! What can be typed. Help, manual page and completions are made from this.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};
use jiff::Timestamp;

/// A notification on the phone for every wrong password on this machine.
///
/// The module pam_authalert.so records failed authentications where they happen. This command reads
/// the logs for what the module cannot see, sends alerts to the receivers (a phone, a chat, mail, and
/// always the timeline kept on this machine), and shows what was recorded and sent.
#[derive(Debug, Parser)]
#[command(name = "authalert", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit status: 0 done, 1 could not, 2 wrong usage.\n\
    Begin with `receivers add` and `check`. See authalert(1), authalert-receivers(5), authalert.toml(5), pam_authalert(8).")]
pub struct Args {
    /// Configuration file [default: /etc/authalert/config.toml]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// State directory [default: /var/lib/authalert]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Where alerts go: what is set up and how it does, and every kind that there is
    Receivers(ReceiversCommand),

    /// What is wrong with this installation, and how to put it right; fails where an alert could be missed
    Check {
        /// Do not ask X what it thinks of the credentials
        #[arg(long)]
        offline: bool,

        /// Only what is wrong
        #[arg(short, long)]
        quiet: bool,
    },

    /// What was recorded and sent, what waits and why, where the module is active
    Status {
        /// As one JSON object
        #[arg(long)]
        json: bool,

        /// As metrics for Prometheus
        #[arg(long, conflicts_with = "json")]
        prometheus: bool,

        /// With --prometheus: into FILE, which is replaced whole
        #[arg(long, value_name = "FILE", requires = "prometheus")]
        output: Option<PathBuf>,
    },

    /// The alerts as they were sent, newest last; one may be about many failures
    Timeline {
        /// Wait for more
        #[arg(short, long)]
        follow: bool,

        /// One JSON object a line
        #[arg(long)]
        json: bool,

        /// Only the last N
        #[arg(short = 'n', long, value_name = "N", value_hint = ValueHint::Other)]
        lines: Option<usize>,
    },

    /// Each failure that is recorded, sent or not, newest last
    Failures(Failures),

    /// The history as pictures and figures: from the records, or from any logs
    Report(Report),

    /// Send a test message to every receiver, or to the one called NAME
    Test {
        /// The receiver
        #[arg(value_name = "NAME", conflicts_with = "pam", value_hint = ValueHint::Other)]
        name: Option<String>,

        /// Instead, fail a real authentication through this service's PAM stack, and show what comes of it
        #[arg(long, value_name = "SERVICE", value_hint = ValueHint::Other)]
        pam: Option<String>,

        /// The account to fail for, with --pam
        #[arg(long, value_name = "NAME", default_value = "nobody", requires = "pam", value_hint = ValueHint::Username)]
        user: String,

        /// Show what the service answered, also where it accepted the message
        #[arg(long, short, conflicts_with = "pam")]
        verbose: bool,
    },

    /// Read the logs, record what the module did not, then deliver; cron and systemd run this
    Scan(Scan),

    /// Send what is due; cron and systemd run this
    Deliver {
        /// At once, whatever intervals and outages say; it says why something cannot go out
        #[arg(long)]
        now: bool,

        /// Only to receivers that start a program (command, and mail by sendmail); a unit of their own runs this
        #[arg(long)]
        commands: bool,

        /// Not to those
        #[arg(long, conflicts_with = "commands")]
        no_commands: bool,

        /// First wait a moment, in a burst three seconds, so that one run covers it; not where somebody is in after failures
        #[arg(long)]
        settle: bool,
    },

    /// Connect this machine to an X account: asks for the app's keys, then for a PIN
    Authorize {
        /// Take the keys from the file of the Ruby tool `t` [default: ~/.trc]
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "~/.trc")]
        import_trc: Option<PathBuf>,
    },
}

/// `receivers`.
#[derive(Debug, clap::Args)]
pub struct ReceiversCommand {
    /// Without one: list.
    #[command(subcommand)]
    pub what: Option<ReceiversWhat>,
}

/// What to do about receivers.
#[derive(Debug, Subcommand)]
pub enum ReceiversWhat {
    /// Show the kinds, and how each receiver that is set up does; as without a word
    List,

    /// Set one up: asks for what the kind needs, sends a test message, asks whether it came, then writes both files
    Add(AddReceiver),

    /// Take one out, with its credentials: what add wrote, and nothing else
    Remove {
        /// Its name
        #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
        name: String,
    },

    /// Send a test message to one, or to every receiver; as `authalert test`
    Test {
        /// Its name
        #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
        name: Option<String>,

        /// Show what the service answered, also where it accepted the message
        #[arg(long, short)]
        verbose: bool,
    },
}

/// `receivers add`.
#[derive(Debug, clap::Args)]
pub struct AddReceiver {
    /// The kind: ntfy, telegram, mail, command … `authalert receivers` lists them
    #[arg(value_name = "KIND", value_hint = ValueHint::Other)]
    pub kind: String,

    /// What to call it [default: as its kind]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub name: Option<String>,

    /// A value that is not secret, so that it is not asked for; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment, value_hint = ValueHint::Other)]
    pub set: Vec<(String, String)>,

    /// Send no test message
    #[arg(long)]
    pub no_test: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `scan`.
#[derive(Debug, clap::Args)]
pub struct Scan {
    /// Logs to read instead of this machine's; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Read the systemd journal
    #[arg(long, conflicts_with = "files")]
    pub journald: bool,

    /// Show what would be recorded, and record nothing; of a FILE all of it, and of each by itself
    #[arg(long)]
    pub dry_run: bool,

    /// One JSON object a line
    #[arg(long, requires = "dry_run")]
    pub json: bool,

    /// Show each line of this pass, and what it is taken for; with --dry-run, each of a FILE
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,

    /// Only what happened since: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d
    #[arg(long, value_name = "TIME", value_parser = super::time::since, value_hint = ValueHint::Other)]
    pub since: Option<Timestamp>,

    /// Deliver to no receiver that starts a program, as deliver --no-commands
    #[arg(long)]
    pub no_commands: bool,

    /// On the first pass over a log, read what is in it already
    #[arg(long)]
    pub from_start: bool,

    /// Show what the current settings would have posted of the failures in FILE, or in this machine's logs
    #[arg(long, value_name = "FILE", num_args = 0..=1,
          conflicts_with_all = ["files", "dry_run", "json", "explain", "since", "from_start"])]
    pub simulate: Option<Option<PathBuf>>,

    /// Show the rules of programs and PAM modules in their own words, and read nothing
    #[arg(long, conflicts_with_all = ["files", "journald", "dry_run", "json", "explain", "since", "from_start", "simulate"])]
    pub rules: bool,
}

/// `failures`.
#[derive(Debug, clap::Args)]
pub struct Failures {
    /// Only what happened since: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d
    #[arg(long, value_name = "TIME", value_parser = super::time::since, value_hint = ValueHint::Other)]
    pub since: Option<Timestamp>,

    /// Only those for this account
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username)]
    pub user: Option<String>,

    /// Only those from this address, network or host name
    #[arg(long, value_name = "NET", value_parser = super::failures::From::parse, value_hint = ValueHint::Hostname)]
    pub from: Option<super::failures::From>,

    /// Only those at this PAM service, or at all that alerts call so: su is su-l too, sudo is sudo-i
    #[arg(long, value_name = "SERVICE", value_hint = ValueHint::Other)]
    pub service: Option<String>,

    /// Recorded logins too
    #[arg(long)]
    pub logins: bool,

    /// Only those that "status" counts as pending: of the receiver that is named, or of the first one
    #[arg(long, value_name = "RECEIVER", num_args = 0..=1, default_missing_value = "", conflicts_with = "follow",
          value_hint = ValueHint::Other)]
    pub pending: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,

    /// With --json: by the names of the Elastic Common Schema, without names that may be passwords
    #[arg(long, requires = "json")]
    pub ecs: bool,

    /// Wait for more
    #[arg(short, long)]
    pub follow: bool,
}

/// `report`.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// Logs to read instead of the records, rotated and compressed ones too; `-` is standard input. Each is read by itself: what two
    /// of them tell is counted in both
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Read the systemd journal
    #[arg(long)]
    pub journald: bool,

    /// Not before: 2026-01-05, 2026-01-05T12:00:00Z, or how long ago: 90s, 10m, 6h, 30d
    #[arg(long, value_name = "TIME", value_parser = super::time::since, value_hint = ValueHint::Other)]
    pub since: Option<Timestamp>,

    /// Not after; a day counts whole
    #[arg(long, value_name = "TIME", value_parser = super::time::until, value_hint = ValueHint::Other)]
    pub until: Option<Timestamp>,

    /// As a page for a browser, into FILE; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// As one JSON object, see authalert-json(7)
    #[arg(long)]
    pub json: bool,

    /// In words alone, without bars and columns: for a screen reader
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,

    /// A database in MaxMind's format, which says in which country and network an address is; may be repeated
    #[arg(long, value_name = "FILE")]
    pub geo: Vec<PathBuf>,

    /// Show names of no account anywhere: they may be passwords, and only a terminal is shown them unasked
    #[arg(long)]
    pub names: bool,
}
