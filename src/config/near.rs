//! Whether a word that is not known is one that is, mistyped.

/// Whether `typed` is meant to be `meant`: in capitals, its letters in another order, one too many, too few or another.
pub(crate) fn is_near(typed: &str, meant: &str) -> bool {
    let typed = typed.trim().to_ascii_lowercase();
    let sorted = |text: &str| {
        let mut letters: Vec<_> = text.bytes().collect();
        letters.sort_unstable();
        letters
    };
    let same = typed.bytes().zip(meant.bytes()).take_while(|(a, b)| a == b).count();
    let same_behind = typed.bytes().rev().zip(meant.bytes().rev()).take_while(|(a, b)| a == b).count();
    let longest = typed.len().max(meant.len());
    sorted(&typed) == sorted(meant)
        || (typed.len().abs_diff(meant.len()) <= 1 && same + same_behind + 1 >= longest)
}

/// The one of `known` that is meant by `typed`, where that is clear; of one or two letters it never is.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut near = known.into_iter().filter(|meant| meant.len() > 2 && is_near(typed, meant));
    near.next().filter(|_| near.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_one_typo_is_the_one_that_is_meant_and_another_word_is_not() {
        let known = ["ntfy", "slack", "mail", "x", "x-dm", "teams", "telegram"];
        for (typed, meant) in [
            ("ntfi", Some("ntfy")),
            ("NTFY", Some("ntfy")),
            (" Ntyf", Some("ntfy")),
            ("slak", Some("slack")),
            ("slacck", Some("slack")),
            ("mall", Some("mail")),
            ("pigeon", None),
            ("y", None),
            ("", None),
            ("team", Some("teams")),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(nearest("cat", ["bat", "rat"]), None);
    }
}
