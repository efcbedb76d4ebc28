//! `certctl serve`: the engine, its loops, and the REST API over TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;

use certctl_core::domain::{SubjectNames, Timestamp};
use certctl_core::engine::{AgentAuth, Engine};
use certctl_core::enrol::acme::AcmeAuthMode;
use certctl_core::ports::Files;
use certctl_http::{EstProfile, Limits, Options, ServerCertificate, Tls};
use tokio::net::TcpListener;

use crate::arguments::ServeArguments;
use crate::config::{Authentication, Config, Environment, EstServer, Listen, ValidConfig};
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::server_identity::{ServerIdentity, names};
use crate::shutdown::Shutdown;
use crate::{compose, log, output, scep};

/// A server that listens and is ready to run.
pub(crate) struct Server {
    engine: Engine,
    listener: TcpListener,
    /// Where answers to challenges of CAs are given over plain HTTP.
    challenges: Option<TcpListener>,
    tls: Option<Certified>,
    options: Options,
    address: SocketAddr,
}

/// What TLS needs: the server's identity, the certificate that it shows, and when that must be renewed.
struct Certified {
    identity: ServerIdentity,
    certificate: ServerCertificate,
    renew_at: Timestamp,
}

/// Reads the configuration, serves, and drains.
pub(crate) async fn run(arguments: &ServeArguments, environment: &Environment) -> Result<(), Failure> {
    let config = configuration(arguments, environment)?;
    log::start(&config.log_level, config.log_format)?;
    let shutdown = Shutdown::on_signals()?;
    let server = Server::open(&config).await?;
    output::line(format!("listening on {}", server.url()))?;
    server.run(shutdown).await
}

/// The configuration of file, environment and flags.
pub(crate) fn configuration(arguments: &ServeArguments, environment: &Environment) -> Result<ValidConfig, Failure> {
    let file = arguments.config.clone().or_else(|| environment.get("CONFIG").map(PathBuf::from));
    let mut config = Config::read(file.as_deref())?;
    config.overlay(environment)?;
    let ServeArguments { data_dir, listen, insecure_http, .. } = arguments;
    config.data_dir = data_dir.clone().or(config.data_dir);
    config.listen = listen.clone().or(config.listen);
    config.insecure_http = insecure_http.then_some(true).or(config.insecure_http);
    Ok(config.validate()?)
}

impl Server {
    /// Opens the data directory, the store, the server's certificate and the listener, in this order: a port is taken only by
    /// a server that works.
    pub(crate) async fn open(config: &ValidConfig) -> Result<Self, Failure> {
        let ports = compose::server_ports(config)?;
        let dir = DataDir::open(&config.data_dir, ports.files.clone()).await?;
        let engine = compose::engine(config, &dir, ports).await?;
        if config.agent_auth == AgentAuth::Shared {
            tracing::warn!("agent_auth = \"shared\": any key of role agent acts for any agent");
        }
        let authentication = match config.authentication {
            Authentication::ApiKey => certctl_http::Authentication::ApiKey,
            Authentication::Nobody => {
                tracing::warn!("auth_type = \"none\": everybody on this host is an administrator");
                certctl_http::Authentication::Off
            }
        };
        warn_of_trust(config);
        offer_setup_token(config, &engine, &dir).await?;
        let tls = if config.insecure_http {
            None
        } else {
            let names = names(config.server_names.as_deref(), &config.listen.host)?;
            Some(certified(&engine, &dir, names).await?)
        };
        let listener = bind(&config.listen, "listen").await?;
        let challenges = match &config.issuers.acme_http_listen {
            Some(listen) => Some(bind(listen, "issuers.acme_http_listen").await?),
            None => None,
        };
        let address = listener.local_addr()?;
        if config.authentication == Authentication::Nobody && !address.ip().is_loopback() {
            let why = format!("auth_type: `none` makes everybody an administrator, and {address} is not loopback");
            return Err(Failure::new(why));
        }
        let (rate_limit, origins) = (config.rate_limit, config.origins.clone());
        let est = est_servers(&config.est, &*engine.ports().files).await?;
        let (scep, scep_clients) = scep::open(&config.scep, &*engine.ports().files).await?;
        let ocsp_per_minute = config.ocsp_per_minute;
        let options = Options { authentication, rate_limit, origins, est, scep, scep_clients, ocsp_per_minute };
        Ok(Self { engine, listener, challenges, tls, options, address })
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until shutdown, then lets requests and jobs under way end.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), Failure> {
        let Self { engine, listener, challenges, tls, options, .. } = self;
        // A renewal by EST is proven by the certificate that is renewed.
        let asks_clients = !options.est.is_empty() || !options.scep_clients.is_empty();
        let challenge_router = certctl_http::challenge_router(engine.clone(), options.clone());
        let router = certctl_http::router(engine.clone(), options);
        let answering = async {
            if let Some(listener) = challenges {
                certctl_http::serve_challenges(listener, challenge_router, Limits::default(), shutdown.begun()).await;
            }
        };
        let listening = async {
            let served = match tls {
                None => certctl_http::serve_plain(listener, router, Limits::default(), shutdown.begun()).await,
                Some(Certified { identity, certificate, renew_at }) => {
                    let renewals = pin!(identity.keep_renewed(&certificate, renew_at));
                    let tls = Tls::new(certificate.clone()).with_challenges(engine.clone());
                    let tls = if asks_clients { tls.with_client_certificates() } else { tls };
                    let served = pin!(certctl_http::serve(listener, router, tls, shutdown.begun()));
                    tokio::select! {
                        biased;
                        served = served => served,
                        () = renewals => Ok(()),
                    }
                }
            };
            // A listener that fails takes the loops with it.
            shutdown.begin();
            served
        };
        let (served, (), ()) = tokio::join!(listening, answering, engine.run_until(shutdown.begun()));
        Ok(served?)
    }
}

