//! Tables that only grow refuse, by triggers, that their rows are changed or deleted.

use async_trait::async_trait;
use certctl_core::entity::Schema;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;

pub(super) struct AppendOnly(pub(super) &'static [&'static Schema]);

impl AppendOnly {
    fn tables(&self) -> impl Iterator<Item = &'static Schema> {
        self.0.iter().copied().filter(|schema| !schema.mutable)
    }
}

impl MigrationName for AppendOnly {
    fn name(&self) -> &'static str {
        "m20260102_append_only"
    }
}

#[async_trait]
impl MigrationTrait for AppendOnly {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        let triggers = self.tables().flat_map(|schema| dialect.append_only(schema));
        for sql in dialect.append_only_before().map(str::to_owned).into_iter().chain(triggers) {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        let triggers = self.tables().flat_map(|schema| dialect.append_only_undone(schema));
        for sql in triggers.chain(dialect.append_only_before_undone().map(str::to_owned)) {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
