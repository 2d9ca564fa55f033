//! A report as text with bars and a heat map, for a terminal of any width.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::days;
use super::numbers::Report;
use super::words::{self, WEEKDAYS, number};

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) width: usize,
    /// With colours.
    pub(crate) colour: bool,
}

/// Narrower lines are not drawn.
const NARROWEST: usize = 40;
/// Wider ones say no more.
const WIDEST: usize = 120;
const ROWS: usize = 10;
/// Days, weeks or months.
const STEPS: usize = 31;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// One line of a chart: what, how often, how often as it is written, what else.
struct Bar {
    label: String,
    value: u64,
    shown: String,
    beside: String,
}

/// Write `report`.
pub(crate) fn write(report: &Report, zone: &TimeZone, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let width = look.width.clamp(NARROWEST, WIDEST);
    let mut text = Text { look, width, text: String::new() };
    text.head(report, zone);
    text.findings(report, zone);
    let (unit, steps) = days::steps(&report.by_day, STEPS);
    let bar = |label: &str, value: u64| Bar {
        label: label.into(),
        value,
        shown: number(value),
        beside: String::new(),
    };
    text.chart(&format!("By {}", unit.name()), steps.iter().map(|s| bar(&s.label, s.failures)).collect(), 0);
    text.heat(report);
    let sources = report.by_source.iter().map(|row| Bar {
        label: words::name(row.name.as_deref(), words::HIDDEN).into(),
        value: row.failures,
        shown: words::at_least(row.failures, row.may_be_more),
        beside: words::place(row),
    });
    text.chart("Sources", sources.take(ROWS).collect(), report.sources.distinct);
    let networks = report.by_network.iter().map(|row| Bar {
        label: row.network.clone(),
        value: row.failures,
        shown: words::at_least(row.failures, row.may_be_more),
        beside: format!("{} addresses", words::addresses(row)),
    });
    let several = report.by_network.iter().any(|row| row.addresses > 2);
    text.chart("Networks", networks.take(if several { ROWS } else { 0 }).collect(), report.networks.distinct);
    let counted = |rows: &[super::numbers::Counted]| -> Vec<Bar> {
        let named = |row: &super::numbers::Counted| {
            bar(words::name(row.name.as_deref(), words::HIDDEN), row.failures)
        };
        rows.iter().take(ROWS).map(named).collect()
    };
    text.chart("Countries", counted(&report.by_country), report.by_country.len() as u64);
    let accounts = report.by_account.iter().map(|row| Bar {
        label: words::name(row.name.as_deref(), words::ALL_HIDDEN).into(),
        value: row.failures,
        shown: words::at_least(row.failures, row.may_be_more),
        beside: words::kind(row.kind).into(),
    });
    text.chart("Names that were tried", accounts.take(ROWS).collect(), report.accounts.distinct);
    text.chart("Services", counted(&report.by_service), report.by_service.len() as u64);
    if report.by_host.len() > 1 {
        text.chart("Machines", counted(&report.by_host), report.by_host.len() as u64);
    }
    text.campaigns(report, zone);
    text.receivers(report);
    out.write_all(text.text.as_bytes())
}

