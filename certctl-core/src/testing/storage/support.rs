//! What the cases have in common.

use std::sync::Arc;

use futures_util::future::join_all;

use super::event;
use crate::entity::{Entity, Mutable, Record};
use crate::storage::{ApplyError, Changes, Committed, Page, Query, Storage, UnitOfWork, View};

pub(super) type Store = Arc<dyn Storage>;

pub(super) async fn get<E: Entity>(store: &Store, id: &str) -> Option<Record<E>> {
    store.read(View::Latest).await.unwrap().get(id).await.unwrap()
}

pub(super) async fn list<E: Entity>(store: &Store, query: Query<E>) -> Page<E> {
    store.read(View::Latest).await.unwrap().list(query).await.unwrap()
}

pub(super) async fn ids<E: Entity>(store: &Store, query: Query<E>) -> Vec<String> {
    list(store, query).await.records.iter().map(|record| record.id().to_owned()).collect()
}

/// Inserts without an audit event.
pub(super) async fn insert<E: Mutable>(
    store: &Store,
    entities: impl IntoIterator<Item = E>,
) -> Result<Committed, ApplyError> {
    let mut changes = Changes::bookkeeping();
    for entity in entities {
        changes.insert(entity);
    }
    store.apply(changes).await
}

/// Stores one changed record, without an audit event.
pub(super) async fn update<E: Mutable>(store: &Store, record: Record<E>) -> Result<Committed, ApplyError> {
    let mut changes = Changes::bookkeeping();
    changes.update(record);
    store.apply(changes).await
}

/// Deletes one record, without an audit event.
pub(super) async fn delete<E: Mutable>(store: &Store, record: &Record<E>) -> Result<Committed, ApplyError> {
    let mut changes = Changes::bookkeeping();
    changes.delete(record);
    store.apply(changes).await
}

pub(super) async fn begin(store: &Store) -> UnitOfWork {
    UnitOfWork::begin(store).await.unwrap()
}

/// A set with nothing but an audit event, to which a case adds.
pub(super) fn audited(id: impl ToString) -> Changes {
    let mut changes = Changes::default();
    changes.append(event(id));
    changes
}

pub(super) fn conflict(entity: &'static str, field: &'static str) -> ApplyError {
    ApplyError::Conflict { entity, field }
}

pub(super) fn stale(entity: &'static str) -> ApplyError {
    ApplyError::Stale { entity }
}

/// Commits units that have all read before the first of them writes.
pub(super) async fn commit_together(units: Vec<UnitOfWork>) -> Vec<Result<Committed, ApplyError>> {
    join_all(units.into_iter().map(UnitOfWork::commit)).await
}
