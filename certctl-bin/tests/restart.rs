//! What outlives a process: CAs, credentials and the sealing key, on SQLite and PostgreSQL. A database that cannot be had
//! shows as ignored.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::domain::{
    AgentId, AuthorityRecord, Chain, IssuerRecord, KeyAlgorithm, Principal, SCHEMAS, SubjectNames, Version,
};
use certctl_core::engine::SetupSecret;
use certctl_core::error::ErrorKind;
use certctl_core::ops::certificate::{self, CsrOutcome};
use certctl_core::ops::{agent, issuer};
use certctl_core::ports::{Ports, Secret};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, View};
use certctl_core::{Engine, Error, pki};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, OpenError, SeaStorage};
use libtest_mimic::{Arguments, Failed, Trial};

/// A server that is there or not, shared by all trials.
type Server = Arc<Option<TemporaryPostgres>>;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let server: Server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let mut trials =
        vec![Trial::test("sqlite::a_second_engine_on_the_same_file_is_refused", || on_sqlite(second_engine))];
    trials.extend(both(&server, "authorities_and_credentials_outlive_a_restart", restart));
    trials.extend(both(&server, "another_sealing_key_is_refused", wrong_key));
    trials.extend(both(&server, "another_passphrase_is_refused", wrong_passphrase));
    trials.extend(both(&server, "who_enrols_at_an_issuer_is_no_server", enrolled_elsewhere));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}

/// The same test on both databases.
fn both<F>(server: &Server, name: &str, test: fn(Place) -> F) -> [Trial; 2]
where
    F: Future<Output = Result<(), Failed>> + 'static,
{
    let (postgres, database) = (Arc::clone(server), name.to_owned());
    [
        Trial::test(format!("sqlite::{name}"), move || on_sqlite(test)),
        Trial::test(format!("postgresql::{name}"), move || {
            let server = postgres.as_ref().as_ref().ok_or("there is no PostgreSQL")?;
            let url = server.database(&database).ok_or("the database cannot be made")?;
            run(test(Place { url, agent_dir: tempfile::tempdir()? }))
        })
        .with_ignored_flag(server.is_none()),
    ]
}

fn on_sqlite<F>(test: fn(Place) -> F) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    let dir = tempfile::tempdir()?;
    run(test(Place {
        url: format!("sqlite:{}", dir.path().join("certctl.db").display()),
        agent_dir: tempfile::tempdir()?,
    }))
}

fn run(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(test)
}

/// What stays while processes come and go.
struct Place {
    url: String,
    agent_dir: tempfile::TempDir,
}

/// One run of a server.
struct Run {
    engine: Engine,
    store: Arc<SeaStorage>,
}

impl Place {
    async fn start(&self, secret: SetupSecret) -> Result<Result<Run, Error>, Failed> {
        let ports = ports()?;
        let store = SeaStorage::connect(&DatabaseConfig::new(&self.url), SCHEMAS, ports.clock.clone()).await?;
        let store = Arc::new(store);
        let builder = Engine::builder(Arc::clone(&store) as _, ports, secret);
        let engine = match builder.connectors(certctl_connectors::registry()).build().await {
            Ok(engine) => engine,
            Err(error) => {
                close(store).await?;
                return Ok(Err(error));
            }
        };
        Ok(Ok(Run { engine, store }))
    }

    async fn usual(&self) -> Result<Run, Failed> {
        Ok(self.start(key(7)?).await??)
    }
}

impl Run {
    async fn end(self) -> Result<(), Failed> {
        drop(self.engine);
        close(self.store).await
    }

    async fn authority(&self, owner: &str) -> Result<Chain, Failed> {
        let view = self.engine.storage().read(View::Latest).await?;
        let query = Query::<AuthorityRecord>::all().filter(AuthorityRecord::FIELDS.owner.equals(owner.into()));
        ensure(view.total(&query).await? == 1, || format!("{owner} has not exactly one CA"))?;
        Ok(view.first(query).await?.ok_or("there is no CA")?.into_entity().chain)
    }

    /// Creates a certificate, and has it issued for a key of its own.
    async fn issue(&self, name: &str) -> Result<Version, Failed> {
        self.engine.execute(&me(), order(name)?).await?;
        let ports = self.engine.ports();
        let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
        let csr = pki::csr::build(&SubjectNames::new(name, &[])?, &*key.signer).await?;
        let submit = certificate::SubmitCsr { id: format!("mc-{name}").parse()?, csr_pem: csr.to_pem() };
        let outcome = self.engine.execute(&me(), submit).await?;
        ensure(matches!(outcome, CsrOutcome::Signed { .. }), || format!("{outcome:?}"))?;
        self.newest(name).await
    }

