//! User and group names to numbers, from the local account files.

use std::path::Path;

use certctl_core::ports::{FileError, FileErrorKind};

/// The numbers of an owner and a group, given by name or as decimal numbers.
///
/// Reads `/etc/passwd` and `/etc/group` only: accounts of a directory service are given by number.
pub(super) fn lookup(path: &Path, owner: &(String, String)) -> Result<(u32, u32), FileError> {
    let (user, group) = owner;
    Ok((number(path, "/etc/passwd", "user", user)?, number(path, "/etc/group", "group", group)?))
}

fn number(path: &Path, accounts: &str, kind: &str, name: &str) -> Result<u32, FileError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let error = |reason: String| FileError {
        kind: FileErrorKind::Other,
        operation: "set the owner of",
        path: path.to_path_buf(),
        reason,
    };
    let text = std::fs::read_to_string(accounts).map_err(|cause| error(format!("cannot read {accounts}: {cause}")))?;
    find(&text, name).ok_or_else(|| error(format!("no {kind} `{name}` in {accounts}; give its number")))
}

/// The third field of the line that begins with the name.
fn find(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() == Some(name) { fields.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_field_of_the_right_line() {
        let text = "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n";
        assert_eq!(find(text, "www-data"), Some(33));
        assert_eq!(find(text, "www"), None);
        assert_eq!(number(Path::new("/x"), "/nonexistent", "user", "1000"), Ok(1000));
    }
}
