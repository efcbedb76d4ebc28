//! The routes: one folder per resource, one file per verb, one list of all of them.

pub(crate) mod access;
mod acme_eab;
pub(crate) mod agent;
mod agent_group;
mod audit;
mod certificate;
mod crl;
mod digest;
mod discovery;
mod est;
pub(crate) mod event;
mod health_check;
mod intermediate;
mod issuer;
mod job;
mod key;
mod loops;
mod metrics;
mod network_scan;
mod notification;
mod owner;
mod policy;
mod profile;
mod renewal_policy;
mod roles;
mod scep;
mod stats;
mod system;
mod target;
mod team;

use axum::Router;
use axum::routing::MethodFilter;
use utoipa::Path as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::{paste, routes};

use crate::openapi::base;
use crate::public::pki;
use crate::router::Api;

pub(crate) use roles::{Errors, RouteAccess, TABLE};

/// Hands every route to a macro: handlers that share a path, and each as NOUN::FILE::HANDLER.
macro_rules! every_route {
    ($make:ident) => {
        $make! {
            [system::health::health],
            [system::health::api_health],
            [system::ready::ready],
            [system::openapi::openapi],
            [system::version::version],
            [stats::summary::summary],
            [stats::by_status::by_status],
            [stats::expirations::expirations],
            [stats::job_trends::job_trends],
            [stats::issuances::issuances],
            [digest::preview::preview],
            [digest::send::send],
            [metrics::get::get],
            [metrics::prometheus::prometheus],
            [access::info::info],
            [access::check::check],
            [access::me::me],
            [access::bootstrap::bootstrap],
            [key::list::list, key::create::create],
            [key::get::get, key::update::update, key::delete::delete],
            [key::rotate::rotate],
            [acme_eab::list::list, acme_eab::create::create],
            [acme_eab::delete::delete],
            [certificate::list::list, certificate::create::create],
            [certificate::bulk_renew::bulk_renew],
            [certificate::bulk_reassign::bulk_reassign],
            [certificate::bulk_revoke::bulk_revoke],
            [certificate::import::import],
            [certificate::get::get, certificate::update::update, certificate::archive::archive],
            [certificate::versions::versions],
            [certificate::deployments::deployments],
            [certificate::accept_shape::accept_shape],
            [certificate::explain::explain],
            [certificate::renew::renew],
            [certificate::revoke::revoke],
            [certificate::release::release],
            [certificate::deploy::deploy],
            [certificate::csr::csr],
            [certificate::export_pem::export_pem],
            [certificate::export_pkcs12::export_pkcs12],
            [issuer::list::list, issuer::create::create],
            [issuer::get::get, issuer::update::update, issuer::delete::delete],
            [issuer::types::types],
            [issuer::test::test],
            [intermediate::list::list, intermediate::create::create],
            [intermediate::get::get],
            [intermediate::retire::retire],
            [intermediate::revoke::revoke],
            [target::list::list, target::create::create],
            [target::get::get, target::update::update, target::delete::delete],
            [target::types::types],
            [target::test::test],
            [agent::list::list, agent::register::register],
            [agent::enrol_token::enrol_token],
            [agent::list_retired::list_retired],
            [agent::get::get, agent::retire::retire],
            [agent::heartbeat::heartbeat],
            [agent::work::work],
            [agent::csr::csr],
            [agent::pickup::pickup],
            [agent::report::report],
            [agent::discoveries::discoveries],
            [agent_group::list::list, agent_group::create::create],
            [agent_group::get::get, agent_group::update::update, agent_group::delete::delete],
            [agent_group::members::members],
            [audit::list::list],
            [audit::export::export],
            [audit::verify::verify],
            [audit::get::get],
            [discovery::list::list],
            [discovery::get::get],
            [discovery::claim::claim],
            [discovery::dismiss::dismiss],
            [discovery::scans::scans],
            [discovery::summary::summary],
            [network_scan::list::list, network_scan::create::create],
            [network_scan::get::get, network_scan::update::update, network_scan::delete::delete],
            [network_scan::scan::scan],
            [event::follow::follow],
            [loops::list::list],
            [pki::crl::crl],
            [pki::crl::delta],
            [pki::crl::shard],
            [pki::ca::certificate],
            [crl::cache::cache],
            [health_check::list::list, health_check::create::create],
            [health_check::summary::summary],
            [health_check::get::get, health_check::update::update, health_check::delete::delete],
            [health_check::history::history],
            [health_check::acknowledge::acknowledge],
            [job::list::list],
            [job::get::get],
            [job::cancel::cancel],
            [job::approve::approve],
            [job::reject::reject],
            [job::verify::verify],
            [job::verification::verification],
            [notification::list::list],
            [notification::get::get],
            [notification::read::read],
            [notification::requeue::requeue],
            [policy::list::list, policy::create::create],
            [policy::get::get, policy::update::update, policy::delete::delete],
            [policy::violations::violations],
            [profile::list::list, profile::create::create],
            [profile::get::get, profile::update::update, profile::delete::delete],
            [renewal_policy::list::list, renewal_policy::create::create],
            [renewal_policy::get::get, renewal_policy::update::update, renewal_policy::delete::delete],
            [owner::list::list, owner::create::create],
            [owner::get::get, owner::update::update, owner::delete::delete],
            [est::profiles::profiles],
            [est::reload_trust::reload_trust],
            [est::bulk_revoke::bulk_revoke],
            [scep::create_challenge::create_challenge],
            [scep::profiles::profiles],
            [team::list::list, team::create::create],
            [team::get::get, team::update::update, team::delete::delete],
        }
    };
}

macro_rules! described {
    ($([$($handler:path),+],)+) => {
        OpenApiRouter::with_openapi(base())$(.routes(routes!($($handler),+)))+
    };
}

macro_rules! served {
    ($([$($noun:ident::$file:ident::$handler:ident),+],)+) => {
        paste! {
            Router::new()$($(.route(
                &$noun::$file::[<__path_ $handler>]::path(),
                axum::routing::on(filter(&$noun::$file::[<__path_ $handler>]::methods()), $noun::$file::$handler),
            ))+)+
        }
    };
}

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    every_route!(described)
}

/// Every route alone: a server that describes none of them needs less memory for as long as it runs.
pub(crate) fn handlers() -> Router<Api> {
    every_route!(served)
}

/// A handler has one method.
fn filter(methods: &[utoipa::openapi::HttpMethod]) -> MethodFilter {
    methods.first().map_or(MethodFilter::GET, utoipa_axum::PathItemExt::to_method_filter)
}
