//! Where the certificate is served: a real NGINX when there is one, else a small TLS endpoint over the same files.

mod nginx;
mod small;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use certctl_core::ports::Ports;
use serde_json::{Map, Value, json};

use super::placeholder;
use crate::failure::Failure;

use nginx::Nginx;
use small::SmallEndpoint;

/// Something that serves the files that the agent deploys.
pub(super) struct Endpoint {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What it is, for people.
    pub(super) what: String,
    cert_path: PathBuf,
    key_path: PathBuf,
    server: Server,
}

enum Server {
    Nginx(Box<Nginx>),
    Small(SmallEndpoint),
}

impl Endpoint {
    /// Starts one below this directory, with files of its own.
    pub(super) async fn start(ports: &Ports, directory: &Path) -> Result<Self, Failure> {
        let tls = directory.join("tls");
        ports.files.create_dir_all(&tls, 0o700).await?;
        let (cert_path, key_path) = (tls.join("demo.pem"), tls.join("demo.key"));
        placeholder::write(ports, &cert_path, &key_path).await?;
        let instead = match nginx::find() {
            None => "there is no nginx".to_owned(),
            Some(program) => match Nginx::start(program, directory, &cert_path, &key_path).await {
                Ok(nginx) => {
                    let (address, what) = (nginx.address, format!("NGINX ({})", nginx.program.display()));
                    return Ok(Self { address, what, cert_path, key_path, server: Server::Nginx(Box::new(nginx)) });
                }
                Err(failure) => failure.to_string(),
            },
        };
        let small = SmallEndpoint::start(&cert_path, &key_path).await?;
        let what = format!("a small TLS endpoint ({instead})");
        Ok(Self { address: small.address, what, cert_path, key_path, server: Server::Small(small) })
    }

    /// The configuration of the target that deploys to it.
    pub(super) fn target_config(&self, server_name: &str) -> Map<String, Value> {
        let (check, reload) = self.commands();
        Map::from_iter([
            ("cert_path".to_owned(), json!(self.cert_path)),
            ("key_path".to_owned(), json!(self.key_path)),
            ("validate_command".to_owned(), json!(check)),
            ("reload_command".to_owned(), json!(reload)),
            ("host".to_owned(), json!(self.address.ip().to_string())),
            ("port".to_owned(), json!(self.address.port())),
            ("server_name".to_owned(), json!(server_name)),
        ])
    }

    /// What the agent must be allowed to run for it.
    pub(super) fn allowed_commands(&self) -> Vec<Vec<String>> {
        let (check, reload) = self.commands();
        vec![check, reload]
    }

    /// Where the agent must be allowed to put certificates for it.
    pub(super) fn allowed_paths(&self) -> Vec<PathBuf> {
        self.cert_path.parent().map(Path::to_path_buf).into_iter().collect()
    }

    fn commands(&self) -> (Vec<String>, Vec<String>) {
        match &self.server {
            Server::Nginx(nginx) => (nginx.command(&["-t"]), nginx.command(&["-s", "reload"])),
            // It reads its files at each handshake, so there is nothing to test or to reload.
            Server::Small(_) => (vec!["true".to_owned()], vec!["true".to_owned()]),
        }
    }

    /// Stops it.
    pub(super) async fn stop(&mut self) {
        match &mut self.server {
            Server::Nginx(nginx) => nginx.stop().await,
            Server::Small(small) => small.stop(),
        }
    }
}
