//! `/etc/authalert/config.toml`: what the administrator decides. Every key is optional.
//!
//! An absent default file means the defaults; an absent file that was named is an error, as with
//! pam_faillock's `conf=`. The shipped file holds every key, commented out, with its default, and
//! a test keeps the two in step.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::storage;

mod effective;
mod kind;
mod line;
mod mistake;
mod near;
mod receiver;
mod syntax;
pub(crate) mod template;
mod tolerant;
mod twice;
#[cfg(test)]
mod typos;
mod values;
mod words;

pub use effective::TIMELINE;
pub use kind::Kind;
pub(crate) use line::Place;
pub use mistake::Mistake;
pub(crate) use near::nearest;
pub use receiver::{AfterUnknown, RECEIVER_KEYS, Receiver, ReceiverWord, Receivers};
pub use template::Template;
pub(crate) use tolerant::MEANWHILE;
pub(crate) use twice::{Twice, both as twice};
pub use values::parse_duration;
pub(crate) use values::whole;
use values::{duration, heartbeat, names, networks, size};
pub(crate) use words::{expected, why};

/// Read when `--config` or `config=` names no other.
pub const DEFAULT_PATH: &str = "/etc/authalert/config.toml";
/// Used when `--state` or `state=` names no other.
pub const DEFAULT_STATE: &str = "/var/lib/authalert";
/// Thousands of networks fit.
const LARGEST: u64 = 128 << 10;

/// The whole configuration, with the defaults filled in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where alerts go; the timeline is always one of them.
    pub receiver: Receivers,
    /// The X account's API.
    pub x: X,
    /// Grouping, pacing, text.
    pub alerts: Alerts,
    /// Failures that are counted and not posted.
    pub ignore: Ignore,
    /// What a login means.
    pub logins: Logins,
    /// After so long without a message one line says that the watch stands; none: never.
    #[serde(deserialize_with = "heartbeat")]
    pub heartbeat: Heartbeat,
    /// Who delivers.
    pub deliver: Deliver,
    /// The log route.
    pub scan: Scan,
    /// The queue on disk.
    pub journal: Journal,
    /// What `authalert report` shows.
    pub report: Report,
    /// The file that was read; credentials are looked for beside it.
    #[serde(skip)]
    pub path: PathBuf,
    /// What of the file cannot be used, but for what concerns one receiver alone: that has it itself.
    #[serde(skip)]
    pub mistakes: Vec<Mistake>,
    /// Because of a mistake there may be more receivers than can be seen: none is forgotten meanwhile.
    #[serde(skip)]
    pub hides_receivers: bool,
    /// What stands there of receivers cannot be read, and may be all of them.
    #[serde(skip)]
    pub receivers_unclear: bool,
    /// What is wrong in `[x]`: nothing is sent to another place than the one that was meant.
    #[serde(skip)]
    pub x_mistake: Option<String>,
    /// Why nobody knows in which file the secrets are: those in another one may be of another account.
    #[serde(skip)]
    pub credentials_mistake: Option<String>,
}

/// `[x]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct X {
    /// Scheme and host, without a path.
    pub api_url: String,
    /// PEM file of the roots to trust instead of Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// `http://host:port`; the environment is never asked.
    pub proxy: Option<String>,
    /// For one whole request, connection included.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Credentials file; absent: `credentials.toml` beside the configuration.
    pub credentials: Option<PathBuf>,
}

impl Default for X {
    fn default() -> Self {
        Self {
            api_url: "https://api.x.com".into(),
            ca_file: None,
            proxy: None,
            timeout: Duration::from_secs(20),
            credentials: None,
        }
    }
}

impl X {
    /// Whether `api_url` is one; an error is what it must be.
    pub(crate) fn check_url(&self) -> Result<(), &'static str> {
        let url = &self.api_url;
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if host.is_some_and(|host| host.split(['/', '?', '#']).next().unwrap_or_default().contains('@')) {
            return Err("must have no user and password in it, for an address is shown");
        }
        if host.is_none_or(|h| h.is_empty() || h.contains(['/', '?', '#', '@', ' '])) {
            return Err("must be https://HOST or https://HOST:PORT, without a path");
        }
        if url.starts_with("http://") && !is_loopback(host.unwrap_or_default()) {
            return Err(
                "http:// is accepted for a loopback address only (localhost, 127.0.0.1, [::1]); use https://",
            );
        }
        Ok(())
    }
}

