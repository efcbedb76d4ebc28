//! A year of a 47-day certificate in a moment: engine, agent and files in one process, and a clock moved by hand.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::domain::{Chain, IssuerId, Principal, SCHEMAS};
use certctl_core::engine::{Engine, SetupSecret};
use certctl_core::ops::{agent, certificate, issuer, target};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::MemoryStorage;
use certctl_core::testing::{FakePorts, block_on};
use certctl_core::{Error as EngineError, pki};
use serde_json::json;

const DAY: Duration = Duration::from_hours(24);
const FILE: &str = "/etc/nginx/tls/shop.pem";

async fn engine(world: &FakePorts) -> Result<Engine, EngineError> {
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(world.clock.clone())));
    let sealing = SetupSecret::Key(SealingKey::generate(&*world.rng));
    Engine::builder(storage, world.ports(), sealing).connectors(certctl_connectors::registry()).build().await
}

/// How many certificates served one after the other.
async fn year() -> Result<usize, Box<dyn Error>> {
    let world = FakePorts::seeded(1);
    world.commands.succeed(&["nginx", "-t"]);
    world.commands.succeed(&["nginx", "-s", "reload"]);
    let engine = engine(&world).await?;
    let me = Principal::embedder("example");
    let config = Some(json!({"validity_days": 47}));
    engine.execute(&me, issuer::Update { id: IssuerId::default(), name: None, config, enabled: None }).await?;
    let registration = agent::Registration { name: "edge".into(), hostname: "edge".into(), ..Default::default() };
    let edge = engine.execute(&me, agent::Register { registration, enrol_token: None }).await?.agent.id;
    let control = Arc::new(InProcess::new(engine.clone(), edge.clone()));
    let config = AgentConfig::new(edge.clone(), "/var/lib/certctl");
    let agent = AgentRuntime::start(control, world.ports(), certctl_connectors::registry(), config).await?;

    let site = json!({"cert_path": FILE, "key_path": "/etc/nginx/tls/shop.key"});
    let (name, kind) = ("shop".into(), "nginx".into());
    let create =
        target::Create { id: None, name, kind, agent_id: edge, config: site, enabled: true, client_auth: false };
    let target = engine.execute(&me, create).await?.id;
    let shop = certificate::Create { target_ids: vec![target], ..certificate::Create::new("shop", "shop.example.com") };
    engine.execute(&me, shop).await?;

    let (end, mut served) = (world.clock.now() + DAY * 365, Vec::new());
    while world.clock.now() < end {
        engine.step().await?;
        while agent.step(Duration::ZERO).await? > 0 {}
        let file = String::from_utf8(world.files.contents(FILE).ok_or("nothing is served")?)?;
        let facts = pki::certificate::parse(Chain::from_pem(&file)?.leaf())?;
        if !facts.is_valid_at(world.clock.now()) {
            return Err(format!("an expired certificate is served on {}", world.clock.now()).into());
        }
        if served.last() != Some(&facts.serial) {
            println!("{}: {} until {}", world.clock.now(), facts.serial, facts.not_after);
            served.push(facts.serial);
        }
        // Straight to the next thing that is planned; somebody else's clock would have to wait for it.
        world.clock.advance(engine.next_due().await?.unwrap_or(DAY).clamp(Duration::from_secs(1), DAY));
    }
    Ok(served.len())
}

#[cfg_attr(test, test)]
fn main() -> Result<(), Box<dyn Error>> {
    let served = block_on(year())?;
    println!("{served} certificates in a year");
    assert!((10..=14).contains(&served), "about a dozen would do");
    Ok(())
}
