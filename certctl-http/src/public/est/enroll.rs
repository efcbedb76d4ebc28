//! Enrolling and renewing (RFC 7030 §4.2).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use certctl_core::domain::{Csr, EnrolSource, JobId, Principal, SubjectNames, Timestamp};
use certctl_core::enrol::{Enrol, Enrolled, Refusal, RefusalReason, Refuse, RepeatKey, Repeats, Standing, WaitsFor};
use certctl_core::pki::certificate;
use certctl_core::pki::est::{self, BodyError};

use super::answer::{Failure, certificates, pending};
use super::client::{self, Client};
use super::{DAY, EstProfile, Operation, Served, Way, plain_address};
use crate::edge::address;
use crate::listen::TlsChannel;
use crate::public::{Exhausted, Quota, Taken};
use crate::request::read;
use crate::router::Api;
use crate::wire::Octets;

/// Enrols a machine (EST)
///
/// No key of the API is needed; the machine proves who it is by the enrolment password (HTTP Basic) or by a TLS client certificate,
/// as the server is configured. The body is a PKCS #10 request, base64 of DER or PEM. 202 means that somebody has to approve: send
/// the same request again later. Errors are lines of text; besides those that are listed there are 401, 403 and 409 for whom or
/// what is not let in, 415 for another content type, and 426 where TLS 1.3 is needed.
#[utoipa::path(
    post, path = "/.well-known/est/simpleenroll", operation_id = "estSimpleEnroll", tag = "EST",
    request_body(content = Octets, content_type = "application/pkcs10"),
    responses(
        (
            status = 200, description = "The certificate and those above it", body = Octets,
            content_type = "application/pkcs7-mime",
            headers(("Content-Transfer-Encoding" = String, description = "`base64`")),
        ),
        (status = 202, description = "Ask again when `Retry-After` has passed"),
    ),
)]
pub(crate) async fn simple_enroll(state: State<Api>, request: Request) -> Response {
    super::answer(state, request).await
}

/// Renews a machine's certificate (EST)
///
/// The machine shows the certificate that it renews as its TLS client certificate, and asks for exactly the same names, with the same
/// key or a new one. Else as simpleenroll.
#[utoipa::path(
    post, path = "/.well-known/est/simplereenroll", operation_id = "estSimpleReEnroll", tag = "EST",
    request_body(content = Octets, content_type = "application/pkcs10"),
    responses(
        (
            status = 200, description = "The certificate and those above it", body = Octets,
            content_type = "application/pkcs7-mime",
            headers(("Content-Transfer-Encoding" = String, description = "`base64`")),
        ),
        (status = 202, description = "Ask again when `Retry-After` has passed"),
    ),
)]
pub(crate) async fn simple_reenroll(state: State<Api>, request: Request) -> Response {
    super::answer(state, request).await
}

pub(super) async fn answer(api: &Api, served: &Served, asked: (Way, Operation, Request)) -> Result<Response, Failure> {
    let asked = Asked::read(api, &served.profile, asked).await?;
    match asked.enrol(api, served, &asked.csr).await? {
        Enrolled::Issued { chain, .. } => Ok(certificates(&chain)),
        Enrolled::Pending { waits_for, .. } => Ok(match waits_for {
            WaitsFor::Approval => pending("somebody has to approve the request; send it again later", APPROVAL),
            WaitsFor::Issuer => pending("the issuer has not answered yet; send the request again later", ISSUER),
        }),
        Enrolled::Refused(refusal) => Err(refusal.into()),
    }
}

/// When to ask again while somebody has to approve.
const APPROVAL: Duration = Duration::from_secs(120);
/// When to ask again while the issuer is asked.
const ISSUER: Duration = Duration::from_secs(10);

/// Types under which requests come: that of RFC 7030 §4.2.1, those that tools have for the same octets, and what curl says when it
/// is told nothing.
const TYPES: [&str; 6] = [
    "application/pkcs10",
    "application/x-pem-file",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/base64",
    "text/plain",
];

/// A request whose sender is known.
pub(super) struct Asked {
    operation: Operation,
    client: Client,
    /// Whose key signs it is whom the certificate goes to, unless the key is made here.
    pub(super) csr: Csr,
}

