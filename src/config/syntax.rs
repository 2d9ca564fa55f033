//! A configuration that is not TOML throughout: what is wrong is taken out until the rest can be read.
//!
//! A word without quotes, a bracket too few: the parser refuses the whole file, and with it every receiver in it. Here
//! such a mistake costs the line that it is in, and in a `[[receiver]]` that receiver, of which the header stays, so that
//! its place among the others is known. What is taken out becomes blanks: lines keep their numbers.

use std::ops::Range;

use serde::Deserialize;
use toml::de::DeTable;

use super::line::{self, Place};
use super::{Kind, RECEIVER_KEYS, words};

/// So many mistakes are taken out; a file with more is something else.
pub(super) const MOST: usize = 64;

/// Keys whose values are shown, beside those of receivers: a secret may stand under any other.
const SHOWN: [&str; 9] = [
    "kind",
    "name",
    "receiver",
    "in_process",
    "journald",
    "keep",
    "max_size",
    "break_in_after",
    "post_unknown_users",
];

/// What is left of a text.
#[derive(Debug)]
pub(super) struct Readable {
    /// TOML, with every line where it was.
    pub text: String,
    /// What was taken out beside receivers.
    pub lost: Vec<Lost>,
    /// The receivers of which nothing but the header is left.
    pub receivers: Vec<Remains>,
}

/// Something that was taken out.
#[derive(Debug)]
pub(super) struct Lost {
    pub place: Place,
    pub why: String,
    /// The table that it was in; empty before any.
    pub table: String,
}

/// What can be told of a `[[receiver]]` that cannot be read.
#[derive(Debug)]
pub(super) struct Remains {
    /// The line of its header.
    pub line: usize,
    /// Where the mistake is, and why it is one.
    pub mistake: (Place, String),
    /// Its lines that are right by themselves.
    pub known: Known,
}

/// The values that say which receiver it is and what it is for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Known {
    pub kind: Option<String>,
    pub name: Option<String>,
    pub tell: Option<Vec<Kind>>,
    /// It has a name of its own, whether that can be read or not.
    #[serde(skip)]
    pub has_name: bool,
}

/// A table from its header to the next one; the first block is what stands before any.
struct Block {
    span: Range<usize>,
    header: usize,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Top,
    Table,
    Receiver,
}

/// One way to take a mistake out.
enum Cut {
    Receiver(usize),
    Lines(Range<usize>),
}

/// Read `bytes`. An error is why nothing of it can be used.
pub(super) fn read(bytes: &[u8]) -> Result<Readable, String> {
    let (text, odd) = in_utf8(bytes);
    let mut rest = Readable { text, lost: Vec::new(), receivers: Vec::new() };
    for at in odd {
        let place = Place::of(&rest.text, at);
        let blocks = blocks(&rest.text);
        let cut = own_cuts(&rest.text, &blocks, at).into_iter().next();
        if let Some(cut) = cut.filter(|_| !is_comment(&rest.text, at)) {
            rest.take_out(&blocks, &cut, (place, "this is not UTF-8".into()));
        } else {
            blank(&mut rest.text, line_of(bytes, at));
        }
    }
    rest.take_out_single_brackets();
    let mut first = None;
    for _ in 0..MOST {
        let Some(error) = Refusal::of(&rest.text) else {
            rest.receivers.sort_by_key(|remains| remains.line);
            return Ok(rest);
        };
        let (place, why) = (Place::of(&rest.text, error.at), error.why.clone());
        first.get_or_insert_with(|| format!("{place}: {why}"));
        if !rest.shorten(&error, place) {
            break;
        }
    }
    Err(first.unwrap_or_default())
}

/// Where `text` is no TOML, and why; none if it is.
pub(super) fn refused(text: &str) -> Option<String> {
    let Refusal { at, why, .. } = Refusal::of(text)?;
    Some(format!("{}: {why}", Place::of(text, at)))
}

/// Why the parser takes a text for no TOML.
#[derive(PartialEq)]
struct Refusal {
    at: usize,
    /// The same for all that comes after.
    from_the_end: usize,
    why: String,
}

