//! Short words in short texts.

use crate::scan::header::decimal;

/// A number at the start and what follows it.
pub(super) fn leading_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    Some((decimal(&text[..digits])?, &text[digits..]))
}

/// Without the quotes around it, of which shadow before 2009 wrote the first as a grave accent.
pub(super) fn quoted(text: &[u8]) -> &[u8] {
    let inner = text.strip_prefix(b"'").or_else(|| text.strip_prefix(b"`"));
    inner.and_then(|inner| inner.strip_suffix(b"'")).unwrap_or(text)
}

/// Split at the first `separator`.
pub(super) fn cut<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// Split at the last `separator`.
pub(super) fn cut_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = rfind(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// The first place of a short `needle`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    places(text, needle).next()
}

/// The last place of a short `needle`.
pub(super) fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    rplaces(text, needle).next()
}

/// The places of a short `needle`. Lines are too short for a prepared search to pay.
pub(super) fn places<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + use<'a> {
    let second = needle.get(1).or(needle.first());
    let skip = usize::from(needle.len() > 1);
    second
        .into_iter()
        .flat_map(|second| memchr::memchr_iter(*second, text))
        .filter_map(move |at| at.checked_sub(skip))
        .filter(|at| text[*at..].starts_with(needle))
}

/// The same from the last on.
pub(super) fn rplaces<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + use<'a> {
    let second = needle.get(1).or(needle.first());
    let skip = usize::from(needle.len() > 1);
    second
        .into_iter()
        .flat_map(|second| memchr::memrchr_iter(*second, text))
        .filter_map(move |at| at.checked_sub(skip))
        .filter(|at| text[*at..].starts_with(needle))
}
