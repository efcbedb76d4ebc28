//! What the tables refuse of whoever goes past the engine: rows of the audit trail are neither changed nor deleted.

use std::sync::Arc;

use certctl_core::entity::Entity;
use certctl_core::storage::{Changes, SealAudit, Storage};
use certctl_core::testing::storage::{Event, SCHEMAS, event};
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database};

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite};

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    const NAME: &str = "rows_of_the_trail_are_neither_changed_nor_deleted";
    vec![
        on_sqlite(NAME, async |path| refused(DatabaseConfig::new(format!("sqlite:{}", path.display()))).await),
        on_postgres(server, NAME, async |url| refused(DatabaseConfig::new(url)).await),
    ]
}

async fn refused(config: DatabaseConfig) {
    let store = SeaStorage::connect(&config, SCHEMAS, Arc::new(SystemClock)).await.unwrap();
    let record = async |id: &str| {
        let mut changes = Changes::default();
        changes.append(event(id));
        store.apply(changes).await.unwrap();
    };
    record("sealed").await;
    store.seal_audit(SealAudit { events: Event::SCHEMA, limit: 10 }).await.unwrap();
    record("unsealed").await;
    store.close().await;

    let raw = Database::connect(&config.url).await.unwrap();
    let mut statements = vec![
        "UPDATE audit_events SET detail = 'nothing' WHERE id = 'sealed'".to_owned(),
        "UPDATE audit_events SET detail = 'nothing' WHERE id = 'unsealed'".to_owned(),
        "UPDATE audit_events SET detail = 'nothing', seq = 2 WHERE id = 'unsealed'".to_owned(),
        "UPDATE audit_events SET seq = 7 WHERE id = 'sealed'".to_owned(),
        "UPDATE audit_events SET hash = NULL WHERE id = 'sealed'".to_owned(),
        format!("UPDATE audit_events SET seq = {} WHERE id = 'sealed'", i64::MAX),
        "DELETE FROM audit_events WHERE id = 'sealed'".to_owned(),
        "DELETE FROM audit_events WHERE id = 'unsealed'".to_owned(),
    ];
    if !config.url.starts_with("sqlite") {
        statements.push("TRUNCATE audit_events".to_owned());
    }
    for sql in statements {
        let error = raw.execute_unprepared(&sql).await.unwrap_err().to_string();
        assert!(error.contains("rows of audit_events are never changed or deleted"), "{sql}: {error}");
    }
    // The one change that there is: a row gets its place.
    raw.execute_unprepared("UPDATE audit_events SET seq = 2 WHERE id = 'unsealed'").await.unwrap();
    raw.close().await.unwrap();
}