/// `[alerts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Wait after an alert while failures keep coming; doubles with each.
    #[serde(deserialize_with = "duration")]
    pub group_interval: Duration,
    /// Where the doubling ends.
    #[serde(deserialize_with = "duration")]
    pub max_interval: Duration,
    /// Alerts a day at most, refilled evenly.
    #[serde(deserialize_with = "whole::<1, 10_000, _>")]
    pub max_per_day: u32,
    /// Alerts that may go out one after another before the even pace rules.
    #[serde(deserialize_with = "whole::<1, 1_000, _>")]
    pub burst: u32,
    /// Post names of no account on this machine; they may be passwords typed in the wrong field.
    pub post_unknown_users: bool,
    /// Template of the text; absent: the built-in text.
    pub text: Option<String>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            group_interval: Duration::from_secs(600),
            max_interval: Duration::from_secs(6 * 3600),
            max_per_day: 48,
            burst: 4,
            post_unknown_users: false,
            text: None,
        }
    }
}

/// `[ignore]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ignore {
    /// Addresses and CIDR blocks, IPv4 and IPv6.
    #[serde(deserialize_with = "networks")]
    pub networks: Vec<IpNet>,
    /// Account names, exactly; kept as a failure's are, see [`crate::neutral`].
    #[serde(deserialize_with = "names")]
    pub users: Vec<String>,
    /// PAM services, exactly; kept in the same way.
    #[serde(deserialize_with = "names")]
    pub services: Vec<String>,
}

/// `[logins]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logins {
    /// So many failures of a source within a day before a login from there make it a break-in.
    #[serde(deserialize_with = "whole::<2, 1_000, _>")]
    pub break_in_after: u32,
    /// Addresses and CIDR blocks from which logins are expected: these are no new sources.
    #[serde(deserialize_with = "networks")]
    pub expected: Vec<IpNet>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { break_in_after: 5, expected: Vec::new() }
    }
}

/// `heartbeat`: how long without a message, or none for `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat(pub Option<Duration>);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(Some(Duration::from_secs(7 * 86_400)))
    }
}

/// `[deliver]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deliver {
    /// The module's worker posts; false: it only journals, cron or systemd delivers.
    pub in_process: bool,
}

impl Default for Deliver {
    fn default() -> Self {
        Self { in_process: true }
    }
}

/// `[scan]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scan {
    /// Log files; absent: what this machine has.
    pub files: Option<Vec<PathBuf>>,
    /// Read the systemd journal; absent: where there is no log file.
    pub journald: Option<bool>,
}

/// `[journal]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Bytes on disk, history included; failures over it are counted as dropped.
    #[serde(deserialize_with = "size")]
    pub max_size: u64,
    /// How long delivered failures are kept.
    #[serde(deserialize_with = "duration")]
    pub keep: Duration,
}

impl Default for Journal {
    fn default() -> Self {
        Self { max_size: 64 << 20, keep: Duration::from_secs(30 * 86400) }
    }
}

/// `[report]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Databases in MaxMind's format, which say where addresses are.
    pub geo: Vec<PathBuf>,
}

/// Why there is no configuration. `Display` says file, line and what is accepted.
#[derive(Debug)]
pub enum Error {
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// Nothing of it can be used.
    Parse(PathBuf, String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, why) => write!(f, "cannot read {}: {why}", path.display()),
            Self::Parse(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl Config {
    /// Read the file at `path`, or the default one, which may be absent.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        match storage::read_trusted(file, LARGEST) {
            Ok(bytes) => tolerant::read(&bytes, file),
            Err(e) if e.kind() == io::ErrorKind::NotFound && path.is_none() => {
                Ok(Self { path: file.into(), ..Self::default() })
            }
            Err(e) => Err(Error::Read(file.into(), e)),
        }
    }

