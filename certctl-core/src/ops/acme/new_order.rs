//! Ordering a certificate (RFC 8555 §7.4, RFC 9773 §5).

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{HOUR, config};
use crate::domain::{
    AcmeAccount, AcmeAuthorization, AcmeAuthorizationId, AcmeAuthorizationState, AcmeChallenge, AcmeChallengeId,
    AcmeChallengeState, AcmeChallengeType, AcmeIdentifier, AcmeIdentifierType, AcmeOrder, AcmeOrderId, AcmeOrderState,
    AuditAction, Certificate, CertificateId, NewCertificate, ProfileId, Timestamp, Version,
};
use crate::enrol::acme::identifier::to_names;
use crate::enrol::acme::{AcmeAuthMode, AcmeProfile, Problem, ProblemType, Subproblem};
use crate::entity::{Json, Record};
use crate::error::{Error, ErrorKind};
use crate::jobs::order::Order;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Orders a certificate. Where accounts are trusted, its authorizations are valid at once.
#[derive(Debug)]
pub(crate) struct NewOrder {
    /// Who orders.
    pub(crate) account: Record<AcmeAccount>,
    /// The names, sorted, each once.
    pub(crate) identifiers: Vec<AcmeIdentifier>,
    /// The version that it replaces.
    pub(crate) replaces: Option<Record<Version>>,
}

/// An order that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The order.
    pub(crate) order: AcmeOrder,
    /// Its authorizations.
    pub(crate) authorizations: Vec<AcmeAuthorization>,
    /// When it was made.
    pub(crate) now: Timestamp,
}

#[async_trait]
impl Operation for NewOrder {
    type Output = Result<Made, Problem>;
    const NAME: &'static str = "acme.new_order";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let config = config(cx.engine)?;
        let Some(profile) = config.profiles.get(&self.account.profile_id) else {
            return Ok(Err(Problem::not_found("directory")));
        };
        cx.unit.pin(&self.account);
        if let Some(problem) = self.too_many(cx).await? {
            return Ok(Err(problem));
        }
        if let Some(problem) = self.refused(cx, profile).await? {
            return Ok(Err(problem));
        }
        let replaces = match &self.replaces {
            None => None,
            Some(version) => match self.replaced(cx, version).await? {
                Ok(version) => Some(version),
                Err(problem) => return Ok(Err(problem)),
            },
        };
        let now = cx.now();
        let trusted = profile.auth_mode == AcmeAuthMode::TrustAuthenticated;
        let (clock, rng) = (cx.ports().clock.clone(), cx.ports().rng.clone());
        let id = AcmeOrderId::generate(&*clock, &*rng);
        let account_id = &self.account.id;
        // An order is worth nothing without its authorizations (RFC 8555 §7.1.6).
        let expires_at = now + config.order_ttl.min(config.authorization_ttl);
        let order = AcmeOrder {
            id: id.clone(),
            account_id: account_id.clone(),
            identifiers: Json(self.identifiers.clone()),
            state: if trusted { AcmeOrderState::Ready } else { AcmeOrderState::Pending },
            missing: if trusted { 0 } else { i64::try_from(self.identifiers.len()).unwrap_or(i64::MAX) },
            expires_at,
            error: None,
            certificate_id: None,
            version_id: None,
            job_id: None,
            replaces: replaces.clone(),
            replaces_slot: replaces,
            open_account_id: Some(account_id.clone()),
            collect_at: expires_at,
            created_at: now,
        };
        let mut authorizations = Vec::with_capacity(self.identifiers.len());
        for identifier in &self.identifiers {
            let (value, wildcard) = identifier.authorized();
            let authorization = AcmeAuthorization {
                id: AcmeAuthorizationId::generate(&*clock, &*rng),
                order_id: id.clone(),
                account_id: account_id.clone(),
                kind: identifier.kind,
                value: value.to_owned(),
                wildcard,
                state: if trusted { AcmeAuthorizationState::Valid } else { AcmeAuthorizationState::Pending },
                expires_at: now + config.authorization_ttl,
                created_at: now,
            };
            if !trusted {
                for kind in challenges(&authorization) {
                    cx.unit.insert(challenge(cx, &authorization, *kind));
                }
            }
            cx.unit.insert(authorization.clone());
            authorizations.push(authorization);
        }
        cx.unit.insert(order.clone());
        let details = json!({
            "account_id": account_id, "names": self.identifiers.iter().map(|one| &one.value).collect::<Vec<_>>(),
            "replaces": order.replaces, "trusted": trusted,
        });
        cx.audit(AuditAction::AcmeOrderCreated, ("acme_order", id.as_str()), details);
        Ok(Ok(Made { order, authorizations, now }))
    }
}

impl NewOrder {
    /// Whether the account has ordered too much. Requests that come at the very same moment are not counted with each other.
    async fn too_many(&self, cx: &Context<'_>) -> Result<Option<Problem>, Error> {
        let (limits, now) = (config(cx.engine)?.limits, cx.now());
        let fields = AcmeOrder::FIELDS;
        if limits.concurrent_orders > 0 {
            let open = Query::<AcmeOrder>::all()
                .filter(fields.open_account_id.equals(Some(self.account.id.clone())))
                .filter(fields.expires_at.at_least(now));
            if cx.unit.total(&open).await? >= u64::from(limits.concurrent_orders) {
                let detail = format!(
                    "the account has {} open orders, which is the most; finalize them, or give their authorizations up",
                    limits.concurrent_orders
                );
                return Ok(Some(Problem::rate_limited(detail, HOUR / 12)));
            }
        }
        if limits.orders_per_hour > 0 {
            let lately = Query::sorted(fields.created_at.ascending())
                .filter(fields.account_id.equals(self.account.id.clone()))
                .filter(fields.created_at.at_least(now - HOUR));
            if cx.unit.total(&lately).await? >= u64::from(limits.orders_per_hour) {
                let oldest = cx.unit.first(lately).await?.map_or(now, |order| order.created_at);
                let detail = format!("an account orders at most {} certificates an hour", limits.orders_per_hour);
                return Ok(Some(Problem::rate_limited(detail, (oldest + HOUR).since(now))));
            }
        }
        Ok(None)
    }

