//! A line of a program as a template: fixed words, and between them what differs from line to line.
//!
//! `Bad password attempt for '<user>' from <rhost>:<port>`
//!
//! What a client wrote may hold any words, those of the template too. So a template is read from both ends towards it:
//! everything else has an extent that the client cannot move. What the program or this machine's accounts wrote ends
//! where the template's next words first stand. Where two parts of a line are a client's words, what
//! stands between them is certain only if those words stand there once.

use super::super::words::{places, rplaces};
use super::field::{Field, NAMES, endpoint, host};
use crate::scan::header::decimal;

/// So many attempts does no client have in one connection.
const MOST: u32 = 1000;
/// The longest word.
const LONGEST: usize = 255;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Words(Box<[u8]>),
    Field(Field),
}

/// A template, ready to be held against lines.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// Which of them are a client's words: what is before the first is read forwards, what is behind the last backwards.
    middle: Option<usize>,
    second: Option<usize>,
}

/// What a line has in the places of the fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'a> {
    pub user: &'a [u8],
    pub ruser: &'a [u8],
    pub rhost: &'a [u8],
    pub tty: &'a [u8],
    pub service: &'a [u8],
    pub method: &'a [u8],
    pub port: u32,
    pub count: Option<u32>,
}

impl<'a> Values<'a> {
    fn set(&mut self, field: Field, value: &'a [u8]) {
        match field {
            Field::User | Field::Account => self.user = value,
            Field::Ruser => self.ruser = value,
            Field::Rhost => self.rhost = host(value).unwrap_or_default(),
            Field::Port => self.port = decimal(value).unwrap_or(0),
            Field::Endpoint => (self.rhost, self.port) = endpoint(value).unwrap_or_default(),
            Field::Tty => self.tty = value,
            Field::Service => self.service = value,
            Field::Method => self.method = value,
            Field::Count => self.count = decimal(value).map(|count| count.min(MOST)),
            Field::Number | Field::Word | Field::Text | Field::Anything => {}
        }
    }

    /// Whether `other` names the same client; a port may be left out.
    pub(super) fn is_of_the_place_of(&self, other: &Self) -> bool {
        let ports = [self.port, other.port];
        self.rhost == other.rhost && (ports.contains(&0) || self.port == other.port)
    }
}