impl Refusal {
    fn of(text: &str) -> Option<Self> {
        let error = DeTable::parse(text).err()?;
        let at = error.span().map_or(text.len(), |span| span.start.min(text.len()));
        let place = Place::of(text, at);
        let why = match line::bare_word(text, place.line) {
            Some(word) => {
                let word = if may_be_shown(text, at) { format!("`{word}`") } else { "this".into() };
                words::no_value(&word)
            }
            None => words::of_syntax(error.message()),
        };
        Some(Self { at, from_the_end: text.len() - at, why })
    }

    /// Whether taking something out has made nothing better.
    fn stays(&self, text: &str) -> bool {
        Self::of(text).is_some_and(|now| (now.from_the_end, &now.why) == (self.from_the_end, &self.why))
    }
}

impl Readable {
    /// `[receiver]` beside others is one and the same for the parser: it would take all of them out.
    fn take_out_single_brackets(&mut self) {
        let blocks = blocks(&self.text);
        let is_receiver = |block: &&Block| block.form == Form::Receiver;
        if blocks.iter().filter(is_receiver).count() < 2 {
            return;
        }
        // From behind, so that what is before stays where it is.
        for (i, block) in blocks.iter().enumerate().rev().filter(|(_, block)| is_receiver(block)) {
            if !self.text[block.span.start..block.header].trim_start().starts_with("[[") {
                let why = "write [[receiver]] with two brackets, once for each receiver".to_owned();
                let place = Place::of(&self.text, block.span.start);
                self.take_out(&blocks, &Cut::Receiver(i), (place, why));
            }
        }
    }

    /// Take out the first thing without which the parser does not complain of `error`. False where there is none.
    fn shorten(&mut self, error: &Refusal, place: Place) -> bool {
        let blocks = blocks(&self.text);
        let own = of(&blocks, error.at);
        let block = &blocks[own];
        // Each with whether the mistake is elsewhere than the parser saw it.
        let mut cuts = Vec::new();
        let is_twice = error.why.contains("twice");
        let is_at_header = own > 0 && error.at < block.header;
        if is_twice && block.form == Form::Receiver {
            cuts.extend(self.word(&blocks[0]).map(|line| (Cut::Lines(line), false)));
        }
        // A header that is right by itself: what is before it does not end.
        if is_at_header && !is_twice && is_header(&self.text[block.span.start..block.header]) {
            cuts.push((whole(&blocks, own - 1), true));
        }
        cuts.extend(own_cuts(&self.text, &blocks, error.at).into_iter().map(|cut| (cut, false)));
        cuts.extend((0..blocks.len().min(MOST)).map(|i| (whole(&blocks, i), true)));
        for (cut, is_elsewhere) in &cuts {
            let mut shorter = self.text.clone();
            apply(&mut shorter, &blocks, cut);
            if shorter == self.text || error.stays(&shorter) {
                continue;
            }
            let start = match cut {
                Cut::Receiver(i) => blocks[*i].span.start,
                Cut::Lines(lines) => lines.start,
            };
            let mistake = match is_elsewhere {
                true => unclosed(&self.text, start, place, error),
                false if start < block.span.start => {
                    let why =
                        "receiver is here as a word, and below as tables [[receiver]]; take the word out";
                    (Place::of(&self.text, start), why.to_owned())
                }
                false => (place, error.why.clone()),
            };
            self.take_out(&blocks, cut, mistake);
            return true;
        }
        false
    }

