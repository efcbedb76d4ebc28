//! Listing certificates.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certctl_core::Error;
use certctl_core::ops::certificate::{Beside, CertificateSort, List, ListFilter};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, moment, page, value};
use crate::router::Api;
use crate::wire::{ManagedCertificate, ManagedCertificateList, Page, names};

/// Which certificates are wanted, in which order, and what of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this status. Archived certificates are left out of every list that does not ask for them.
    #[param(value_type = Option<names::CertificateStatus>, inline, nullable = false)]
    status: Option<String>,
    /// Exactly this environment.
    #[param(nullable = false)]
    environment: Option<String>,
    /// Exactly this owner.
    #[param(nullable = false)]
    owner_id: Option<String>,
    /// Exactly this team.
    #[param(nullable = false)]
    team_id: Option<String>,
    /// Exactly this issuer.
    #[param(nullable = false)]
    issuer_id: Option<String>,
    /// Exactly this profile.
    #[param(nullable = false)]
    profile_id: Option<String>,
    /// With a target of this agent. Refused where the agent serves more than 10,000 targets of certificates.
    #[param(nullable = false)]
    agent_id: Option<String>,
    /// Ends before this.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_before: Option<String>,
    /// Ends at this or after it.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_after: Option<String>,
    /// Made at this or after it.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    created_after: Option<String>,
    /// Changed at this or after it.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    updated_after: Option<String>,
    /// `commonName`, `createdAt`, `environment`, `expiresAt`, `name`, `notAfter`, `status` or `updatedAt`, smallest
    /// first; with a leading `-` largest first. Newest first when absent.
    #[param(nullable = false)]
    sort: Option<String>,
    /// `true`: largest first.
    #[param(value_type = Option<bool>, nullable = false)]
    sort_desc: Option<String>,
    /// The members of each certificate to send, separated by commas; others are left out. All when absent.
    #[param(nullable = false)]
    fields: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ListFilter, Error> {
        Ok(ListFilter {
            status: value("status", self.status.as_ref())?,
            environment: self.environment.clone().filter(|text| !text.is_empty()),
            owner_id: value("owner_id", self.owner_id.as_ref())?,
            team_id: value("team_id", self.team_id.as_ref())?,
            issuer_id: value("issuer_id", self.issuer_id.as_ref())?,
            profile_id: value("profile_id", self.profile_id.as_ref())?,
            agent_id: value("agent_id", self.agent_id.as_ref())?,
            expires_before: moment("expires_before", self.expires_before.as_ref())?,
            expires_after: moment("expires_after", self.expires_after.as_ref())?,
            created_after: moment("created_after", self.created_after.as_ref())?,
            updated_after: moment("updated_after", self.updated_after.as_ref())?,
        })
    }

    /// The order, and whether largest comes first.
    fn sort(&self) -> Result<(CertificateSort, bool), Error> {
        let descending = self.sort_desc.as_deref().is_some_and(|text| matches!(text, "true" | "1"));
        let Some(text) = self.sort.as_deref().filter(|text| !text.is_empty()) else {
            return Ok((CertificateSort::CreatedAt, true));
        };
        let (name, minus) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let sort = name.parse::<CertificateSort>();
        let sort = sort.map_err(|error| Error::invalid_field("/sort", "unknown_sort", error.to_string()))?;
        Ok((sort, descending || minus))
    }

    fn fields(&self) -> Option<Vec<&str>> {
        let fields = self.fields.as_deref().filter(|text| !text.is_empty())?;
        Some(fields.split(',').map(str::trim).collect())
    }
}

/// Lists certificates
#[utoipa::path(
    get, path = "/api/v1/certificates", operation_id = "listCertificates", tag = "Certificates",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = ManagedCertificateList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Failure> {
    let request = query.request()?;
    let (sort, descending) = wanted.sort()?;
    let fields = wanted.fields();
    let beside = fields.as_deref().map_or(Beside::ALL, beside);
    let operation = List { filter: wanted.filter()?, sort, descending, page: request.clone(), beside };
    let (found, views) = api.engine.execute(&principal, operation).await?;
    let found = page(&found, &request, views.into_iter().map(ManagedCertificate::from).collect());
    let Some(fields) = fields else { return Ok(Json(found).into_response()) };
    let data = found.data.iter().map(|certificate| sparse(certificate, &fields)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(Page { data, envelope: found.envelope }).into_response())
}

/// What has to be read for these members.
fn beside(fields: &[&str]) -> Beside {
    const NEWEST: &[&str] = &["serial_number", "fingerprint_sha256", "key_algorithm", "key_size", "issued_at"];
    let newest = fields.iter().any(|field| NEWEST.contains(field));
    Beside { targets: fields.contains(&"target_ids"), newest }
}

fn sparse(certificate: &ManagedCertificate, fields: &[&str]) -> Result<Value, Error> {
    let mut value = serde_json::to_value(certificate).map_err(Error::internal)?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| fields.contains(&name.as_str()));
    }
    Ok(value)
}
