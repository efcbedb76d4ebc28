//! What may not be done to a key: nobody is locked out, and the configuration's keys follow the configuration.

use crate::domain::{ApiKey, Role, Timestamp};
use crate::error::Error;
use crate::ops::Context;
use crate::storage::Query;

/// Refuses to change a key that the configuration names.
pub(super) fn stored(key: &ApiKey) -> Result<(), Error> {
    if key.configured {
        let message = format!(
            "the key `{}` is the configuration's; change CERTCTL_API_KEYS_NAMED or CERTCTL_AUTH_SECRET (or the file) and \
             restart the server",
            key.name
        );
        return Err(Error::conflict("key_is_configured", message));
    }
    Ok(())
}

/// Refuses a change after which no administrator's key would be left. `after` is absent for a key that is deleted.
///
/// The administrator that stays is pinned: of two that lock out each other at the same moment, one commit is refused.
pub(super) async fn an_administrator(
    cx: &mut Context<'_>,
    before: &ApiKey,
    after: Option<&ApiKey>,
) -> Result<(), Error> {
    let now = cx.now();
    let still = after.is_some_and(|after| administers(after, now) && !ends_sooner(before, after));
    if !administers(before, now) || still {
        return Ok(());
    }
    let fields = ApiKey::FIELDS;
    let others =
        Query::<ApiKey>::all().filter(fields.role.equals(Role::Admin)).filter(fields.disabled_at.is_null()).limit(MOST);
    let others = cx.unit.list(others).await?.records;
    match others.into_iter().find(|other| other.id != before.id && administers(other, now)) {
        Some(other) => {
            cx.unit.pin(&other);
            Ok(())
        }
        None => Err(Error::conflict(
            "last_administrator",
            "this is the last key of an administrator; make another one first",
        )),
    }
}

/// Whether the key is an administrator's at this moment.
fn administers(key: &ApiKey, now: Timestamp) -> bool {
    key.role == Role::Admin && key.disabled_at.is_none() && key.expires_at.is_none_or(|end| end > now)
}

fn ends_sooner(before: &ApiKey, after: &ApiKey) -> bool {
    let end = |key: &ApiKey| key.expires_at.unwrap_or(Timestamp::NEVER);
    end(after) < end(before)
}

/// Keys that are looked at, to find one that stays.
const MOST: usize = 500;
