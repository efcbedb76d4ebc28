use std::collections::BTreeSet;

use certctl_core::decide::status;
use certctl_core::domain::{Certificate, CertificateStatus, Timestamp};
use certctl_core::entity::{Condition, Entity, Test};
use certctl_core::storage::Snapshot;
use certctl_core::testing::storage::{Event, Item, SCHEMAS};
use sea_orm::{ConnectionTrait, DatabaseConnection};

use super::super::{connect, together};
use super::*;
use crate::read::SeaSnapshot;
use crate::{DatabaseConfig, migrations};

/// Texts as SQL, some of which no store writes.
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'''\"\\ :3:abc,;'",
    "':'",
    "'12:'",
    "'0'",
    "'a' || char(0) || 'b'",
    "char(0)",
    "'Zürich ' || char(0x10ffff, 0x2028, 10, 13)",
    "'NULL'",
];

async fn opened() -> (tempfile::TempDir, DatabaseConnection) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certctl.db");
    let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
    let connection = connect(&path, &config, false).await.unwrap();
    migrations::open(&connection, Dialect::Sqlite, SCHEMAS).await.unwrap();
    let numbers = ["0", "-1", "9223372036854775807", "-9223372036854775808", "42"];
    for (n, text) in TEXTS.iter().enumerate() {
        let number = numbers[n % numbers.len()];
        let note = if n % 3 == 0 { "NULL" } else { text };
        let (slot, seen) = if n % 2 == 0 { ("NULL", number) } else { (number, "NULL") };
        let bytes = ["x''", "x'00ff3a3130'", "x'c3'", "randomblob(300)"][n % 4];
        let item = format!(
            "INSERT INTO sample_items (id, name, rank, slot, state, flag, note, data, seen_at, row_version) \
             VALUES ({text} || '{n}', {text} || '{n}', {}, {slot}, 'Used', {}, {note}, {bytes}, {seen}, {})",
            n % 3,
            n % 2,
            n + 1
        );
        let event = format!(
            "INSERT INTO audit_events (id, detail, timestamp, digest, seq, hash) \
             VALUES ({text} || '{n}', {text}, {number}, {bytes}, {n}, {})",
            if n % 2 == 0 { "NULL" } else { bytes }
        );
        connection.execute_unprepared(&item).await.unwrap();
        connection.execute_unprepared(&event).await.unwrap();
    }
    (directory, connection)
}

fn all<E: Entity>(limit: usize) -> Select {
    Select { schema: E::SCHEMA, tests: Vec::new(), sort: 0, descending: false, after: None, offset: 0, limit }
}

async fn packed(connection: &DatabaseConnection, select: &Select) -> Option<Vec<Row>> {
    let answer = connection.query_one_raw(statement(select)).await.unwrap().unwrap();
    let cell: Option<Vec<u8>> = answer.try_get_by(0).unwrap();
    cell.map_or(Some(Vec::new()), |cell| decode(&cell, select))
}

/// The rows one by one.
async fn plain(connection: &DatabaseConnection, select: &Select) -> Result<Vec<Row>, sea_orm::DbErr> {
    let mut statement = paged(select);
    statement.columns(rows::column_names(select.schema).map(Alias::new));
    let mut statement = connection.get_database_backend().build(&statement);
    statement.sql.push_str(&limit(select));
    let results = connection.query_all_raw(statement).await?;
    results.iter().map(|result| rows::decode(result, select.schema, 0)).collect()
}

#[tokio::test]
async fn a_packed_page_has_the_same_rows() {
    let (_directory, connection) = opened().await;
    let mut selects = vec![all::<Item>(1_000), all::<Event>(1_000), all::<Item>(3)];
    for sort in 0..Item::SCHEMA.columns.len() {
        for descending in [false, true] {
            selects.push(Select { sort, descending, ..all::<Item>(1_000) });
        }
    }
    let rank = Item::SCHEMA.position("rank").unwrap();
    let after = Some((Value::Integer(1), "a".to_owned()));
    selects.push(Select { sort: rank, after, ..all::<Item>(1_000) });
    selects.push(Select { tests: vec![(rank, Test::Equals(Value::Integer(2)))], ..all::<Item>(1_000) });
    selects.push(Select { tests: vec![(rank, Test::Equals(Value::Integer(9)))], ..all::<Item>(1_000) });
    for select in selects {
        let plain = plain(&connection, &select).await.unwrap();
        assert_eq!(packed(&connection, &select).await, Some(plain), "{select:?}");
    }
    assert_eq!(packed(&connection, &all::<Item>(1_000)).await.map(|rows| rows.len()), Some(TEXTS.len()));
}

/// The conditions of a status, as a select of a page, newest first.
fn certificates(conditions: Vec<Condition<Certificate>>) -> Select {
    let tests = conditions.into_iter().map(Condition::into_parts).collect();
    let sort = Certificate::SCHEMA.position("created_at").unwrap();
    Select { tests, sort, descending: true, ..all::<Certificate>(100) }
}

#[test]
fn what_is_warned_of_is_found_by_its_moments_or_along_the_list_and_the_rest_as_sqlite_likes() {
    let now = Timestamp(1);
    let index = |conditions| index_of_page(&certificates(conditions)).map(|index| index.name);
    assert_eq!(index(status::filter(CertificateStatus::Expiring, now)), Some("managed_certificates_by_warning"));
    assert_eq!(index(status::expiring_along_a_list(now)), Some("managed_certificates_by_rest"));
    for other in CertificateStatus::ALL.iter().filter(|status| **status != CertificateStatus::Expiring) {
        assert_eq!(index(status::filter(*other, now)), None, "{other}");
    }
    assert_eq!(index(status::active_along_a_list(now)), None);
}

#[tokio::test]
async fn a_page_found_in_an_index_has_the_same_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certctl.db");
    let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
    let connection = connect(&path, &config, false).await.unwrap();
    migrations::open(&connection, Dialect::Sqlite, certctl_core::domain::SCHEMAS).await.unwrap();
    connection.execute_unprepared("PRAGMA foreign_keys = OFF").await.unwrap();
    let columns = rows::column_names(Certificate::SCHEMA).collect::<Vec<_>>();
    for n in 0..300 {
        let cells = columns.iter().map(|column| match *column {
            "id" | "name" => format!("'mc-{n:03}'"),
            "lifecycle" => if n % 11 == 0 { "'Revoked'" } else { "'Issued'" }.into(),
            "renewing" => u8::from(n % 7 == 0).to_string(),
            "expires_at" => (n * 37 % 300).to_string(),
            "expiring_at" => (n * 37 % 300 - 100).to_string(),
            "created_at" => (n / 2).to_string(),
            "sans" => "'[]'".into(),
            "tags" => "'{}'".into(),
            _ => match Certificate::SCHEMA.columns.iter().find(|known| known.name == *column) {
                Some(known) if known.kind == Kind::Text && !known.nullable => "'x-1'".into(),
                Some(known) if known.nullable => "NULL".into(),
                _ => "1".into(),
            },
        });
        let (columns, cells) = (columns.join(", "), cells.collect::<Vec<_>>().join(", "));
        let insert = format!("INSERT INTO managed_certificates ({columns}) VALUES ({cells})");
        connection.execute_unprepared(&insert).await.unwrap();
    }
    let now = Timestamp(120);
    let mut found = BTreeSet::new();
    for conditions in [status::filter(CertificateStatus::Expiring, now), status::expiring_along_a_list(now)] {
        let select = certificates(conditions);
        let last = Some((Value::Integer(77), "mc-154".to_owned()));
        for select in [
            Select { limit: 1_000, ..select.clone() },
            Select { after: last, ..select.clone() },
            Select { limit: 25, ..select },
        ] {
            let plain = plain(&connection, &select).await.unwrap();
            assert!(plain.len() > 20, "{}", plain.len());
            found.insert(plain.len());
            assert_eq!(packed(&connection, &select).await, Some(plain), "{select:?}");
        }
    }
    assert_eq!(found.len(), 3, "both ways to the same rows");
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_read_row_by_row() {
    let (_directory, connection) = opened().await;
    let broken = "UPDATE sample_items SET note = CAST(x'ff' AS TEXT)";
    connection.execute_unprepared(broken).await.unwrap();
    assert_eq!(packed(&connection, &all::<Item>(1_000)).await, None);
    let now = Box::new(|| Timestamp(0));
    let snapshot = SeaSnapshot { connection, now, together: together::TOGETHER };
    assert!(snapshot.select(&all::<Item>(1_000)).await.is_err(), "no text, as row by row");
    assert_eq!(snapshot.select(&all::<Event>(1_000)).await.unwrap().len(), TEXTS.len());
}

#[test]
fn an_answer_that_does_not_end_with_a_row_is_none() {
    let select = all::<Event>(1_000);
    let whole = b"1:a0:1:70:1:1:";
    assert_eq!(decode(whole, &select).map(|rows| rows.len()), Some(1));
    for end in 1..whole.len() {
        assert_eq!(decode(&whole[..end], &select), None, "{end}");
    }
    for broken in [&b"1:a0:1:x0:1:1:"[..], b"x:a0:1:70:1:1:", b"99999999999999999999:"] {
        assert_eq!(decode(broken, &select), None);
    }
    let turned = decode(b"1:b0:1:70:1:1:1:a0:1:70:1:1:", &select).unwrap();
    assert_eq!(turned.iter().map(Row::id).collect::<Vec<_>>(), ["a", "b"], "rows that came out of order");
}
