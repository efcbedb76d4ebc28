//! The audit trail over fakes: sealed within a second, signed each minute, reads recorded, exports that verify.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::audit::{ExportLine, ExportReader, FindingKind, Verifier};
use certctl_core::domain::{AuditAction, AuditEvent, Principal, Role, SCHEMAS, UNSEALED};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::{PageRequest, audit, team};
use certctl_core::ports::FileErrorKind;
use certctl_core::seal::SealingKey;
use certctl_core::storage::MemoryStorage;
use certctl_core::testing::{FakePorts, block_on};
use certctl_core::{Engine, ErrorKind};

const FILE: &str = "/var/audit-checkpoints.ndjson";

struct World {
    fakes: FakePorts,
    engine: Engine,
}

async fn world() -> World {
    let fakes = FakePorts::seeded(1);
    certctl_core::ports::Files::create_dir_all(&fakes.files, Path::new("/var"), 0o755).await.unwrap();
    let ports = fakes.ports();
    let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let engine = Engine::builder(storage, ports, secret).audit_checkpoints(FILE).build().await.unwrap();
    World { fakes, engine }
}

fn me() -> Principal {
    Principal::embedder("me")
}

impl World {
    async fn teams(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let create = team::Create { name, ..team::Create::default() };
            self.engine.execute(&me(), create).await.unwrap();
        }
    }

    async fn after(&self, seconds: u64) -> usize {
        self.fakes.clock.advance(Duration::from_secs(seconds));
        self.engine.step().await.unwrap().audit_sealed
    }

    async fn events(&self) -> Vec<AuditEvent> {
        let page = PageRequest::Number { page: 1, per_page: 500 };
        let list = audit::List { page, ..audit::List::default() };
        let listed = self.engine.execute(&me(), list).await.unwrap();
        listed.records.into_iter().map(certctl_core::entity::Record::into_entity).collect()
    }

    async fn export(&self, export: audit::Export) -> String {
        let mut export = self.engine.execute(&me(), export).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            text.extend(piece);
        }
        String::from_utf8(text).unwrap()
    }

    async fn checkpoints(&self) -> Vec<certctl_core::domain::AuditCheckpoint> {
        let read = certctl_core::ports::Files::read_end(&self.fakes.files, Path::new(FILE), usize::MAX).await;
        match read {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                text.lines().map(|line| ExportLine::parse(line).unwrap().as_checkpoint().unwrap()).collect()
            }
            Err(error) => {
                assert_eq!(error.kind, FileErrorKind::NotFound);
                Vec::new()
            }
        }
    }
}

fn whole() -> audit::Export {
    audit::Export { format: audit::ExportFormat::Ndjson, filter: audit::ListFilter::default(), after: 0, part: None }
}

#[test]
fn a_fresh_install_verifies_clean() {
    block_on(async {
        let world = world().await;
        let outcome = world.engine.execute(&me(), audit::Verify).await.unwrap();
        assert!(outcome.is_clean(), "{outcome:?}");
        assert!(outcome.sealed == 0 && outcome.unsealed > 0 && outcome.vouched.is_none());
        world.after(1).await;
        world.after(1).await;
        let outcome = world.engine.execute(&me(), audit::Verify).await.unwrap();
        assert!(outcome.is_clean() && outcome.sealed > 2 && outcome.unsealed == 0, "{outcome:?}");
    });
}

#[test]
fn what_is_committed_is_due_to_be_sealed_within_a_second() {
    block_on(async {
        let world = world().await;
        while world.after(1).await > 0 {}
        assert_eq!(world.engine.next_due().await.unwrap().filter(|due| *due < Duration::from_secs(1)), None);
        world.teams(["a".to_owned()]).await;
        assert!(world.engine.next_due().await.unwrap().unwrap() <= Duration::from_millis(500));
        assert_eq!(world.events().await[0].seq, UNSEALED);
        assert_eq!(world.after(1).await, 1);
        let events = world.events().await;
        assert_eq!(events[0].action, AuditAction::TeamCreated);
        let numbers: Vec<i64> = events.iter().rev().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..).take(events.len()).collect::<Vec<_>>());
    });
}

