//! What the ACME server does for accounts. Clients reach these through [`Acme`](crate::enrol::acme::Acme) alone, which has checked
//! who asks; what an operation refuses by the protocol is a [`Problem`] in its answer, so that what it recorded is kept.

mod account;
mod authorization;
mod change_key;
mod finalize;
mod new_account;
mod new_order;
mod proven;
mod respond;
mod revoke;
mod settle;

pub(crate) use account::UpdateAccount;
pub(crate) use authorization::DeactivateAuthorization;
pub(crate) use change_key::ChangeKey;
pub(crate) use finalize::{Finalize, PROCESSING, read_csr};
pub(crate) use new_account::NewAccount;
pub(crate) use new_order::NewOrder;
pub(crate) use respond::Respond;
pub(crate) use revoke::{By, Revoke, read_certificate, reason};
pub(crate) use settle::Settle;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{
    AcmeAuthorization, AcmeAuthorizationId, AcmeChallenge, AcmeOrder, AcmeOrderId, AcmeOrderState, MAX_NAMES, Timestamp,
};
use crate::engine::Engine;
use crate::enrol::acme::{AcmeConfig, Problem};
use crate::error::{Error, ErrorKind};
use crate::storage::Query;

/// How long orders that ended are remembered, beyond what they are good for.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// What limits are counted over.
const HOUR: Duration = Duration::from_secs(3_600);

/// The configuration; nobody gets here without one.
fn config(engine: &Engine) -> Result<&AcmeConfig, Error> {
    let server = engine.acme_server();
    server.map(|server| &server.config).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "no_acme_server", "this server has no ACME server; configure it first")
    })
}

/// The authorizations of an order.
pub(crate) fn authorizations_of(order: &str) -> Result<Query<AcmeAuthorization>, Problem> {
    let order: AcmeOrderId = order.parse().map_err(|_| Problem::not_found("order"))?;
    let fields = AcmeAuthorization::FIELDS;
    Ok(Query::all().filter(fields.order_id.equals(order)).limit(MAX_NAMES))
}

/// The challenges of an authorization.
pub(crate) fn challenges_of(authorization: &str) -> Result<Query<AcmeChallenge>, Problem> {
    let id: AcmeAuthorizationId = authorization.parse().map_err(|_| Problem::not_found("authorization"))?;
    Ok(Query::all().filter(AcmeChallenge::FIELDS.authorization_id.equals(id)).limit(10))
}

/// Base64url without padding, as everything binary is in this protocol (RFC 8555 §6.1).
pub(crate) fn base64url(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    URL_SAFE_NO_PAD.decode(text)
}

/// Takes an order to its end.
///
/// # Errors
/// Where its state has no such edge.
pub(crate) fn end(
    order: &mut AcmeOrder,
    (state, now): (AcmeOrderState, Timestamp),
    error: Option<&Problem>,
) -> Result<(), Error> {
    order.state = order.state.transition(state).map_err(Error::internal)?;
    order.error = error.map(|problem| problem.document().to_string());
    (order.open_account_id, order.job_id) = (None, None);
    if state == AcmeOrderState::Invalid {
        order.replaces_slot = None;
        order.collect_at = now + KEPT;
    }
    Ok(())
}
