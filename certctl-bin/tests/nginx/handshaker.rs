//! The second process: a hundred TLS 1.3 handshakes each second, verified like those of any client.
//!
//! It is this program itself, started again. It goes on until its standard input ends, so it never outlives the test.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::Fingerprint;
use libtest_mimic::Failed;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The environment variable that makes this program the child; its value is the order as JSON.
pub(crate) const CHILD: &str = "NGINX_HANDSHAKER";

/// 100 each second.
const DISTANCE: Duration = Duration::from_millis(10);
/// A server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Fewer than nginx has connections for.
const AT_ONCE: usize = 200;
const MORE: u64 = 20;

/// With whom.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) port: u16,
    pub(crate) server_name: String,
    /// The one certificate that is trusted, DER.
    pub(crate) root: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tally {
    pub(crate) made: u64,
    pub(crate) failed: u64,
    /// How many different certificates were met.
    pub(crate) certificates: usize,
    /// Why the first ones failed.
    pub(crate) reasons: Vec<String>,
}

pub(crate) fn run(order: &Order) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(live(order));
}

async fn live(order: &Order) {
    let connector = connector(order);
    let (sender, mut wishes) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || sender.send(()).is_err() {
                return;
            }
        }
    });
    let (mut tally, mut met, mut under_way) = (Tally::default(), BTreeSet::new(), JoinSet::new());
    let mut ticks = tokio::time::interval(DISTANCE);
    // Someone waits for so many.
    let mut wanted = Some(1);
    let mut is_going_on = true;
    while is_going_on || !under_way.is_empty() {
        tokio::select! {
            wish = wishes.recv(), if is_going_on => match wish {
                Some(()) => wanted = Some(tally.made + under_way.len() as u64 + MORE),
                None => is_going_on = false,
            },
            Some(result) = under_way.join_next() => {
                tally.made += 1;
                match result.expect("a handshake that does not panic") {
                    Ok(fingerprint) => {
                        met.insert(fingerprint);
                    }
                    Err(reason) => {
                        tally.failed += 1;
                        if tally.reasons.len() < 10 {
                            tally.reasons.push(reason);
                        }
                    }
                }
                if wanted.is_some_and(|wanted| tally.made >= wanted) {
                    wanted = None;
                    tell("made");
                }
            }
            _ = ticks.tick(), if is_going_on && under_way.len() < AT_ONCE => {
                under_way.spawn(handshake(connector.clone(), order.port, order.server_name.clone()));
            }
        }
    }
    tally.certificates = met.len();
    tell(&serde_json::to_string(&tally).expect("numbers and texts"));
}

fn tell(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("the parent listens");
}

fn connector(order: &Order) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(order.root.clone())).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A resumed session would show no certificate.
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

/// One handshake; gives the certificate's fingerprint.
async fn handshake(connector: TlsConnector, port: u16, server_name: String) -> Result<String, String> {
    let server_name = ServerName::try_from(server_name).map_err(|error| error.to_string())?;
    let shake = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| format!("connect: {error}"))?;
        let stream = connector.connect(server_name, stream).await.map_err(|error| format!("handshake: {error}"))?;
        let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let leaf = leaf.ok_or_else(|| "no certificate was sent".to_owned())?;
        Ok(Fingerprint::of(leaf).to_string())
    };
    tokio::time::timeout(PATIENCE, shake).await.unwrap_or_else(|_| Err("the server says nothing".to_owned()))
}

/// The child, as its parent sees it.
pub(crate) struct Handshaker {
    child: Child,
    wishes: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Handshaker {
    /// Starts it, and waits for its first handshake.
    pub(crate) fn start(order: &Order) -> Result<Self, Failed> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(CHILD, serde_json::to_string(order)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let wishes = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("the child has no output")?).lines();
        let mut handshaker = Self { child, wishes, answers };
        handshaker.answer()?;
        Ok(handshaker)
    }

    /// Waits until some handshakes that begin after now are made.
    pub(crate) fn some_more(&mut self) -> Result<(), Failed> {
        self.wishes.as_mut().ok_or("the child has no input")?.write_all(b"more\n")?;
        self.answer().map(drop)
    }

    /// Lets it finish, and gives what came of it.
    pub(crate) fn end(mut self) -> Result<Tally, Failed> {
        drop(self.wishes.take());
        Ok(serde_json::from_str(&self.answer()?)?)
    }

    fn answer(&mut self) -> Result<String, Failed> {
        Ok(self.answers.next().ok_or("the child that shakes hands has died")??)
    }
}

impl Drop for Handshaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
