//! `certctl agent`: the agent's runtime over HTTP.

use std::path::PathBuf;
use std::sync::Arc;

use certctl_core::agent::{AgentConfig, AgentRuntime, Stopped};
use certctl_core::domain::AgentId;
use certctl_core::ports::{Ports, Secret};
use certctl_http::client::{Client, RemoteControlPlane};
use certctl_http::wire::RegisterAgent;

use crate::arguments::AgentArguments;
use crate::cli::{server_root, server_url};
use crate::config::{Environment, LogFormat};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::server_identity::host_name;
use crate::shutdown::Shutdown;
use crate::{compose, log, output, server_trust};

const CREDENTIAL: &str = "credential";

/// Enrols if need be, and works until it is told to stop or retired, which both end well: a service manager must not
/// start a retired agent again.
pub(crate) async fn run(arguments: AgentArguments, environment: &Environment) -> Result<(), Failure> {
    log::start(environment.get("LOG_LEVEL").unwrap_or("info"), LogFormat::Text)?;
    let shutdown = Shutdown::on_signals()?;
    let from = |flag: Option<String>, name: &str| flag.or_else(|| environment.get(name).map(str::to_owned));
    let id =
        from(arguments.agent_id, "AGENT_ID").ok_or_else(|| Failure::new("which agent is this? Give --agent-id ID"))?;
    let id = AgentId::parse(id).map_err(|error| Failure::during("--agent-id", error))?;
    let key_dir = arguments.key_dir.or_else(|| environment.get("KEY_DIR").map(PathBuf::from));
    let key_dir = key_dir.unwrap_or_else(|| PathBuf::from("/var/lib/certctl/keys"));
    let ports = compose::agent_ports()?;
    let server = server_url(arguments.server, environment)?;
    let given = server_root(arguments.ca, environment)?;

    let mut config = AgentConfig::new(id, key_dir);
    config.hostname = host_name().unwrap_or_else(|| config.id.to_string());
    config.os = std::env::consts::OS.into();
    config.architecture = architecture().into();
    config.allowed_commands = allowed_commands(arguments.allow_command, environment);
    config.allowed_paths = absolute("--allow-path", arguments.allow_path, environment.list("ALLOW_PATH"))?;
    config.discovery_dirs = absolute("--discovery-dirs", arguments.discovery_dirs, environment.list("DISCOVERY_DIRS"))?;
    let enrolment = Enrolment {
        token: from(arguments.enrol_token, "ENROL_TOKEN").map(Secret::new),
        name: from(arguments.name, "AGENT_NAME").unwrap_or_else(|| config.id.to_string()),
    };
    let api_key = environment.get("API_KEY").map(Secret::new);
    let dir = DataDir::open(&config.key_dir, ports.files.clone()).await?;
    let client = Client::new(ports.http.clone(), server.clone());
    let client = match server_trust::root(given, enrolment.token.as_ref(), &server, &dir, &ports).await? {
        Some(root) => client.trusting(root),
        None => client,
    };
    let key = credential(api_key, enrolment, &client, &config, &ports).await?;
    let stopped = work(client.with_key(key), config, ports, shutdown).await?;
    if stopped == Stopped::Retired {
        output::note("this agent is retired; it has stopped for good");
    }
    Ok(())
}

/// Runs an agent with a client that has its credential.
pub(crate) async fn work(
    client: Client,
    config: AgentConfig,
    ports: Ports,
    shutdown: Shutdown,
) -> Result<Stopped, Failure> {
    let control = Arc::new(RemoteControlPlane::new(client, config.id.clone()));
    let runtime = AgentRuntime::start(control, ports, compose::connectors(), config).await?;
    Ok(runtime.run_until(shutdown.begun()).await)
}

/// How the agent would enrol.
struct Enrolment {
    token: Option<Secret>,
    name: String,
}

