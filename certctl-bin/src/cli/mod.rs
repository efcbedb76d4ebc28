//! The command line's nouns: each talks to a server through the typed client.

mod agents;
mod certs;
mod issuers;
mod jobs;
mod status;
mod targets;

use std::path::{Path, PathBuf};

use certctl_core::ports::Secret;
use certctl_http::client::{Client, Listing};
use certctl_http::wire::Page;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};

use crate::arguments::{Connection, OutputFormat, Place};
use crate::config::Environment;
use crate::failure::Failure;
use crate::{compose, output};

/// What the command line is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Certificates
    Certs(On<certs::Verb>),
    /// Agents
    Agents(On<agents::Verb>),
    /// Issuers
    Issuers(On<issuers::Verb>),
    /// Deployment targets
    Targets(On<targets::Verb>),
    /// Jobs
    Jobs(On<jobs::Verb>),
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
pub(crate) async fn run(noun: Noun, environment: &Environment) -> Result<(), Failure> {
    match noun {
        Noun::Certs(on) => certs::run(on.verb, &Session::open(on.connection, environment)?).await,
        Noun::Agents(on) => agents::run(on.verb, &Session::open(on.connection, environment)?).await,
        Noun::Issuers(on) => issuers::run(on.verb, &Session::open(on.connection, environment)?).await,
        Noun::Targets(on) => targets::run(on.verb, &Session::open(on.connection, environment)?).await,
        Noun::Jobs(on) => jobs::run(on.verb, &Session::open(on.connection, environment)?).await,
        Noun::Status { connection } => status::run(&Session::open(connection, environment)?).await,
    }
}

/// A client of the server that flags or variables name.
pub(crate) fn client(place: Place, environment: &Environment) -> Result<Client, Failure> {
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
    format: OutputFormat,
}

impl Session {
    fn open(connection: Connection, environment: &Environment) -> Result<Self, Failure> {
        let client = client(connection.place, environment)?;
        Ok(Self { client, format: connection.output })
    }

    /// Shows a page of things.
    fn list<T: Serialize>(
        &self,
        page: &Page<T>,
        heading: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if self.format == OutputFormat::Json {
            return output::line(serde_json::to_string_pretty(page)?);
        }
        let rows: Vec<Vec<String>> = page.data.iter().map(row).collect();
        output::line(output::table(heading, &rows))?;
        match page.envelope.total {
            Some(total) if total > rows.len() as u64 => output::line(format!("\n{} of {total}", rows.len())),
            _ => Ok(()),
        }
    }

    /// Shows one thing.
    fn one(&self, thing: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_value(thing)?;
        if self.format == OutputFormat::Json {
            return output::line(serde_json::to_string_pretty(&value)?);
        }
        let Value::Object(members) = value else { return output::line(value.to_string()) };
        let rows: Vec<Vec<String>> = members.iter().map(|(name, value)| vec![name.clone(), shown(value)]).collect();
        output::line(output::table(&["FIELD", "VALUE"], &rows))
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
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
    let url = Url::parse(&text).map_err(|error| Failure::during(format!("--server: `{text}` is no URL"), error))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Failure::new(format!("--server: {url} would show the key to the network; use https"))),
        scheme => Err(Failure::new(format!("--server: `{scheme}` is neither https nor http"))),
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

fn dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}
