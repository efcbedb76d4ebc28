//! Certificates that leave: who is told, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;

use certctl_core::connector::Registry;
use certctl_core::domain::{
    AuditAction, AuditEvent, CertificateId, Chain, KeyAlgorithm, Principal, SCHEMAS, Serial, SubjectNames, Version,
    VersionId,
};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::certificate::{Create, ExportPem, ExportPkcs12, SubmitCsr};
use certctl_core::ops::{issuer, profile};
use certctl_core::pki;
use certctl_core::ports::{Clock, Secret};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, UnitOfWork};
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use certctl_core::{Engine, ErrorKind};
use serde_json::json;

fn me() -> Principal {
    Principal::embedder("test")
}

fn id() -> CertificateId {
    CertificateId::parse("mc-1").unwrap()
}

/// An engine with `mc-1`, which was issued.
async fn issued() -> (FakePorts, Engine) {
    let fakes = FakePorts::seeded(1);
    let ports = fakes.ports();
    ScriptedCa::new(1, ports.clock.now()).attach(&fakes.http);
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let registry = Registry::new().issuer::<ScriptedIssuer>();
    let engine = Engine::builder(storage, ports, secret).connectors(registry).build().await.unwrap();
    let issuer = issuer::Create {
        id: Some("iss-1".parse().unwrap()),
        name: "one".into(),
        kind: "Scripted".into(),
        config: json!({ "immediate": true }),
        enabled: true,
    };
    engine.execute(&me(), issuer).await.unwrap();
    let rules = profile::Update {
        id: "prof-default".parse().unwrap(),
        name: None,
        description: None,
        allowed_key_algorithms: None,
        max_ttl_seconds: None,
        allowed_ekus: Some(vec![certctl_core::domain::ExtendedKeyUsage::ServerAuth]),
        required_san_patterns: None,
        spiffe_uri_pattern: None,
        allow_short_lived: None,
        must_staple: None,
        requires_approval: None,
        enabled: None,
    };
    engine.execute(&me(), rules).await.unwrap();
    let create = Create {
        id: Some(id()),
        issuer_id: "iss-1".parse().unwrap(),
        issue: false,
        ..Create::new("shop", "shop.example.com")
    };
    engine.execute(&me(), create).await.unwrap();
    let names = SubjectNames::new("shop.example.com", &[]).unwrap();
    let ports = engine.ports();
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await.unwrap();
    let csr_pem = pki::csr::build(&names, &*key.signer).await.unwrap().to_pem();
    engine.execute(&me(), SubmitCsr { id: id(), csr_pem }).await.unwrap();
    (fakes, engine)
}

async fn newest(engine: &Engine) -> Version {
    let unit = UnitOfWork::begin(engine.storage()).await.unwrap();
    let newest = unit.first(Query::sorted(Version::FIELDS.created_at.descending())).await.unwrap();
    newest.unwrap().into_entity()
}

fn to_pkcs12() -> ExportPkcs12 {
    ExportPkcs12 { id: id(), password: Secret::new("changeit") }
}

#[test]
fn an_export_is_the_newest_version_and_leaves_its_serial_in_the_audit_trail() {
    block_on(async {
        let (_, engine) = issued().await;
        let version = newest(&engine).await;
        assert_eq!(engine.execute(&me(), ExportPem { id: id() }).await.unwrap(), version.chain);
        engine.execute(&me(), to_pkcs12()).await.unwrap();
        let unit = UnitOfWork::begin(engine.storage()).await.unwrap();
        for action in [AuditAction::ExportedPem, AuditAction::ExportedPkcs12] {
            let told = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action));
            let told = unit.list(told).await.unwrap().records;
            assert_eq!((told.len(), told[0].resource_id.as_str()), (1, "mc-1"));
            assert_eq!(told[0].details.0["serial"], version.serial_number.to_string());
        }
    });
}

#[test]
fn a_chain_that_cannot_be_read_is_refused_and_nothing_is_told() {
    block_on(async {
        let (fakes, engine) = issued().await;
        fakes.clock.advance(std::time::Duration::from_secs(1));
        let mut broken = newest(&engine).await;
        broken.id = VersionId::parse("cv-broken").unwrap();
        broken.serial_number = Serial::random(&*engine.ports().rng);
        broken.created_at = fakes.clock.now();
        // A SEQUENCE, as a certificate is, and no more than that.
        broken.chain = Chain::from_der(vec![vec![0x30, 3, 2, 1, 7]]).unwrap();
        broken.fingerprint_sha256 = broken.chain.fingerprint();
        let mut unit = UnitOfWork::begin(engine.storage()).await.unwrap().bookkeeping();
        unit.insert(broken);
        unit.commit().await.unwrap();

        let pem = engine.execute(&me(), ExportPem { id: id() }).await.unwrap_err();
        let pkcs12 = engine.execute(&me(), to_pkcs12()).await.unwrap_err();
        for refused in [pem, pkcs12] {
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unprocessable, "unreadable_chain"));
            assert!(refused.message().contains("certificate 1 of the chain"), "{refused}");
        }
        let unit = UnitOfWork::begin(engine.storage()).await.unwrap();
        let exports = [AuditAction::ExportedPem, AuditAction::ExportedPkcs12];
        let told = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.one_of(exports));
        assert_eq!(unit.total(&told).await.unwrap(), 0);
    });
}
