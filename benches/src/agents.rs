//! A fleet of agents over kept TLS connections: heartbeats, polls, held polls, and how soon work arrives (W8).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::domain::{KeyAlgorithm, SubjectNames};
use certctl_core::pki::csr;
use certctl_core::ports::Ports;
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use crate::connection::{Connection, KEY, trusting};
use crate::server::Server;
use crate::{Failure, Scale, process};

const AGENTS: u32 = 2000;
/// How long each phase lasts.
const SECONDS: u32 = 60;
const HEARTBEAT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(15);
/// Between two pieces of work.
const WORK: Duration = Duration::from_millis(50);

/// An agent and its two kept connections.
struct Agent {
    id: String,
    heartbeats: Connection,
    polls: Connection,
}

/// What a phase saw, in milliseconds.
#[derive(Default)]
struct Seen {
    heartbeats: Vec<f64>,
    polls: usize,
    /// From the request for a certificate to the agent that has it before itself.
    work: Vec<f64>,
}

/// When the certificates were asked for.
type Asked = Arc<Mutex<BTreeMap<String, Instant>>>;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let server = Server::start_tls(directory.path())?;
    let tls = trusting(&directory.path().join("ca.pem"))?;
    let before = process::resident(server.pid())?;
    let begun = Instant::now();
    let agents = enrol(&server.address, &tls, scale.of(AGENTS)).await?;
    let opened = begun.elapsed();
    let count = agents.len();
    println!("\n| {count} agents over TLS (SQLite) | |\n|---|---|");
    println!("| added and connected twice each, in all | {:.1} s |", opened.as_secs_f64());
    let agents = phase(&server, &tls, agents, Phase::Polls, scale).await?;
    phase(&server, &tls, agents, Phase::Held, scale).await?;
    let grown = process::resident(server.pid())?.saturating_sub(before);
    println!("| memory for each of {} connections | {} KiB |", 2 * count, grown / (2 * count as u64).max(1));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Each agent asks for work every 15 seconds.
    Polls,
    /// Each agent has a request held until there is work.
    Held,
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
async fn phase(
    server: &Server,
    tls: &TlsConnector,
    agents: Vec<Agent>,
    phase: Phase,
    scale: Scale,
) -> Result<Vec<Agent>, Failure> {
    let until = Instant::now() + Duration::from_secs(scale.of(SECONDS) as u64);
    let asked = Asked::default();
    let ids: Vec<String> = agents.iter().map(|agent| agent.id.clone()).collect();
    let (used, begun) = (process::cpu(server.pid()), Instant::now());
    let order = match phase {
        Phase::Polls => None,
        Phase::Held => Some(tokio::spawn(order(server.address.clone(), tls.clone(), ids, Arc::clone(&asked), until))),
    };
    let count = agents.len();
    let ports = ports(&HostConfig::default())?;
    let tasks = agents.into_iter().enumerate().map(|(number, agent)| {
        // Spread as in a fleet that did not start at once.
        let share = number as f64 / count as f64;
        let task = tokio::spawn(live(agent, phase, share, ports.clone(), Arc::clone(&asked), until));
        async { task.await? }
    });
    let (agents, seen): (Vec<Agent>, Vec<Seen>) = try_join_all(tasks).await?.into_iter().unzip();
    let ordered = match order {
        Some(order) => order.await??,
        None => 0,
    };
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu = process::cpu(server.pid()).saturating_sub(used).as_secs_f64();
    let mut heartbeats: Vec<f64> = seen.iter().flat_map(|seen| seen.heartbeats.clone()).collect();
    let polls: usize = seen.iter().map(|seen| seen.polls).sum();
    let mut work: Vec<f64> = seen.iter().flat_map(|seen| seen.work.clone()).collect();
    let name = if phase == Phase::Polls { "polls every 15 s" } else { "held polls" };
    println!(
        "| {name}, heartbeats every 30 s, {elapsed:.0} s: requests | {:.0} per second, none failed |",
        (heartbeats.len() + polls) as f64 / elapsed
    );
    println!("| … heartbeats p50 / p99 | {:.2} / {:.2} ms |", of(&mut heartbeats, 50), of(&mut heartbeats, 99));
    println!("| … of one core | {:.0} % |", 100.0 * cpu / elapsed);
    if phase == Phase::Held {
        let arrived = work.len();
        if arrived < ordered {
            return Err(format!("{arrived} of {ordered} pieces of work arrived").into());
        }
        println!(
            "| … {arrived} pieces of work, at the idle agent p50 / p99 / last | {:.1} / {:.1} / {:.1} ms |",
            of(&mut work, 50),
            of(&mut work, 99),
            of(&mut work, 100)
        );
    }
    Ok(agents)
}

