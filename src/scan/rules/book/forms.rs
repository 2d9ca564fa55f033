//! The forms of a line that are written as one: `from <|<word> >[<rhost>]` is `from [<rhost>]` or `from <word> [<rhost>]`.

/// So many forms may be written as one line.
const MOST: usize = 64;

/// The forms that `line` stands for, in the order in which they are written. An error says what is accepted.
pub(super) fn forms(line: &str) -> Result<Vec<String>, String> {
    let (mut forms, mut open) = (Vec::new(), vec![line.to_owned()]);
    while let Some(form) = open.pop() {
        let Some((before, of, after)) = choice(&form) else {
            forms.push(form);
            continue;
        };
        let of: Vec<&str> = of.split('|').collect();
        if forms.len() + open.len() + of.len() > MOST {
            return Err(format!("one line may stand for {MOST} forms at most"));
        }
        open.extend(of.into_iter().rev().map(|one| [before, one, after].concat()));
    }
    Ok(forms)
}

/// What stands before a choice, in it and behind it. Of two of which one is in the other it is the inner one.
fn choice(line: &str) -> Option<(&str, &str, &str)> {
    let mut open = Vec::new();
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'<' => open.push((at, false)),
            b'|' => open.last_mut().into_iter().for_each(|(_, is_choice)| *is_choice = true),
            b'>' => {
                if let Some((begin, true)) = open.pop() {
                    return Some((line.get(..begin)?, line.get(begin + 1..at)?, line.get(at + 1..)?));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stands_for_each_of_its_forms() {
        for (line, expected) in [
            ("no <user> from <rhost>", vec!["no <user> from <rhost>"]),
            ("<Bad|bad> password", vec!["Bad password", "bad password"]),
            (
                "from <|<word> >[<rhost>]< (forged)|>",
                vec![
                    "from [<rhost>] (forged)",
                    "from [<rhost>]",
                    "from <word> [<rhost>] (forged)",
                    "from <word> [<rhost>]",
                ],
            ),
            ("a<b<c|d>|>", vec!["abc", "a", "abd", "a"]),
            // What is no choice stays what it is.
            ("user=<<account>>, a | b", vec!["user=<<account>>, a | b"]),
            ("<word> <= <x|y>", vec!["<word> <= x", "<word> <= y"]),
            ("a > b | c < d", vec!["a > b | c < d"]),
        ] {
            assert_eq!(forms(line).unwrap(), expected, "{line}");
        }
        assert_eq!(forms(&"<a|b>".repeat(6)).unwrap().len(), MOST);
        assert!(forms(&"<a|b>".repeat(7)).unwrap_err().contains("64 forms"));
        assert!(forms(&"<a|b>".repeat(10_000)).is_err());
    }
}
