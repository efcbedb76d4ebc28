//! Moments: whole microseconds since the Unix epoch, UTC.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::entity::{Cell, Kind, Value};

/// A moment in microseconds since the Unix epoch, UTC.
///
/// Durable moments are the store's (`Snapshot::now()`), never a host's wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// After every real moment: stands for "never" in columns that are sorted and so cannot be null.
    pub const NEVER: Self = Self(i64::MAX);

    /// From whole seconds since the epoch; saturates.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The same moment without its fraction of a second, as certificates can carry it.
    pub const fn floor_to_second(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `None` for [`NEVER`](Self::NEVER).
    pub fn known(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }

    /// RFC 3339 in UTC with `Z`, at most microseconds. Moments outside the years 0 to 9999 print as the nearest bound.
    pub fn to_rfc3339(self) -> String {
        let bounded = self.0.clamp(-62_167_219_200_000_000, 253_402_300_799_999_999);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(bounded) * 1_000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .unwrap_or_default()
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] with the text.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTimestamp> {
        let moment =
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000))
            .map(Self)
            .map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))
    }
}

/// A text that is no RFC 3339 moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time as RFC 3339 writes it, such as 2031-02-03T04:05:06Z")]
pub struct InvalidTimestamp(String);

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        Self::parse_rfc3339(text)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

impl Cell for Timestamp {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(self.0)
    }
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Integer(micros) = value { Some(Self(micros)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_goes_both_ways() {
        let moment = Timestamp(1_900_000_000_123_456);
        assert_eq!(Timestamp::parse_rfc3339(&moment.to_rfc3339()), Ok(moment));
        assert_eq!(
            Timestamp::parse_rfc3339("2031-02-03T06:05:06+02:00").map(Timestamp::unix_seconds),
            Ok(1_927_857_906)
        );
        assert!(Timestamp::parse_rfc3339("yesterday").is_err());
    }

    #[test]
    fn the_end_of_time_prints() {
        assert_eq!(Timestamp::NEVER.to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::NEVER + Duration::from_secs(1), Timestamp::NEVER);
    }
}