    async fn newest(&self, name: &str) -> Result<Version, Failed> {
        let get = certificate::Get { id: format!("mc-{name}").parse()? };
        Ok(self.engine.execute(&me(), get).await?.newest.ok_or("nothing is issued")?)
    }
}

/// CA, system authority, issued certificates and an agent's credential are the same after a restart.
async fn restart(place: Place) -> Result<(), Failed> {
    let run = place.usual().await?;
    let registration = agent::Registration {
        id: Some("edge-1".parse()?),
        name: "edge-1".into(),
        hostname: "host".into(),
        ..agent::Registration::default()
    };
    let registered = run.engine.execute(&me(), agent::Register { registration, enrol_token: None }).await?;
    let early = run.issue("early.example.com").await?;
    let held = certificate::Create { agent_id: Some("edge-1".parse()?), issue: true, ..order("held.example.com")? };
    run.engine.execute(&me(), held).await?;
    work(&place, &run.engine).await?;
    let held = run.newest("held.example.com").await?;
    let (local, trust) = (run.authority("iss-local").await?, run.engine.agent_trust().await?);
    run.end().await?;

    let run = place.usual().await?;
    ensure(run.authority("iss-local").await? == local, || "the issuer has another CA".to_owned())?;
    let again = run.engine.agent_trust().await?;
    ensure(again.root_pem == trust.root_pem && again.fingerprint == trust.fingerprint, || {
        "agents would have to trust another root".to_owned()
    })?;
    let late = run.issue("late.example.com").await?;
    ensure(run.authority("iss-local").await? == local, || "another CA was made".to_owned())?;
    for version in [&run.newest("early.example.com").await?, &held, &late] {
        chains(run.engine.ports(), version, &local)?;
    }
    let found = run.newest("early.example.com").await?;
    ensure(found == early, || "an earlier version is not what it was".to_owned())?;

    let principal = run.engine.authenticate(registered.credential.expose()).await?;
    ensure(principal == Principal::agent(AgentId::parse("edge-1")?), || format!("{principal:?}"))?;
    let forged = run.engine.authenticate(&format!("{}x", registered.credential.expose())).await;
    ensure(forged.is_err_and(|error| error.kind() == ErrorKind::Unauthenticated), || "anything passes".to_owned())?;
    // The agent's keys are there as well: a renewal works.
    run.engine.execute(&me(), certificate::Renew { id: "mc-held.example.com".parse()? }).await?;
    work(&place, &run.engine).await?;
    let renewed = run.newest("held.example.com").await?;
    ensure(renewed.fingerprint_sha256 != held.fingerprint_sha256, || "nothing was renewed".to_owned())?;
    chains(run.engine.ports(), &renewed, &local)?;
    run.end().await
}

async fn wrong_key(place: Place) -> Result<(), Failed> {
    place.usual().await?.end().await?;
    is_wrong_key(place.start(key(8)?).await?)?;
    is_wrong_key(place.start(SetupSecret::Passphrase(Secret::new("correct horse battery staple"))).await?)?;
    // The refusal has changed nothing.
    place.usual().await?.end().await
}

async fn wrong_passphrase(place: Place) -> Result<(), Failed> {
    let passphrase = |text: &str| SetupSecret::Passphrase(Secret::new(text));
    let run = place.start(passphrase("correct horse battery staple")).await??;
    let trust = run.engine.agent_trust().await?;
    run.end().await?;
    is_wrong_key(place.start(passphrase("correct horse battery stable")).await?)?;
    let run = place.start(passphrase("correct horse battery staple")).await??;
    let again = run.engine.agent_trust().await?;
    ensure(again.root_pem == trust.root_pem, || "the same passphrase opens another authority".to_owned())?;
    run.end().await
}

fn is_wrong_key(result: Result<Run, Error>) -> Result<(), Failed> {
    let Err(error) = result else { return Err("any sealing key will do".into()) };
    ensure(error.code() == "wrong_sealing_key", || format!("{}: {error}", error.code()))?;
    ensure(error.message().contains("start it with the sealing key or passphrase"), || error.message().to_owned())
}

