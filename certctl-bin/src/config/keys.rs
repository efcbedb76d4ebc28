//! Keys that the configuration names.

use std::collections::BTreeSet;

use certctl_core::domain::Role;
use certctl_core::engine::ConfiguredKey;
use certctl_core::ports::Secret;

/// `name:key[:role],…`. Nothing of a key is ever shown, so a wrong entry is told by its number and, if it has one, its name.
pub(super) fn named(text: &Secret) -> Result<Vec<ConfiguredKey>, String> {
    let mut keys = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, entry) in text.expose().split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
        let number = number + 1;
        let parts: Vec<&str> = entry.split(':').map(str::trim).collect();
        let (name, key, role) = match parts.as_slice() {
            [name, key] => (*name, *key, Role::Operator),
            [name, key, role] => {
                let role = role.parse().map_err(|error| format!("entry {number}, `{name}`: the role {error}"))?;
                (*name, *key, role)
            }
            _ => {
                return Err(format!(
                    "entry {number} is not `name:key` or `name:key:role`; a key must not hold `:` or `,`"
                ));
            }
        };
        if name.is_empty() || key.is_empty() {
            return Err(format!("entry {number} has an empty name or key"));
        }
        if !seen.insert(name.to_owned()) {
            return Err(format!("two keys are named `{name}`; give each its own name"));
        }
        keys.push(ConfiguredKey { name: name.to_owned(), key: Secret::new(key), role });
    }
    Ok(keys)
}

/// `k1,k2`: administrators named `env-1`, `env-2`.
pub(super) fn administrators(text: &Secret) -> Vec<ConfiguredKey> {
    let keys = text.expose().split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.enumerate()
        .map(|(index, key)| ConfiguredKey {
            name: format!("env-{}", index + 1),
            key: Secret::new(key),
            role: Role::Admin,
        })
        .collect()
}
