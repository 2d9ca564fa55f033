//! Asking a person, or a pipe: a line for each question; secrets are not shown at a terminal, and wiped.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

/// Longest line that is read; a webhook's address has some hundred characters.
const LINE_LIMIT: usize = 4096;
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_BACKSLASH: u8 = 0x1c;

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// The terminal or the pipe.
    Io(io::Error),
    /// The input ended, or the person gave up.
    Ended,
    /// An answer that cannot be right.
    Input(String),
}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::UnexpectedEof { Self::Ended } else { Self::Io(e) }
    }
}

/// The answer to `prompt`, without the blanks around it.
pub fn ask(prompt: &str, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Zeroizing<String>, Error> {
    let shown = Terminal::shown()?;
    write!(out, "{prompt}")?;
    out.flush()?;
    line(input, out, shown.as_ref())
}

/// The same, not shown where standard input is a terminal.
pub fn ask_hidden(
    prompt: &str,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<Zeroizing<String>, Error> {
    // Before the prompt, because people type ahead.
    let hidden = Terminal::hidden()?;
    write!(out, "{prompt}")?;
    out.flush()?;
    let result = line(input, out, hidden.as_ref());
    if hidden.is_some() {
        writeln!(out)?;
    }
    result
}

/// So often a question is asked again.
pub const TRIES: usize = 5;

/// Whether the answer is yes; an empty one is `default`. Anything else was meant for another question: it is asked again.
pub fn ask_whether(
    prompt: &str,
    default: bool,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    for _ in 0..TRIES {
        let answer = ask(&format!("{prompt} {choice} "), input, out)?;
        let is = |words: [&str; 2]| words.iter().any(|word| answer.eq_ignore_ascii_case(word));
        match (answer.is_empty(), is(["y", "yes"]), is(["n", "no"])) {
            (true, ..) => return Ok(default),
            (_, false, false) => writeln!(out, "y or n, please")?,
            (_, is_yes, _) => return Ok(is_yes),
        }
    }
    Err(Error::Input("neither y nor n was answered".into()))
}

/// One line. A hidden one is edited here, because the terminal does it no longer.
fn line(
    input: &mut dyn BufRead,
    out: &mut dyn Write,
    terminal: Option<&Terminal>,
) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_LIMIT + 1));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(byte.as_mut()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.into()),
            Ok(0) if bytes.is_empty() => return Err(Error::Ended),
            Ok(0) => break,
            Ok(_) => {}
        }
        match (byte[0], terminal.map(|terminal| terminal.is_hidden)) {
            (b'\n', _) => break,
            (b'\r', Some(_)) => break,
            (CTRL_C | CTRL_D | CTRL_BACKSLASH, Some(_)) => {
                writeln!(out)?;
                return Err(Error::Ended);
            }
            (0x08 | 0x7f, Some(true)) => drop(bytes.pop()),
            // Ctrl-U
            (0x15, Some(true)) => bytes.clear(),
            (other, _) => bytes.push(other),
        }
        if bytes.len() > LINE_LIMIT {
            return Err(Error::Input("that is too long".into()));
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::Input("that is not text".into()))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// While it lives, the terminal sends no signals: one would leave it silent, and end the command without a word of
/// what became of the answers.
struct Terminal {
    before: Termios,
    /// It shows nothing.
    is_hidden: bool,
}

impl Terminal {
    /// What is typed is shown, and edited by the terminal. None if standard input is not one.
    fn shown() -> io::Result<Option<Self>> {
        Self::set(false, |mode| {
            mode.local_modes.remove(LocalModes::ISIG);
            // Both end a line at once, and stand at its end.
            mode.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
            mode.special_codes[SpecialCodeIndex::VEOL2] = CTRL_BACKSLASH;
        })
    }

    /// Nothing is shown. None if standard input is not a terminal.
    fn hidden() -> io::Result<Option<Self>> {
        Self::set(true, |mode| {
            mode.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        })
    }

    fn set(is_hidden: bool, change: impl FnOnce(&mut Termios)) -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = termios::tcgetattr(&stdin)?;
        let mut mode = before.clone();
        change(&mut mode);
        termios::tcsetattr(&stdin, OptionalActions::Drain, &mode)?;
        Ok(Some(Self { before, is_hidden }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], limit: usize) -> Result<String, Error> {
        let mut input = io::BufReader::with_capacity(limit, bytes);
        line(&mut input, &mut Vec::new(), None).map(|line| line.to_string())
    }

    #[test]
    fn a_line_ends_at_its_newline_and_loses_its_blanks() {
        let mut input = &b"  key1 \r\nsecret2\nlast"[..];
        for expected in ["key1", "secret2", "last"] {
            assert_eq!(line(&mut input, &mut Vec::new(), None).unwrap().as_str(), expected);
        }
        assert!(matches!(line(&mut input, &mut Vec::new(), None), Err(Error::Ended)));
    }

    #[test]
    fn odd_input_is_an_error_and_not_shown() {
        let why = |bytes: &[u8], limit| match read(bytes, limit) {
            Err(Error::Input(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&[b'x'; 10_000], 7).contains("too long"));
        assert!(why(b"\xff\xfe\n", 1).contains("not text"));
    }

    #[test]
    fn yes_is_yes_nothing_is_the_default_and_anything_else_is_no_answer() {
        for (text, default, expected) in [
            ("y\n", false, true),
            ("No\n", true, false),
            ("\n", true, true),
            ("\n", false, false),
            ("https://ntfy.example\nYES\n", false, true),
            ("https://ntfy.example\n\n", true, true),
        ] {
            let answer = ask_whether("?", default, &mut text.as_bytes(), &mut Vec::new()).unwrap();
            assert_eq!(answer, expected, "{text:?}");
        }
        let never = ask_whether("?", true, &mut "hush\n".repeat(TRIES).as_bytes(), &mut Vec::new());
        assert!(matches!(never, Err(Error::Input(why)) if !why.contains("hush")));
    }
}
