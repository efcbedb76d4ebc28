//! Times of certificates (RFC 5280 §4.1.2.5): UTCTime through 2049, GeneralizedTime from 2050 on.

use time::{Date, Month, OffsetDateTime, Time};

use super::tlv::{self, Damage, Tlv};
use crate::domain::Timestamp;

const EXPECTED: Damage = Damage::Expected("a UTCTime or GeneralizedTime with seconds and `Z`");

/// Reads a Time.
pub(crate) fn read(value: Tlv<'_>) -> Result<Timestamp, Damage> {
    let digits = value.contents.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let (year, rest) = match (value.tag, digits) {
        (tlv::UTC_TIME, Some(digits)) if digits.len() == 12 => {
            let (year, rest) = digits.split_at(2);
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (tlv::GENERALIZED_TIME, Some(digits)) if digits.len() == 14 => {
            let (year, rest) = digits.split_at(4);
            (number(year), rest)
        }
        _ => return Err(EXPECTED),
    };
    let mut fields = rest.chunks(2).map(|pair| u8::try_from(number(pair)).unwrap_or(u8::MAX));
    let mut next = || fields.next().ok_or(EXPECTED);
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let year = i32::try_from(year).map_err(|_| EXPECTED)?;
    let month = Month::try_from(month).map_err(|_| EXPECTED)?;
    let date = Date::from_calendar_date(year, month, day).map_err(|_| EXPECTED)?;
    let time = Time::from_hms(hour, minute, second).map_err(|_| EXPECTED)?;
    Ok(Timestamp::from_unix_seconds(OffsetDateTime::new_utc(date, time).unix_timestamp()))
}

/// Writes a Time; moments outside the years 1950 to 9999 become the nearest bound.
pub(crate) fn write(moment: Timestamp) -> Vec<u8> {
    let (year, rest) = fields(moment);
    if year < 2050 {
        tlv::write(tlv::UTC_TIME, &[format!("{:02}{rest}", year % 100).as_bytes()])
    } else {
        generalized(moment)
    }
}

/// Writes a GeneralizedTime, as all of OCSP's are (RFC 6960 §4.2.2.1); with the same bounds.
pub(crate) fn generalized(moment: Timestamp) -> Vec<u8> {
    let (year, rest) = fields(moment);
    tlv::write(tlv::GENERALIZED_TIME, &[format!("{year:04}{rest}").as_bytes()])
}

/// The year, and the rest as both forms write it.
fn fields(moment: Timestamp) -> (i32, String) {
    let seconds = moment.unix_seconds().clamp(-631_152_000, 253_402_300_799);
    // The bounds above lie inside what OffsetDateTime holds.
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    (moment.year(), rest)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_change_form_in_2050() {
        for (text, tag, written) in [
            ("1950-01-01T00:00:00Z", tlv::UTC_TIME, "500101000000Z"),
            ("2000-02-29T12:34:56Z", tlv::UTC_TIME, "000229123456Z"),
            ("2049-12-31T23:59:59Z", tlv::UTC_TIME, "491231235959Z"),
            ("2050-01-01T00:00:00Z", tlv::GENERALIZED_TIME, "20500101000000Z"),
            ("9999-12-31T23:59:59Z", tlv::GENERALIZED_TIME, "99991231235959Z"),
        ] {
            let moment = Timestamp::parse_rfc3339(text).unwrap();
            let der = write(moment);
            let value = Tlv::only(&der).unwrap();
            assert_eq!((value.tag, value.contents), (tag, written.as_bytes()));
            assert_eq!(read(value), Ok(moment));
        }
        assert_eq!(write(Timestamp::NEVER), write(Timestamp::parse_rfc3339("9999-12-31T23:59:59Z").unwrap()));
    }

    #[test]
    fn other_forms_are_refused() {
        for (tag, text) in [
            (tlv::UTC_TIME, "0002291234Z"),
            (tlv::UTC_TIME, "000229123456+0100"),
            (tlv::UTC_TIME, "010229123456Z"),
            (tlv::UTC_TIME, "001329123456Z"),
            (tlv::GENERALIZED_TIME, "20500101000000.5Z"),
            (tlv::GENERALIZED_TIME, "20500101240000Z"),
            (tlv::INTEGER, "20500101000000Z"),
        ] {
            assert!(read(Tlv::only(&tlv::write(tag, &[text.as_bytes()])).unwrap()).is_err(), "{text}");
        }
    }
}
