//! Cursors of lists, which clients send back: no panic, whatever they became on the way.

#![no_main]

use certctl_core::domain::Profile;
use certctl_core::storage::{Cursor, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), text);
        let _ = Query::<Profile>::all().after(Some(cursor)).into_select();
    }
});
