//! Characters that a service would read as markup, and what is written in their place.

/// Look-alikes that no service reads as markup. What has none is dropped.
const LOOK_ALIKES: [(char, &str); 23] = [
    ('*', "\u{2217}"),
    ('_', "\u{2cd}"),
    ('`', "'"),
    ('~', "\u{223c}"),
    ('|', "\u{a6}"),
    ('>', "\u{203a}"),
    ('<', "\u{2039}"),
    ('[', "("),
    (']', ")"),
    ('{', "("),
    ('}', ")"),
    ('\\', "\u{2216}"),
    ('#', "\u{266f}"),
    ('@', "(at)"),
    ('&', "\u{ff06}"),
    ('^', "\u{2c6}"),
    ('!', "\u{1c3}"),
    ('-', "\u{2010}"),
    ('=', "\u{a78a}"),
    ('"', "\u{201d}"),
    ('\'', "\u{2019}"),
    ('/', "\u{2215}"),
    (';', ","),
];

/// Whether `c` is to be replaced where `markup` lists it: not what texts, numbers and addresses consist of.
pub(super) fn is_replaced(c: char, markup: &str) -> bool {
    !c.is_alphanumeric() && !" :,.()·×?\n".contains(c) && markup.contains(c)
}

/// What is written for `c`, which is markup: nothing where no look-alike is allowed.
pub(super) fn look_alike(c: char, allowed: impl Fn(char) -> bool) -> &'static str {
    let found = LOOK_ALIKES.iter().find(|(markup, _)| *markup == c).map_or("", |(_, alike)| alike);
    if found.chars().all(allowed) { found } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::is_visible;

    #[test]
    fn look_alikes_are_visible_and_no_markup_of_another_kind() {
        for (markup, alike) in LOOK_ALIKES {
            assert!(alike.chars().all(is_visible), "{markup}");
            assert!(!alike.chars().any(|c| "*_`~|<>[]{}\\#@&^!=\"/;".contains(c)), "{markup}");
        }
    }

    #[test]
    fn what_texts_consist_of_stays_whatever_is_called_markup() {
        let all = "*_`~|><[]#@ab9 :,.()";
        let replaced: String = all.chars().filter(|c| is_replaced(*c, all)).collect();
        assert_eq!(replaced, "*_`~|><[]#@");
        assert_eq!(look_alike('[', |c| c != '('), "");
        assert_eq!(look_alike('+', |_| true), "");
    }
}
