//! The connectors that are compiled in: one explicit list, made by whoever composes the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    ConfigError, ConnectorContext, ConnectorError, DiscoveryPlugin, DiscoverySource, Issuer, IssuerPlugin, Notifier,
    NotifierPlugin, Target, TargetContext, TargetPlugin, TargetSpec,
};
use crate::domain::nearest;

/// What is known of a kind of connector without configuring one.
#[derive(Clone, Debug)]
pub struct ConnectorInfo {
    /// The wire name.
    pub kind: &'static str,
    /// Other spellings that are understood.
    pub aliases: &'static [&'static str],
    /// The connector's page, in Markdown.
    pub docs: &'static str,
    /// JSON schema of its configuration (draft 2020-12).
    pub schema: Value,
}

type Checker = fn(&Value) -> Result<(), ConfigError>;
type DiscoveryBuilder = fn(&Value, &ConnectorContext) -> Result<Arc<dyn DiscoverySource>, ConnectorError>;
type IssuerBuilder = fn(&Value, &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError>;
type NotifierBuilder = fn(&Value, &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError>;
type TargetBuilder = fn(&Value, &TargetContext) -> Result<Arc<dyn Target>, ConnectorError>;

macro_rules! entry {
    ($(#[$meta:meta])* $name:ident, $builder:ty, $cx:ty, $live:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            /// What is known of the kind.
            pub info: ConnectorInfo,
            check: Checker,
            build: $builder,
        }

        impl $name {
            /// Checks a configuration as written.
            ///
            /// # Errors
            /// What is wrong with it and where.
            pub fn validate(&self, config: &Value) -> Result<(), ConfigError> {
                (self.check)(config)
            }

            /// Builds a live connector.
            ///
            /// # Errors
            /// A permanent error for a configuration that does not validate, else the connector's own.
            pub fn build(&self, config: &Value, cx: &$cx) -> Result<Arc<$live>, ConnectorError> {
                (self.build)(config, cx)
            }
        }
    };
}

entry! {
    /// A kind of issuer.
    IssuerEntry, IssuerBuilder, ConnectorContext, dyn Issuer
}
entry! {
    /// A kind of notifier.
    NotifierEntry, NotifierBuilder, ConnectorContext, dyn Notifier
}
entry! {
    /// A kind of discovery source.
    DiscoveryEntry, DiscoveryBuilder, ConnectorContext, dyn DiscoverySource
}

entry! {
    /// A kind of target that this program can deploy to.
    TargetEntry, TargetBuilder, TargetContext, dyn Target
}

/// A kind of target whose configuration this program understands.
#[derive(Clone, Debug)]
pub struct TargetSpecEntry {
    /// What is known of the kind.
    pub info: ConnectorInfo,
    check: Checker,
}

impl TargetSpecEntry {
    /// Checks a configuration as written.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn validate(&self, config: &Value) -> Result<(), ConfigError> {
        (self.check)(config)
    }
}

/// The connectors that are compiled in.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    discovery: BTreeMap<&'static str, (&'static str, DiscoveryEntry)>,
    issuers: BTreeMap<&'static str, IssuerEntry>,
    notifiers: BTreeMap<&'static str, NotifierEntry>,
    target_specs: BTreeMap<&'static str, TargetSpecEntry>,
    targets: BTreeMap<&'static str, TargetEntry>,
}

/// There is no such connector in this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{given}`; compiled in: {}{}", list(known), hint(given, known))]
pub struct UnknownKind {
    what: &'static str,
    given: String,
    known: Vec<&'static str>,
}

