//! Keys, the setup token, and the mode without keys.

use axum::http::Method;
use serde_json::json;

use crate::world::{ADMIN, OPERATOR, World};

#[tokio::test]
async fn a_key_says_who_it_belongs_to() {
    let world = World::new().await;
    assert_eq!(world.get("/api/v1/auth/info").await.expect(200), json!({ "auth_type": "api-key", "required": true }));
    let check = |key| world.call(Method::GET, "/api/v1/auth/check", key, None);
    let admin = json!({ "status": "authenticated", "user": "admin", "admin": true, "role": "admin" });
    assert_eq!(check(ADMIN).await.expect(200), admin);
    assert_eq!(check(OPERATOR).await.expect(200)["admin"], false);
}

#[tokio::test]
async fn without_authentication_everybody_is_an_administrator() {
    let world = World::open().await;
    let get = |path| world.call(Method::GET, path, "", None);
    assert_eq!(get("/api/v1/auth/info").await.expect(200), json!({ "auth_type": "none", "required": false }));
    assert_eq!(get("/api/v1/auth/check").await.expect(200)["admin"], true);
    let agent = json!({ "name": "a", "hostname": "h" });
    world.call(Method::POST, "/api/v1/agents", "", Some(agent)).await.expect(201);
}

#[tokio::test]
async fn the_setup_token_makes_one_administrator() {
    let world = World::new().await;
    // The world's own administrator closes the door, as the first one does.
    let wrong = json!({ "token": "guess", "name": "root" });
    assert_eq!(
        world.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(wrong)).await.problem(410),
        "bootstrap_closed"
    );

    let world = World::without_keys().await;
    let token = world.engine.setup_token().await.unwrap().unwrap();

    let ask = |token: &str| json!({ "token": token, "name": "root" });
    let post = |body| world.call(Method::POST, "/api/v1/auth/bootstrap", "", Some(body));
    assert_eq!(post(ask("guess")).await.problem(401), "bad_setup_token");
    let made = post(ask(token.expose())).await.expect(201);
    assert_eq!((&made["name"], &made["role"]), (&json!("root"), &json!("admin")));
    let key = made["key"].as_str().unwrap();
    let check = world.call(Method::GET, "/api/v1/auth/check", key, None).await.expect(200);
    assert_eq!(check["user"], "root");
    assert_eq!(post(ask(token.expose())).await.problem(410), "bootstrap_closed");
}
