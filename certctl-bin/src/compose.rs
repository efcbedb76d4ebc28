//! Where the parts are put together: the only file of this program that names stores, ports and connectors at once.

use std::path::PathBuf;
use std::sync::Arc;

use certctl_connectors::host::{self, EgressPolicy, HostConfig};
use certctl_core::connector::Registry;
use certctl_core::domain::SCHEMAS;
use certctl_core::engine::{Cadence, Engine, SetupSecret};
use certctl_core::ports::Ports;
use certctl_core::testing::sim::forecast::StoreCopy;
use certctl_storage::{DatabaseConfig, MigrationStatus, OpenError, SeaStorage};

use crate::config::ValidConfig;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// The production ports of a server.
pub(crate) fn server_ports(config: &ValidConfig) -> Result<Ports, Failure> {
    let programs = Some(config.issuers.programs.clone());
    Ok(host::ports(&HostConfig { egress: config.egress.clone(), programs })?)
}

/// The production ports of a client, with nothing allowed beyond the rule.
pub(crate) fn client_ports() -> Result<Ports, Failure> {
    Ok(host::ports(&HostConfig::default())?)
}

/// The production ports of an agent, which may look at what its own host serves.
pub(crate) fn agent_ports() -> Result<Ports, Failure> {
    let egress: EgressPolicy = serde_json::from_value(serde_json::json!({ "allow": ["127.0.0.0/8", "::1/128"] }))?;
    Ok(host::ports(&HostConfig { egress, programs: None })?)
}

/// The connectors that are compiled in.
pub(crate) fn connectors() -> Registry {
    certctl_connectors::registry()
}

/// The engine of a server over its store.
pub(crate) async fn engine(config: &ValidConfig, dir: &DataDir, ports: Ports) -> Result<Engine, Failure> {
    let secret = match &config.encryption_key {
        Some(passphrase) => SetupSecret::Passphrase(passphrase.clone()),
        None => SetupSecret::Key(dir.sealing_key(&*ports.rng, sqlite_file(config).as_deref()).await?),
    };
    let storage = SeaStorage::connect(&database(config), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let mut builder = Engine::builder(Arc::new(storage), ports, secret)
        .connectors(connectors())
        .agent_auth(config.agent_auth)
        .cadence(cadence(config))
        .keys(config.keys.clone())
        .network_scans(config.network_scans)
        .audit_checkpoints(dir.path("audit-checkpoints.ndjson"));
    for issuer in &config.issuers.made {
        builder = builder.issuer(issuer.clone());
    }
    for notifier in &config.notifiers {
        builder = builder.notifier(notifier.clone());
    }
    for route in &config.routes {
        builder = builder.route(route.clone());
    }
    if let Some(digest) = &config.digest {
        builder = builder.digest(digest.clone());
    }
    for source in &config.sources {
        builder = builder.discovery_source(source.clone());
    }
    if let Some(acme) = &config.acme_server {
        builder = builder.acme(acme.config.clone());
    }
    if let Some(url) = &config.public_url {
        builder = builder.public_url(url.clone());
    }
    Ok(builder.build().await?)
}

/// The periods of the loops.
fn cadence(config: &ValidConfig) -> Cadence {
    let acme_gc = config.acme_server.as_ref().map(|acme| acme.gc_interval);
    Cadence { acme_gc: acme_gc.unwrap_or(config.cadence.acme_gc), ..config.cadence.clone() }
}

/// How things stand in the store, which is left as it is.
pub(crate) async fn store_copy(config: &ValidConfig) -> Result<StoreCopy, Failure> {
    let view = certctl_storage::read_only(&database(config), SCHEMAS, client_ports()?.clock).await?;
    Ok(StoreCopy::read(&*view).await?)
}

/// What has been done to the database.
pub(crate) async fn migration_status(config: &ValidConfig) -> Result<MigrationStatus, OpenError> {
    certctl_storage::migration_status(&database(config), SCHEMAS).await
}

/// Brings the database up to date; gives how it stood before.
pub(crate) async fn migrate(config: &ValidConfig) -> Result<MigrationStatus, OpenError> {
    certctl_storage::migrate(&database(config), SCHEMAS).await
}

/// Undoes migrations, and what is in their tables.
pub(crate) async fn migrate_down(config: &ValidConfig, steps: u32) -> Result<(), OpenError> {
    certctl_storage::migrate_down(&database(config), SCHEMAS, steps).await
}

fn database(config: &ValidConfig) -> DatabaseConfig {
    DatabaseConfig { max_connections: config.database_connections, ..DatabaseConfig::new(&config.database_url) }
}

fn sqlite_file(config: &ValidConfig) -> Option<PathBuf> {
    let path = config.database_url.strip_prefix("sqlite:")?;
    Some(path.strip_prefix("//").unwrap_or(path).into())
}
