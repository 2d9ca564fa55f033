//! What the system says of a failure, as a person reads it.

use std::fmt::Display;

/// `said` without the numbers behind it that only programmers read: ` (os error 13)`.
pub fn plain(said: impl Display) -> String {
    const BEGIN: &str = " (os error ";
    let said = said.to_string();
    let mut pieces = said.split(BEGIN);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        match piece[digits..].strip_prefix(')') {
            Some(rest) if digits > 0 => plain.push_str(rest),
            _ => plain.extend([BEGIN, piece]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_errors_are_left_out_and_nothing_else() {
        let denied = std::io::Error::from_raw_os_error(13);
        assert_eq!(
            plain(format!("cannot read /a: {denied}; run this as root")),
            "cannot read /a: Permission denied; run this as root"
        );
        assert_eq!(plain(format!("{denied} and {denied}")), "Permission denied and Permission denied");
        for text in ["", "as it is", "a (os error x)", "a (os error )", "a (os error 1"] {
            assert_eq!(plain(text), text);
        }
    }
}
