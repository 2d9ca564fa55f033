//! A line of passwd, of the file or as getent prints it.

use super::AccountKind;

/// Name and kind from a line of passwd.
pub(super) fn parse_line(line: &str) -> Option<(String, AccountKind)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, _, _, _, shell] = fields[..] else { return None };
    // "+" and "-" lines are switches of the old NIS compatibility, not accounts.
    if name.is_empty() || name.starts_with(['+', '-', '#']) {
        return None;
    }
    let program = shell.trim_end().rsplit('/').next().unwrap_or_default();
    let kind = match program {
        _ if uid == "0" => AccountKind::Root,
        "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" => AccountKind::System,
        _ => AccountKind::Existing,
    };
    Some((name.to_owned(), kind))
}