#[test]
fn checkpoints_are_signed_each_minute_and_after_many_rows_and_kept_outside() {
    block_on(async {
        let world = world().await;
        world.after(1).await;
        assert_eq!(world.checkpoints().await.len(), 1, "the first rows are vouched for at once");
        world.teams(["a".to_owned()]).await;
        world.after(30).await;
        assert_eq!(world.checkpoints().await.len(), 1);
        assert!(world.engine.next_due().await.unwrap().unwrap() <= Duration::from_secs(30));
        world.after(31).await;
        let signed = world.checkpoints().await;
        let newest = world.events().await[0].seq;
        assert_eq!((signed.len(), signed[1].seq), (2, newest));
        // That the trail was listed is recorded, sealed and signed; then there is nothing new, and nothing to sign.
        world.after(61).await;
        assert_eq!(world.checkpoints().await.len(), 3);
        world.after(61).await;
        assert_eq!(world.checkpoints().await.len(), 3);
        assert_eq!(world.after(0).await, 0);
        let many = world.engine.cadence().checkpoint_rows;
        world.teams(["b".to_owned()]).await;
        world.after(1).await;
        let before = world.checkpoints().await.len();
        world.teams((0..=many).map(|n| n.to_string())).await;
        world.after(1).await;
        assert_eq!(world.checkpoints().await.len(), before + 1);
    });
}

#[test]
fn reads_are_recorded_many_at_a_time_and_agents_leave_none() {
    block_on(async {
        let world = world().await;
        let reader = Principal { role: Role::Viewer, ..Principal::embedder("reader") };
        for _ in 0..3 {
            world.engine.execute(&reader, team::List::default()).await.unwrap();
        }
        let get = team::Get { id: "team-default".parse().unwrap() };
        world.engine.execute(&reader, get).await.unwrap();
        let reads = async || -> Vec<AuditEvent> {
            let events = world.events().await;
            events.into_iter().filter(|event| event.action == AuditAction::ApiRead && event.actor == "reader").collect()
        };
        assert_eq!(reads().await, []);
        world.after(11).await;
        let recorded = reads().await;
        assert_eq!(recorded.len(), 1);
        let expected = serde_json::json!({ "reads": [
            { "operation": "team.get", "resource_id": "team-default", "count": 1 },
            { "operation": "team.list", "count": 3 },
        ] });
        assert_eq!(recorded[0].details.0, expected);
        let events = world.events().await;
        let own = events.iter().any(|event| event.details.to_string().contains("audit.list"));
        assert!(own, "reads of the trail itself are recorded too");
    });
}

