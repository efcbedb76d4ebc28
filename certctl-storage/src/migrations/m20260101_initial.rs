//! Every table of the first release, as the description of the entities gives it.

use async_trait::async_trait;
use certctl_core::entity::Schema;
use sea_orm::sea_query::{Alias, Table};
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::dialect::Dialect;
use crate::schema;

pub(super) struct Initial(pub(super) &'static [&'static Schema]);

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "m20260101_initial"
    }
}

#[async_trait]
impl MigrationTrait for Initial {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        for schema in self.0 {
            manager.get_connection().execute(&schema::table(dialect, schema)).await?;
            for index in schema::indexes(schema) {
                manager.get_connection().execute(&index).await?;
            }
            for guard in schema::guards(dialect, schema) {
                manager.get_connection().execute_unprepared(&guard).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for schema in self.0.iter().rev() {
            manager.drop_table(Table::drop().table(Alias::new(schema.table)).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