/// Adds agents and opens their connections, sixteen at a time.
async fn enrol(address: &str, tls: &TlsConnector, count: usize) -> Result<Vec<Agent>, Failure> {
    let one = |number: usize| async move {
        let mut desk = Connection::open_tls(address, tls, KEY).await?;
        let id = format!("agent-{number}");
        let body = json!({ "id": id, "name": id, "hostname": format!("{id}.example.com") }).to_string();
        let answer: Value = serde_json::from_slice(&desk.post("/api/v1/agents", &body).await?.expect(201)?.body)?;
        let key = answer.get("credential").and_then(Value::as_str).ok_or("no credential")?;
        let heartbeats = Connection::open_tls(address, tls, key).await?;
        let polls = Connection::open_tls(address, tls, key).await?;
        Ok::<_, Failure>(Agent { id, heartbeats, polls })
    };
    stream::iter(0..count).map(one).buffer_unordered(16).try_collect().await
}

/// Has certificates issued that an agent keeps the key of, each time another's.
async fn order(
    address: String,
    tls: TlsConnector,
    agents: Vec<String>,
    asked: Asked,
    until: Instant,
) -> Result<usize, Failure> {
    let mut desk = Connection::open_tls(&address, &tls, KEY).await?;
    // Every agent holds its poll by then, and the last of the work is done before the end.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut ordered = 0;
    for agent in agents.iter().cycle().step_by(7) {
        if Instant::now() + Duration::from_secs(5) > until {
            break;
        }
        let id = format!("mc-{ordered}");
        let body = json!({
            "id": id, "name": id, "common_name": format!("{id}.example.com"), "owner_id": "o-default",
            "team_id": "team-default", "issuer_id": "iss-local", "renewal_policy_id": "rp-default", "agent_id": agent,
        });
        asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
        desk.post("/api/v1/certificates", &body.to_string()).await?.expect(201)?;
        ordered += 1;
        tokio::time::sleep(WORK).await;
    }
    Ok(ordered)
}

/// An agent until the end of a phase.
async fn live(
    mut agent: Agent,
    phase: Phase,
    share: f64,
    ports: Ports,
    asked: Asked,
    until: Instant,
) -> Result<(Agent, Seen), Failure> {
    let Agent { id, heartbeats, polls } = &mut agent;
    let beat = format!("/api/v1/agents/{id}/heartbeat");
    let beating = async {
        let mut took = Vec::new();
        let mut next = Instant::now() + HEARTBEAT.mul_f64(share);
        while next < until {
            tokio::time::sleep_until(next.into()).await;
            let begun = Instant::now();
            heartbeats.post(&beat, r#"{"version":"1.0.0","os":"linux","architecture":"amd64"}"#).await?.expect(200)?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
            next += HEARTBEAT;
        }
        Ok::<_, Failure>(took)
    };
    let polling = async {
        let (mut count, mut arrived) = (0, Vec::new());
        let mut next = Instant::now() + POLL.mul_f64(share);
        while phase == Phase::Held || next < until {
            let left = until.saturating_duration_since(Instant::now()).as_secs();
            if phase == Phase::Held && left == 0 {
                break;
            }
            let wait = if phase == Phase::Held { left.min(50) } else { 0 };
            if phase == Phase::Polls {
                tokio::time::sleep_until(next.into()).await;
                next += POLL;
            }
            let answer = polls.get(&format!("/api/v1/agents/{id}/work?wait={wait}")).await?.expect(200)?;
            count += 1;
            let answer: Value = serde_json::from_slice(&answer.body)?;
            for job in answer.get("jobs").and_then(Value::as_array).into_iter().flatten() {
                let certificate = job.get("certificate_id").and_then(Value::as_str).unwrap_or_default();
                let since = asked.lock().unwrap_or_else(PoisonError::into_inner).remove(certificate);
                if let Some(since) = since {
                    arrived.push(since.elapsed().as_secs_f64() * 1e3);
                    request(polls, id, certificate, &ports).await?;
                }
            }
        }
        Ok::<_, Failure>((count, arrived))
    };
    let (heartbeats, (polls, work)) = futures_util::future::try_join(beating, polling).await?;
    Ok((agent, Seen { heartbeats, polls, work }))
}

/// Makes a key and has it certified.
async fn request(server: &mut Connection, agent: &str, certificate: &str, ports: &Ports) -> Result<(), Failure> {
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
    let names = SubjectNames::new(&format!("{certificate}.example.com"), &[])?;
    let body = json!({ "certificate_id": certificate, "csr_pem": csr::build(&names, &*key.signer).await?.to_pem() });
    server.post(&format!("/api/v1/agents/{agent}/csr"), &body.to_string()).await?.expect(202).map(drop)
}

/// A percentile.
fn of(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or_default()
}
