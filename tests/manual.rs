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
        Man::new(command.clone()).section("1").source("authalert").manual("User Commands").date("2026-11-25");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
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

/// A page for people from the file that they edit: comments are the text, `#key = value` the keys.
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
        } else if let Some(table) = line.strip_prefix('[') {
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
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn completion(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "authalert", &mut text);
    String::from_utf8(text).unwrap()
}

const TAIL: &str = r#".SH EXIT STATUS
0 done, 1 could not, 2 wrong usage.
.SH FILES
.TP
.I /etc/authalert/config.toml
the configuration, see
.BR authalert.toml (5)
.TP
.I /etc/authalert/credentials.toml
the keys of the X account; root's, mode 0600, refused otherwise
.TP
.I /var/lib/authalert
queue, history and timeline
.SH SEE ALSO
.BR authalert.toml (5),
.BR pam_authalert (8),
.BR authalert-pam (8)
"#;

const CONFIGURATION_HEAD: &str = r#".TH AUTHALERT.TOML 5 2026-11-25 authalert "File Formats"
.SH NAME
authalert.toml \- configuration of authalert
.SH SYNOPSIS
.I /etc/authalert/config.toml
.SH DESCRIPTION
"#;

const CONFIGURATION_TAIL: &str = r#".SH SEE ALSO
.BR authalert (1),
.BR pam_authalert (8)
"#;