    /// Whether profile and issuer would refuse these names, and which of them.
    async fn refused(&self, cx: &Context<'_>, profile: &AcmeProfile) -> Result<Option<Problem>, Error> {
        let fits = |identifiers: &[AcmeIdentifier]| -> Result<Certificate, Error> {
            let names = to_names(identifiers, None)
                .map_err(|error| Error::invalid_field("/sans", "bad_name", error.to_string()))?;
            Ok(draft(cx, profile, (&self.account.profile_id, names.san_texts())))
        };
        let Err(error) = Order::of(cx.engine, &cx.unit, &fits(&self.identifiers)?, None).await else { return Ok(None) };
        let names = |error: &Error| {
            let pointer = error.fields().first().map(|field| field.pointer.as_str());
            error.kind() == ErrorKind::Invalid && matches!(pointer, Some("" | "/sans" | "/common_name"))
        };
        if !names(&error) {
            // The operator has to mend the configuration of this directory.
            tracing::warn!(profile = %self.account.profile_id, %error, "an ACME directory cannot issue anything");
            let detail = "this directory cannot issue certificates at present; tell its operator";
            return Ok(Some(Problem::new(ProblemType::ServerInternal, detail).because(error)));
        }
        let mut subproblems = Vec::new();
        for identifier in &self.identifiers {
            let alone = fits(std::slice::from_ref(identifier))?;
            if let Err(error) = Order::of(cx.engine, &cx.unit, &alone, None).await {
                let (identifier, detail) = (identifier.clone(), error.message().to_owned());
                subproblems.push(Subproblem { kind: ProblemType::RejectedIdentifier, detail, identifier });
            }
        }
        let problem = Problem::new(ProblemType::RejectedIdentifier, error.message());
        Ok(Some(problem.about(subproblems)))
    }

    /// A version that may be replaced: one of the same account, with a name of this order (RFC 9773 §5).
    async fn replaced(
        &self,
        cx: &Context<'_>,
        version: &Version,
    ) -> Result<Result<crate::domain::VersionId, Problem>, Error> {
        let of = AcmeOrder::FIELDS.version_id.equals(Some(version.id.clone()));
        let order = cx.unit.first(Query::<AcmeOrder>::all().filter(of)).await?;
        let Some(order) = order.filter(|order| order.account_id == self.account.id) else {
            let detail = "the certificate that is to be replaced was not ordered by this account";
            return Ok(Err(Problem::new(ProblemType::Unauthorized, detail).with_status(403)));
        };
        if !order.identifiers.iter().any(|identifier| self.identifiers.contains(identifier)) {
            let detail = "the certificate that is to be replaced has no name of this order";
            return Ok(Err(Problem::malformed(detail)));
        }
        Ok(Ok(version.id.clone()))
    }
}

/// A certificate as it would be, to be compared with its profile.
fn draft(cx: &Context<'_>, profile: &AcmeProfile, (profile_id, sans): (&ProfileId, Vec<String>)) -> Certificate {
    let (ports, now) = (cx.ports(), cx.now());
    NewCertificate {
        id: CertificateId::generate(&*ports.clock, &*ports.rng),
        name: String::new(),
        common_name: String::new(),
        sans,
        environment: profile.environment.clone(),
        owner_id: profile.owner_id.clone(),
        team_id: profile.team_id.clone(),
        issuer_id: profile.issuer_id.clone(),
        renewal_policy_id: profile.renewal_policy_id.clone(),
        certificate_profile_id: Some(profile_id.clone()),
        agent_id: None,
        tags: std::collections::BTreeMap::new(),
        source: String::new(),
    }
    .made_at(now)
}

/// The ways of proving a name: a wildcard is proven by the DNS alone (RFC 8555 §7.1.3), an address never by it (RFC 8738 §7).
const fn challenges(authorization: &AcmeAuthorization) -> &'static [AcmeChallengeType] {
    use AcmeChallengeType::{Dns01, Http01, TlsAlpn01};
    match (authorization.kind, authorization.wildcard) {
        (AcmeIdentifierType::Dns, true) => &[Dns01],
        (AcmeIdentifierType::Dns, false) => &[Http01, Dns01, TlsAlpn01],
        (AcmeIdentifierType::Ip, _) => &[Http01, TlsAlpn01],
    }
}

fn challenge(cx: &Context<'_>, authorization: &AcmeAuthorization, kind: AcmeChallengeType) -> AcmeChallenge {
    let mut token = [0; 32];
    cx.ports().rng.fill(&mut token);
    AcmeChallenge {
        id: AcmeChallengeId::generate(&*cx.ports().clock, &*cx.ports().rng),
        authorization_id: authorization.id.clone(),
        order_id: authorization.order_id.clone(),
        account_id: authorization.account_id.clone(),
        kind,
        token: URL_SAFE_NO_PAD.encode(token),
        state: AcmeChallengeState::Pending,
        partition: AcmeChallenge::partition(kind),
        due_at: Timestamp::NEVER,
        attempt: 0,
        holder: None,
        failures: 0,
        responded_at: None,
        validated_at: None,
        error: None,
    }
}