    /// The line before any table that has a word for the receivers.
    fn word(&self, top: &Block) -> Option<Range<usize>> {
        let lines = self.text[top.span.clone()].split_inclusive('\n').scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line.trim_end_matches(['\r', '\n'])))
        });
        let is_word = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == "receiver");
        lines.filter(|(_, line)| is_word(line)).map(|(start, line)| start..start + line.len()).next()
    }

    fn take_out(&mut self, blocks: &[Block], cut: &Cut, mistake: (Place, String)) {
        match cut {
            Cut::Receiver(i) => {
                let block = &blocks[*i];
                let line = Place::of(&self.text, block.span.start).line;
                // A second mistake in the same one.
                if !self.receivers.iter().any(|other| other.line == line) {
                    let known = Known::of(&self.text[block.header..block.span.end]);
                    self.receivers.push(Remains { line, mistake, known });
                }
            }
            Cut::Lines(span) => {
                let block = &blocks[of(blocks, span.start)];
                let header = &self.text[block.span.start..block.header];
                let (table, (place, why)) = (name_of(header).unwrap_or_default().to_owned(), mistake);
                self.lost.push(Lost { place, why, table });
            }
        }
        apply(&mut self.text, blocks, cut);
    }
}

impl Known {
    /// From those lines of a table that can be read one by one.
    fn of(body: &str) -> Self {
        let mut known = Self::default();
        for line in body.lines() {
            known.has_name |= line.trim_start().starts_with("name");
            let Ok(one) = toml::from_str::<Self>(line) else { continue };
            known.kind = known.kind.or(one.kind);
            known.name = known.name.or(one.name);
            known.tell = known.tell.or(one.tell);
        }
        known
    }
}

/// Whether the value at `at` is no secret, put into the wrong file: what a kind itself asks for may be one.
fn may_be_shown(text: &str, at: usize) -> bool {
    let key = text[line_of(text.as_bytes(), at)].split('=').next().unwrap_or_default().trim();
    SHOWN.contains(&key) || RECEIVER_KEYS.contains(&key)
}

fn unclosed(text: &str, start: usize, seen: Place, error: &Refusal) -> (Place, String) {
    let why = format!("something from here on does not end before line {}: {}", seen.line, error.why);
    (Place::of(text, start), why)
}

/// What can be taken out where the mistake is.
fn own_cuts(text: &str, blocks: &[Block], at: usize) -> Vec<Cut> {
    let own = of(blocks, at);
    let block = &blocks[own];
    if block.form == Form::Receiver {
        return vec![Cut::Receiver(own), Cut::Lines(block.span.clone())];
    }
    let line = line_of(text.as_bytes(), at);
    let is_header = block.form == Form::Table && at < block.header;
    let mut cuts = if is_header { Vec::new() } else { vec![Cut::Lines(line)] };
    cuts.push(Cut::Lines(block.span.clone()));
    cuts
}

/// All of a block.
fn whole(blocks: &[Block], i: usize) -> Cut {
    if blocks[i].form == Form::Receiver { Cut::Receiver(i) } else { Cut::Lines(blocks[i].span.clone()) }
}

fn apply(text: &mut String, blocks: &[Block], cut: &Cut) {
    match cut {
        Cut::Lines(span) => blank(text, span.clone()),
        Cut::Receiver(i) => {
            let Block { span, header, .. } = &blocks[*i];
            blank(text, *header..span.end);
            let line = text[span.start..*header].trim_end_matches(['\r', '\n']).len();
            text.replace_range(span.start..span.start + line, "[[receiver]]");
        }
    }
}

/// Blanks in the place of everything but the ends of lines.
fn blank(text: &mut String, span: Range<usize>) {
    let blanks: String = text[span.clone()]
        .chars()
        .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8()))
        .collect();
    text.replace_range(span, &blanks);
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block { span: 0..0, header: 0, form: Form::Top }];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(form) = form_of(line) {
            blocks.push(Block { span: at..end, header: end, form });
        } else if let Some(last) = blocks.last_mut() {
            last.span.end = end;
        }
        at = end;
    }
    blocks
}

/// Of a line that begins a table, or would if it were right.
fn form_of(line: &str) -> Option<Form> {
    let name = name_of(line)?;
    Some(if name == "receiver" { Form::Receiver } else { Form::Table })
}