async fn second_engine(place: Place) -> Result<(), Failed> {
    let run = place.usual().await?;
    let second = SeaStorage::connect(&DatabaseConfig::new(&place.url), SCHEMAS, ports()?.clock).await;
    let Err(error) = second else { return Err("two engines write one file".into()) };
    ensure(matches!(error, OpenError::InUse { .. }), || error.to_string())?;
    ensure(error.to_string().contains("stop that one"), || error.to_string())?;
    // The first goes on, and when it has ended another may begin.
    run.issue("first.example.com").await?;
    run.end().await?;
    place.usual().await?.end().await
}

/// Whatever is enrolled at an issuer, it does not chain to what agents trust.
async fn enrolled_elsewhere(place: Place) -> Result<(), Failed> {
    let run = place.usual().await?;
    let trust = Chain::from_pem(&run.engine.agent_trust().await?.root_pem)?;
    // Even the server's own names are only names to an issuer.
    let issued = run.issue("certctl.example.com").await?;
    let local = run.authority("iss-local").await?;
    chains(run.engine.ports(), &issued, &local)?;
    ensure(local.leaf() != trust.leaf(), || "the issuer signs with the system authority".to_owned())?;
    ensure(chains(run.engine.ports(), &issued, &trust).is_err(), || "agents would trust it".to_owned())?;

    for id in ["system", "iss-evil"] {
        // An issuer named so cannot be made, and another cannot be given its name's authority.
        let create = issuer::Create {
            id: Some(id.parse()?),
            name: format!("{id} as an issuer"),
            kind: "GenericCA".into(),
            config: serde_json::json!({}),
            enabled: true,
        };
        let created = run.engine.execute(&me(), create).await;
        if id == "system" {
            let Err(error) = created else { return Err("an issuer is named system".into()) };
            let field = error.fields().first().ok_or("the error names no field")?;
            ensure(field.pointer == "/id" && field.code == "reserved", || format!("{field:?}"))?;
            ensure(field.detail.contains("choose another id"), || field.detail.clone())?;
        } else {
            created?;
        }
    }
    let order = certificate::Create { issuer_id: "system".parse()?, ..order("agent.example.com")? };
    let Err(error) = run.engine.execute(&me(), order).await else { return Err("system issues".into()) };
    ensure(error.kind() == ErrorKind::Invalid, || error.to_string())?;
    let view = run.engine.storage().read(View::Latest).await?;
    ensure(view.get::<IssuerRecord>("system").await?.is_none(), || "the store has an issuer named system".to_owned())?;
    run.end().await
}

/// The agent does what there is to do.
async fn work(place: &Place, engine: &Engine) -> Result<(), Failed> {
    let id = AgentId::parse("edge-1")?;
    let control = Arc::new(InProcess::new(engine.clone(), id.clone()));
    let config = AgentConfig::new(id, place.agent_dir.path());
    let agent = AgentRuntime::start(control, ports()?, certctl_connectors::registry(), config).await?;
    for _ in 0..20 {
        if agent.step(Duration::ZERO).await? == 0 {
            return Ok(());
        }
    }
    Err("there is work without end".into())
}

/// That the CA has signed the version's leaf.
fn chains(ports: &Ports, version: &Version, authority: &Chain) -> Result<(), Failed> {
    let chain = Chain::from_der(vec![version.chain.leaf().to_vec(), authority.leaf().to_vec()])?;
    Ok(pki::chain::check_links(&chain, ports.clock.now())?)
}

/// A certificate whose key is made elsewhere.
fn order(name: &str) -> Result<certificate::Create, Failed> {
    Ok(certificate::Create {
        id: Some(format!("mc-{name}").parse()?),
        name: name.into(),
        common_name: name.into(),
        sans: Vec::new(),
        environment: String::new(),
        owner_id: "o-default".parse()?,
        team_id: "team-default".parse()?,
        issuer_id: "iss-local".parse()?,
        renewal_policy_id: "rp-default".parse()?,
        certificate_profile_id: None,
        target_ids: Vec::new(),
        agent_id: None,
        tags: BTreeMap::new(),
        issue: false,
    })
}

async fn close(store: Arc<SeaStorage>) -> Result<(), Failed> {
    // What was begun beside a step has to end first.
    while Arc::strong_count(&store) > 1 {
        tokio::task::yield_now().await;
    }
    Arc::into_inner(store).ok_or("something still uses the store")?.close().await;
    Ok(())
}

fn key(octet: u8) -> Result<SetupSecret, Failed> {
    Ok(SetupSecret::Key(SealingKey::from_bytes(&[octet; 32])?))
}

fn ports() -> Result<Ports, Failed> {
    Ok(host::ports(&HostConfig::default())?)
}

fn me() -> Principal {
    Principal::embedder("test")
}

/// A failed test with a reason.
fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::from(reason())) }
}
