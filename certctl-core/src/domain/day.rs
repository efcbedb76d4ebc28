//! Days of UTC, for counts over time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{InvalidTimestamp, Timestamp};

/// A day of UTC, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The length of a day, in microseconds. UTC as computers keep it has no leap seconds.
    pub const MICROSECONDS: i64 = 86_400_000_000;

    /// The day of a moment.
    pub const fn of(moment: Timestamp) -> Self {
        Self(moment.0.div_euclid(Self::MICROSECONDS))
    }

    /// Its first moment; saturates.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(Self::MICROSECONDS))
    }

    /// The day so many days later, or earlier when negative; saturates.
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl std::fmt::Display for Day {
    /// `YYYY-MM-DD`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moment = self.start().to_rfc3339();
        f.write_str(moment.split_once('T').map_or(moment.as_str(), |(day, _)| day))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Day {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")).map(Self::of)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_every_moment_from_midnight_to_midnight() {
        let midnight = Timestamp::parse_rfc3339("2031-02-03T00:00:00Z").unwrap();
        assert_eq!(Day::of(midnight), Day::of(Timestamp(midnight.0 + Day::MICROSECONDS - 1)));
        assert_eq!(Day::of(Timestamp(midnight.0 - 1)), Day::of(midnight).plus(-1));
        assert_eq!(Day::of(Timestamp(-1)), Day(-1));
        assert_eq!(Day::of(midnight).start(), midnight);
    }

    #[test]
    fn a_day_is_written_and_read_as_a_date() {
        assert_eq!(Day(0).to_string(), "1970-01-01");
        assert_eq!("2031-02-03".parse::<Day>().unwrap().to_string(), "2031-02-03");
        assert!("2031-02-30".parse::<Day>().is_err());
    }
}