impl Template {
    /// Read a template. An error says what is accepted.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let pieces = joined(pieces(text)?);
        let fields: Vec<Field> = pieces.iter().filter_map(Piece::field).collect();
        for (at, field) in fields.iter().enumerate() {
            let is_twice = fields[..at].contains(field) && !field.may_repeat();
            let names = |field: Field| matches!(field, Field::User | Field::Account);
            if is_twice || (names(*field) && fields[..at].iter().any(|other| names(*other))) {
                return Err(format!("{} may stand once in a line", field.name()));
            }
        }
        if pieces.windows(2).any(|two| two.iter().all(|piece| piece.field().is_some())) {
            return Err("between two <…> there must be fixed words, a blank at least".into());
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Words(words) if words.len() >= SHORTEST)) {
            return Err(format!("it needs fixed words, {SHORTEST} characters on end at least"));
        }
        let place = |is_it: fn(Field) -> bool, after: usize| {
            (after..pieces.len()).find(|at| pieces[*at].field().is_some_and(is_it))
        };
        let first = place(Field::is_clients, 0);
        let second = first.and_then(|first| place(Field::is_clients, first + 1));
        if let (Some(first), Some(second)) = (first, second) {
            if place(Field::is_clients, second + 1).is_some() {
                return Err(
                    "at most two parts of a line may be a client's words, <user> and <anything>".into()
                );
            }
            if pieces[first + 1..second].iter().filter_map(Piece::field).any(Field::is_open) {
                return Err(
                    "between two parts that are a client's words there may be words and numbers only, \
                            no <text>, <account> or <ruser>"
                        .into(),
                );
            }
        }
        Ok(Self { pieces, middle: first, second })
    }

    /// Its fixed words; `may_be_cut`: those that its lines hold where a log daemon cut them short, too.
    pub(super) fn words(&self, may_be_cut: bool) -> impl Iterator<Item = &[u8]> {
        let kept = if may_be_cut { self.before_a_cut() } else { None };
        let pieces = kept.unwrap_or(&self.pieces);
        pieces.iter().filter_map(|piece| match piece {
            Piece::Words(words) => Some(&**words),
            Piece::Field(_) => None,
        })
    }

    /// Whether it has this field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.pieces.iter().any(|piece| piece.field() == Some(field))
    }

    /// Whether a part of it may be of any length.
    pub(super) fn is_open(&self) -> bool {
        self.pieces.iter().filter_map(Piece::field).any(Field::is_open)
    }

    /// Whether it has a client's place, or a client's words that may have taken it in.
    pub(super) fn tells_of_a_client(&self) -> bool {
        let is_it = |field: Field| field.is_clients() || matches!(field, Field::Rhost | Field::Endpoint);
        self.pieces.iter().filter_map(Piece::field).any(is_it)
    }

    /// Whom a line names that a log daemon cut short, for the length of the name: what stands behind it is lost, and the
    /// attempt is not.
    pub(super) fn read_cut<'a>(&self, line: &'a [u8]) -> Option<Values<'a>> {
        let mut values = Values::default();
        let rest = forwards(self.before_a_cut()?, line, &mut values).filter(|_| line.len() >= CUT)?;
        values.user = rest;
        Some(values)
    }

    /// What stands before the name that is so long; none if what is left of such a line may be another one.
    fn before_a_cut(&self) -> Option<&[Piece]> {
        let middle = self.middle.filter(|middle| self.pieces[*middle].field() == Some(Field::User))?;
        let before = &self.pieces[..middle];
        let begins = matches!(before.first(), Some(Piece::Words(words)) if words.len() >= DISTINCT);
        begins.then_some(before)
    }

    /// What `line` has in its places; none if it is another line. It takes time in proportion to the line's length.
    pub(super) fn read<'a>(&self, line: &'a [u8]) -> Option<Values<'a>> {
        let mut values = Values::default();
        let Some(middle) = self.middle else {
            return forwards(&self.pieces, line, &mut values)?.is_empty().then_some(values);
        };
        let rest = forwards(&self.pieces[..middle], line, &mut values)?;
        let last = self.second.unwrap_or(middle);
        let rest = backwards(&self.pieces[last + 1..], rest, &mut values)?;
        match (self.second, self.pieces[middle].field()) {
            (None, Some(field)) => values.set(field, rest),
            (Some(second), _) => self.between(middle, second, rest, &mut values)?,
            (None, None) => return None,
        }
        Some(values)
    }

    /// A line of a client at 192.0.2.7 port 50310 that calls itself `name`.
    #[cfg(any(test, fuzzing))]
    pub(super) fn written(&self, name: &[u8]) -> Vec<u8> {
        self.written_with(|_| name)
    }

    /// The same of one that gives of its words each by its number.
    #[cfg(any(test, fuzzing))]
    pub(super) fn written_with<'a>(&self, word: impl Fn(usize) -> &'a [u8]) -> Vec<u8> {
        let mut words = 0..;
        let mut value = |field: Field| match field {
            Field::User | Field::Anything => word(words.next().unwrap_or_default()),
            Field::Account | Field::Ruser => b"alice",
            Field::Rhost => b"192.0.2.7",
            Field::Port => b"50310",
            Field::Endpoint => b"192.0.2.7:50310",
            Field::Tty => b"pts/0",
            Field::Count | Field::Number => b"3",
            Field::Service | Field::Method | Field::Word => b"word",
            Field::Text => b"some text",
        };
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Words(words) => words.to_vec(),
            Piece::Field(field) => value(*field).to_vec(),
        });
        pieces.collect::<Vec<_>>().concat()
    }

    /// How many of its parts are a client's words.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.pieces.iter().filter_map(Piece::field).filter(|field| field.is_clients()).count()
    }

    /// Two parts of the client's words, and what is between them. Where that stands more than once, one of them is
    /// forged: the first part is the shortest that it can be, and nothing between is certain.
    fn between<'a>(
        &self,
        middle: usize,
        second: usize,
        text: &'a [u8],
        values: &mut Values<'a>,
    ) -> Option<()> {
        let between = &self.pieces[middle + 1..second];
        let Some(Piece::Words(words)) = between.first() else { return None };
        let before = *values;
        let mut found: Option<(usize, &[u8])> = None;
        for at in places(text, words) {
            let mut here = before;
            let Some(rest) = forwards(between, &text[at..], &mut here) else { continue };
            if found.is_some() {
                *values = before;
                break;
            }
            found = Some((at, rest));
            *values = here;
        }
        let (at, rest) = found?;
        for (piece, value) in [(middle, &text[..at]), (second, rest)] {
            if let Some(field) = self.pieces[piece].field() {
                values.set(field, value);
            }
        }
        Some(())
    }
}

