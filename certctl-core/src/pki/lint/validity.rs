//! Rules on the validity.

use super::{Verdict, View};
use crate::domain::Timestamp;
use crate::pki::{time, tlv};

/// With seconds, without fractions, in UTC as `Z`.
pub(super) fn times_well_formed(view: &View<'_>) -> Verdict {
    for (what, value) in [("notBefore", view.tbs.not_before), ("notAfter", view.tbs.not_after)] {
        time::read(value).map_err(|damage| format!("{what}: {damage}"))?;
    }
    Ok(())
}

/// UTCTime through 2049, GeneralizedTime from 2050 on.
pub(super) fn times_in_form_of_their_year(view: &View<'_>) -> Verdict {
    // 2050-01-01T00:00:00Z.
    let first_general = Timestamp::from_unix_seconds(2_524_608_000);
    for (what, value, moment) in
        [("notBefore", view.tbs.not_before, view.not_before), ("notAfter", view.tbs.not_after, view.not_after)]
    {
        let Some(moment) = moment else { continue };
        if value.tag == tlv::GENERALIZED_TIME && moment < first_general {
            return Err(format!("{what} is before 2050 and a GeneralizedTime"));
        }
    }
    Ok(())
}

pub(super) fn in_order(view: &View<'_>) -> Verdict {
    match (view.not_before, view.not_after) {
        (Some(first), Some(last)) if first > last => Err(format!("it begins {first} and ends {last}")),
        _ => Ok(()),
    }
}