/// A key of the environment, the credential of an earlier enrolment, or that of a new one.
async fn credential(
    api_key: Option<Secret>,
    enrolment: Enrolment,
    client: &Client,
    config: &AgentConfig,
    ports: &Ports,
) -> Result<Secret, Failure> {
    if let Some(key) = api_key {
        return Ok(key);
    }
    let dir = DataDir::open(&config.key_dir, ports.files.clone()).await?;
    if let Some(kept) = dir.read_secret(CREDENTIAL).await? {
        return Ok(Secret::new(String::from_utf8_lossy(&kept).trim()));
    }
    let Some(token) = enrolment.token else {
        return Err(Failure::new(format!(
            "this agent has no credential: {} is missing; give --enrol-token TOKEN (made by `certctl agents enrol-token`) \
             or CERTCTL_API_KEY",
            dir.path(CREDENTIAL).display()
        )));
    };
    enrol(client, config, ports, enrolment.name, token).await
}

/// Enrols with a token, and keeps the credential in the agent's directory.
pub(crate) async fn enrol(
    client: &Client,
    config: &AgentConfig,
    ports: &Ports,
    name: String,
    token: Secret,
) -> Result<Secret, Failure> {
    let dir = DataDir::open(&config.key_dir, ports.files.clone()).await?;
    let request = RegisterAgent {
        id: Some(config.id.clone()),
        name,
        hostname: config.hostname.clone(),
        os: config.os.clone(),
        architecture: config.architecture.clone(),
        ip_address: config.ip_address.clone(),
        version: config.version.clone(),
        target_types: compose::connectors().targets().map(|info| info.kind.to_owned()).collect(),
        enrol_token: Some(token),
    };
    let registered = client.register_agent(&request).await.map_err(|error| Failure::during("cannot enrol", error))?;
    // The token is used up: what is not kept now is lost.
    dir.write_secret(CREDENTIAL, format!("{}\n", registered.credential.expose()).as_bytes()).await?;
    tracing::info!(agent = %config.id, "enrolled");
    Ok(registered.credential)
}

/// The beginnings of commands, of the flags and of the variable.
fn allowed_commands(flags: Vec<String>, environment: &Environment) -> Vec<Vec<String>> {
    let lines = flags.into_iter().chain(environment.list("ALLOW_COMMAND"));
    let commands = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    commands.filter(|words| !words.is_empty()).collect()
}

/// Directories, of the flags and of the variable. One that means something else in another working directory would be another
/// one after the next start.
fn absolute(flag: &str, flags: Vec<PathBuf>, variable: impl Iterator<Item = String>) -> Result<Vec<PathBuf>, Failure> {
    let paths: Vec<PathBuf> = flags.into_iter().chain(variable.map(PathBuf::from)).collect();
    match paths.iter().find(|path| !path.is_absolute()) {
        Some(path) => Err(Failure::new(format!("{flag}: `{}` is not absolute; begin it with /", path.display()))),
        None => Ok(paths),
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, value: &str) -> Environment {
        Environment::of([(name.into(), value.into())]).unwrap()
    }

    #[test]
    fn flags_and_variables_allow_together() {
        let commands = environment("CERTCTL_ALLOW_COMMAND", "systemctl reload  nginx, /opt/reload.sh,");
        assert_eq!(
            allowed_commands(vec!["nginx -t".to_owned(), " ".to_owned()], &commands),
            [vec!["nginx", "-t"], vec!["systemctl", "reload", "nginx"], vec!["/opt/reload.sh"]]
        );
        let paths = environment("CERTCTL_ALLOW_PATH", "/srv/tls, /opt/site");
        let allowed = absolute("--allow-path", vec!["/etc/haproxy".into()], paths.list("ALLOW_PATH")).unwrap();
        assert_eq!(allowed, ["/etc/haproxy", "/srv/tls", "/opt/site"].map(PathBuf::from));
    }

    #[test]
    fn a_relative_directory_is_refused() {
        for (flags, variable) in [(vec![PathBuf::from("tls")], "/srv"), (vec![], "/srv,tls")] {
            let variable = environment("CERTCTL_ALLOW_PATH", variable);
            let failure = absolute("--allow-path", flags, variable.list("ALLOW_PATH")).unwrap_err();
            assert!(failure.to_string().contains("`tls` is not absolute"), "{failure}");
        }
    }
}
