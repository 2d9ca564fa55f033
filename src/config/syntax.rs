//! A configuration that is not TOML throughout: what is wrong is taken out until the rest can be read.
//!
//! A word without quotes, a bracket too few: the parser refuses the whole file, and with it every receiver in it. Here
//! such a mistake costs the line that it is in, and in a `[[receiver]]` that receiver, of which the header stays, so that
//! its place among the others is known. What is taken out becomes blanks: lines keep their numbers.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::line::{self, Place};
use super::tolerant::SETTINGS;
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

/// Keys of `[deliver]`, `[journal]` and `[x]` that stand in no other table.
const STRAYS: [&str; 4] = ["in_process", "keep", "max_size", "credentials"];

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
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub place: Place,
    pub why: String,
    /// The table that it was in; empty before any.
    pub table: String,
    /// It may have said where the secrets are.
    pub hides_credentials: bool,
    /// Keys in it that may belong to a table whose header is lost.
    pub strays: Vec<String>,
    /// From which line on, counted from 0.
    line: usize,
    /// It was that table, with its header, or what looks like one.
    pub is_table: bool,
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
    /// Keys in it that belong to a table whose header is lost.
    #[serde(skip)]
    pub strays: Vec<String>,
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
    // As an editor of another system may begin a file.
    let (text, odd) = in_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut rest = Readable { text, lost: Vec::new(), receivers: Vec::new() };
    let why = "this is not UTF-8";
    if let Some(place) = odd.get(MOST) {
        return Err(format!("{place}: {why}"));
    }
    for place in odd {
        let blocks = blocks(&rest.text);
        let at = start_of(&rest.text, place.line - 1);
        if let Some(cut) = own_cuts(&rest.text, &blocks, at).into_iter().next() {
            rest.take_out(&blocks, &cut, (place, why.into()));
        }
    }
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
    /// Something is there for the second time.
    is_twice: bool,
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
            None => words::of_syntax(text, &error),
        };
        let is_twice = error.message().starts_with("duplicate key");
        Some(Self { at, from_the_end: text.len() - at, why, is_twice })
    }

    /// Whether taking something out has made nothing better.
    fn stays(&self, text: &str) -> bool {
        Self::of(text).is_some_and(|now| (now.from_the_end, &now.why) == (self.from_the_end, &self.why))
    }
}

impl Readable {
    /// `[receiver]` beside others is one and the same for the parser: it would take all of them out. False where there is
    /// none.
    fn take_out_single_brackets(&mut self, blocks: &[Block]) -> bool {
        let receivers = || blocks.iter().enumerate().filter(|(_, block)| block.form == Form::Receiver);
        let is_single =
            |block: &Block| !self.text[block.span.start..block.header].trim_start().starts_with("[[");
        let single: Vec<usize> = receivers().filter(|(_, block)| is_single(block)).map(|(i, _)| i).collect();
        if receivers().count() < 2 || single.len() > MOST {
            return false;
        }
        // From behind, so that what is before stays where it is.
        for i in single.iter().rev() {
            let why = "write [[receiver]] with two brackets, once for each receiver".to_owned();
            let place = Place::of(&self.text, blocks[*i].span.start);
            self.take_out(blocks, &Cut::Receiver(*i), (place, why));
        }
        !single.is_empty()
    }

    /// Take out the first thing without which the parser does not complain of `error`. False where there is none.
    fn shorten(&mut self, error: &Refusal, place: Place) -> bool {
        let blocks = blocks(&self.text);
        let own = of(&blocks, error.at);
        let block = &blocks[own];
        // Each with whether the mistake is elsewhere than the parser saw it.
        let mut cuts = Vec::new();
        let is_twice = error.is_twice;
        if is_twice && self.take_out_single_brackets(&blocks) {
            return true;
        }
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
                let line = self.text[..span.start].matches('\n').count();
                let cut = &self.text[span.clone()];
                let (hides_credentials, strays) = (cut.lines().any(may_be_of_credentials), strays(cut));
                let is_table = block.form == Form::Table && span.start == block.span.start;
                self.lost.push(Lost { place, why, table, hides_credentials, strays, line, is_table });
            }
        }
        apply(&mut self.text, blocks, cut);
    }
}