/// The name in such a line.
fn name_of(line: &str) -> Option<&str> {
    let name = line.trim_start().strip_prefix('[')?.trim_start_matches(['[', ' ']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let name = name.split(|c| !is_name(c)).next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(name)
}

/// Whether it is right by itself.
fn is_header(line: &str) -> bool {
    DeTable::parse(line).is_ok()
}

fn of(blocks: &[Block], at: usize) -> usize {
    blocks.iter().rposition(|block| block.span.start <= at).unwrap_or(0)
}

fn line_of(text: &[u8], at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text[..at].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let end = text[at..].iter().position(|b| *b == b'\n').map_or(text.len(), |end| at + end);
    start..end
}

fn is_comment(text: &str, at: usize) -> bool {
    text[line_of(text.as_bytes(), at)].trim_start().starts_with('#')
}

/// The text with a mark in the place of each byte that is not UTF-8, and the first of these in each line.
fn in_utf8(bytes: &[u8]) -> (String, Vec<usize>) {
    let (mut text, mut odd): (String, Vec<usize>) = (String::with_capacity(bytes.len()), Vec::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            if odd.last().is_none_or(|last| line_of(text.as_bytes(), *last).end < text.len()) {
                odd.push(text.len());
            }
            text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
        }
    }
    (text, odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left, as its parser sees it; which lines were lost, and which receivers with what is known of them.
    fn left(text: &[u8]) -> (toml::Table, Vec<usize>, Vec<(usize, usize, String)>) {
        let readable = read(text).unwrap();
        let lines = |text: &[u8]| text.iter().filter(|b| **b == b'\n').count();
        assert_eq!(lines(readable.text.as_bytes()), lines(text));
        let lost = readable.lost.iter().map(|lost| lost.place.line).collect();
        let receivers = readable.receivers.iter().map(|remains| {
            let known = &remains.known;
            let name = known.name.clone().or(known.kind.clone()).unwrap_or_default();
            (remains.line, remains.mistake.0.line, name)
        });
        (toml::from_str(&readable.text).unwrap(), lost, receivers.collect())
    }

    #[test]
    fn what_is_right_is_left_as_it_is() {
        let text = "receiver = \"x\"\n[alerts]\nburst = 3\n";
        assert_eq!(read(text.as_bytes()).unwrap().text, text);
    }

    #[test]
    fn a_mistake_in_a_receiver_costs_that_receiver_and_it_is_known_which() {
        let around = |body: &str, second: &str| {
            format!(
                "heartbeat = \"off\"\n[[receiver]]\nkind = \"ntfy\"\ntopic = \"a\"\n{second}\nname = \"two\"\n\
                 kind = \"ntfy\"\n{body}\n[[receiver]]\nkind = \"slack\"\n[alerts]\nburst = 3\n"
            )
        };
        for (body, second, at) in [
            ("tell = urgent", "[[receiver]]", 8),
            ("topic = \"b", "[[receiver]]", 8),
            ("topic = b\"", "[[receiver]]", 8),
            ("topic", "[[receiver]]", 8),
            ("topic =", "[[receiver]]", 8),
            ("topic : \"b\"", "[[receiver]]", 8),
            ("topic = \"b\"\ntopic = \"c\"", "[[receiver]]", 9),
            ("tell = [\"urgent\"", "[[receiver]]", 5),
            ("tell = [\"urgent\", \"break-in\"\n# a comment", "[[receiver]]", 5),
            ("topic = \"\"\"b", "[[receiver]]", 5),
            ("topic = \"a\\qb\"", "[[receiver]]", 8),
            ("topic = \"b\" tell = [\"urgent\"]", "[[receiver]]", 8),
            ("topic = \"b\"", "[[receiver", 5),
            ("topic = \"b\"", "[[receiver]", 5),
            ("topic = \"b\"", "[receiver]]", 5),
            ("topic = \"b\"", "[receiver]", 5),
        ] {
            let text = around(body, second);
            let (rest, lost, receivers) = left(text.as_bytes());
            assert_eq!(receivers, [(5, at, "two".to_owned())], "{second} {body}");
            assert!(lost.is_empty(), "{second} {body}: {lost:?}");
            let list = rest["receiver"].as_array().unwrap();
            assert_eq!(list.len(), 3, "{second} {body}");
            assert_eq!((list[0]["topic"].as_str(), list[2]["kind"].as_str()), (Some("a"), Some("slack")));
            assert_eq!(
                (rest["alerts"]["burst"].as_integer(), rest["heartbeat"].as_str()),
                (Some(3), Some("off"))
            );
        }
    }

    #[test]
    fn a_secret_in_the_wrong_file_is_not_quoted() {
        for wrong in [
            "token = hush",
            "token = hush-1",
            "token = \"hush",
            "token \"hush\"",
            "token = \"hu\\qsh\"",
            "hush",
        ] {
            let found = read(format!("[[receiver]]\nkind = \"ntfy\"\n{wrong}\n").as_bytes()).unwrap();
            let why = &found.receivers[0].mistake.1;
            assert!(!why.contains("hu"), "{wrong}: {why}");
        }
        let found = read(b"[[receiver]]\nkind = \"ntfy\"\ntell = urgent\n").unwrap();
        assert!(found.receivers[0].mistake.1.contains("`urgent`"));
    }

    #[test]
    fn a_mistake_elsewhere_costs_its_line_or_its_table() {
        for (text, at, burst) in [
            ("heartbeat = soon\n[alerts]\nburst = 3\n", 1, true),
            ("[deliver]\nin_process = no\n[alerts]\nburst = 3\n", 2, true),
            ("[alerts]\nburst = 3\nmax_per_day = \n", 3, true),
            ("[alerts]\nburst = 3\n[ignore\nusers = [\"a\"]\n", 3, true),
            ("[alerts]\nburst = 3\n[alerts]\nburst = 4\n", 3, true),
            ("receiver = \"x\"\n[alerts]\nburst = 3\n", 1, true),
            ("[alerts]\nburst = 3\nmax_per_day = \"9\n", 3, true),
            ("[ignore]\nusers = [\"a\"\n[alerts]\nburst = 3\n", 1, true),
        ] {
            let (mut rest, lost, receivers) =
                left(format!("{text}[[receiver]]\nkind = \"ntfy\"\n").as_bytes());
            assert_eq!((lost, receivers), (vec![at], vec![]), "{text}");
            assert_eq!(rest["receiver"][0]["kind"].as_str(), Some("ntfy"), "{text}");
            let alerts = rest.remove("alerts").unwrap();
            assert_eq!(alerts.get("burst").is_some_and(|b| b.as_integer() == Some(3)), burst, "{text}");
        }
    }

    #[test]
    fn two_mistakes_are_two_and_what_nothing_is_left_of_is_refused() {
        let text = "[[receiver]]\nkind = \"a\"\ntell = x\ntopic = y\n[[receiver]]\nkind = \"b\"\n[scan]\nfiles = z\n\
                    [[receiver]]\nkind = \"c\"\ntell = [\n";
        let (rest, lost, receivers) = left(text.as_bytes());
        assert_eq!(lost, [8]);
        assert_eq!(receivers, [(1, 3, "a".into()), (9, 11, "c".into())]);
        assert_eq!(rest["receiver"][1]["kind"].as_str(), Some("b"));
        assert!(read("]\n".repeat(MOST + 1).as_bytes()).unwrap_err().starts_with("line 1, column 1: "));
    }

    #[test]
    fn bytes_that_are_not_utf_8_cost_nothing_in_a_comment_and_their_line_elsewhere() {
        let (rest, lost, receivers) = left(b"# f\xfcr alle\n[alerts]\nburst = 3\ntext = \"\xff\xfe\"\n");
        assert_eq!((lost, receivers), (vec![4], vec![]));
        assert_eq!(rest["alerts"].as_table().unwrap().len(), 1);
        let text = b"[[receiver]]\nkind = \"ntfy\"\n# f\xfcr\ntopic = \"a\"\n[[receiver]]\nkind = \"slack\"\nname = \"\xfc\"\n";
        let (rest, lost, receivers) = left(text);
        assert_eq!((lost, receivers), (vec![], vec![(5, 7, "?".into())]));
        assert_eq!(rest["receiver"][0]["topic"].as_str(), Some("a"));
    }
}
