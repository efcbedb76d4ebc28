//! Machines that ask for certificates themselves: what each is given, and what none is.

use std::time::Duration;

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::domain::{
    ActorType, AuditAction, AuditEvent, Certificate, CertificateId, CertificateStatus, Csr, EnrolSource, Enrolment,
    Fingerprint, JobState, JobType, KeyAlgorithm, Lifecycle, PolicySeverity, PolicyType, Principal, RevocationReason,
    SubjectNames, Version,
};
use certctl_core::enrol::{Enrol, EnrolTerms, Enrolled, RefusalReason, RepeatKey, Repeats, Standing, WaitsFor};
use certctl_core::entity::{Entity, Record};
use certctl_core::ops::{certificate, issuer, job, policy, profile};
use certctl_core::ports::Keys;
use certctl_core::storage::{Query, View};
use certctl_core::testing::{CaStep, ScriptedCa, SeededRng, TestKeys, block_on};
use certctl_core::{Engine, pki};
use serde_json::json;

use super::{World, me, world};

const DAY: Duration = Duration::from_secs(86_400);

fn machine() -> Principal {
    Principal::machine("est:devices:router")
}

/// A request with a key of its own for each seed.
async fn request(seed: u64, common_name: &str, sans: &[&str]) -> Csr {
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed)).await.unwrap();
    let sans: Vec<String> = sans.iter().map(ToString::to_string).collect();
    pki::csr::build(&SubjectNames::new(common_name, &sans).unwrap(), &*key.signer).await.unwrap()
}

/// The first enrolment of a machine at the issuer that answers at once.
fn first(csr: &Csr) -> Enrol {
    Enrol {
        source: EnrolSource::Est,
        csr: csr.clone(),
        names: csr.names().clone(),
        terms: EnrolTerms {
            issuer_id: "iss-near".parse().unwrap(),
            profile_id: Some("prof-server".parse().unwrap()),
            ..EnrolTerms::default()
        },
        label: "est/devices/router".into(),
        predecessor: None,
        repeat: RepeatKey { key: csr.key_id().to_string(), repeats: Repeats::ForADay },
    }
}

fn at_far(csr: &Csr) -> Enrol {
    let mut enrol = first(csr);
    enrol.terms.issuer_id = "iss-far".parse().unwrap();
    enrol
}

/// The renewal of what was issued.
fn renewal(csr: &Csr, issued: &Issued) -> Enrol {
    let print = issued.print;
    let key = format!("{} {print}", csr.key_id());
    Enrol { predecessor: Some(print), repeat: RepeatKey { key, repeats: Repeats::ForADay }, ..first(csr) }
}

#[derive(Debug, PartialEq, Eq)]
struct Issued {
    certificate: CertificateId,
    print: Fingerprint,
}

