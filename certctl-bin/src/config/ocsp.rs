//! `[ocsp]`: how certificates are answered for.

use certctl_core::engine::OcspCadence;
use serde::Deserialize;

use super::ConfigError;
use super::settings::{Setting, not_a};
use super::valid::period;

/// `[ocsp]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ocsp {
    pub(crate) rate_limit_per_ip_min: Option<u32>,
    pub(crate) responder_validity: Option<String>,
    pub(crate) responder_rotation_grace: Option<String>,
}

/// The longest validity of a responder's certificate, in seconds: a year. It cannot be revoked.
const LONGEST: u64 = 365 * 86_400;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "ocsp.rate_limit_per_ip_min",
        variable: "OCSP_RATE_LIMIT_PER_IP_MIN",
        flag: "",
        default: "`0`",
        meaning: "OCSP requests, and requests for revocation lists and CA certificates, from one address in a minute; beyond that \
                  the answer is `tryLater`, or 429. 0 for no limit, which is right where all of them come through one proxy.",
        set: |config, value| {
            config.ocsp.rate_limit_per_ip_min = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "ocsp.responder_validity",
        variable: "OCSP_RESPONDER_VALIDITY",
        flag: "",
        default: "`30d`",
        meaning: "How long the certificate of an OCSP responder is valid, up to 365d. A number with `m`, `h` or `d`.",
        set: |config, value| {
            config.ocsp.responder_validity = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "ocsp.responder_rotation_grace",
        variable: "OCSP_RESPONDER_ROTATION_GRACE",
        flag: "",
        default: "`7d`",
        meaning: "So long before its end a responder has a successor; at most half of its validity.",
        set: |config, value| {
            config.ocsp.responder_rotation_grace = Some(value.into());
            Ok(())
        },
    },
];

impl Ocsp {
    /// Checks it.
    pub(super) fn cadence(&self) -> Result<OcspCadence, ConfigError> {
        let mut cadence = OcspCadence::default();
        if let Some(text) = &self.responder_validity {
            cadence.responder_validity = period("ocsp.responder_validity", text, LONGEST)?;
            cadence.rotation_grace = cadence.rotation_grace.min(cadence.responder_validity / 2);
        }
        if let Some(text) = &self.responder_rotation_grace {
            cadence.rotation_grace = period("ocsp.responder_rotation_grace", text, LONGEST)?;
        }
        if cadence.responder_validity < cadence.validity * 2 {
            let reason = "a responder lives for two hours at least, twice as long as what it signs";
            return Err(ConfigError::value("ocsp.responder_validity", reason));
        }
        if cadence.rotation_grace > cadence.responder_validity / 2 {
            let reason = "must be at most half of ocsp.responder_validity";
            return Err(ConfigError::value("ocsp.responder_rotation_grace", reason));
        }
        Ok(cadence)
    }

    /// Requests from one address in a minute.
    pub(super) fn per_minute(&self) -> Option<u32> {
        self.rate_limit_per_ip_min.filter(|calls| *calls > 0)
    }
}
