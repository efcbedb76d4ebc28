//! Doors that are open to machines that know nothing of certctl: a folder for each protocol. None of them asks for a key of the
//! API, and one that is sent is not looked at.

pub(crate) mod acme;
pub(crate) mod acme_challenge;
pub(crate) mod est;
mod http_date;
mod own_form;
pub(crate) mod pki;
mod quota;
pub(crate) mod scep;
pub(crate) mod trust;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use http_date::{http_date, unchanged_since};
pub(crate) use own_form::{OwnForm, plain};
pub(crate) use quota::{Exhausted, Quota, Taken};

use crate::router::Api;

/// Every door with its description.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(est::ca_certs::ca_certs))
        .routes(routes!(est::csr_attributes::csr_attributes))
        .routes(routes!(est::enroll::simple_enroll))
        .routes(routes!(est::enroll::simple_reenroll))
        .routes(routes!(est::keygen::server_keygen))
        .routes(routes!(scep::get::get, scep::post::post))
        .routes(routes!(scep::get::profile_get, scep::post::profile_post))
        .routes(routes!(pki::ocsp::by_path))
        .routes(routes!(pki::ocsp::by_post))
}

/// Every door alone but [`pki::ocsp`], which lies outside of what is around all others. Each has limits of its own.
pub(crate) fn handlers() -> Router<Api> {
    acme::handlers().merge(acme_challenge::routes()).merge(est::handlers()).merge(scep::handlers())
}
