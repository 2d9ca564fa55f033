//! A source as text to read: a file or a part of it, or a stream.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::calendar::Calendar;
use super::identity::{FirstLine, identity};
use super::source::{Log, Part};
use super::years::Years;

/// So much of a stream shows what it is.
const HEAD: usize = 64 << 10;

/// Text to read, and what it is.
pub struct Source<'a> {
    pub(super) path: PathBuf,
    pub(super) identity: Option<u64>,
    pub(super) written: Timestamp,
    pub(super) text: Text<'a>,
    /// Also what follows the last line feed.
    pub(super) tail: bool,
}

pub(super) enum Text<'a> {
    /// With the first line, which shows that it still is the file that it was.
    File {
        file: &'a File,
        from: u64,
        to: u64,
        first: Option<FirstLine>,
    },
    Stream {
        stream: Box<dyn Read + 'a>,
        from: u64,
    },
}

impl<'a> Source<'a> {
    /// A stream that is read to its end.
    pub fn stream(path: &Path, stream: impl Read + 'a, written: Timestamp) -> Self {
        Self {
            path: path.to_owned(),
            identity: None,
            written,
            text: Text::Stream { stream: Box::new(stream), from: 0 },
            tail: true,
        }
    }

    /// The whole of a log.
    pub(crate) fn whole(log: &'a Log) -> io::Result<Self> {
        Ok(Self { tail: true, ..Self::of(log, log.identity().unwrap_or(None), 0)? })
    }

    /// The part of a log that is new, up to its last complete line.
    ///
    /// `identity`: the one under which its lines are remembered.
    pub(crate) fn part(part: &'a Part, identity: u64, from: u64) -> io::Result<Self> {
        let mut source = Self::of(&part.log, Some(identity), from)?;
        if let Text::File { to, first, .. } = &mut source.text {
            // Emptied and written anew since it was looked at: that is for the next pass.
            if first.as_ref().map(FirstLine::identity) != part.identity {
                *to = from;
            }
        }
        Ok(source)
    }

    fn of(log: &'a Log, identity: Option<u64>, from: u64) -> io::Result<Self> {
        let text = match log.plain() {
            Some((file, to)) => Text::File { file, from, to, first: log.first_line()? },
            None => {
                let mut stream = log.stream()?;
                io::copy(&mut (&mut stream).take(from), &mut io::sink())?;
                Text::Stream { stream, from }
            }
        };
        Ok(Self { path: log.path.clone(), identity, written: log.written, text, tail: false })
    }

    /// Its name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a look at a source's beginning shows.
pub(super) struct Opened {
    /// Where its times are placed.
    pub(super) calendar: Calendar,
    /// Its lines are entries of the systemd journal.
    pub(super) is_json: bool,
    /// By which its lines are named.
    pub(super) identity: u64,
    /// Where reading begins.
    pub(super) start: u64,
    /// Where it ends; 0 where that is not known.
    pub(super) end: u64,
}

impl Source<'_> {
    /// Look at its beginning.
    pub(super) fn open(&mut self) -> io::Result<Opened> {
        let mut calendar = Calendar::new(crate::zone::local(), self.written);
        let mut head = [0];
        let (is_json, start, end) = match &mut self.text {
            Text::File { file, from, to, .. } => {
                calendar.set_years(Years::of(file, *from, *to)?);
                (file.read_at(&mut head, *from)? == 1 && head == *b"{", *from, *to)
            }
            Text::Stream { stream, from } if self.identity.is_none() => {
                // What a stream is shows in its first line, as with a file.
                let mut head = vec![0; HEAD];
                let n = fill(stream, &mut head)?;
                head.truncate(n);
                if n < HEAD {
                    // It is all there is.
                    let text = |buffer: &mut [u8], at: u64| {
                        let mut text = Cursor::new(&head);
                        text.set_position(at);
                        text.read(buffer)
                    };
                    calendar.set_years(Years::of_text(text, 0, n as u64)?);
                }
                self.identity = identity(head.as_slice())?;
                let is_json = head.first() == Some(&b'{');
                let rest = std::mem::replace(stream, Box::new(io::empty()));
                *stream = Box::new(Cursor::new(head).chain(rest));
                (is_json, *from, 0)
            }
            Text::Stream { stream, from } => {
                let n = fill(stream, &mut head)?;
                let rest = std::mem::replace(stream, Box::new(io::empty()));
                *stream = Box::new(Cursor::new(head).take(n as u64).chain(rest));
                (head == *b"{", *from, 0)
            }
        };
        Ok(Opened { calendar, is_json, identity: self.identity.unwrap_or_default(), start, end })
    }
}

fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