    /// Read `text` as if it stood in `file`. What is wrong in it costs what it stands in: see [`Config::mistakes`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        tolerant::read(text.as_bytes(), file)
    }

    /// Where the secrets of all receivers are.
    pub fn credentials_path(&self) -> PathBuf {
        match &self.x.credentials {
            Some(path) => path.clone(),
            None => self.path.with_file_name("credentials.toml"),
        }
    }

    /// Put the default in the place of each value that makes no sense: its key, and what it must be.
    fn judge(&mut self) -> Vec<(&'static str, String)> {
        let mut wrong: Vec<(&str, String)> = Vec::new();
        let defaults = X::default();
        if let Err(why) = self.x.check_url() {
            wrong.push(("x.api_url", why.into()));
            self.x.api_url = defaults.api_url;
        }
        if let Some(why) = self.x.proxy.as_deref().and_then(wrong_proxy) {
            wrong.push(("x.proxy", why.into()));
            self.x.proxy = None;
        }
        if self.x.timeout.is_zero() || self.x.timeout > Duration::from_secs(300) {
            wrong.push(("x.timeout", "must be from 1s to 5m".into()));
            self.x.timeout = defaults.timeout;
        }
        if let Some((key, why)) = self.alerts.wrong() {
            wrong.push((key, why.into()));
            // Each of the two may be the one that is wrong.
            let Alerts { group_interval, max_interval, .. } = Alerts::default();
            (self.alerts.group_interval, self.alerts.max_interval) = (group_interval, max_interval);
        }
        if let Some(Err(why)) = self.alerts.text.as_deref().map(crate::config::Template::parse) {
            wrong.push(("alerts.text", why));
            self.alerts.text = None;
        }
        if self.journal.max_size < 64 << 10 {
            wrong.push(("journal.max_size", "must be at least 64K".into()));
            self.journal.max_size = Journal::default().max_size;
        }
        self.judge_receivers();
        wrong
    }
}

/// Where `text` is no TOML, and why; none if it is. Who writes into it needs all of it.
pub fn refused(text: &str) -> Option<String> {
    syntax::refused(text)
}

