//! Checks that several operations share.

use crate::error::Error;

/// A name of 1 to `longest` characters.
pub(crate) fn name(pointer: &str, text: &str, longest: usize) -> Result<(), Error> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(Error::invalid_field(pointer, "required", format!("give it 1 to {longest} characters")));
    }
    if length > longest {
        return Err(Error::invalid_field(
            pointer,
            "too_long",
            format!("it has {length} characters; at most {longest} are kept"),
        ));
    }
    plain(pointer, text)
}

/// A text of at most `longest` characters; may be empty.
pub(crate) fn text(pointer: &str, text: &str, longest: usize) -> Result<(), Error> {
    let length = text.chars().count();
    if length > longest {
        return Err(Error::invalid_field(
            pointer,
            "too_long",
            format!("it has {length} characters; at most {longest} are kept"),
        ));
    }
    plain(pointer, text)
}

fn plain(pointer: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::invalid_field(
            pointer,
            "bad_character",
            "it holds the character U+0000, which no store keeps",
        ));
    }
    Ok(())
}

/// Whole days, seconds or counts within bounds.
pub(crate) fn within(pointer: &str, number: i64, bounds: std::ops::RangeInclusive<i64>) -> Result<(), Error> {
    if bounds.contains(&number) {
        return Ok(());
    }
    let detail = format!("{number} is not within {} to {}", bounds.start(), bounds.end());
    Err(Error::invalid_field(pointer, "out_of_range", detail))
}