#[test]
fn an_export_verifies_with_its_checkpoints_and_those_outside() {
    block_on(async {
        let world = world().await;
        world.teams((0..5_000).map(|n| n.to_string())).await;
        world.after(1).await;
        world.after(61).await;
        world.teams(["last".to_owned()]).await;
        let text = world.export(whole()).await;
        let outside = world.checkpoints().await;
        let verify = |text: &str| {
            let mut verifier = Verifier::default().trusting(outside[0].key_id.clone());
            for checkpoint in &outside {
                verifier.checkpoint(checkpoint);
            }
            let mut reader = ExportReader::new(verifier);
            text.lines().try_for_each(|line| reader.line(line)).and_then(|()| reader.finish())
        };
        let outcome = verify(&text).unwrap();
        assert!(outcome.is_clean() && outcome.sealed > 5_000 && outcome.unsealed >= 1, "{outcome:?}");
        assert_eq!(outcome.vouched.map(|(seq, _)| seq), Some(outside.last().unwrap().seq));
        // Without its last sealed rows, and the checkpoints over them; those outside still know of them.
        let is_kept = |line: &&str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["type"] == "export" || line["type"] == "end" || line["seq"].as_i64().is_none_or(|seq| seq <= 5_000)
        };
        let mut cut: String = text.lines().filter(is_kept).collect::<Vec<_>>().join("\n");
        cut.push('\n');
        let found = verify(&cut).unwrap().findings;
        assert!(found.iter().any(|finding| finding.kind == FindingKind::Cut), "{found:?}");

        // In parts it is the same text, but for what was recorded in between.
        let (mut after, mut rows, mut parts) = (0, 0, 0);
        loop {
            let part = world.export(audit::Export { after, part: Some(200_000), ..whole() }).await;
            assert!(part.len() < 2_000_000, "{}", part.len());
            let last = ExportLine::parse(part.lines().last().unwrap()).unwrap().as_end().unwrap();
            rows += part.lines().filter(|line| line.contains(r#""type":"event","seq""#)).count();
            parts += 1;
            after = last.0;
            if !last.1 {
                break;
            }
        }
        assert!(parts > 5 && u64::try_from(rows).unwrap() == outcome.sealed, "{parts} parts, {rows} rows");
    });
}

#[test]
fn exports_are_recorded_and_filtered_ones_say_so() {
    block_on(async {
        let world = world().await;
        world.teams(["a".to_owned(), "=b".to_owned()]).await;
        let filter = audit::ListFilter { action: Some(AuditAction::TeamCreated), ..audit::ListFilter::default() };
        let text = world.export(audit::Export { filter: filter.clone(), ..whole() }).await;
        assert_eq!(text.matches("create_team").count(), 2, "{text}");
        let mut reader = ExportReader::default();
        assert!(text.lines().try_for_each(|line| reader.line(line)).is_err(), "a part of the trail proves nothing");
        let csv = world.export(audit::Export { format: audit::ExportFormat::Csv, filter, ..whole() }).await;
        assert_eq!(csv.lines().count(), 3, "{csv}");
        let exported = world.events().await.iter().filter(|event| event.action == AuditAction::AuditExported).count();
        assert_eq!(exported, 2);
    });
}

#[test]
fn the_trail_is_for_auditors_and_administrators_alone() {
    block_on(async {
        let world = world().await;
        for role in Role::ALL {
            let principal = Principal { role: *role, ..me() };
            let may = matches!(role, Role::Admin | Role::Auditor);
            let refused =
                world.engine.execute(&principal, audit::List::default()).await.err().map(|error| error.kind());
            assert_eq!(refused.is_none(), may, "{role}");
            assert!(may || refused == Some(ErrorKind::Forbidden));
            assert_eq!(world.engine.execute(&principal, audit::Verify).await.is_ok(), may, "{role}");
            assert_eq!(world.engine.execute(&principal, whole()).await.is_ok(), may, "{role}");
            let read = world.engine.execute(&principal, team::List::default()).await.is_ok();
            assert!(*role != Role::Auditor || !read, "an auditor reads nothing else");
        }
    });
}

/// A part of the trail is told to be a part, never to be forged; and what was forged is found all the same.
#[test]
fn sf18_a_partial_export_is_no_forgery() {
    block_on(async {
        let world = world().await;
        world.teams((0..300).map(|n| n.to_string())).await;
        world.after(1).await;
        world.after(61).await;
        let read = |text: &str| {
            let mut reader = ExportReader::default();
            text.lines().try_for_each(|line| reader.line(line)).and_then(|()| reader.finish())
        };
        assert!(read(&world.export(whole()).await).unwrap().is_clean());
        // By a filter: refused as no whole, before anything is judged.
        let filter = audit::ListFilter { action: Some(AuditAction::TeamCreated), ..audit::ListFilter::default() };
        let filtered = world.export(audit::Export { filter, ..whole() }).await;
        let said = read(&filtered).unwrap_err().to_string();
        assert!(said.contains("filter") && !said.to_lowercase().contains("tamper"), "{said}");
        // From the middle on, and a first part: what is missing is missing, nothing is changed.
        for part in [
            world.export(audit::Export { after: 100, ..whole() }).await,
            world.export(audit::Export { part: Some(20_000), ..whole() }).await,
        ] {
            match read(&part) {
                Ok(outcome) => assert!(
                    outcome
                        .findings
                        .iter()
                        .all(|finding| finding.kind == FindingKind::Cut || finding.kind == FindingKind::Missing),
                    "{:?}",
                    outcome.findings
                ),
                Err(error) => assert!(!error.to_string().to_lowercase().contains("tamper"), "{error}"),
            }
        }
        // The same check finds an edit.
        let forged = world.export(whole()).await.replacen("create_team", "delete_team", 1);
        assert!(!read(&forged).unwrap().is_clean());
    });
}