/// What a proxy must be, where it is not.
fn wrong_proxy(proxy: &str) -> Option<&'static str> {
    if proxy.contains('@') {
        return Some(
            "must have no user and password in it: this file is no place for a secret, and a proxy that asks for a login \
             cannot be used",
        );
    }
    (!proxy.starts_with("http://")).then_some("must be http://HOST:PORT")
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/authalert/config.toml")).map_err(|e| e.to_string())
    }

    /// What is wrong in `text`, which can be used all the same.
    fn mistakes(text: &str) -> String {
        let mistakes = parse(text).unwrap().mistakes;
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = parse("").unwrap();
        assert_eq!(config.alerts.group_interval, Duration::from_secs(600));
        assert_eq!(config.credentials_path(), Path::new("/etc/authalert/credentials.toml"));
    }

    #[test]
    fn an_unknown_key_names_the_line_and_the_accepted_ones() {
        let error = mistakes("[alerts]\nburts = 3\n");
        assert!(
            error.contains("line 2") && error.contains("burts") && error.contains("group_interval"),
            "{error}"
        );
    }

    #[test]
    fn a_bad_value_names_the_line_and_the_accepted_form() {
        for (text, words) in [
            ("[alerts]\ngroup_interval = \"soon\"", ["line 2", "10m"]),
            ("receiver = \"pigeon\"", ["line 1, column 1", "timeline"]),
            ("[journal]\n\nmax_size = \"64Q\"", ["line 3", "64M"]),
            ("[ignore]\nnetworks = [\"192.0.2.0/99\"]", ["line 2", "192.0.2.0/24"]),
            ("[x]\napi_url = \"https://api.x.com/2\"", ["line 2, column 1: x.api_url", "without a path"]),
            ("[x]\napi_url = \"http://192.0.2.1\"", ["line 2, column 1: x.api_url", "loopback"]),
            ("[x]\napi_url = \"https://u:hush@h\"", ["line 2, column 1: x.api_url", "no user and password"]),
            ("[x]\nproxy = \"http://u:hush@h:1\"", ["line 2, column 1: x.proxy", "no user and password"]),
            ("[alerts]\n\nburst = 0", ["line 3, column 1: burst must be", "from 1 to 1000"]),
            ("[alerts]\ntext = \"{uesr}\"", ["line 2, column 1: alerts.text", "{uesr}"]),
            ("[deliver]\nin_process = no", ["line 2, column 14: `no`", "true, false"]),
            ("receiver = timeline # here", ["line 1, column 12: `timeline`", "in \"quotes\""]),
            ("[deliver]\nin_process = \"no\"", ["line 2", "in_process must be true or false"]),
            (
                "[report]\nheartbeat = \"7d\"",
                ["line 2, column 1: heartbeat is inside [report] (line 1)", "above the first table"],
            ),
            ("receiver = 5", ["line 1", "receiver must be \"x\", \"timeline\", or tables [[receiver]]"]),
            ("heartbeat = \"10m\"", ["line 1", "\"7d\""]),
            ("heartbeat = \"on\"", ["line 1", "\"off\""]),
            (
                "[logins]\nbreak_in_after = 1",
                ["line 2, column 1: break_in_after", "a whole number from 2 to 1000;"],
            ),
            ("[logins]\nexpected = [\"office\"]", ["line 2", "192.0.2.0/24"]),
        ] {
            let error = mistakes(text);
            assert!(!error.contains("hush"), "{error}");
            assert!(words.iter().all(|w| error.contains(w)), "{text:?}: {error}");
            assert!(error.lines().count() == 1 && error.ends_with("the default holds"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_mistake_costs_its_setting_and_nothing_else() {
        let text = "heartbeat = \"of\"\ncolour = 3\n[alerts]\nburst = 3\ngroup_interval = \"soon\"\nmax_per_day = 0\n\
                    [ignore]\nusers = [\"a\"]\nnetworks = [\"192.0.2.0/99\"]\n[report]\ngeo = 5\n[scan]\nfiles = [\"/a\"]\n\
                    jornald = true\n[logins]\nbreak_in_after = 9\nexpected = \"office\"\n";
        let config = parse(text).unwrap();
        let lines: Vec<_> = config.mistakes.iter().map(|m| (m.line.unwrap(), m.column.unwrap())).collect();
        assert_eq!(lines, [(1, 1), (2, 1), (5, 1), (6, 1), (9, 1), (11, 1), (14, 1), (17, 1)]);
        assert_eq!((config.heartbeat, config.alerts.burst), (Heartbeat::default(), 3));
        assert_eq!((config.alerts.group_interval.as_secs(), config.alerts.max_per_day), (600, 48));
        assert_eq!((config.ignore.users.len(), config.ignore.networks.len()), (1, 0));
        assert_eq!((config.scan.files.unwrap().len(), config.logins.break_in_after), (1, 9));
        let intervals = parse("[alerts]\ngroup_interval = \"7h\"\nburst = 9\n").unwrap();
        assert_eq!((intervals.alerts.max_interval.as_secs(), intervals.alerts.burst), (21_600, 9));
        assert_eq!(intervals.mistakes.len(), 1);
    }

    #[test]
    fn where_a_default_could_lose_or_spill_something_the_careful_value_holds() {
        assert!(!parse("[deliver]\nin_process = no\n").unwrap().deliver.in_process);
        assert!(!parse("[deliver]\nin_proces = false\n").unwrap().deliver.in_process);
        let journal = |text: &str| parse(&format!("[journal]\n{text}\n")).unwrap().journal;
        assert!(journal("keep = \"1y\"").keep > Duration::from_secs(365 * 86_400));
        assert_eq!(journal("keep = \"1y\"").max_size, 64 << 20);
        assert!(journal("max_sise = \"1G\"\nkeep = \"3d\"").max_size > 64 << 20);
        assert_eq!(journal("max_sise = \"1G\"\nkeep = \"3d\"").keep, Duration::from_secs(3 * 86_400));
    }

    #[test]
    fn what_may_hide_a_receiver_is_known_to() {
        for (text, hides) in [
            ("reciever = \"x\"\n", true),
            ("receiver = \"pigeon\"\n", true),
            ("receiver = x\n", true),
            ("receiver = [\"x\"]\n", true),
            ("[[recievers]]\nkind = \"ntfy\"\n", true),
            ("[[receiver]]\ntopic = \"a\"\n", true),
            ("[[receiver]]\nkind = ntfy\n", true),
            ("[[receiver]]\nkind = 5\n", true),
            ("[[receiver]]\nkind = \"ntfy\"\nname = \"My phone\"\n", true),
            ("[x]\ncredentials = 5\n", true),
            ("[[receiver]]\nkind = 5\nname = \"pager\"\n", false),
            ("[[receiver]]\nkind = \"ntfy\"\ntell = 5\n", false),
            ("[[receiver]]\nkind = \"ntfy\"\n[[receiver]]\nkind = \"ntfy\"\n", true),
            ("[alerts]\nburst = 0\n", false),
        ] {
            let config = parse(text).unwrap();
            assert_eq!(config.hides_receivers, hides, "{text}: {:?}", config.mistakes);
        }
    }

    #[test]
    fn a_kind_that_cannot_be_one_is_said_to_be_none_and_not_to_be_a_wrong_name() {
        let of_kind = |kind: &str| mistakes(&format!("[[receiver]]\nkind = \"{kind}\"\n"));
        let capitals = of_kind("NTFY");
        assert!(
            capitals
                .contains("line 2, column 1: \"NTFY\" is not a kind of receiver (did you mean \"ntfy\"?);"),
            "{capitals}"
        );
        assert!(
            of_kind("my pager").contains("\"my pager\" is not a kind of receiver; authalert receivers lists")
        );
        let named = mistakes("[[receiver]]\nkind = \"ntfy\"\nname = \"NTFY\"\n");
        assert!(named.contains("\"NTFY\" cannot be a receiver's name"), "{named}");
    }

    #[test]
    fn a_line_of_the_example_without_its_mark_is_known_to_belong_to_a_header_that_has_one() {
        let shipped = include_str!("../../etc/config.toml");
        for key in ["kind = \"ntfy\"", "max_per_day = 48\n#burst"] {
            let text = shipped.replacen(&format!("#{key}"), key, 1);
            let line = shipped.lines().position(|line| line == "#[[receiver]]").unwrap() + 1;
            let said = mistakes(&text);
            let header = format!("is its header, [[receiver]] in line {line}, still behind a #?");
            assert!(said.contains("is not a key of [x]; ") && said.contains(&header), "{said}");
        }
        let alert = mistakes("[alert]\nburst = 3\n");
        assert!(
            alert.contains("did you mean [alerts]? There are receiver, x, alerts")
                && !alert.contains("heartbeat"),
            "{alert}"
        );
    }

    #[test]
    fn networks_are_addresses_or_blocks_and_mapped_ones_are_ipv4() {
        let config =
            parse("[ignore]\nnetworks = [\"192.0.2.7\", \"2001:db8::/32\", \"::ffff:198.51.100.0/120\"]")
                .unwrap();
        let shown: Vec<String> = config.ignore.networks.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.7/32", "2001:db8::/32", "198.51.100.0/24"]);
    }

    #[test]
    fn a_heartbeat_comes_after_a_week_unless_it_is_said_otherwise() {
        for (text, days) in [("", Some(7)), ("heartbeat = \"30d\"", Some(30)), ("heartbeat = \"off\"", None)]
        {
            let wanted = days.map(|days| Duration::from_secs(days * 86_400));
            assert_eq!(parse(text).unwrap().heartbeat.0, wanted, "{text}");
        }
    }

    #[test]
    fn names_are_kept_as_those_of_failures_are() {
        let config = parse("[ignore]\nusers = [\"a\\nb\", \"jürgen\", \"x\\u202Ey\"]\n").unwrap();
        assert_eq!(config.ignore.users, ["a\\x0ab", "jürgen", "x\\xe2\\x80\\xaey"]);
    }

    #[test]
    fn names_of_no_account_are_not_posted_unless_the_administrator_says_so() {
        assert!(!Config::default().alerts.post_unknown_users);
    }

    #[test]
    fn a_named_file_must_exist_and_the_default_one_need_not() {
        assert!(Config::load(Some(Path::new("/nonexistent/authalert.toml"))).is_err());
        assert!(
            Config::load(Some(Path::new("/etc"))).unwrap_err().to_string().starts_with("cannot read /etc: ")
        );
    }
}
