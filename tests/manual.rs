//! The manual pages and completions in `packaging/` are made here, from the command's arguments and
//! the commented configuration, and must be in step with them:
//!
//! ```sh
//! UPDATE_MANUAL=1 cargo test --test manual
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test, functions included

use std::env;
use std::fs;
use std::path::Path;

use authalert::cli::args::Args;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

#[test]
fn the_manual_page_of_the_command_is_what_its_help_says() {
    in_step("packaging/man/authalert.1", &command_page());
}

#[test]
fn the_manual_page_of_the_configuration_is_the_shipped_file() {
    let shipped = fs::read_to_string(root().join("etc/config.toml")).unwrap();
    in_step("packaging/man/authalert.toml.5", &configuration_page(&shipped));
}

#[test]
fn completions_know_what_the_command_knows() {
    in_step("packaging/completions/authalert.bash", &completion(Shell::Bash));
    in_step("packaging/completions/_authalert", &completion(Shell::Zsh));
    in_step("packaging/completions/authalert.fish", &completion(Shell::Fish));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn in_step(file: &str, made: &str) {
    let path = root().join(file);
    if env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(&path, made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "{file} is out of step; run: UPDATE_MANUAL=1 cargo test --test manual");
}

/// Without the version, so that a release does not change the page.
fn command() -> Command {
    Args::command().version(None::<&str>)
}

/// One page for the command and its subcommands.
fn command_page() -> String {
    let mut command = command();
    command.build();
    let man =
        Man::new(command.clone()).section("1").source("authalert").manual("User Commands").date("2026-11-28");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
    // A path that is broken by a hyphen is another path.
    page.insert_str(page.find(".SH NAME").unwrap(), ".nh\n");
    page.push_str(".SH SYNOPSIS\n\\fBauthalert\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-state\\fR \\fIDIR\\fR] \\fICOMMAND\\fR\n");
    page.push_str(&rendered(&man, Man::render_description_section));
    page.push_str(&rendered(&man, Man::render_options_section));
    page.push_str(".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()) {
        page.push_str(&subcommand("", sub));
    }
    page.push_str(TAIL);
    page
}

fn rendered(man: &Man, section: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut text = Vec::new();
    section(man, &mut text).unwrap();
    without_preamble(&String::from_utf8(text).unwrap())
}

/// Every section of roff(7) that is rendered alone begins with the same two definitions.
fn without_preamble(text: &str) -> String {
    text.lines()
        .filter(|l| !l.starts_with(".ie ") && !l.starts_with(".el "))
        .map(|l| format!("{l}\n"))
        .collect()
}

/// One command with its options, then those below it.
fn subcommand(above: &str, command: &Command) -> String {
    let name = format!("{above}{}", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let own = command.get_arguments().filter(|a| !a.is_global_set() && a.get_id() != "help");
    let mut page = format!(".SS {}\n{}.\n", roff(&name), roff(about.trim_end_matches('.')));
    for argument in own {
        let names: Vec<String> = [
            argument.get_short().map(|s| format!("\\fB\\-{s}\\fR")),
            argument.get_long().map(|l| format!("\\fB\\-\\-{}\\fR", roff(l))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let takes = argument.get_action().takes_values();
        let value: String = argument
            .get_value_names()
            .filter(|_| takes)
            .map(|names| names.iter().map(|n| format!(" \\fI{}\\fR", roff(n))).collect())
            .unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default: Vec<String> =
            argument.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
        let default = if takes && !default.is_empty() {
            format!(" [default: {}]", default.join(" "))
        } else {
            String::new()
        };
        let names = names.join(", ");
        let head = format!("{names}{value}");
        page.push_str(&format!(".TP\n{}\n{}{}\n", head.trim_start(), roff(&help), roff(&default)));
    }
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        page.push_str(&subcommand(&format!("{name} "), sub));
    }
    page
}

/// A page for people from the file that they edit: comments are the text, `#key = value` the keys. Of several keys
/// under one comment the later ones stand with the first.
fn configuration_page(shipped: &str) -> String {
    let mut page = String::from(CONFIGURATION_HEAD);
    let mut comment: Vec<&str> = Vec::new();
    let mut said = false;
    let mut headed = false;
    for line in shipped.lines() {
        if let Some(text) = line.strip_prefix("# ").or((line == "#").then_some("")) {
            comment.push(text);
        } else if line.is_empty() && !comment.is_empty() && !said {
            page.push_str(&paragraphs(&comment[1..]));
            comment.clear();
            said = true;
        } else if let Some(table) = line.strip_prefix('[').or_else(|| line.strip_prefix("#[")) {
            page.push_str(&format!(".SH [{}\n{}", roff(table), paragraphs(&comment)));
            comment.clear();
            headed = true;
        } else if let Some((key, value)) = line.strip_prefix('#').and_then(|l| l.split_once(" = ")) {
            if !headed {
                page.push_str(".SH BEFORE ANY TABLE\n");
                headed = true;
            }
            page.push_str(&format!(".TP\n\\fB{}\\fR = {}\n{}", roff(key), roff(value), paragraphs(&comment)));
            comment.clear();
        }
    }
    assert!(comment.is_empty(), "a comment belongs to nothing: {comment:?}");
    page.push_str(CONFIGURATION_TAIL);
    page
}

fn paragraphs(lines: &[&str]) -> String {
    lines
        .iter()
        .skip_while(|l| l.is_empty())
        .map(|l| if l.is_empty() { ".PP\n".into() } else { format!("{}\n", roff(l)) })
        .collect()
}

fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn completion(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "authalert", &mut text);
    String::from_utf8(text).unwrap()
}

const TAIL: &str = r#".SH THE FIELDS OF STATUS
.TP
for each receiver, by its name
how many messages were sent, when the last one, when the next attempt is. "Of N nobody knows whether they arrived": the
connection broke before the answer came. Below it how many failed authentications were
.B recorded
since this receiver began, and where they went, at every moment:
.B posted
(in an alert that was delivered),
.B pending
(in none yet),
.B ignored
(the configuration says so),
.B aborted
(a prompt was left without an answer),
.B left out
(of a kind that this receiver is not sent). Which ones are pending: "authalert failures \-\-pending NAME". Where something waits, when it goes out and why not now; where a
break\-in that was reported before came again, that it is reported with the next. Last, why nothing is sent.
.TP
\fBtests\fR
failures that root announced by "authalert test \-\-pam". They are in no alert, and delay none.
.TP
\fBlogins\fR
logins that were recorded, see
.BR pam_authalert (8).
.TP
\fBdropped\fR
failures that found no room, on the disk or under max_size. They are reported as a number.
.TP
\fBdamaged\fR
lines of the journal that cannot be read; they are kept in unreadable.log.
.TP
\fBerror\fR
what keeps authalert from recording, from reading its settings, or from running each minute; and what to do.
.TP
\fBruns\fR
who starts a pass each minute.
.TP
\fBmodule\fR
the PAM services whose stack names the module.
.TP
\fBschedule\fR
what the settings of [alerts] come to.
.TP
\fBscan\fR
the logs that are read, and when each was last written; what only a log tells where the module records as well.
.SH THE WORDING OF ALERTS
.PP
.RS
.nf
web1: wrong password for alice from 192.0.2.7 (sshd[32239]) 12:01:47 \(pca17
BREAK\-IN? web1: alice logged in from 203.0.113.9 (sshd[4711]) 12:03:09
  after 37 failed logins from there since 11:20. \(pca18
.fi
.RE
.PP
An alert begins with the machine, and ends in its number,
.B \(pca17
(in an SMS
.BR \-a17 ):
each receiver has numbers of its own, and the same number is the same alert, however often it comes. "2 machines:" stands where it is about several.
.TP
.B BREAK\-IN?
a login after many failures from the same source. It may be a person who mistyped; look at once.
.TP
.B new source under attack
an account that is being attacked logged in from a network that it never came from. Worth a look, not a break\-in.
.TP
.B failed login
every failure, in counts and in the lists of "authalert failures" and "report". An alert about a single one says
.B wrong password
where one was compared; a login that asked for none, or of which that is not known, stays a failed login: sshd gives PAM a junk
password for users that do not exist.
.TP
\fBunknown users\fR, \fB(unknown)\fR
a name of no account of this machine, which may be a password typed in the wrong field. It is not sent unless
.B post_unknown_users
says so.
.TP
.B password helper
unix_chkpwd, which checks passwords for programs that may not read them.
.TP
.B (a16 may not have come)
nobody knows whether alert 16 arrived, and it is not sent again.
.TP
.B ~
a name was cut here.
.TP
\fB[.]\fR, as in evil[.]com
brackets keep a name from becoming a link, a mention or a command.
.TP
\fBall quiet\fR, \fBauthalert needs you\fR, \fBwell again\fR
authalert speaks of itself.
.SH EXAMPLES
.TP
authalert receivers add ntfy
Have alerts on a phone.
.TP
authalert check \-\-quiet
Only what is wrong; status 1 where an alert could be missed. For a monitoring system.
.TP
authalert failures \-\-since 1d \-\-user alice
Each failed login of alice in the last 24 hours.
.TP
authalert failures \-\-pending ntfy
The failures behind "5 pending" of the receiver ntfy.
.TP
authalert timeline \-\-follow
The alerts of this machine as they were sent, each with all that it covers, and new ones as they come.
.TP
authalert report \-\-since 30d \-\-html report.html
The last month as a page for a browser, to be mailed or printed.
.TP
authalert report /var/log/auth.log*
The same of any logs, rotated and compressed ones too, at the terminal.
.TP
authalert scan \-\-simulate
The alerts that the current settings would have made of this machine's logs. Nothing is recorded or sent.
.TP
authalert scan \-\-dry\-run \-\-explain /var/log/auth.log
Each line of a log that is about a login, and what it is taken for.
.TP
journalctl \-o json \-\-since yesterday | authalert scan \-\-dry\-run \-
The same for any log on standard input.
.TP
authalert test \-\-pam sshd
A real wrong password through the stack of sshd: what was recorded of it. It is announced as a test, and in no alert.
.TP
authalert deliver \-\-now
What is pending goes out at once, or it is said why it cannot.
.SH NOTES ON SCAN
The first pass over a log begins at its end, unless
.B \-\-from\-start
is given; after a first pass it reads what that pass skipped. A log whose newest line comes first (journalctl \-r) is turned
round. Where no line of a named file is understood, the scan says so, shows one, and ends with status 1. Lines behind the heads of
relays, containers (docker, Kubernetes, compose), socklog, grep's file names, and of sshd \-e, are read too.
.PP
Where the module is seen to record the failures of a service, a line of a log of which it knows nothing is not recorded,
but counted. After five in a row, or when the module says that it cannot record, the log is believed again, and
"authalert check" says so. In the systemd journal a line that a program without root's rights wrote counts for nothing, and is
counted as forged; in a text log anybody may have written anything, and that cannot be seen. Which program of a user wrote a line
the journal does not know where that had ended before it looked, as short commands of sudo do on a busy machine: such a line is
not counted either, unless the same process wrote others that are, and the scan and report say how many there were. A user's line
of su, sudo or polkit that tells of his own attempt counts all the same: a process that logs a word and then becomes su is taken for
the program that it was. What
.B authalert test \-\-pam
does is a test in the log too. A line that holds words of an attempt
and does not begin as a log daemon writes it counts for nothing; scan and report say how many there were.
.SH NOTES ON BREAK\-INS
What becomes known late, from a log or from a member of a fleet that was away, is judged by when it happened. A failure speaks
against the logins of the day after it, as long as they are remembered: for a week, and 4,096 of a machine, each of an account
from a source. Of more than those go first that only a log tells of, then those from where the account came before, then the
oldest. A failure that is told more than a day late speaks against the first login of an account from there and against the
last, not against those between.
.PP
A login is held against the failures of the day before it however late it is told, unless their source failed again more than
a day after them: then they are forgotten. Of more than 16 times at which a source failed for one name those that are nearest
to each other are taken for one: so more may seem to be before a login than there were, never fewer.
.PP
The clocks of two machines of a fleet may be a minute apart. In a log that is read more than ten minutes late a line that is
dated ahead may hide, behind 32 kB of others, that somebody who mistyped was let in: his failure is reported then.
.SH EXIT STATUS
0 done, 1 could not, 2 wrong usage.
.SH FILES
.TP
.I /etc/authalert/config.toml
the configuration, see
.BR authalert.toml (5)
.TP
.I /etc/authalert/credentials.toml
the secrets of all receivers; root's, mode 0600, refused otherwise
.TP
.I /etc/authalert/receivers.d
definitions of services of your own, see
.BR authalert\-receivers (5)
.TP
.I /etc/authalert/rules.d
lines of programs that the scan is to understand, see
.BR authalert\-rules (5)
.TP
.I /var/lib/authalert/journal
what was recorded, one JSON object a line; kept for 30 days
.TP
.I /var/lib/authalert/timeline.jsonl
the alerts
.TP
.I /var/lib/authalert/receivers/NAME.json
the state of a receiver (.next, .bak: its copies); NAME.sent.jsonl what it accepted, NAME.rejected.jsonl texts that it refused
.TP
.I /var/lib/authalert/unreadable.log
damaged lines of the journal
.TP
.I /var/lib/authalert/guarded
the services whose stack was given the module, one a line
.PP
All of it is text, and root's alone.
.SH SEE ALSO
.BR authalert.toml (5),
.BR authalert\-receivers (5),
.BR authalert\-rules (5),
.BR authalert\-json (7),
.BR pam_authalert (8),
.BR authalert\-pam (8)
"#;

const CONFIGURATION_HEAD: &str = r#".TH AUTHALERT.TOML 5 2026-11-28 authalert "File Formats"
.nh
.SH NAME
authalert.toml \- configuration of authalert
.SH SYNOPSIS
.I /etc/authalert/config.toml
.SH DESCRIPTION
"#;

const CONFIGURATION_TAIL: &str = r#".SH EXAMPLES
Everything to a phone by ntfy, break\-ins by SMS as well, and no alert about the office:
.PP
.RS
.nf
[[receiver]]
kind = "ntfy"
topic = "alerts\-7Hq2mZ4x"

[[receiver]]
kind = "twilio"
account_sid = "AC0123456789abcdef0123456789abcdef"
user = "AC0123456789abcdef0123456789abcdef"
from = "+15005550006"
to = "+491701234567"

[ignore]
networks = ["192.0.2.0/24"]
.fi
.RE
.SH SEE ALSO
.BR authalert (1),
.BR authalert\-receivers (5),
.BR pam_authalert (8)
"#;
