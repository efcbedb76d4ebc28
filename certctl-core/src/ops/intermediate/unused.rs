//! Whether an intermediate CA may go.

use crate::connector::SIGNING_CA;
use crate::domain::{IntermediateCa, IntermediateCaState, IssuerRecord};
use crate::error::Error;
use crate::ops::Context;
use crate::storage::Query;

/// Refuses it while its issuer signs with it, or while CAs right below it are in one of these states.
///
/// # Errors
/// `has_active_children`, `in_use`; the store's.
pub(super) async fn check_unused(
    cx: &mut Context<'_>,
    intermediate: &IntermediateCa,
    in_the_way: &[IntermediateCaState],
) -> Result<(), Error> {
    let (id, fields) = (&intermediate.id, IntermediateCa::FIELDS);
    let below = Query::<IntermediateCa>::all()
        .filter(fields.parent_id.equals(Some(id.clone())))
        .filter(fields.state.one_of(in_the_way.iter().copied()));
    let below = cx.unit.total(&below).await?;
    if below > 0 {
        let message = format!("{below} CAs below intermediate CA `{id}` are not retired; retire those first");
        return Err(Error::conflict("has_active_children", message));
    }
    // Pinned: whoever points the issuer at it at this moment comes too late, or this does.
    let issuer = cx.unit.get::<IssuerRecord>(intermediate.issuer_id.as_str()).await?;
    let signs = issuer.is_some_and(|issuer| issuer.shown_config.0[SIGNING_CA] == id.as_str());
    if signs {
        let message = format!(
            "issuer `{}` signs with intermediate CA `{id}`; change `{SIGNING_CA}` in its configuration first",
            intermediate.issuer_id
        );
        return Err(Error::conflict("in_use", message));
    }
    Ok(())
}