#[track_caller]
fn issued(enrolled: &Enrolled) -> Issued {
    match enrolled {
        Enrolled::Issued { certificate_id, chain, .. } => {
            Issued { certificate: certificate_id.clone(), print: chain.fingerprint() }
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(enrolled: &Enrolled) -> RefusalReason {
    match enrolled {
        Enrolled::Refused(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// A world with a second issuer, which answers at once, and profiles.
async fn with_door(seed: u64) -> World {
    let world = world(seed).await;
    let create = issuer::Create {
        id: Some("iss-near".parse().unwrap()),
        name: "near".into(),
        kind: "Scripted".into(),
        config: json!({ "url": ScriptedCa::URL, "token": "t", "immediate": true }),
        enabled: true,
    };
    world.engine.execute(&me(), create).await.unwrap();
    profile(&world.engine, "prof-careful", true, &[]).await;
    profile(&world.engine, "prof-narrow", false, &["*.example.com"]).await;
    world
}

async fn profile(engine: &Engine, id: &str, requires_approval: bool, patterns: &[&str]) {
    let create = profile::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        description: String::new(),
        allowed_key_algorithms: None,
        max_ttl_seconds: 0,
        allowed_ekus: None,
        required_san_patterns: patterns.iter().map(ToString::to_string).collect(),
        spiffe_uri_pattern: String::new(),
        allow_short_lived: false,
        must_staple: false,
        requires_approval,
        enabled: true,
    };
    engine.execute(&me(), create).await.unwrap();
}

impl World {
    async fn enrol(&self, enrol: Enrol) -> Enrolled {
        self.engine.execute(&machine(), enrol).await.unwrap()
    }

    async fn all<E: Entity>(&self) -> Vec<Record<E>> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.list(Query::<E>::all().limit(500)).await.unwrap().records
    }

    async fn managed(&self, id: &CertificateId) -> Record<Certificate> {
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        view.get::<Certificate>(id.as_str()).await.unwrap().unwrap()
    }

    async fn trail_of(&self, action: AuditAction) -> Vec<AuditEvent> {
        let events = self.all::<AuditEvent>().await.into_iter().map(Record::into_entity);
        events.filter(|event| event.action == action).collect()
    }

    /// That nothing was issued, and that the trail says why.
    async fn nothing_came_of(&self, enrol: Enrol, reason: RefusalReason) {
        let before = (self.all::<Version>().await.len(), self.all::<Certificate>().await.len());
        let told = self.trail_of(AuditAction::EnrolmentRefused).await.len();
        let answer = self.enrol(enrol).await;
        assert_eq!(refused(&answer), reason, "{answer:?}");
        assert_eq!((self.all::<Version>().await.len(), self.all::<Certificate>().await.len()), before);
        let trail = self.trail_of(AuditAction::EnrolmentRefused).await;
        assert_eq!(trail.len(), told + 1);
        let event = trail.into_iter().max_by_key(|event| event.timestamp).unwrap();
        assert_eq!(event.actor, "est:devices:router");
    }
}

#[test]
fn a_machine_is_given_a_certificate_that_is_in_the_inventory() {
    block_on(async {
        let world = with_door(41).await;
        let csr = request(1, "router.example.com", &["www.router.example.com"]).await;
        let first = issued(&world.enrol(first(&csr)).await);
        let stored = world.managed(&first.certificate).await;
        assert_eq!((stored.source.as_str(), stored.name.as_str()), ("EST", "est/devices/router"));
        assert_eq!((stored.lifecycle, stored.agent_id.clone()), (Lifecycle::Issued, None));
        assert_eq!(world.status(stored.id.as_str()).await, CertificateStatus::Active);
        let jobs = world.jobs().await;
        assert_eq!((jobs.len(), jobs[0].state, jobs[0].kind), (1, JobState::Completed, JobType::Issuance));
        assert_eq!(jobs[0].requested_by, "est:devices:router");
        for action in [AuditAction::CertificateCreated, AuditAction::CertificateIssued] {
            let events = world.trail_of(action).await;
            assert_eq!((events.len(), events[0].actor_type), (1, ActorType::Machine), "{action}");
        }
    });
}

#[test]
fn a_repeated_request_is_answered_with_the_same_certificate_for_a_day() {
    block_on(async {
        let world = with_door(42).await;
        let csr = request(1, "router.example.com", &[]).await;
        let one = issued(&world.enrol(first(&csr)).await);
        assert_eq!(issued(&world.enrol(first(&csr)).await), one);
        // Another request of the same key is the same request; another key under the same name is not.
        assert_eq!(issued(&world.enrol(first(&request(1, "router.example.com", &[]).await)).await), one);
        let other = Enrol { repeat: first(&csr).repeat, ..first(&request(2, "router.example.com", &[]).await) };
        world.nothing_came_of(other, RefusalReason::Repeated).await;
        assert_eq!((world.all::<Version>().await.len(), world.all::<Enrolment>().await.len()), (1, 1));
        world.pass(DAY * 2).await;
        let next = issued(&world.enrol(first(&csr)).await);
        assert_eq!(next.certificate, one.certificate);
        assert_ne!(next.print, one.print);
        // Where each request has a name of its own, its answer stands.
        let kept =
            |csr: &Csr| Enrol { repeat: RepeatKey { key: "order-7".into(), repeats: Repeats::ForEver }, ..first(csr) };
        let csr = request(3, "router.example.com", &[]).await;
        let one = issued(&world.enrol(kept(&csr)).await);
        world.pass(DAY * 40).await;
        assert_eq!(issued(&world.enrol(kept(&csr)).await), one);
    });
}

#[test]
fn a_machine_that_comes_back_gets_a_version_of_the_same_certificate() {
    block_on(async {
        let world = with_door(43).await;
        let one = issued(&world.enrol(first(&request(1, "router.example.com", &[]).await)).await);
        // Reset, with a new key and no proof of the old one: the same machine all the same.
        let two = issued(&world.enrol(first(&request(2, "router.example.com", &[]).await)).await);
        assert_eq!((&two.certificate, two.print == one.print), (&one.certificate, false));
        // Other names under the same label are another certificate.
        let other = issued(&world.enrol(first(&request(3, "switch.example.com", &[]).await)).await);
        assert_ne!(other.certificate, one.certificate);
        assert_eq!(world.managed(&other.certificate).await.name, "est/devices/router (2)");
        // A renewal with proof, whatever the label says.
        let renewed = Enrol { label: "anything".into(), ..renewal(&request(4, "router.example.com", &[]).await, &two) };
        let three = issued(&world.enrol(renewed.clone()).await);
        assert_eq!(three.certificate, one.certificate);
        assert_eq!(issued(&world.enrol(renewed).await), three, "asked again it is the same");
        let versions = world.all::<Version>().await;
        assert_eq!(versions.iter().filter(|version| version.certificate_id == one.certificate).count(), 3);
        assert_eq!(world.jobs().await.iter().filter(|job| job.kind == JobType::Renewal).count(), 2);
        // With the same key, too.
        let four = issued(&world.enrol(renewal(&request(4, "router.example.com", &[]).await, &three)).await);
        assert_eq!((four.certificate, four.print == three.print), (one.certificate, false));
    });
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_issued() {
    block_on(async {
        let world = with_door(44).await;
        let csr = request(1, "router.example.com", &[]).await;
        let in_profile = |enrol: Enrol, id: &str| {
            let profile_id = Some(id.parse().unwrap());
            Enrol { terms: EnrolTerms { profile_id, ..enrol.terms.clone() }, ..enrol }
        };
        // Names.
        let foreign = Enrol { names: SubjectNames::new("other.example.com", &[]).unwrap(), ..first(&csr) };
        world.nothing_came_of(foreign, RefusalReason::Names).await;
        // The profile: its names, also the common name that is none of them, and the issuer's abilities.
        let outside = request(2, "router.example.net", &[]).await;
        world.nothing_came_of(in_profile(first(&outside), "prof-narrow"), RefusalReason::Profile).await;
        let sneaky = request(3, "Domain Administrator", &["a.example.com"]).await;
        world.nothing_came_of(in_profile(first(&sneaky), "prof-narrow"), RefusalReason::Profile).await;
        let wildcard = request(4, "*.example.com", &[]).await;
        world.nothing_came_of(first(&wildcard), RefusalReason::Profile).await;
        // The door itself.
        world.nothing_came_of(in_profile(first(&csr), "prof-none"), RefusalReason::Closed).await;
        // A predecessor of somebody else.
        let unknown = Enrol { predecessor: Some(Fingerprint::of(b"unknown")), ..first(&csr) };
        world.nothing_came_of(unknown, RefusalReason::Predecessor).await;
        // A policy rule.
        let rule = policy::Create {
            id: Some("pr-domains".parse().unwrap()),
            name: "domains".into(),
            kind: PolicyType::AllowedDomains,
            config: json!({ "allowed_domains": ["example.org"] }),
            enabled: true,
            severity: PolicySeverity::Error,
            enforce: true,
            agent_group_id: None,
        };
        world.engine.execute(&me(), rule).await.unwrap();
        world.fakes.clock.advance(Duration::from_secs(3));
        world.nothing_came_of(first(&csr), RefusalReason::Policy).await;
        assert!(world.ca.issued().is_empty());
    });
}

#[test]
fn a_key_is_for_one_certificate() {
    block_on(async {
        let world = with_door(45).await;
        let one = issued(&world.enrol(first(&request(1, "router.example.com", &[]).await)).await);
        let again = request(1, "switch.example.com", &[]).await;
        let enrol = Enrol { repeat: RepeatKey { key: "other".into(), repeats: Repeats::ForADay }, ..first(&again) };
        world.nothing_came_of(enrol, RefusalReason::KeyInUse).await;
        // Nor for a renewal.
        let two = issued(&world.enrol(first(&request(2, "switch.example.com", &[]).await)).await);
        let stolen = request(2, "router.example.com", &[]).await;
        world.nothing_came_of(renewal(&stolen, &one), RefusalReason::KeyInUse).await;
        // And a renewal is for the names of its certificate, under its profile.
        world.nothing_came_of(renewal(&request(3, "switch.example.com", &[]).await, &one), RefusalReason::Names).await;
        let mut elsewhere = renewal(&request(3, "switch.example.com", &[]).await, &two);
        elsewhere.terms.profile_id = Some("prof-narrow".parse().unwrap());
        world.nothing_came_of(elsewhere, RefusalReason::Predecessor).await;
    });
}

#[test]
fn what_is_revoked_or_put_away_is_not_renewed() {
    block_on(async {
        let world = with_door(46).await;
        let csr = |seed| async move { request(seed, "router.example.com", &[]).await };
        let one = issued(&world.enrol(first(&csr(1).await)).await);
        let revoke = |reason| certificate::Revoke { id: one.certificate.clone(), reason };
        world.engine.execute(&me(), revoke(RevocationReason::CertificateHold)).await.unwrap();
        world.nothing_came_of(renewal(&csr(2).await, &one), RefusalReason::NotIssuable).await;
        // On hold, a new key is no way around it either.
        world.nothing_came_of(first(&csr(3).await), RefusalReason::NotIssuable).await;
        world.engine.execute(&me(), certificate::Release { id: one.certificate.clone() }).await.unwrap();
        world.engine.execute(&me(), revoke(RevocationReason::KeyCompromise)).await.unwrap();
        world.nothing_came_of(renewal(&csr(2).await, &one), RefusalReason::NotIssuable).await;
        world.nothing_came_of(first(&csr(1).await), RefusalReason::NotIssuable).await;
        // Revoked for good, the machine that took its place has a certificate of its own.
        let two = issued(&world.enrol(first(&csr(4).await)).await);
        assert_ne!(two.certificate, one.certificate);
        world.engine.execute(&me(), certificate::Archive { id: two.certificate.clone() }).await.unwrap();
        world.nothing_came_of(renewal(&csr(5).await, &two), RefusalReason::NotIssuable).await;
        // What has expired proves nothing.
        let three = issued(&world.enrol(first(&csr(6).await)).await);
        world.pass(DAY * 91).await;
        world.nothing_came_of(renewal(&csr(7).await, &three), RefusalReason::Predecessor).await;
    });
}

#[test]
fn a_request_waits_for_approval_and_then_for_the_issuer() {
    block_on(async {
        let world = with_door(47).await;
        let csr = request(1, "router.example.com", &[]).await;
        let mut careful = at_far(&csr);
        careful.terms.profile_id = Some("prof-careful".parse().unwrap());
        let Enrolled::Pending { certificate_id, job_id, waits_for } = world.enrol(careful.clone()).await else {
            panic!()
        };
        assert_eq!(waits_for, WaitsFor::Approval);
        assert_eq!(world.status(certificate_id.as_str()).await, CertificateStatus::Pending);
        let standing = |job_id| async { world.engine.execute(&machine(), Standing::Job(job_id)).await.unwrap() };
        let waiting = Enrolled::Pending { certificate_id: certificate_id.clone(), job_id: job_id.clone(), waits_for };
        assert_eq!(world.enrol(careful.clone()).await, waiting, "asking again changes nothing");
        assert_eq!(standing(job_id.clone()).await, Some(waiting));
        assert!(world.ca.issued().is_empty());
        // The machine cannot approve what it asked for: it may do nothing at all.
        let approve = job::Approve { id: job_id.clone() };
        assert_eq!(world.engine.execute(&machine(), approve.clone()).await.unwrap_err().code(), "forbidden");
        world.ca.then([CaStep::Wait(Duration::from_secs(60)), CaStep::Issue]);
        world.engine.execute(&me(), approve).await.unwrap();
        world.pass(Duration::from_secs(5)).await;
        let waiting = world.enrol(careful.clone()).await;
        assert!(matches!(waiting, Enrolled::Pending { waits_for: WaitsFor::Issuer, .. }), "{waiting:?}");
        world.pass(Duration::from_secs(120)).await;
        let one = issued(&world.enrol(careful.clone()).await);
        assert_eq!(one.certificate, certificate_id);
        assert_eq!(issued(&standing(job_id).await.unwrap()), one);
        assert_eq!(world.ca.issued().len(), 1);
        let key = Standing::Key(EnrolSource::Est, careful.repeat.key.clone());
        let by_key = world.engine.execute(&machine(), key.clone()).await.unwrap();
        assert_eq!(issued(&by_key.unwrap()), one);
        let stranger = Principal::machine("est:devices:other");
        assert_eq!(world.engine.execute(&stranger, key).await.unwrap(), None, "keys are of one principal");
    });
}

#[test]
fn a_rejected_request_stays_rejected_for_a_day_and_a_failed_one_is_begun_again() {
    block_on(async {
        let world = with_door(48).await;
        let csr = request(1, "router.example.com", &[]).await;
        let mut careful = first(&csr);
        careful.terms.profile_id = Some("prof-careful".parse().unwrap());
        let Enrolled::Pending { job_id, .. } = world.enrol(careful.clone()).await else { panic!() };
        let reject = job::Reject { id: job_id, reason: Some("not this one".into()) };
        world.engine.execute(&me(), reject).await.unwrap();
        world.nothing_came_of_again(&careful, RefusalReason::Rejected).await;
        world.pass(DAY + DAY).await;
        assert!(matches!(world.enrol(careful).await, Enrolled::Pending { .. }));

        let other = request(2, "switch.example.com", &[]).await;
        let enrol = Enrol { label: "est/devices/switch".into(), ..at_far(&other) };
        world.ca.then([CaStep::Fail(ConnectorErrorKind::Policy, None)]);
        assert!(matches!(world.enrol(enrol.clone()).await, Enrolled::Pending { .. }));
        world.pass(Duration::from_secs(10)).await;
        let stored = world.all::<Certificate>().await.into_iter().find(|one| one.name == enrol.label).unwrap();
        assert_eq!(stored.lifecycle, Lifecycle::Failed);
        assert!(matches!(world.enrol(enrol.clone()).await, Enrolled::Pending { .. }));
        world.pass(Duration::from_secs(10)).await;
        assert_eq!(issued(&world.enrol(enrol).await).certificate, stored.id);
        // An issuer that answers at once and refuses leaves nothing behind.
        world.ca.then([CaStep::Fail(ConnectorErrorKind::Policy, None)]);
        let third = request(3, "hub.example.com", &[]).await;
        world.nothing_came_of(Enrol { label: "est/devices/hub".into(), ..first(&third) }, RefusalReason::Issuer).await;
    });
}

#[test]
fn a_second_request_for_a_busy_certificate_waits_for_nobody() {
    block_on(async {
        let world = with_door(49).await;
        world.ca.then([CaStep::Wait(Duration::from_secs(600)), CaStep::Wait(Duration::from_secs(600))]);
        let one = world.enrol(at_far(&request(1, "router.example.com", &[]).await)).await;
        let two = world.enrol(at_far(&request(2, "router.example.com", &[]).await)).await;
        let (Enrolled::Pending { certificate_id: one, .. }, Enrolled::Pending { certificate_id: two, .. }) = (one, two)
        else {
            panic!()
        };
        assert_ne!(one, two);
        world.pass(Duration::from_secs(1_300)).await;
        assert_eq!(world.ca.issued().len(), 2);
        // A renewal is of one certificate, so a second one is refused while it is under way.
        let issued_one = issued(&world.enrol(at_far(&request(1, "router.example.com", &[]).await)).await);
        world.ca.then([CaStep::Wait(Duration::from_secs(600))]);
        let renew = |csr: &Csr| Enrol { terms: at_far(csr).terms, ..renewal(csr, &issued_one) };
        let waiting = world.enrol(renew(&request(3, "router.example.com", &[]).await)).await;
        assert!(matches!(waiting, Enrolled::Pending { .. }), "{waiting:?}");
        let other = renew(&request(4, "router.example.com", &[]).await);
        world.nothing_came_of(other, RefusalReason::InProgress).await;
    });
}

#[test]
fn the_engine_renews_none_of_them_and_tells_when_one_does_not_come_back() {
    block_on(async {
        let world = with_door(50).await;
        let one = issued(&world.enrol(first(&request(1, "router.example.com", &[]).await)).await);
        let jobs = world.jobs().await.len();
        // Ninety days, due after sixty at the latest; people are told when a quarter of what is left then has passed.
        world.pass(DAY * 66).await;
        assert_eq!(world.jobs().await.len(), jobs, "no job that nobody could do");
        assert_eq!(world.status(one.certificate.as_str()).await, CertificateStatus::Expiring);
        let warnings = || async {
            let told = world.notifications().await;
            told.iter().filter(|one| one.kind == certctl_core::domain::NotificationType::ExpirationWarning).count()
        };
        assert_eq!(warnings().await, 0);
        world.pass(DAY * 11).await;
        assert_eq!(warnings().await, 1, "fourteen days before its end");
        issued(&world.enrol(renewal(&request(2, "router.example.com", &[]).await, &one)).await);
        world.pass(DAY * 30).await;
        assert_eq!(warnings().await, 1);
        assert_eq!(world.status(one.certificate.as_str()).await, CertificateStatus::Active);
    });
}

impl World {
    /// The same for a request that was stored.
    async fn nothing_came_of_again(&self, enrol: &Enrol, reason: RefusalReason) {
        let before = self.all::<Version>().await.len();
        assert_eq!(refused(&self.enrol(enrol.clone()).await), reason);
        assert_eq!(self.all::<Version>().await.len(), before);
    }
}
