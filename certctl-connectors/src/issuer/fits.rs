//! Whether what somebody else issued is what was ordered.

use std::time::Duration;

use certctl_core::connector::{ConnectorError, ConnectorErrorKind, IssueOrder};
use certctl_core::domain::{CertificateFacts, Chain, ExtendedKeyUsage};
use certctl_core::pki;
use certctl_core::pki::chain::Expected;

/// The chain in `body`, PEM, if it fits the order's key, names, moment and terms. `who` begins the messages.
///
/// # Errors
/// Transient where it is not the certificate that was asked for, which another order may mend; policy where the terms are not met.
pub(super) fn chain(who: &str, order: &IssueOrder<'_>, body: &[u8]) -> Result<Chain, ConnectorError> {
    let wrong = |why: String| {
        let why = format!("{who} sent a certificate that is not what was ordered: {why}");
        ConnectorError::transient(why).begin_anew()
    };
    let text = std::str::from_utf8(body).map_err(|_| wrong("it is no PEM".to_owned()))?;
    let chain = Chain::from_pem(text).map_err(|error| wrong(error.to_string()))?;
    let expected = Expected { spki: order.csr.spki(), names: order.names, now: order.now };
    let facts = pki::chain::check(&chain, &expected).map_err(|error| wrong(error.to_string()))?;
    meets_terms(who, order, &facts)?;
    if order.terms.must_staple && !asks_for_stapling(chain.leaf()) {
        let why = format!("{who} certifies without must-staple, which the profile asks for");
        return Err(ConnectorError::new(ConnectorErrorKind::Policy, why).begin_anew());
    }
    Ok(chain)
}

/// What a profile enforces and nobody may have listened to.
fn meets_terms(who: &str, order: &IssueOrder<'_>, facts: &CertificateFacts) -> Result<(), ConnectorError> {
    let refuse = |why: String| Err(ConnectorError::new(ConnectorErrorKind::Policy, why).begin_anew());
    let lifetime = facts.not_after.since(facts.not_before);
    if let Some(allowed) = order.terms.lifetime.filter(|allowed| lifetime > *allowed) {
        let hours = |duration: Duration| duration.as_secs().div_ceil(3_600);
        return refuse(format!(
            "{who} issues for {} hours, and the profile allows {}; have it issue for less, or change the profile",
            hours(lifetime),
            hours(allowed)
        ));
    }
    let allowed =
        |oid: &String| order.terms.ekus.is_empty() || order.terms.ekus.iter().any(|usage| usage.oid() == *oid);
    match facts.extended_key_usages.iter().find(|oid| !allowed(oid)) {
        Some(oid) => {
            let name = ExtendedKeyUsage::from_oid(oid).map_or_else(|| oid.clone(), |usage| usage.name().to_owned());
            refuse(format!("{who} certifies for {name}, which the profile does not allow"))
        }
        None => Ok(()),
    }
}

/// Whether id-pe-tlsfeature (RFC 7633 §6) stands in a certificate or a request.
pub(super) fn asks_for_stapling(der: &[u8]) -> bool {
    const TLS_FEATURE: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];
    der.windows(TLS_FEATURE.len()).any(|window| window == TLS_FEATURE)
}
