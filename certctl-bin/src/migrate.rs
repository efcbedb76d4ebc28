//! `certctl migrate`: the database's tables, brought up to date by hand.

use certctl_storage::MigrationStatus;

use crate::arguments::{MigrateArguments, ServeArguments};
use crate::config::Environment;
use crate::failure::Failure;
use crate::{compose, output, serve};

/// Migrates, or says how the database stands.
pub(crate) async fn run(arguments: &MigrateArguments, environment: &Environment) -> Result<(), Failure> {
    let home = &arguments.home;
    let like_serve =
        ServeArguments { config: home.config.clone(), data_dir: home.data_dir.clone(), ..ServeArguments::default() };
    let config = serve::configuration(&like_serve, environment)?;
    if let Some(steps) = arguments.down {
        compose::migrate_down(&config, steps).await?;
        return output::line(format!("undid {steps} migration(s)"));
    }
    if arguments.status {
        return output::line(describe(&compose::migration_status(&config).await?));
    }
    match compose::migrate(&config).await? {
        MigrationStatus::Current => output::line("the database was up to date"),
        MigrationStatus::Empty => output::line("the empty database has its tables now"),
        MigrationStatus::Pending(ran) => output::line(format!("ran {}", ran.join(", "))),
        status => output::line(describe(&status)),
    }
}

fn describe(status: &MigrationStatus) -> String {
    match status {
        MigrationStatus::Empty => "empty: `certctl migrate` makes the tables".to_owned(),
        MigrationStatus::Current => "up to date".to_owned(),
        MigrationStatus::Pending(pending) => format!("behind: {} must run", pending.join(", ")),
        MigrationStatus::Newer(unknown) => format!("made by a newer version: {}", unknown.join(", ")),
        MigrationStatus::Foreign(reason) => format!("not certctl's, or half migrated: {reason}"),
        other => format!("{other:?}"),
    }
}
