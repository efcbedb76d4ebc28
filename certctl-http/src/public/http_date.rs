//! Dates in headers (RFC 9110 §5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use certctl_core::domain::Timestamp;

/// A moment as headers have it, such as `Sun, 06 Nov 1994 08:49:37 GMT`; `None` where HTTP has none.
pub(crate) fn http_date(moment: Timestamp) -> Option<HeaderValue> {
    let seconds = u64::try_from(moment.unix_seconds()).ok()?;
    // The last second of the year 9999 (RFC 9110 has four digits).
    let at = (seconds <= 253_402_300_799).then(|| UNIX_EPOCH + Duration::from_secs(seconds))?;
    HeaderValue::try_from(httpdate::fmt_http_date(at)).ok()
}

/// Whether nothing changed since the moment that a header names (RFC 9110 §13.1.3).
pub(crate) fn unchanged_since(header: &HeaderValue, changed_at: Timestamp) -> bool {
    let at = header.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    at.is_some_and(|at| i64::try_from(seconds(at)).is_ok_and(|seconds| changed_at.unix_seconds() <= seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_as_http_has_them() {
        let at = Timestamp::from_unix_seconds(784_111_777);
        let header = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(at).as_ref(), Some(&header));
        assert!(unchanged_since(&header, at));
        assert!(!unchanged_since(&header, Timestamp::from_unix_seconds(784_111_778)));
        assert!(!unchanged_since(&HeaderValue::from_static("yesterday"), at));
        for never in [Timestamp(-1_000_000), Timestamp::NEVER] {
            assert_eq!(http_date(never), None);
        }
    }
}