/// The server's own certificate, and the root that clients trust in `DIR/ca.pem`.
async fn certified(engine: &Engine, dir: &DataDir, names: SubjectNames) -> Result<Certified, Failure> {
    let trust = engine.agent_trust().await?;
    dir.write_public("ca.pem", trust.root_pem.as_bytes()).await?;
    let identity = ServerIdentity::open(engine.clone(), dir, names).await?;
    let (certificate, renew_at) = identity.certify().await?;
    Ok(Certified { identity, certificate, renew_at })
}

/// The EST servers, with what is in their files.
async fn est_servers(settings: &[EstServer], files: &dyn Files) -> Result<Vec<EstProfile>, Failure> {
    let mut servers = Vec::with_capacity(settings.len());
    for server in settings {
        servers.push(server.open(files).await?);
    }
    Ok(servers)
}

/// Where accounts prove nothing, the network around the server is what protects names.
fn warn_of_trust(config: &ValidConfig) {
    let Some(acme) = &config.acme_server else { return };
    for (id, profile) in &acme.config.profiles {
        if profile.auth_mode == AcmeAuthMode::TrustAuthenticated && !profile.external_account_required {
            tracing::warn!(
                profile = %id,
                "the ACME server gives whoever reaches it certificates of this profile without any proof; set its auth_mode to \
                 `challenge`, or eab_required, unless its network is trusted"
            );
        }
    }
}

/// A store without an administrator gets a token that makes the first one (requirements D1).
async fn offer_setup_token(config: &ValidConfig, engine: &Engine, dir: &DataDir) -> Result<(), Failure> {
    const NAME: &str = "setup-token";
    if config.authentication == Authentication::Nobody {
        return Ok(());
    }
    let Some(token) = engine.setup_token().await? else {
        dir.remove(NAME).await?;
        return Ok(());
    };
    dir.write_secret(NAME, format!("{}\n", token.expose()).as_bytes()).await?;
    output::note(&format!(
        "there is no administrator yet; within 24 hours make one with this setup token, which is also in {}:\n  {}\n  \
         curl --cacert DIR/ca.pem -d '{{\"token\":\"…\",\"name\":\"…\"}}' -H 'content-type: application/json' \
         URL/api/v1/auth/bootstrap",
        dir.path(NAME).display(),
        token.expose()
    ));
    Ok(())
}

async fn bind(listen: &Listen, setting: &str) -> Result<TcpListener, Failure> {
    let (host, port) = (listen.host.as_str(), listen.port);
    TcpListener::bind((host, port)).await.map_err(|error| {
        Failure::during(format!("cannot listen on {host}:{port}; choose another address for `{setting}`"), error)
    })
}
