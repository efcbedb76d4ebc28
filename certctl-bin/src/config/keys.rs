//! Keys that the configuration names.

use std::collections::BTreeMap;

use certctl_core::domain::Role;
use certctl_core::engine::ConfiguredKey;
use certctl_core::ports::Secret;

/// `name:key[:role],…`. A wrong entry is told by its number alone: where a key holds a `:` or a `,`, any part of what was
/// written may be a part of the key, and nothing of a key is ever shown.
pub(super) fn named(text: &Secret) -> Result<Vec<ConfiguredKey>, String> {
    let mut keys = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, entry) in text.expose().split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
        let number = number + 1;
        let parts: Vec<&str> = entry.split(':').map(str::trim).collect();
        let (name, key, role) = match parts.as_slice() {
            [name, key] => (*name, *key, Role::Operator),
            [name, key, role] => (*name, *key, role.parse().map_err(|_| unknown_role(number))?),
            _ => {
                return Err(format!(
                    "entry {number} is not `name:key` or `name:key:role`; a key must not hold `:` or `,`"
                ));
            }
        };
        if name.is_empty() || key.is_empty() {
            return Err(format!("entry {number} has an empty name or key"));
        }
        if key.parse::<Role>().is_ok() {
            return Err(format!(
                "entry {number} has the name of a role where its key should be; write `name:key:role`, and no `,` in a key"
            ));
        }
        if let Some(first) = seen.insert(name, number) {
            return Err(format!("the entries {first} and {number} have the same name; give each its own"));
        }
        keys.push(ConfiguredKey { name: name.to_owned(), key: Secret::new(key), role });
    }
    Ok(keys)
}

fn unknown_role(number: usize) -> String {
    let roles: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    format!(
        "entry {number} does not end in a role ({}); give it one of these, and choose a key without `:`",
        roles.join(", ")
    )
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
