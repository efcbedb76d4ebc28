//! What an HTTP answer, or the want of one, means to a connector.

use std::time::Duration;

use super::{ConnectorError, ConnectorErrorKind};
use crate::domain::Timestamp;
use crate::ports::{HttpError, HttpResponse};

/// The longest `Retry-After` that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl ConnectorError {
    /// The error that an answer outside 2xx stands for. `what` begins the message, such as `the webhook`; `now` is this
    /// process's wall clock, to which a date in `Retry-After` is compared. The body is not repeated: it may hold anything.
    pub fn from_answer(what: &str, answer: &HttpResponse, now: Timestamp) -> Self {
        let status = answer.status;
        let (kind, advice) = match status {
            300..=399 => {
                (ConnectorErrorKind::Permanent, "; redirects are not followed, so configure the URL it leads to")
            }
            401 | 403 => (ConnectorErrorKind::Auth, "; check the credentials"),
            408 | 425 | 500..=599 => (ConnectorErrorKind::Transient, ""),
            429 => (ConnectorErrorKind::Quota, "; it wants fewer requests"),
            _ => (ConnectorErrorKind::Permanent, ""),
        };
        let mut error = Self::new(kind, format!("{what} answered {status}{advice}"));
        if kind.is_retryable() {
            error.retry_after = Self::wait_of(answer, now);
        }
        error
    }

    /// What an answer says in `Retry-After` (RFC 9110 §10.2.3), at most a day.
    pub fn wait_of(answer: &HttpResponse, now: Timestamp) -> Option<Duration> {
        answer.header("retry-after").and_then(|value| wait(value, now))
    }
}

impl From<HttpError> for ConnectorError {
    fn from(error: HttpError) -> Self {
        let kind = match error {
            HttpError::Unreachable { .. } | HttpError::Timeout { .. } => ConnectorErrorKind::Unreachable,
            _ => ConnectorErrorKind::Permanent,
        };
        Self::new(kind, error.to_string())
    }
}

/// `Retry-After`: seconds or an IMF-fixdate (RFC 9110 §10.2.3, §5.6.7). Older forms of dates are not read.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = match value.trim().parse::<u32>() {
        Ok(seconds) => Duration::from_secs(seconds.into()),
        Err(_) => date(value.trim())?.since(now),
    };
    Some(wait.min(LONGEST_WAIT))
}

fn date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if parts.next() != Some("GMT") || parts.next().is_some() {
        return None;
    }
    Timestamp::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, retry_after: Option<&str>) -> ConnectorError {
        let headers = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter().collect();
        let answer = HttpResponse { status, headers, body: bytes::Bytes::new() };
        ConnectorError::from_answer("the CA", &answer, Timestamp::from_unix_seconds(1_445_412_420))
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        for (status, kind) in [
            (302, ConnectorErrorKind::Permanent),
            (400, ConnectorErrorKind::Permanent),
            (401, ConnectorErrorKind::Auth),
            (403, ConnectorErrorKind::Auth),
            (404, ConnectorErrorKind::Permanent),
            (408, ConnectorErrorKind::Transient),
            (429, ConnectorErrorKind::Quota),
            (500, ConnectorErrorKind::Transient),
            (503, ConnectorErrorKind::Transient),
        ] {
            assert_eq!(error(status, None).kind, kind, "{status}");
        }
        assert_eq!(error(404, None).to_string(), "the CA answered 404");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value| error(503, Some(value)).retry_after;
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(after("Wed, 21 Oct 2015 06:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("4000000000"), Some(LONGEST_WAIT));
        for unreadable in
            ["soon", "-1", "Wed, 21 Foo 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 CET", "99999999999"]
        {
            assert_eq!(after(unreadable), None, "{unreadable}");
        }
        assert_eq!(error(404, Some("120")).retry_after, None);
    }
}
