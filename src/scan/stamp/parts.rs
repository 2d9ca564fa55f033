//! What a stamp is put together from: numbers, clocks, zones, days and months. Each gives what it read and what follows.

/// `09:05:01` and a fraction after `.` or `,`.
pub(in crate::scan) fn clock(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (micro, rest) = fraction(rest);
    // A leap second is written as the one before it.
    let of_day = hour * 3600 + minute * 60 + second.min(59);
    Some((of_day as u32, micro, rest))
}

/// Microseconds of `.123456` or `,123`; 0 and the text as it was where there is none.
pub(in crate::scan) fn fraction(text: &[u8]) -> (u32, &[u8]) {
    if !matches!(text.first(), Some(b'.' | b',')) || !text.get(1).is_some_and(u8::is_ascii_digit) {
        return (0, text);
    }
    let digits = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut micro = 0;
    for i in 0..6 {
        micro = micro * 10 + if i < digits { u32::from(text[1 + i] - b'0') } else { 0 };
    }
    (micro, &text[1 + digits..])
}

/// Seconds east of Greenwich: `Z`, ` UTC`, `+01:00`, `+0100`, `+01`, and ` +0100`.
pub(in crate::scan) fn zone(text: &[u8]) -> Option<(i32, &[u8])> {
    let apart = text.strip_prefix(b" ").filter(|rest| matches!(rest, [b'+' | b'-', b'0'..=b'9', ..]));
    let text = apart.unwrap_or(text);
    if let Some(rest) = text.strip_prefix(b"Z") {
        return Some((0, rest));
    }
    for name in [&b" UTC"[..], b" GMT"] {
        if let Some(rest) = text.strip_prefix(name) {
            return Some((0, rest));
        }
    }
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = number(&text[1..], 2)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (minutes, rest) = number(rest, 2).unwrap_or((0, rest));
    Some((sign * (hours as i32 * 3600 + minutes as i32 * 60), rest))
}

/// The time of `date` in English, with or without ` AM` or ` PM` behind it.
pub(in crate::scan) fn clock_of_date(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (second, micro, rest) = clock(text)?;
    const HALF: u32 = 12 * 3600;
    if let Some(rest) = rest.strip_prefix(b" AM").or_else(|| rest.strip_prefix(b" am")) {
        return Some((second % HALF, micro, rest));
    }
    match rest.strip_prefix(b" PM").or_else(|| rest.strip_prefix(b" pm")) {
        Some(rest) => Some((second % HALF + HALF, micro, rest)),
        None => Some((second, micro, rest)),
    }
}

/// What follows the name of a zone that logs are written in.
pub(in crate::scan) fn past_word_of_zone(text: &[u8]) -> Option<&[u8]> {
    const NAMES: [&[u8]; 38] = [
        b"UTC", b"GMT", b"CET", b"CEST", b"WET", b"WEST", b"EET", b"EEST", b"BST", b"IST", b"MSK", b"MSD",
        b"EST", b"EDT", b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT", b"AKST", b"AKDT", b"HST", b"AST",
        b"ADT", b"NST", b"JST", b"KST", b"HKT", b"SGT", b"PKT", b"AEST", b"AEDT", b"ACST", b"AWST", b"NZST",
        b"NZDT", b"SAST",
    ];
    // What follows is mostly a host, which is seldom in capitals.
    text.first().filter(|first| first.is_ascii_uppercase())?;
    let end = memchr::memchr(b' ', &text[..text.len().min(6)])?;
    NAMES.contains(&&text[..end]).then_some(&text[end..])
}

pub(in crate::scan) fn weekday(text: &[u8]) -> Option<&[u8]> {
    let name = text.get(..3)?;
    if ![&b"Mon"[..], b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"].contains(&name) {
        return None;
    }
    let rest = text[3..].strip_prefix(b",").unwrap_or(&text[3..]);
    rest.strip_prefix(b" ").map(skip_blanks)
}

pub(in crate::scan) fn month(text: &[u8]) -> Option<i8> {
    let name = [text.first()? & 0xdf, text.get(1)? | 0x20, text.get(2)? | 0x20];
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// A decimal number of one to `limit` digits.
pub(in crate::scan) fn number(text: &[u8], limit: usize) -> Option<(i64, &[u8])> {
    let mut value = 0;
    let mut len = 0;
    while len < limit {
        match text.get(len) {
            Some(digit @ b'0'..=b'9') => value = value * 10 + i64::from(digit - b'0'),
            _ => break,
        }
        len += 1;
    }
    if len == 0 { None } else { Some((value, &text[len..])) }
}

/// `text` without the blanks at its start.
pub(in crate::scan) fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| **b == b' ').count();
    &text[blanks..]
}
