//! An engine on SQLite whose API stands below `/certs` in the router of another program.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{Role, SCHEMAS};
use certctl_core::engine::{ConfiguredKey, SetupSecret};
use certctl_core::ports::Secret;
use certctl_core::seal::SealingKey;
use certctl_storage::{DatabaseConfig, SeaStorage};
use tokio::net::TcpListener;

/// The engine over a database in this directory. A real program keeps the sealing key and gives its own API keys.
async fn engine(directory: &Path) -> Result<Engine, Box<dyn Error>> {
    let ports = ports(&HostConfig::default())?;
    let database = DatabaseConfig::new(format!("sqlite:{}", directory.join("certctl.db").display()));
    let storage = SeaStorage::connect(&database, SCHEMAS, ports.clock.clone()).await?;
    let sealing = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let key = ConfiguredKey { name: "me".into(), key: Secret::new("change-me"), role: Role::Admin };
    let builder = Engine::builder(Arc::new(storage), ports, sealing);
    Ok(builder.connectors(certctl_connectors::registry()).keys(vec![key]).build().await?)
}

fn app(engine: &Engine) -> Router {
    let certs = certctl_http::router(engine.clone(), certctl_http::Options::default());
    Router::new().route("/", get(|| async { "the rest of the program" })).nest("/certs", certs)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let engine = engine(directory.path()).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/certs/api/v1", listener.local_addr()?);
    println!("curl -H 'authorization: Bearer change-me' {url}/issuers");
    let shutdown = || async { drop(tokio::signal::ctrl_c().await) };
    // The loops renew and retry; the API works without them, too.
    let serve = certctl_http::serve_plain(listener, app(&engine), certctl_http::Limits::default(), shutdown());
    let (served, ()) = tokio::join!(serve, engine.run_until(shutdown()));
    Ok(served?)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    #[tokio::test]
    async fn the_api_is_below_its_path_and_the_program_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let app = super::app(&super::engine(directory.path()).await.unwrap());
        for (path, key, status) in [
            ("/", "", StatusCode::OK),
            ("/certs/api/v1/issuers/iss-local", "change-me", StatusCode::OK),
            ("/certs/api/v1/issuers/iss-local", "another", StatusCode::UNAUTHORIZED),
        ] {
            let request = Request::get(path).header("authorization", format!("Bearer {key}"));
            let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
    }
}
