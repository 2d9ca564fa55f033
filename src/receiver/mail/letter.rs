//! A message as a letter: header fields and body (RFC 5322, 2045), and as it is sent (RFC 5321).

use std::borrow::Cow;

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;

use crate::neutral;
use crate::receiver::{Kind, Message};

const SUBJECT_LIMIT: usize = 200;

/// The bytes of the letter; without `from` the program that gets it says whom it is from. Nothing in the message can begin a header field: the subject is one neutral line, the
/// addresses were checked, the text stands in a body of its own.
pub(super) fn write(
    message: &Message<'_>,
    from: Option<&str>,
    to: &[String],
    host: &str,
) -> std::io::Result<Vec<u8>> {
    let mut letter = MessageBuilder::new()
        .to(to
            .iter()
            .map(|address| Address::new_address(None::<Cow<'_, str>>, address.as_str()))
            .collect::<Vec<_>>())
        .subject(neutral::text(message.title, SUBJECT_LIMIT))
        .message_id(format!("{}@{host}", message.key))
        // No answering machine answers (RFC 3834).
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(message.text);
    if let Some(from) = from {
        letter = letter.from(Address::new_address(Some(super::SENDER), from));
    }
    if matches!(message.kind, Kind::BreakIn | Kind::Urgent) {
        letter = letter
            .header("Importance", Raw::new("high"))
            .header("Priority", Raw::new("urgent"))
            .header("X-Priority", Raw::new("1"));
    }
    if let Some(page) = message.html {
        letter = letter.html_body(page);
    }
    letter.write_to_vec()
}

/// What ends a message.
pub(super) const DOT: &[u8] = b".\r\n";

/// Every line ended by CR LF, a dot at its beginning doubled, and the dot at the end.
pub(super) fn on_the_wire(letter: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(letter.len() + 64);
    for line in letter.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        // A lone CR would be a line's end to some.
        out.extend(line.iter().filter(|b| **b != b'\r'));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(DOT);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(message: &Message<'_>) -> String {
        let to = ["admin@example.org".to_owned(), "two@example.org".to_owned()];
        String::from_utf8(write(message, Some("root@web1"), &to, "web1").unwrap()).unwrap()
    }

    #[test]
    fn hostile_titles_and_texts_begin_no_header_field() {
        let message = Message {
            kind: Kind::BreakIn,
            title: "x\r\nBcc: evil@example.com\n\n<html>",
            text: "a\r\nBcc: evil@example.com\r\n.\r\nend é",
            ..crate::receiver::definition::example()
        };
        let letter = letter(&message);
        let (head, body) = letter.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc") || line.starts_with("<html")), "{head}");
        assert!(!letter.replace("\r\n", "").contains(['\r', '\n']), "{letter:?}");
        for field in [
            "From: \"authalert\" <root@web1>",
            "To: <admin@example.org>, <two@example.org>",
            "Message-ID: <example@web1>",
            "Auto-Submitted: auto-generated",
            "Importance: high",
            "Subject: ",
            "Date: ",
        ] {
            assert!(head.contains(field), "{field}: {head}");
        }
        assert!(body.contains("end =C3=A9") || body.contains("base64"), "{body}");
    }

    #[test]
    fn a_page_goes_beside_the_text_and_only_what_is_urgent_is_marked() {
        let message = Message { html: Some("<p>x</p>"), ..crate::receiver::definition::example() };
        let letter = letter(&message);
        assert!(letter.contains("multipart/alternative") && letter.contains("text/html"), "{letter}");
        assert!(!letter.contains("Importance"));
    }

    #[test]
    fn no_line_of_a_message_ends_it_early() {
        for (letter, expected) in [
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n\r\n.\r\n"),
            (".x\r.\ry", "..x.y\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(on_the_wire(letter.as_bytes())).unwrap(), expected);
        }
    }
}