struct Text {
    look: Look,
    width: usize,
    text: String,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.text.push_str(cut(line, self.width).trim_end());
        self.text.push('\n');
    }

    /// A line in a colour: the number of its escape sequence.
    fn coloured(&mut self, colour: &str, line: &str) {
        let (on, off) =
            if self.look.colour { (format!("\x1b[{colour}m"), "\x1b[0m") } else { Default::default() };
        for line in indented(line, self.width) {
            let _ = writeln!(self.text, "{on}{}{off}", cut(&line, self.width));
        }
    }

    fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.coloured("1", title);
    }

    /// Words on as many lines as they need.
    fn paragraph(&mut self, text: &str) {
        for line in on_lines(text, self.width) {
            self.line(&line);
        }
    }

    fn head(&mut self, report: &Report, zone: &TimeZone) {
        self.coloured("1", &words::counted(report.failures, "failed login"));
        self.paragraph(&format!("{}; read: {}", words::period(report, zone), report.read.join(", ")));
        self.paragraph(&super::plain::beside(report));
        for note in &report.notes {
            self.paragraph(note);
        }
    }

    fn findings(&mut self, report: &Report, zone: &TimeZone) {
        if report.findings.is_empty() {
            return;
        }
        self.title("Logins after failures");
        for found in report.findings.iter().rev().take(ROWS) {
            let line = format!("{}  {}", words::minute(found.time, zone), super::plain::finding(found));
            let colour = if found.verdict == "break-in" { "31" } else { "33" };
            self.coloured(colour, &line);
        }
    }

    /// A bar for each; `all`: how many there are.
    fn chart(&mut self, title: &str, bars: Vec<Bar>, all: u64) {
        let Some(most) = bars.iter().map(|bar| bar.value).max() else { return };
        let more = all > bars.len() as u64;
        self.title(&if more { format!("{title} (of {})", number(all)) } else { title.to_owned() });
        let widest = |of: &dyn Fn(&Bar) -> usize| bars.iter().map(of).max().unwrap_or(0);
        let shown = widest(&|bar| columns(&bar.shown));
        let label = widest(&|bar| columns(&bar.label)).min(self.width.saturating_sub(shown + 4) * 2 / 5);
        let left = self.width.saturating_sub(label + shown + 2);
        let beside = widest(&|bar| columns(&bar.beside)).min(left / 2);
        let room = left.saturating_sub(if beside > 0 { beside + 1 } else { 0 } + 1).min(50);
        for bar in &bars {
            let name = padded(&cut(&bar.label, label), label);
            let drawn = drawn(bar.value, most, room);
            let drawn = if self.look.colour { format!("\x1b[36m{drawn}\x1b[0m") } else { drawn };
            let beside = cut(&bar.beside, beside);
            let line = format!("{name} {:>shown$} {drawn} {beside}", bar.shown);
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    fn heat(&mut self, report: &Report) {
        let most = report.by_weekday.iter().flatten().copied().max().unwrap_or(0);
        if most == 0 {
            return;
        }
        self.title("By weekday and hour");
        let cell = if self.width >= 4 + 48 { 2 } else { 1 };
        let mut hours = String::from("    ");
        for hour in (0..24).step_by(6) {
            let _ = write!(hours, "{:<width$}", format!("{hour:02}"), width = 6 * cell);
        }
        self.line(hours.trim_end());
        for (weekday, row) in WEEKDAYS.iter().zip(&report.by_weekday) {
            let shades: String =
                row.iter().flat_map(|count| std::iter::repeat_n(shade(*count, most), cell)).collect();
            let shades = if self.look.colour { format!("\x1b[36m{shades}\x1b[0m") } else { shades };
            let _ = writeln!(self.text, "{weekday} {shades}");
        }
        self.line(&format!("    · none, █ {} an hour of the week", number(most)));
    }

    fn campaigns(&mut self, report: &Report, zone: &TimeZone) {
        if report.campaigns.is_empty() {
            return;
        }
        self.title("Longest campaigns (without a pause of a day)");
        for campaign in report.campaigns.iter().take(ROWS) {
            for line in indented(&super::plain::campaign(campaign, zone), self.width) {
                self.line(&line);
            }
        }
    }

    fn receivers(&mut self, report: &Report) {
        if report.receivers.is_empty() {
            return;
        }
        self.title("What was sent");
        for sent in &report.receivers {
            self.line(&super::plain::sent(sent));
        }
    }
}

/// A bar of `value` where `most` fills `room` columns, at its full width.
fn drawn(value: u64, most: u64, room: usize) -> String {
    let eighths = (u128::from(value) * room as u128 * 8).checked_div(u128::from(most)).unwrap_or(0);
    // What is there is seen.
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(value > 0));
    let mut bar = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        bar.push(EIGHTHS[eighths % 8]);
    }
    let used = eighths.div_ceil(8);
    bar.push_str(&" ".repeat(room.saturating_sub(used)));
    bar
}

fn shade(count: u64, most: u64) -> char {
    match count {
        0 => SHADES[0],
        count => SHADES[usize::try_from((count * 4).div_ceil(most.max(1))).unwrap_or(4).clamp(1, 4)],
    }
}

/// How wide `text` may be at a terminal: an East Asian character, or a picture, takes two columns.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    let drawn = ('\u{2000}'..'\u{2600}').contains(&c);
    if c < '\u{1100}' || drawn { 1 } else { 2 }
}

/// Words on lines of that width; a longer word has one to itself.
fn on_lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.len() - 1;
        if !lines[line].is_empty() && columns(&lines[line]) + 1 + columns(word) > width {
            lines.push(word.to_owned());
            continue;
        }
        if !lines[line].is_empty() {
            lines[line].push(' ');
        }
        lines[line].push_str(word);
    }
    lines
}

/// The same, those after the first behind two blanks: one entry of several.
fn indented(text: &str, width: usize) -> Vec<String> {
    let lines = on_lines(text, width.saturating_sub(2)).into_iter().enumerate();
    lines.map(|(i, line)| if i == 0 { line } else { format!("  {line}") }).collect()
}

/// `text` within `width` columns.
fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            used += column(*c);
            used <= width
        })
        .collect();
    kept.push('~');
    kept
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hostile;
    use super::*;

    fn shown(look: Look) -> String {
        let mut out = Vec::new();
        write(&hostile(false), &TimeZone::UTC, look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_names() {
        for width in [40, 60, 80, 100, 132] {
            let text = shown(Look { width, colour: false });
            for line in text.lines() {
                assert!(columns(line) <= width, "{width}: {} {line}", columns(line));
            }
            assert!(text.contains("By weekday and hour") && text.contains('█'), "{text}");
            assert!(!text.contains('\x1b'));
        }
    }

    #[test]
    fn a_campaign_is_told_to_its_end_on_as_many_lines_as_it_needs() {
        let told = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = shown(Look { width: 60, colour: false });
        let campaign = super::super::plain::campaign(&hostile(false).campaigns[0], &TimeZone::UTC);
        assert!(columns(&campaign) > 60 && told(&text).contains(&told(&campaign)), "{campaign}: {text}");
    }

    #[test]
    fn colour_changes_no_character() {
        let text = shown(Look { width: 80, colour: true });
        let mut without = String::new();
        for (i, part) in text.split('\x1b').enumerate() {
            without.push_str(if i == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        let plain: Vec<String> = without.lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(plain, shown(Look { width: 80, colour: false }).lines().collect::<Vec<_>>());
    }
}