impl Asked {
    /// Finds out who asks, and only then reads what for.
    pub(super) async fn read(
        api: &Api,
        profile: &EstProfile,
        (way, operation, request): (Way, Operation, Request),
    ) -> Result<Self, Failure> {
        let (address, now) = (address(&request), api.engine.ports().clock.monotonic());
        // Taken before it is known: of many at once no more get through.
        let taken = api.est.failures.take(&address, now).map_err(|exhausted| {
            let text = exhausted.text("too many wrong passwords or certificates from this address");
            Failure::too_often(text, exhausted.wait())
        })?;
        let channel = request.extensions().get::<Arc<TlsChannel>>().cloned();
        let proven = client::prove(api, profile, (way, operation), (request.headers(), channel.as_ref())).await;
        if proven.as_ref().is_err_and(Failure::is_guess) {
            drop(taken);
        } else {
            taken.give_back();
        }
        let client = match proven {
            Ok(client) => client,
            Err(failure) => {
                // What is no guess is recorded as often as guesses are: the trail is not for strangers to fill.
                let first_ones = || api.est.failures.take(&format!("known {address}"), now).map(drop).is_ok();
                if let Some(refusal) = &failure.denied
                    && (failure.is_guess() || first_ones())
                {
                    refuse(api, profile, (operation, refusal), Some(address)).await;
                }
                return Err(failure);
            }
        };
        content_type(request.headers())?;
        let csr = match body(api, request).await {
            Ok(csr) => csr,
            Err((status, text)) => {
                let refusal = Refusal::new(RefusalReason::Malformed, text);
                refuse(api, profile, (operation, &refusal), Some(address)).await;
                return Err(Failure::new(status, refusal.message));
            }
        };
        if let Err(failure) =
            bound(profile, &csr, channel.as_deref()).and_then(|()| same_names(&client, operation, &csr))
        {
            let refusal = Refusal::new(RefusalReason::Credential, failure.text());
            refuse(api, profile, (operation, &refusal), Some(address)).await;
            return Err(failure);
        }
        Ok(Self { operation, client, csr })
    }

    /// Asks the engine, for the names of the request and the key of `csr`.
    pub(super) async fn enrol(&self, api: &Api, served: &Served, csr: &Csr) -> Result<Enrolled, Failure> {
        let profile = &served.profile;
        let label = profile.label();
        let machine = Principal::machine(format!("est:{label}:{}", client::name(&self.client, self.csr.names())));
        let own = self.client.shown.as_ref().filter(|shown| shown.own);
        let predecessor = own.map(|shown| shown.facts.fingerprint);
        let names = csr.names();
        let key = format!(
            "{}\n{label}\n{}\n{}\n{}",
            self.operation.name(),
            csr.key_id(),
            predecessor.map(|print| print.to_string()).unwrap_or_default(),
            texts(names).join(" ")
        );
        let spending = match &served.enrolments {
            Some(quota) => self.spend(api, (profile, quota), (&machine, &key)).await?,
            None => None,
        };
        let enrol = Enrol {
            source: EnrolSource::Est,
            csr: csr.clone(),
            names: names.clone(),
            terms: profile.terms.clone(),
            label: format!("est/{label}/{}", texts(names).first().map(String::as_str).unwrap_or_default()),
            predecessor,
            repeat: RepeatKey { key, repeats: Repeats::ForADay },
        };
        let enrolled = api.engine.execute(&machine, enrol).await;
        if let Some(Spending { taken, before }) = spending {
            let new = enrolled.as_ref().ok().and_then(job).is_some_and(|job| before.as_ref() != Some(job));
            if new {
                drop(taken);
            } else {
                taken.give_back();
            }
        }
        Ok(enrolled?)
    }

    /// Takes one of the certificates that a machine may have in a day; none for what is there already.
    async fn spend<'q>(
        &self,
        api: &Api,
        (profile, quota): (&EstProfile, &'q Quota),
        (machine, key): (&Principal, &str),
    ) -> Result<Option<Spending<'q>>, Failure> {
        let before = api.engine.execute(machine, Standing::Key(EnrolSource::Est, key.to_owned())).await?;
        if let Some(before) = &before
            && is_there(before, api.now().await?)
        {
            return Ok(None);
        }
        let caller = self.client.limited_as(self.csr.names());
        match (quota.take(&caller, api.engine.ports().clock.monotonic()), before) {
            (Ok(taken), before) => Ok(Some(Spending { taken, before: before.as_ref().and_then(job).cloned() })),
            // Who was rejected hears why, whatever the day has left.
            (Err(_), Some(Enrolled::Refused(refusal))) => Err(refusal.into()),
            (Err(exhausted @ Exhausted::Busy), _) => Err(Failure::too_often(exhausted.text(""), exhausted.wait())),
            (Err(Exhausted::Spent(wait)), _) => {
                let name = client::name(&self.client, self.csr.names());
                let text = format!("`{name}` has asked for as many certificates as one machine may in a day");
                let refusal = Refusal::new(RefusalReason::RateLimited, text);
                refuse(api, profile, (self.operation, &refusal), None).await;
                Err(Failure::too_often(&refusal.message, wait))
            }
        }
    }
}

