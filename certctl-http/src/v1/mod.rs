//! The routes: one folder per resource, one file per verb, one list of all of them.

pub(crate) mod access;
pub(crate) mod agent;
mod agent_group;
mod audit;
mod certificate;
pub(crate) mod event;
mod issuer;
mod job;
mod key;
mod metrics;
mod owner;
mod policy;
mod profile;
mod renewal_policy;
mod roles;
mod stats;
mod system;
mod target;
mod team;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::base;
use crate::router::Api;

pub(crate) use roles::{RouteAccess, TABLE};

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(base())
        .routes(routes!(system::health::health))
        .routes(routes!(system::health::api_health))
        .routes(routes!(system::ready::ready))
        .routes(routes!(system::openapi::openapi))
        .routes(routes!(system::version::version))
        .routes(routes!(stats::summary::summary))
        .routes(routes!(stats::by_status::by_status))
        .routes(routes!(stats::expirations::expirations))
        .routes(routes!(stats::job_trends::job_trends))
        .routes(routes!(stats::issuances::issuances))
        .routes(routes!(metrics::get::get))
        .routes(routes!(metrics::prometheus::prometheus))
        .routes(routes!(access::info::info))
        .routes(routes!(access::check::check))
        .routes(routes!(access::me::me))
        .routes(routes!(access::bootstrap::bootstrap))
        .routes(routes!(key::list::list, key::create::create))
        .routes(routes!(key::get::get, key::update::update, key::delete::delete))
        .routes(routes!(key::rotate::rotate))
        .routes(routes!(certificate::list::list, certificate::create::create))
        .routes(routes!(certificate::get::get, certificate::update::update, certificate::archive::archive))
        .routes(routes!(certificate::versions::versions))
        .routes(routes!(certificate::deployments::deployments))
        .routes(routes!(certificate::renew::renew))
        .routes(routes!(certificate::deploy::deploy))
        .routes(routes!(certificate::csr::csr))
        .routes(routes!(certificate::export_pem::export_pem))
        .routes(routes!(certificate::export_pkcs12::export_pkcs12))
        .routes(routes!(issuer::list::list, issuer::create::create))
        .routes(routes!(issuer::get::get, issuer::update::update, issuer::delete::delete))
        .routes(routes!(issuer::types::types))
        .routes(routes!(issuer::test::test))
        .routes(routes!(target::list::list, target::create::create))
        .routes(routes!(target::get::get, target::update::update, target::delete::delete))
        .routes(routes!(target::types::types))
        .routes(routes!(target::test::test))
        .routes(routes!(agent::list::list, agent::register::register))
        .routes(routes!(agent::enrol_token::enrol_token))
        .routes(routes!(agent::list_retired::list_retired))
        .routes(routes!(agent::get::get, agent::retire::retire))
        .routes(routes!(agent::heartbeat::heartbeat))
        .routes(routes!(agent::work::work))
        .routes(routes!(agent::csr::csr))
        .routes(routes!(agent::pickup::pickup))
        .routes(routes!(agent::report::report))
        .routes(routes!(agent_group::list::list, agent_group::create::create))
        .routes(routes!(agent_group::get::get, agent_group::update::update, agent_group::delete::delete))
        .routes(routes!(agent_group::members::members))
        .routes(routes!(audit::list::list))
        .routes(routes!(audit::export::export))
        .routes(routes!(audit::verify::verify))
        .routes(routes!(audit::get::get))
        .routes(routes!(event::follow::follow))
        .routes(routes!(job::list::list))
        .routes(routes!(job::get::get))
        .routes(routes!(job::cancel::cancel))
        .routes(routes!(job::approve::approve))
        .routes(routes!(job::reject::reject))
        .routes(routes!(job::verify::verify))
        .routes(routes!(job::verification::verification))
        .routes(routes!(policy::list::list, policy::create::create))
        .routes(routes!(policy::get::get, policy::update::update, policy::delete::delete))
        .routes(routes!(policy::violations::violations))
        .routes(routes!(profile::list::list, profile::create::create))
        .routes(routes!(profile::get::get, profile::update::update, profile::delete::delete))
        .routes(routes!(renewal_policy::list::list, renewal_policy::create::create))
        .routes(routes!(renewal_policy::get::get, renewal_policy::update::update, renewal_policy::delete::delete))
        .routes(routes!(owner::list::list, owner::create::create))
        .routes(routes!(owner::get::get, owner::update::update, owner::delete::delete))
        .routes(routes!(team::list::list, team::create::create))
        .routes(routes!(team::get::get, team::update::update, team::delete::delete))
}
