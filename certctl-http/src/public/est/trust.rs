//! Which client certificates count.

use std::sync::Arc;

use certctl_core::Error;
use certctl_core::domain::{CertificateFacts, Principal};
use certctl_core::engine::Statuses;
use certctl_core::enrol::{CaCertificates, IsKept, Refusal, RefusalReason};
use certctl_core::pki::certificate;

use super::{EstProfile, EstTrust};
use crate::listen::TlsChannel;
use crate::public::trust::{TrustBundle, judge, judge_by};
use crate::router::Api;

/// A client certificate that is trusted.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) facts: CertificateFacts,
    /// Whether the server's own issuer made it.
    pub(super) own: bool,
}

/// Those that the server's issuer is to renew, and those of the CAs that issue, or have issued, for it: whatever they are for, because
/// a renewal proves no more than who holds the certificate (RFC 7030 §4.2.2).
pub(super) async fn by_issuer(
    api: &Api,
    profile: &EstProfile,
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, Refusal>, Error> {
    let issuer = &profile.terms.issuer_id;
    let machine = Principal::machine(format!("est:{}", profile.label()));
    if let Some(facts) = channel.certificates.first().and_then(|leaf| certificate::parse(leaf).ok()) {
        let kept = IsKept { fingerprint: facts.fingerprint, issuer_id: issuer.clone() };
        if api.engine.execute(&machine, kept).await? {
            return Ok(Ok(Shown { facts, own: true }));
        }
    }
    let mut authorities: Vec<Vec<u8>> = Vec::new();
    if let Statuses::Signed(signers) = api.engine.status_authorities(issuer).await? {
        authorities.extend(signers.iter().map(|signer| signer.record.chain.leaf().to_vec()));
    }
    let asked = CaCertificates { issuer_id: issuer.clone() };
    if authorities.is_empty()
        && let Some(chain) = api.engine.execute(&machine, asked).await?
    {
        authorities.push(chain.leaf().to_vec());
    }
    let judged = judge_by(api, &machine, channel, (&authorities, None)).await?;
    Ok(judged.map(|facts| Shown { facts, own: true }))
}

/// Those of the CAs that the profile names; they must be for TLS clients.
async fn by_bundle(
    api: &Api,
    (profile, bundle): (&EstProfile, &TrustBundle),
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, Refusal>, Error> {
    let machine = Principal::machine(format!("est:{}", profile.label()));
    Ok(judge(api, (bundle, &machine), channel).await?.map(|facts| Shown { facts, own: false }))
}

/// The same, by what the profile trusts. Machines that were enrolled before come with what they were given, and that is good for its
/// names alone, also where the profile names our own CA among others.
pub(super) async fn by_profile(
    api: &Api,
    profile: &EstProfile,
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, Refusal>, Error> {
    match profile.access.trust() {
        Some(EstTrust::Bundle(bundle)) => match by_issuer(api, profile, channel).await? {
            Ok(shown) => Ok(Ok(shown)),
            Err(own) => {
                let judged = by_bundle(api, (profile, bundle), channel).await?;
                // That it is ours and revoked says more than that nobody else knows it.
                let is_known = own.reason == RefusalReason::NotIssuable;
                Ok(judged.map_err(|why| if is_known { own } else { why }))
            }
        },
        Some(EstTrust::Issuer) => by_issuer(api, profile, channel).await,
        None => Ok(Err(Refusal::new(RefusalReason::Credential, "client certificates do not count here"))),
    }
}
