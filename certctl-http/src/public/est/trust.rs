//! Which client certificates count.

use std::sync::Arc;

use certctl_core::Error;
use certctl_core::domain::{CertificateFacts, Principal};
use certctl_core::engine::Statuses;
use certctl_core::enrol::CaCertificates;

use super::{EstProfile, EstTrust};
use crate::listen::TlsChannel;
use crate::public::trust::{TrustBundle, judge, judged};
use crate::router::Api;

/// A client certificate that is trusted.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) facts: CertificateFacts,
    /// Whether the server's own issuer made it.
    pub(super) own: bool,
}

/// Those of the CAs that issue, or have issued, for this server's issuer: whatever they are for, because a renewal proves no more
/// than who holds the certificate (RFC 7030 §4.2.2).
pub(super) async fn by_issuer(
    api: &Api,
    profile: &EstProfile,
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, String>, Error> {
    let issuer = &profile.terms.issuer_id;
    let mut authorities: Vec<Vec<u8>> = Vec::new();
    if let Statuses::Signed(signers) = api.engine.status_authorities(issuer).await? {
        authorities.extend(signers.iter().map(|signer| signer.record.chain.leaf().to_vec()));
    }
    let asked = CaCertificates { issuer_id: issuer.clone() };
    let machine = Principal::machine(format!("est:{}", profile.label()));
    if authorities.is_empty()
        && let Some(chain) = api.engine.execute(&machine, asked).await?
    {
        authorities.push(chain.leaf().to_vec());
    }
    let now = api.now().await?;
    Ok(judged(channel, &authorities, (now, None)).map(|facts| Shown { facts, own: true }))
}

/// Those of the CAs that the profile names; they must be for TLS clients.
async fn by_bundle(
    api: &Api,
    (profile, bundle): (&EstProfile, &TrustBundle),
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, String>, Error> {
    let machine = Principal::machine(format!("est:{}", profile.label()));
    Ok(judge(api, (bundle, &machine), channel).await?.map(|facts| Shown { facts, own: false }))
}

/// The same, by what the profile trusts.
pub(super) async fn by_profile(
    api: &Api,
    profile: &EstProfile,
    channel: &Arc<TlsChannel>,
) -> Result<Result<Shown, String>, Error> {
    match profile.access.trust() {
        Some(EstTrust::Bundle(bundle)) => match by_bundle(api, (profile, bundle), channel).await? {
            Ok(shown) => Ok(Ok(shown)),
            // Machines that were enrolled before come with what they were given.
            Err(why) => Ok(by_issuer(api, profile, channel).await?.map_err(|_| why)),
        },
        Some(EstTrust::Issuer) => by_issuer(api, profile, channel).await,
        None => Ok(Err("client certificates do not count here".to_owned())),
    }
}
