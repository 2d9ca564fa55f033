//! Who wrote a line.

use crate::scan::header::Header;
use crate::scan::rules::{self, Evidence, Family};

/// Seconds, in the unit of times here.
pub(super) const SECOND: i64 = 1_000_000;

/// A line's header as far as it says which process spoke.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The machine.
    pub host: &'a [u8],
    /// The program.
    pub program: &'a [u8],
    /// Its family.
    pub family: Family,
    /// Its number, 0 where there is none.
    pub pid: u32,
    /// The container that it is in, 0: none.
    pub container: u32,
}

impl<'a> Speaker<'a> {
    /// Who wrote the line under this header, which tells that.
    pub(in crate::scan) fn of(header: &Header<'a>, evidence: &Evidence<'_>) -> Self {
        Self {
            host: header.host,
            program: header.program,
            family: rules::family(header.program),
            pid: rules::process(header, evidence),
            container: header.container,
        }
    }
}

impl Speaker<'_> {
    /// Whether the program has words of its own for each attempt that it refuses: what PAM alone refused of
    /// somebody who got in was one module of several.
    pub(super) fn reports_each_refusal(&self) -> bool {
        matches!(self.family, Family::Sshd | Family::Login)
            || matches!(self.program, b"dropbear" | b"proftpd" | b"pure-ftpd" | b"vsftpd")
            || matches!(self.program, b"webmin" | b"usermin" | b"saslauthd")
    }

    /// Whether a process of it asks for one password in all.
    pub(super) fn asks_once(&self) -> bool {
        self.family == Family::Su
            || matches!(self.program, b"doas" | b"sddm-helper" | b"lightdm" | b"cockpit-session")
            || self.program.starts_with(b"gdm-")
    }
}
