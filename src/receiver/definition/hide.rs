//! Secrets that a server quotes, or that stand in an address, never reach a log.

use form_urlencoded::byte_serialize;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::credentials::Secret;

/// What must not be seen, in every coding that it is sent in.
pub(in crate::receiver) struct Hide(Vec<Zeroizing<String>>);

/// Shorter values are no secrets, and would make any text unreadable.
const SHORTEST: usize = 4;

impl Hide {
    pub fn new(secrets: &[Secret]) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.iter().map(Secret::expose).filter(|s| s.len() >= SHORTEST) {
            let mut all = vec![secret.to_owned()];
            // An address is quoted in pieces: what follows the host is the secret.
            all.extend(super::parameter::split_url(secret).map(|(_, path)| path.to_owned()));
            for form in all.clone() {
                let escaped = [
                    utf8_percent_encode(&form, NON_ALPHANUMERIC).to_string(),
                    utf8_percent_encode(&form, &super::expand::PIECE).to_string(),
                    byte_serialize(form.as_bytes()).collect(),
                ];
                all.extend(escaped.iter().map(|form| lower_hex(form)));
                all.extend(escaped);
                all.push(serde_json::Value::from(form.as_str()).to_string().trim_matches('"').to_owned());
            }
            forms.extend(all.into_iter().filter(|form| form.len() >= SHORTEST).map(Zeroizing::new));
        }
        let mut hide = Self(forms);
        hide.sort();
        hide
    }

    /// One form more.
    pub fn add(&mut self, form: &str) {
        self.0.push(Zeroizing::new(form.to_owned()));
        self.sort();
    }

    /// The longest first: one may be the beginning of another.
    fn sort(&mut self) {
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
        self.0.dedup();
    }

    /// `text` with `[hidden]` in the place of every secret.
    pub fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((first, tail)) = rest.split_first() {
            match self.0.iter().find(|form| rest.starts_with(form.as_bytes())) {
                Some(form) => {
                    out.extend_from_slice(b"[hidden]");
                    rest = &rest[form.len()..];
                }
                None => {
                    out.push(*first);
                    rest = tail;
                }
            }
        }
        out
    }

    /// The same for a line of text.
    pub fn line(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }
}

/// The same escapes with `a` to `f`, as some servers write them.
fn lower_hex(escaped: &str) -> String {
    let mut digits = 0;
    let mut lower = |c: char| {
        let is_digit = digits > 0;
        digits = if c == '%' { 2 } else { digits - i32::from(is_digit) };
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    escaped.chars().map(&mut lower).collect()
}

impl std::fmt::Debug for Hide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hide")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_coding_and_the_rest_stays() {
        let hide = Hide::new(&[
            Secret::new("123:A b/c"),
            Secret::new("https://hooks.example/T0/B0?sig=x%2Fy"),
            Secret::new("ab"),
            Secret::new("quo\"te"),
        ]);
        for text in [
            "123:A b/c",
            "123:A%20b%2Fc",
            "123%3AA%20b%2Fc",
            "123%3AA+b%2Fc",
            "123%3aA+b%2fc",
            "https://hooks.example/T0/B0?sig=x%2Fy",
            "/T0/B0?sig=x%2Fy",
            "quo\\\"te",
        ] {
            assert_eq!(hide.line(&format!("x {text} y")), "x [hidden] y");
        }
        assert_eq!(hide.line("hooks.example said ab"), "hooks.example said ab");
    }
}
