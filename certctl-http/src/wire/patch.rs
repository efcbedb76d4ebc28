//! Members of an update that may be left alone, cleared or set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A member that can be empty, in an update: absent leaves it, `null` or an empty string clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Make it empty.
    Clear,
    /// Make it this.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the member is left alone; such a member is not sent.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// `None` to leave it, `Some(None)` to clear it.
    pub fn into_option(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(unless_empty(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// Reads a text member of which `null` and `""` mean that there is none, as clients in several languages send it.
///
/// # Errors
/// When it is no text, or the type refuses it.
pub(crate) fn unless_empty<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Reads a member of which `null` means the default.
///
/// # Errors
/// When it is of another type.
pub(crate) fn unless_null<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an object that is cleared with `null`; one that is absent is the default's to say.
///
/// # Errors
/// When it is of another type.
pub(crate) fn clearable<'de, T, D>(deserializer: D) -> Result<Patch<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.map_or(Patch::Clear, Patch::Set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use certctl_core::domain::AgentId;

    #[derive(Deserialize, Serialize)]
    struct Update {
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        agent_id: Patch<AgentId>,
    }

    #[test]
    fn absent_null_empty_and_set_differ() {
        let read = |json: &str| serde_json::from_str::<Update>(json).map(|update| update.agent_id);
        assert_eq!(read("{}").unwrap(), Patch::Keep);
        assert_eq!(read(r#"{"agent_id":null}"#).unwrap(), Patch::Clear);
        assert_eq!(read(r#"{"agent_id":""}"#).unwrap(), Patch::Clear);
        assert_eq!(read(r#"{"agent_id":"a1"}"#).unwrap(), Patch::Set(AgentId::parse("a1").unwrap()));
        assert!(read(r#"{"agent_id":"a b"}"#).is_err());
    }

    #[test]
    fn what_is_kept_is_not_sent() {
        let sent = |agent_id| serde_json::to_string(&Update { agent_id }).unwrap();
        assert_eq!(sent(Patch::Keep), "{}");
        assert_eq!(sent(Patch::Clear), r#"{"agent_id":null}"#);
    }
}