/// One certificate of those that a machine may have in a day. What is refused does not count, and neither does the same request
/// again, which is answered with the job that there is.
struct Spending<'q> {
    taken: Taken<'q>,
    /// The job of the same request, if it came before.
    before: Option<JobId>,
}

/// Whether the same request is answered with what there is ([`Repeats::ForADay`]); a certificate begins no later than it was made.
fn is_there(before: &Enrolled, now: Timestamp) -> bool {
    match before {
        Enrolled::Pending { .. } => true,
        Enrolled::Issued { chain, .. } => certificate::parse(chain.leaf())
            .is_ok_and(|facts| now.since(facts.not_before) < (facts.not_after.since(facts.not_before) / 3).min(DAY)),
        Enrolled::Refused(_) => false,
    }
}

/// The job that obtains the certificate.
fn job(enrolled: &Enrolled) -> Option<&JobId> {
    match enrolled {
        Enrolled::Issued { job_id, .. } | Enrolled::Pending { job_id, .. } => Some(job_id),
        Enrolled::Refused(_) => None,
    }
}

/// The common name, and the other names.
fn texts(names: &SubjectNames) -> Vec<String> {
    let common_name = names.common_name.iter().cloned();
    common_name.chain(names.san_texts()).map(|name| name.chars().take(150).collect()).collect()
}

/// Records in the audit trail that somebody was turned away. That this fails changes nothing for them.
async fn refuse(api: &Api, profile: &EstProfile, (operation, refusal): (Operation, &Refusal), address: Option<String>) {
    let machine = Principal::machine(format!("est:{}", profile.label()));
    let subject = format!("est/{}/{}", profile.label(), operation.name());
    let refusal = refusal.clone();
    let address = address.map(|bucket| plain_address(&bucket).to_owned());
    let recorded = api.engine.execute(&machine, Refuse { source: EnrolSource::Est, subject, refusal, address }).await;
    if let Err(error) = recorded {
        tracing::error!(%error, "a refused EST request is not in the audit trail");
    }
}

fn content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().ok().and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default();
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the request as application/pkcs10"))
}

/// The request in the body; else the status and the reason.
async fn body(api: &Api, request: Request<Body>) -> Result<Csr, (StatusCode, String)> {
    let body = read(request, api).await.map_err(|failure| (failure.status(), failure.detail().to_owned()))?;
    est::request(&body).map_err(|error| {
        let too_large = matches!(error, BodyError::TooLarge(_));
        let status = if too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        (status, error.to_string())
    })
}

/// Where the profile says so, the request must hold the value of the very connection that it came over (RFC 7030 §3.5, RFC 9266).
fn bound(profile: &EstProfile, csr: &Csr, channel: Option<&TlsChannel>) -> Result<(), Failure> {
    if !profile.channel_binding_required {
        return Ok(());
    }
    let Some(expected) = channel.and_then(|channel| channel.binding) else {
        return Err(Failure::needs_tls("requests are bound to their connection here, which takes TLS 1.3"));
    };
    match est::channel_binding(csr.der()) {
        Ok(Some(found)) if est::is_binding(&expected, &found) => Ok(()),
        Ok(Some(_)) => {
            let text =
                "the request is bound to another connection than this one; make it anew with the value of this one";
            Err(Failure::new(StatusCode::CONFLICT, text))
        }
        Ok(None) => {
            let text = "the request is not bound to this connection; put its tls-exporter value (RFC 9266) into the attribute \
                        challengePassword in base64";
            Err(Failure::new(StatusCode::BAD_REQUEST, text))
        }
        Err(error) => Err(Failure::new(StatusCode::BAD_REQUEST, error.to_string())),
    }
}

/// A certificate of this server's own issuer is good for the names that it has and no others (RFC 7030 §4.2.2).
fn same_names(client: &Client, operation: Operation, csr: &Csr) -> Result<(), Failure> {
    let Some(shown) = client.shown.as_ref().filter(|shown| shown.own) else { return Ok(()) };
    if shown.facts.other_names.is_empty() && shown.facts.names.are_met_by(csr.names()) {
        return Ok(());
    }
    let verb = if operation == Operation::SimpleReenroll { "renewed" } else { "shown" };
    let text = format!(
        "the request names {}, the certificate that is {verb} {}; ask for exactly the same names",
        texts(csr.names()).join(", "),
        texts(&shown.facts.names).join(", ")
    );
    Err(Failure::new(StatusCode::FORBIDDEN, text))
}
