//! From an ACME order to a certificate (W11): without proof, and with http-01 answered on loopback; and nonces alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_connectors::host::{HostConfig, ports};
use certctl_core::domain::{KeyAlgorithm, SubjectNames};
use certctl_core::pki::csr;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::closed_loop::{self, Request};
use crate::connection::{Answer, Connection};
use crate::issue::spread;
use crate::server::Server;
use crate::{Failure, Scale, process};

const ROUNDS: usize = 5;

/// What is to be served at `/.well-known/acme-challenge/`.
type Proofs = Arc<Mutex<BTreeMap<String, String>>>;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!("\nACME on SQLite, FULL; P-256; medians of {ROUNDS} rounds, with the lowest and the highest.\n");
    println!("| what | clients | per second | CPU-µs of the server |");
    println!("|---|---|---|---|");
    let proofs = Proofs::default();
    let port = serve(&proofs).await?;
    for mode in ["trust_authenticated", "challenge"] {
        let directory = tempfile::tempdir()?;
        let server = start(directory.path(), mode, port)?;
        server.ready().await?;
        for (clients, orders) in [(1, 400), (8, 2_000)] {
            row(&server, (mode, clients, scale.of(orders)), &proofs).await?;
        }
        if mode == "challenge" {
            nonces(&server, scale.of(100_000)).await?;
        }
        server.terminate()?;
    }
    Ok(())
}

fn start(directory: &std::path::Path, mode: &str, port: u16) -> Result<Server, Failure> {
    let port = port.to_string();
    let variables = [
        ("CERTCTL_ACME_SERVER_ENABLED", "true"),
        ("CERTCTL_ACME_SERVER_DEFAULT_AUTH_MODE", mode),
        ("CERTCTL_ACME_SERVER_HTTP01_PORT", &port),
        ("CERTCTL_ACME_SERVER_RATE_LIMIT_ORDERS_PER_HOUR", "0"),
        ("CERTCTL_ACME_SERVER_RATE_LIMIT_CONCURRENT_ORDERS", "0"),
        ("CERTCTL_ACME_SERVER_RATE_LIMIT_CHALLENGE_RESPONDS_PER_HOUR", "0"),
        ("CERTCTL_EGRESS_ALLOW", "127.0.0.0/8"),
    ];
    Server::start_with(directory, &variables)
}

async fn row(
    server: &Server,
    (mode, clients, orders): (&'static str, usize, usize),
    proofs: &Proofs,
) -> Result<(), Failure> {
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut prepared = Vec::new();
        for client in 0..clients {
            let mut client = Client::new(&server.address, (round, clients, client)).await?;
            client.prepare(orders / ROUNDS / clients).await?;
            prepared.push(client);
        }
        let (before, begun) = (process::cpu(server.pid()), Instant::now());
        let tasks = prepared.into_iter().map(|mut client| {
            let proofs = Arc::clone(proofs);
            let task = tokio::spawn(async move { client.work(mode == "challenge", &proofs).await });
            async { task.await? }
        });
        let orders: usize = try_join_all(tasks).await?.into_iter().sum();
        let elapsed = begun.elapsed();
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        rates.push(orders as f64 / elapsed.as_secs_f64());
        cpu.push(process::per_operation(before, process::cpu(server.pid()), orders));
    }
    let ((rate, least, most), (cpu, ..)) = (spread(rates), spread(cpu));
    println!("| orders, {mode} | {clients} | {rate:.0} ({least:.0}–{most:.0}) | {cpu:.0} |");
    Ok(())
}

/// No store is asked.
async fn nonces(server: &Server, count: usize) -> Result<(), Failure> {
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = Request { path: "/acme/new-nonce".into(), json: None, status: 204 };
        let before = process::cpu(server.pid());
        let measured = closed_loop::run(&server.address, 8, vec![one; count / ROUNDS]).await?;
        rates.push(measured.rate());
        cpu.push(process::per_operation(before, process::cpu(server.pid()), measured.operations));
    }
    let ((rate, least, most), (cpu, ..)) = (spread(rates), spread(cpu));
    println!("| new-nonce | 8 | {rate:.0} ({least:.0}–{most:.0}) | {cpu:.0} |");
    Ok(())
}