impl Lost {
    /// Where the receiver begins that it was taken out of, where only the parser sees that it was one: its header has
    /// another form than is looked for, or what looks like a header is a key or in a text.
    pub(super) fn receiver(&self, text: &str, table: &DeTable<'_>) -> Option<usize> {
        if self.is_table && SETTINGS.contains(&self.table.as_str()) {
            return None;
        }
        let at = start_of(text, self.line);
        let mut before: Option<(usize, bool)> = None;
        let mut begins = |start: usize, is_receiver: bool| {
            if start <= at && before.is_none_or(|(last, _)| last <= start) {
                before = Some((start, is_receiver));
            }
        };
        for (key, value) in table.iter() {
            match value.get_ref() {
                DeValue::Array(items) if key.get_ref() == "receiver" => {
                    items.iter().for_each(|item| begins(item.span().start, true));
                    // Tables within an array end where it does.
                    if items.iter().any(|item| text[item.span().start..].starts_with('{')) {
                        begins(value.span().end, false);
                    }
                }
                _ => begins(key.span().start, false),
            }
        }
        before.filter(|(_, is_receiver)| *is_receiver).map(|(start, _)| start)
    }
}

impl Known {
    /// What is right in a table by itself. With a wrong `tell` it is told as its kind is by default: what is left out does
    /// not come back.
    pub(super) fn salvaged(table: &DeTable<'_>) -> Self {
        let text = |key: &str| table.get(key)?.get_ref().as_str().map(str::to_owned);
        let tell = table.get("tell").cloned();
        let tell = tell.and_then(|tell| Vec::<Kind>::deserialize(ValueDeserializer::from(tell)).ok());
        let strays = STRAYS.into_iter().filter(|key| table.contains_key(*key)).map(str::to_owned).collect();
        Self { kind: text("kind"), name: text("name"), tell, has_name: table.contains_key("name"), strays }
    }

    /// From those lines of a table that can be read one by one.
    fn of(body: &str) -> Self {
        let mut known = Self { strays: strays(body), ..Self::default() };
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

fn strays(text: &str) -> Vec<String> {
    let keys = text.lines().filter_map(|line| line.split('=').next()).map(str::trim);
    let keys = keys.filter_map(|key| key.rsplit('.').next());
    keys.filter(|key| STRAYS.contains(key)).map(str::to_owned).collect()
}

/// Whether a key, or a line that begins with one, may be `credentials` of `[x]`.
pub(super) fn may_be_of_credentials(key: &str) -> bool {
    let key = key.trim_start();
    key.strip_prefix("x.").unwrap_or(key).starts_with("cred")
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
    const AROUND: [char; 5] = ['[', ' ', '\t', '"', '\''];
    let behind = line.trim_start().strip_prefix('[')?.trim_start_matches(AROUND);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let name = behind.split(|c| !is_name(c)).next().unwrap_or_default();
    // A bracket too many before a key.
    let is_key = behind[name.len()..].trim_start_matches(AROUND).starts_with('=');
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_key).then_some(name)
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

/// Where the line with this number begins, counted from 0.
fn start_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line).map(str::len).sum()
}

/// The text with a mark in the place of each byte that is not UTF-8, and the first of these in each line that is no comment.
fn in_utf8(bytes: &[u8]) -> (String, Vec<Place>) {
    let (mut text, mut odd) = (String::with_capacity(bytes.len()), Vec::new());
    for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let (start, mut first) = (text.len(), None);
        for chunk in line.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                first.get_or_insert(text.len());
                text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
            }
        }
        if let Some(at) = first.filter(|_| !text[start..].trim_start().starts_with('#')) {
            odd.push(Place { line: number + 1, column: text[start..at].chars().count() + 1 });
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
        for text in [
            "receiver = \"x\"\n[alerts]\nburst = 3\n",
            "[[receiver]]\nkind = \"a\"\n[alerts]\ntext = '''\n[receiver]\n'''\n",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().text, text);
        }
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
        // Behind a header that is written anew, shorter or longer.
        for header in ["[[receiver]] # the telephone of the office", "[receiver"] {
            let before =
                [header.as_bytes(), b"\nkind = \"ntfy\"\ntopic = \"\xff\"\n# \xfcber alle\n"].concat();
            let text = [&before[..], b"[alerts]\ntext = \"\xff\"\nburst = 3 # \xc3\xbc"].concat();
            let (rest, lost, receivers) = left(&text);
            assert_eq!((lost, receivers), (vec![6], vec![(1, 3, "ntfy".into())]), "{header}");
            assert_eq!(rest["alerts"]["burst"].as_integer(), Some(3));
        }
        let many = "a = \"\n".repeat(MOST + 1).replace('"', "\u{1}").into_bytes();
        let many: Vec<u8> = many.into_iter().map(|b| if b == 1 { 0xff } else { b }).collect();
        assert_eq!(read(&many).unwrap_err(), format!("line {}, column 5: this is not UTF-8", MOST + 1));
    }
}
