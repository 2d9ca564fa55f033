//! The words that lines are searched for.

use memchr::memmem::Finder;

use super::ordinary::rarest;
use super::several::Several;
use crate::scan::rules::book::Book;

/// Each line of interest holds one of these, or a word of a rule that holds none; none that is frequent in ordinary lines.
const WORDS: [&str; 18] = [
    // `authentication failure`, `closed by authenticating user`
    "uthentic",
    "ailed",
    "FAIL",
    "nvalid ",
    "Illegal user",
    // `error: PAM: `, `by PAM account configuration`
    " PAM",
    "Accepted ",
    " attempt",
    "message repeated",
    // `could not identify password for`, `wrong password for`, `denied access (incorrect password)`
    " password",
    "BAD SU ",
    "LOGIN ",
    // `auth failure: [`, `before auth from`; not `auth `, as all of sshd's lines end in `[preauth]`
    "ailure: [",
    "fore auth ",
    // As it is, and where a template has a blank before the message.
    "su: - ",
    "su:  - ",
    "such user",
    // `not allowed because`
    "wed bec",
];
/// That somebody got in, or a module accepted; too common to be searched for everywhere in every pass.
const GOT_IN: [&str; 12] = [
    "COMMAND=",
    "\"accept\":",
    "(to ",
    "uccessful",
    "succeeded",
    // `granted access`, `(access granted)`
    "granted",
    " ran command ",
    "DIALUP AT ",
    ": + ",
    ":  + ",
    " on /dev/",
    // `Login: user=<`, `Logged in: user=<`
    "in: user=<",
];
/// What matters where a refusal came before: a session may take it back.
pub(super) const SESSION: &str = "session opened for user ";
/// And where a client was.
const PLACES: [&str; 2] = ["Connection closed by ", "Received disconnect from "];
/// Programs that have no other word for a login than a session.
const PROGRAMS: [&str; 4] = ["gdm-", "lightdm", "sddm-helper", "cockpit-session"];

/// Whether it is one of the programs whose sessions are logins.
pub(super) fn is_program(word: &[u8]) -> bool {
    PROGRAMS.iter().any(|name| name.as_bytes() == word)
}

/// What is searched for with a book of rules.
#[derive(Clone)]
pub(super) struct Words {
    pub(super) always: Option<Several>,
    /// Behind a refusal.
    pub(super) success: Option<Several>,
}

impl Words {
    pub(super) fn of(book: &Book) -> Self {
        let always = always(book);
        let success = [&[SESSION][..], &GOT_IN, &PLACES].concat();
        let success = with_rules(&success, &always, book.words(true));
        Self { always: Several::of(&always), success: Several::of(&success) }
    }
}

/// What is searched for elsewhere, where logins are wanted.
pub(super) fn logins(book: &Book) -> Option<Several> {
    let logins = [&GOT_IN[..], &PROGRAMS].concat();
    Several::of(&with_rules(&logins, &always(book), book.words(true)))
}

fn always(book: &Book) -> Vec<&[u8]> {
    with_rules(&WORDS, &[], book.words(false))
}

/// The words, and those of rules whose lines hold none of them, nor one that is `found` anyway: so no program's lines are passed
/// over.
fn with_rules<'a>(
    words: &[&'a str],
    found: &[&'a [u8]],
    lines: impl Iterator<Item = Vec<&'a [u8]>>,
) -> Vec<&'a [u8]> {
    let mut words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let searches: Vec<Finder<'_>> = words.iter().chain(found).map(|word| Finder::new(*word)).collect();
    let holds_none =
        |line: &Vec<&[u8]>| !searches.iter().any(|word| line.iter().any(|part| word.find(part).is_some()));
    let without: Vec<Vec<&[u8]>> = lines.filter(holds_none).collect();
    words.extend(rarest(&without));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::prefilter::groups::UP_TO;
    use crate::scan::rules::book::book;

    #[test]
    fn what_every_pass_searches_for_is_in_few_groups() {
        let words = always(book());
        assert!(
            words.len() <= UP_TO,
            "{} words: {:?}",
            words.len(),
            words.iter().map(|w| String::from_utf8_lossy(w)).collect::<Vec<_>>()
        );
    }
}
