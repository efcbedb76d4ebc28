//! How an issuer fares, as far as orders show it.

use super::{IssuerId, Timestamp};
use crate::entity;

entity! {
    /// How an issuer fares. There is none for an issuer that never failed.
    pub struct IssuerHealth in "issuer_health" as Mutable, fields IssuerHealthFields {
        /// The issuer.
        id: IssuerId,
        /// Failures in a row that the issuer is to blame for.
        failures: i64,
        /// How often in a row its breaker opened.
        openings: i64,
        /// Until when its breaker is open; absent while it is closed.
        open_until: Option<Timestamp>,
        /// Until when its quota is used up, as it said.
        limited_until: Option<Timestamp>,
        /// Why the last order failed.
        last_error: Option<String>,
        /// When that was.
        last_failure_at: Option<Timestamp>,
        /// When an order succeeded after failures.
        recovered_at: Option<Timestamp>,
    }
    indexes []
    references []
}
