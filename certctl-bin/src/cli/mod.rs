//! The command line's nouns: some made by hand, the rest from the OpenAPI document. Each talks to a server, or to a store.

mod agents;
mod audit;
mod certs;
mod confirm;
mod generated;
mod import;
mod show;
mod status;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use certctl_core::ports::Secret;
use certctl_http::client::{Client, Listing};
use certctl_http::wire::Page;
use clap::{Args, Subcommand};
use serde::Serialize;
use url::{Host, Url};

use crate::arguments::{Connection, OutputFormat, Place};
use crate::config::Environment;
use crate::failure::Failure;
use crate::{compose, output};

pub(crate) use generated::Plan;
pub(crate) use store::configuration as store_configuration;

/// What the command line is about, as far as it is made by hand.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Certificates
    Certs(On<certs::Verb>),
    /// Agents
    Agents(On<agents::Verb>),
    /// The audit trail: who did what to what, when
    Audit(On<audit::Verb>),
    /// Register certificates that exist elsewhere, from PEM files
    Import(Box<import::Import>),
    /// Whether the server works, and what it looks after
    Status {
        #[command(flatten)]
        connection: Connection,
    },
}

/// A verb, and the server that it is for.
#[derive(Debug, Args)]
pub(crate) struct On<V: Subcommand> {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    verb: V,
}

/// Does what was asked.
pub(crate) async fn run(noun: Noun, environment: &Environment) -> Result<ExitCode, Failure> {
    match noun {
        Noun::Certs(on) => certs::run(on.verb, &Session::open(on.connection, environment).await?).await,
        Noun::Agents(on) => agents::run(on.verb, &Session::open(on.connection, environment).await?).await,
        Noun::Audit(on) => return audit::run(on, environment).await,
        Noun::Import(import) => {
            let (connection, import) = import.parts();
            import::run(import, &Session::open(connection, environment).await?).await
        }
        Noun::Status { connection } => status::run(&Session::open(connection, environment).await?).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A client of the server or the store that flags or variables name.
pub(crate) async fn client(place: Place, environment: &Environment) -> Result<Client, Failure> {
    if let Some(store) = &place.store {
        return store::client(store, environment).await;
    }
    let ports = compose::client_ports()?;
    let key = place.api_key.or_else(|| environment.get("API_KEY").map(str::to_owned));
    let client = Client::new(ports.http.clone(), server_url(place.server, environment)?);
    let client = match server_root(place.ca, environment)? {
        Some(root) => client.trusting(root),
        None => client,
    };
    Ok(match key {
        Some(key) => client.with_key(Secret::new(key)),
        None => client,
    })
}

/// A client, and how its answers are shown.
struct Session {
    client: Client,
    /// What the client talks to, for people.
    at: String,
    format: OutputFormat,
    no_input: bool,
}

impl Session {
    async fn open(connection: Connection, environment: &Environment) -> Result<Self, Failure> {
        let Connection { place, output, no_input } = connection;
        let store = place.store.clone();
        let client = client(place, environment).await?;
        let at = store.unwrap_or_else(|| client.base().to_string());
        Ok(Self { client, at, format: output, no_input })
    }

    /// Shows a page of things. `columns` are the members of a table.
    fn list<T: Serialize>(&self, page: &Page<T>, columns: &[&str]) -> Result<(), Failure> {
        self.show(&serde_json::to_value(page)?, columns)
    }

    /// Shows one thing.
    fn one(&self, thing: &impl Serialize) -> Result<(), Failure> {
        self.show(&serde_json::to_value(thing)?, &[])
    }

    fn show(&self, value: &serde_json::Value, columns: &[&str]) -> Result<(), Failure> {
        output::line(show::shown(value, self.format, columns)?)
    }

    /// Asks before something is taken away, if a person is there to answer.
    fn confirm(&self, what: &str) -> Result<(), Failure> {
        confirm::confirm(what, self.no_input)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// Page, from 1
    #[arg(long)]
    page: Option<u64>,
    /// Items a page, 1 to 500
    #[arg(long)]
    per_page: Option<u64>,
}

impl Paging {
    fn listing(&self, filters: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Listing {
        let mut listing = Listing::default();
        if let Some(page) = self.page {
            listing = listing.page(page);
        }
        if let Some(per_page) = self.per_page {
            listing = listing.per_page(per_page);
        }
        filters.into_iter().fold(listing, |listing, (name, value)| match value {
            Some(value) => listing.filter(name, value),
            None => listing,
        })
    }
}

/// The server that a flag or a variable names.
pub(crate) fn server_url(server: Option<String>, environment: &Environment) -> Result<Url, Failure> {
    let server = server.or_else(|| environment.get("SERVER_URL").map(str::to_owned));
    let text = server.unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let url = Url::parse(&text).map_err(|error| Failure::usage(format!("--server: `{text}` is no URL: {error}")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Failure::usage(format!("--server: {url} would show the key to the network; use https"))),
        scheme => Err(Failure::usage(format!("--server: `{scheme}` is neither https nor http"))),
    }
}

/// The root (PEM) that a flag or a variable names.
pub(crate) fn server_root(ca: Option<PathBuf>, environment: &Environment) -> Result<Option<String>, Failure> {
    let path = ca.or_else(|| environment.get("SERVER_CA_BUNDLE_PATH").map(PathBuf::from));
    path.map(|path| read_root(&path)).transpose()
}

/// Reads a server's root.
pub(crate) fn read_root(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::during(format!("cannot read the server's root {}", path.display()), error))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
