//! What is wrong with a file that an administrator, or one who adds a service or a program, has written.

use std::fmt;

/// Why a definition, a file of rules or a setting cannot be used. `Display` says file, line and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or that it is built in.
    pub file: String,
    /// Where, if it is one place.
    pub line: Option<usize>,
    /// The character in that line, where it is known.
    pub column: Option<usize>,
    /// What is wrong and what is accepted.
    pub why: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, _) => {}
        }
        f.write_str(&self.why)
    }
}
