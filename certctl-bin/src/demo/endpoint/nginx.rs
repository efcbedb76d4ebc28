//! A real NGINX with a configuration of its own, on a free port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::failure::Failure;

/// Places that are not on every user's `PATH`.
const ALSO: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/opt/homebrew/bin"];

/// A running NGINX. Whoever has it stops it.
pub(super) struct Nginx {
    pub(super) program: PathBuf,
    pub(super) address: SocketAddr,
    directory: PathBuf,
    child: Child,
}

/// The program, if it is installed.
pub(super) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(ALSO.iter().map(PathBuf::from));
    places.map(|place| place.join("nginx")).find(|program| program.is_file())
}

impl Nginx {
    /// Starts it and waits until it listens.
    pub(super) async fn start(program: PathBuf, directory: &Path, cert: &Path, key: &Path) -> Result<Self, Failure> {
        let directory = directory.join("nginx");
        std::fs::create_dir_all(directory.join("logs"))?;
        let address = free_port()?;
        std::fs::write(directory.join("nginx.conf"), configuration(address, cert, key))?;
        let mut command = Command::new(&program);
        command.args(arguments(&directory)).args(["-g", "daemon off;"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child =
            command.spawn().map_err(|error| Failure::during(format!("cannot start {}", program.display()), error))?;
        let mut nginx = Self { program, address, directory, child };
        nginx.wait_until_it_listens().await?;
        Ok(nginx)
    }

    /// A command line for this instance.
    pub(super) fn command(&self, action: &[&str]) -> Vec<String> {
        let program = self.program.to_string_lossy().into_owned();
        let place = arguments(&self.directory);
        [program].into_iter().chain(place).chain(action.iter().map(|&argument| argument.to_owned())).collect()
    }

    async fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        for _ in 0..200 {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let mut said = String::new();
                if let Some(stderr) = &mut self.child.stderr {
                    stderr.take(4096).read_to_string(&mut said).await?;
                }
                return Err(Failure::new(format!("nginx ended with {status}: {}", said.trim())));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(Failure::new("nginx does not listen after 5 s"))
    }

    /// Stops it and waits for its end.
    pub(super) async fn stop(&mut self) {
        self.ask_to_stop();
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }

    /// A master that is killed leaves its workers behind, so it is asked.
    fn ask_to_stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        if let Some((program, arguments)) = self.command(&["-s", "stop"]).split_first() {
            let _ = std::process::Command::new(program).args(arguments).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

fn arguments(directory: &Path) -> Vec<String> {
    let directory = directory.to_string_lossy().into_owned();
    ["-p".to_owned(), directory, "-c".to_owned(), "nginx.conf".to_owned()].into()
}

/// A port that was free a moment ago.
fn free_port() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn configuration(address: SocketAddr, cert: &Path, key: &Path) -> String {
    let (cert, key) = (cert.display(), key.display());
    format!(
        "worker_processes 1;\n\
         error_log logs/error.log;\n\
         pid nginx.pid;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
           access_log off;\n\
           client_body_temp_path logs/body;\n\
           proxy_temp_path logs/proxy;\n\
           fastcgi_temp_path logs/fastcgi;\n\
           uwsgi_temp_path logs/uwsgi;\n\
           scgi_temp_path logs/scgi;\n\
           server {{\n\
             listen {address} ssl;\n\
             ssl_certificate {cert};\n\
             ssl_certificate_key {key};\n\
             ssl_protocols TLSv1.2 TLSv1.3;\n\
             location / {{ return 200 \"served by certctl's demo\\n\"; }}\n\
           }}\n\
         }}\n"
    )
}