fn list(known: &[&'static str]) -> String {
    if known.is_empty() { "none".into() } else { known.join(", ") }
}

fn hint(given: &str, known: &[&'static str]) -> String {
    nearest(given, known.iter().copied()).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl Registry {
    /// A registry without connectors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of issuer, or replaces the one of that name.
    pub fn issuer<P: IssuerPlugin>(mut self) -> Self {
        let entry = IssuerEntry {
            info: info::<P::Config>(P::KIND, P::ALIASES, P::DOCS),
            check: |config| P::validate(parse(config)?).map(drop),
            build: |config, cx| P::build(valid(config, P::validate)?, cx),
        };
        self.issuers.insert(P::KIND, entry);
        self
    }

    /// Adds a kind of notifier, or replaces the one of that name.
    pub fn notifier<P: NotifierPlugin>(mut self) -> Self {
        let entry = NotifierEntry {
            info: info::<P::Config>(P::KIND, &[], P::DOCS),
            check: |config| P::validate(parse(config)?).map(drop),
            build: |config, cx| P::build(valid(config, P::validate)?, cx),
        };
        self.notifiers.insert(P::KIND, entry);
        self
    }

    /// Adds a kind of discovery source, or replaces the one of that name.
    pub fn discovery<P: DiscoveryPlugin>(mut self) -> Self {
        let entry = DiscoveryEntry {
            info: info::<P::Config>(P::KIND, &[], P::DOCS),
            check: |config| P::validate(parse(config)?).map(drop),
            build: |config, cx| P::build(valid(config, P::validate)?, cx),
        };
        self.discovery.insert(P::KIND, (P::AGENT, entry));
        self
    }

    /// Adds a kind of target whose configuration is understood here but that agents deploy to.
    pub fn target_spec<P: TargetSpec>(mut self) -> Self {
        let entry = TargetSpecEntry {
            info: info::<P::Config>(P::KIND, P::ALIASES, P::DOCS),
            check: |config| P::validate(parse(config)?).map(drop),
        };
        self.target_specs.insert(P::KIND, entry);
        self
    }

    /// Adds a kind of target that this program can deploy to, with its configuration.
    pub fn target<P: TargetPlugin>(mut self) -> Self {
        self = self.target_spec::<P>();
        let entry = TargetEntry {
            info: info::<P::Config>(P::KIND, P::ALIASES, P::DOCS),
            check: |config| P::validate(parse(config)?).map(drop),
            build: |config, cx| P::build(valid(config, P::validate)?, cx),
        };
        self.targets.insert(P::KIND, entry);
        self
    }

    /// The issuer kind of this name or alias, in any case.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn find_issuer(&self, kind: &str) -> Result<&IssuerEntry, UnknownKind> {
        find("issuer type", &self.issuers, |entry| &entry.info, kind)
    }
    /// The notifier kind of this name, in any case.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn find_notifier(&self, kind: &str) -> Result<&NotifierEntry, UnknownKind> {
        find("notifier kind", &self.notifiers, |entry| &entry.info, kind)
    }
    /// The kind of discovery source of this name, in any case.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn find_discovery(&self, kind: &str) -> Result<&DiscoveryEntry, UnknownKind> {
        find("discovery source", &self.discovery, |(_, entry)| &entry.info, kind).map(|(_, entry)| entry)
    }
    /// The agent that stands for what sources of this kind find.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn discovery_agent(&self, kind: &str) -> Result<&'static str, UnknownKind> {
        find("discovery source", &self.discovery, |(_, entry)| &entry.info, kind).map(|(agent, _)| *agent)
    }
    /// The target kind of this name or alias, in any case, for its configuration.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn find_target_spec(&self, kind: &str) -> Result<&TargetSpecEntry, UnknownKind> {
        find("target type", &self.target_specs, |entry| &entry.info, kind)
    }
    /// The target kind of this name or alias, in any case, for deploying.
    ///
    /// # Errors
    /// [`UnknownKind`] with those that are compiled in.
    pub fn find_target(&self, kind: &str) -> Result<&TargetEntry, UnknownKind> {
        find("target type", &self.targets, |entry| &entry.info, kind)
    }

    /// All issuer kinds, by name.
    pub fn issuers(&self) -> impl Iterator<Item = &ConnectorInfo> {
        self.issuers.values().map(|entry| &entry.info)
    }
    /// All notifier kinds, by name.
    pub fn notifiers(&self) -> impl Iterator<Item = &ConnectorInfo> {
        self.notifiers.values().map(|entry| &entry.info)
    }
    /// All kinds of discovery sources, by name.
    pub fn discoveries(&self) -> impl Iterator<Item = &ConnectorInfo> {
        self.discovery.values().map(|(_, entry)| &entry.info)
    }
    /// All target kinds whose configuration is understood, by name.
    pub fn target_specs(&self) -> impl Iterator<Item = &ConnectorInfo> {
        self.target_specs.values().map(|entry| &entry.info)
    }
    /// All target kinds that this program can deploy to, by name.
    pub fn targets(&self) -> impl Iterator<Item = &ConnectorInfo> {
        self.targets.values().map(|entry| &entry.info)
    }
}

fn info<C: JsonSchema>(kind: &'static str, aliases: &'static [&'static str], docs: &'static str) -> ConnectorInfo {
    ConnectorInfo { kind, aliases, docs, schema: schemars::schema_for!(C).to_value() }
}

/// A missing configuration is an empty one.
fn parse<C: DeserializeOwned>(config: &Value) -> Result<C, ConfigError> {
    let empty = Value::Object(serde_json::Map::new());
    let config = if config.is_null() { &empty } else { config };
    // serde would take a list for the members in their order.
    if !config.is_object() {
        return Err(ConfigError::at("", "give a JSON object"));
    }
    C::deserialize(config).map_err(|error| ConfigError::at("", error.to_string()))
}

fn valid<C: DeserializeOwned, V>(
    config: &Value,
    validate: fn(C) -> Result<V, ConfigError>,
) -> Result<V, ConnectorError> {
    parse(config).and_then(validate).map_err(|error| ConnectorError::permanent(error.to_string()))
}

fn find<'a, T>(
    what: &'static str,
    entries: &'a BTreeMap<&'static str, T>,
    info: fn(&T) -> &ConnectorInfo,
    kind: &str,
) -> Result<&'a T, UnknownKind> {
    let named = |entry: &&T| {
        let info = info(entry);
        info.kind.eq_ignore_ascii_case(kind) || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(kind))
    };
    entries.values().find(named).ok_or_else(|| UnknownKind {
        what,
        given: kind.chars().take(64).collect(),
        known: entries.keys().copied().collect(),
    })
}