/// Answers http-01 for every address of 127.0.0.0/8.
async fn serve(proofs: &Proofs) -> Result<u16, Failure> {
    async fn answer(State(proofs): State<Proofs>, Path(token): Path<String>) -> String {
        proofs.lock().unwrap_or_else(PoisonError::into_inner).get(&token).cloned().unwrap_or_default()
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await?;
    let port = listener.local_addr()?.port();
    let router = axum::Router::new()
        .route("/.well-known/acme-challenge/{token}", axum::routing::get(answer))
        .with_state(Arc::clone(proofs));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

/// An account over a kept connection.
struct Client {
    connection: Connection,
    base: String,
    key: EcdsaKeyPair,
    thumbprint: String,
    kid: Option<String>,
    nonce: String,
    /// Which one it is: its names are its own.
    place: (usize, usize, usize),
    /// Names, each with a request for a certificate of it.
    prepared: Vec<(String, String)>,
}

impl Client {
    async fn new(address: &str, place: (usize, usize, usize)) -> Result<Self, Failure> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let mut connection = Connection::open(address).await?;
        let first = connection.get_head("/acme/new-nonce").await?.expect(204)?;
        let nonce = first.header("replay-nonce").ok_or("no nonce")?.to_owned();
        let base = "http://localhost/acme".to_owned();
        let (thumbprint, kid) = (String::new(), None);
        let mut client = Self { connection, base, key, thumbprint, kid, nonce, place, prepared: Vec::new() };
        let canonical = client.jwk();
        client.thumbprint = encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        let url = format!("{}/new-account", client.base);
        let made = client.post(&url, "{}").await?.expect(201)?;
        client.kid = Some(made.header("location").ok_or("no location")?.to_owned());
        Ok(client)
    }

    /// Makes requests for certificates, which is the client's own work.
    async fn prepare(&mut self, count: usize) -> Result<(), Failure> {
        let ports = ports(&HostConfig::default())?;
        let (round, clients, client) = self.place;
        for order in 0..count {
            let name = format!("127.{}.{}.{}", 1 + round * 20 + clients, client, 1 + order % 250);
            let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
            let names = SubjectNames::new("", std::slice::from_ref(&name))?;
            let request = csr::build(&names, &*key.signer).await?;
            self.prepared.push((name, encode(request.der())));
        }
        Ok(())
    }

    /// Has all of them certified; gives how many.
    async fn work(&mut self, proves: bool, proofs: &Proofs) -> Result<usize, Failure> {
        let prepared = std::mem::take(&mut self.prepared);
        let count = prepared.len();
        for (name, request) in prepared {
            let payload = json!({ "identifiers": [{ "type": "ip", "value": name }] }).to_string();
            let order = self.post(&format!("{}/new-order", self.base), &payload).await?.expect(201)?;
            let order: Value = serde_json::from_slice(&order.body)?;
            if proves {
                self.prove(text(&order, "/authorizations/0")?, proofs).await?;
            }
            let payload = json!({ "csr": request }).to_string();
            let order = self.post(text(&order, "/finalize")?, &payload).await?.expect(200)?;
            let order: Value = serde_json::from_slice(&order.body)?;
            let chain = self.post(text(&order, "/certificate")?, "").await?.expect(200)?;
            if !chain.body.starts_with(b"-----BEGIN CERTIFICATE-----") {
                return Err("no certificate".into());
            }
        }
        Ok(count)
    }

    async fn prove(&mut self, authorization: &str, proofs: &Proofs) -> Result<(), Failure> {
        let found: Value = serde_json::from_slice(&self.post(authorization, "").await?.expect(200)?.body)?;
        let challenges = found["challenges"].as_array().ok_or("no challenges")?;
        let challenge = challenges.iter().find(|one| one["type"] == "http-01").ok_or("no http-01")?;
        let token = text(challenge, "/token")?.to_owned();
        let proof = format!("{token}.{}", self.thumbprint);
        proofs.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), proof);
        self.post(text(challenge, "/url")?, "{}").await?.expect(200)?;
        loop {
            let found: Value = serde_json::from_slice(&self.post(authorization, "").await?.expect(200)?.body)?;
            match text(&found, "/status")? {
                "valid" => break,
                "pending" => tokio::time::sleep(Duration::from_millis(2)).await,
                _ => return Err(found.to_string().into()),
            }
        }
        proofs.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        Ok(())
    }

    /// The key, in the form that its thumbprint is taken of.
    fn jwk(&self) -> String {
        let point = self.key.public_key().as_ref();
        let (x, y) = (point.get(1..33).unwrap_or_default(), point.get(33..).unwrap_or_default());
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
    }

    async fn post(&mut self, url: &str, payload: &str) -> Result<Answer, Failure> {
        let signer = match &self.kid {
            Some(kid) => format!(r#""kid":"{kid}""#),
            None => format!(r#""jwk":{}"#, self.jwk()),
        };
        let header = format!(r#"{{"alg":"ES256","nonce":"{}","url":"{url}",{signer}}}"#, self.nonce);
        let (protected, payload) = (encode(header), encode(payload));
        let covered = format!("{protected}.{payload}");
        let signature = encode(self.key.sign(&SystemRandom::new(), covered.as_bytes())?);
        let message = format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
        let path = url.strip_prefix("http://localhost").ok_or("another host")?;
        let answer = self.connection.post_jose(path, &message).await?;
        answer.header("replay-nonce").ok_or("no nonce")?.clone_into(&mut self.nonce);
        Ok(answer)
    }
}

fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, Failure> {
    value.pointer(pointer).and_then(Value::as_str).ok_or_else(|| format!("no {pointer}: {value}").into())
}
