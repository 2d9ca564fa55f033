//! What is wrong with a file that an administrator, or one who adds a service or a program, has written.

use std::fmt;

/// Why a definition or a file of rules cannot be used. `Display` says file, line and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or that it is built in.
    pub file: String,
    /// Where, if it is one place.
    pub line: Option<usize>,
    /// What is wrong and what is accepted.
    pub why: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}: line {line}: {}", self.file, self.why),
            None => write!(f, "{}: {}", self.file, self.why),
        }
    }
}