/// Of the 1024 bytes of RFC 3164 the head takes the others.
const CUT: usize = 900;
/// So long are words at the start of a line that nothing else begins with.
const DISTINCT: usize = 12;
/// Shorter words are in too many lines to be searched for.
pub(crate) const SHORTEST: usize = 4;

impl Piece {
    fn field(&self) -> Option<Field> {
        match self {
            Self::Field(field) => Some(*field),
            Self::Words(_) => None,
        }
    }
}

/// Match `pieces` from the start of `text`; what follows comes back.
fn forwards<'a>(pieces: &[Piece], mut text: &'a [u8], values: &mut Values<'a>) -> Option<&'a [u8]> {
    let mut pieces = pieces.iter();
    while let Some(piece) = pieces.next() {
        let field = match piece {
            Piece::Words(words) => {
                text = text.strip_prefix(&**words)?;
                continue;
            }
            Piece::Field(field) => *field,
        };
        let value = match pieces.next() {
            Some(Piece::Words(words)) => {
                let near =
                    if field.is_open() { text } else { &text[..text.len().min(LONGEST + words.len())] };
                let mut ends = places(near, words);
                let end = ends.find(|end| field.accepts(&text[..*end]))?;
                let value = &text[..end];
                text = &text[end + words.len()..];
                value
            }
            // Two fields never follow each other.
            Some(Piece::Field(_)) => return None,
            None => std::mem::take(&mut text),
        };
        field.accepts(value).then(|| values.set(field, value))?;
    }
    Some(text)
}

/// Match `pieces` at the end of `text`; what stands before comes back.
fn backwards<'a>(pieces: &[Piece], mut text: &'a [u8], values: &mut Values<'a>) -> Option<&'a [u8]> {
    let mut pieces = pieces.iter().rev();
    while let Some(piece) = pieces.next() {
        let field = match piece {
            Piece::Words(words) => {
                text = text.strip_suffix(&**words)?;
                continue;
            }
            Piece::Field(field) => *field,
        };
        // Before a field there are words: the piece before the first is one of the client's words.
        let Some(Piece::Words(words)) = pieces.next() else { return None };
        let from = if field.is_open() { 0 } else { text.len().saturating_sub(LONGEST + words.len()) };
        let mut starts = rplaces(&text[from..], words).map(|at| from + at);
        let start = starts.find(|start| field.accepts(&text[start + words.len()..]))?;
        values.set(field, &text[start + words.len()..]);
        text = &text[..start];
    }
    Some(text)
}

/// `<rhost>:<port>` as one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let is_port = piece == Piece::Field(Field::Port)
            && matches!(&joined[..], [.., Piece::Field(Field::Rhost), Piece::Words(colon)] if **colon == *b":");
        if is_port {
            joined.truncate(joined.len() - 2);
            joined.push(Piece::Field(Field::Endpoint));
        } else {
            joined.push(piece);
        }
    }
    joined
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, after) = rest.split_at(open);
        words.push_str(before);
        let inner = after[1..].split_once('>').map(|(inner, _)| inner);
        let is_name = |inner: &&str| !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_lowercase());
        let Some(inner) = inner.filter(is_name) else {
            words.push('<');
            rest = &after[1..];
            continue;
        };
        let field =
            NAMES.iter().find(|(name, _)| *name == inner).map(|(_, field)| *field).ok_or_else(|| {
                let names: Vec<String> = NAMES.iter().map(|(name, _)| format!("<{name}>")).collect();
                format!("<{inner}> is not known; there are {}", names.join(", "))
            })?;
        if !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words).into_bytes().into()));
        }
        pieces.push(Piece::Field(field));
        rest = &after[inner.len() + 2..];
    }
    words.push_str(rest);
    if !words.is_empty() {
        pieces.push(Piece::Words(words.into_bytes().into()));
    }
    Ok(pieces)
}
