//! One request and what comes of it.

use ureq::http::HeaderMap;

#[cfg(doc)]
use super::body::LIMIT;

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// Path and query, appended to the server's URL.
    pub path: &'a str,
    /// Header fields: name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body of a POST or PUT.
    pub body: &'a [u8],
}

/// The methods that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
}

impl Method {
    /// As it stands in the request line and in a signature.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields, at most 16 KiB of them.
    pub headers: HeaderMap,
    /// The body's first [`LIMIT`] bytes.
    pub body: Vec<u8>,
    /// False if the body broke off, was late, was longer than [`LIMIT`] or cannot be decoded.
    pub complete: bool,
}

/// Nothing came back.
#[derive(Debug)]
pub struct Failure {
    /// Whether any byte of the request was handed to the connection.
    pub sent: bool,
    /// What happened and what to do, one neutral line.
    pub why: String,
}
