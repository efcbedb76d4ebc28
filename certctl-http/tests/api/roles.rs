//! Every route × role, as the OpenAPI document says it.

use axum::http::Method;
use certctl_http::openapi;
use serde_json::{Value, json};

use crate::world::{KEYS, World};

/// Every operation that needs a key: its method, its path with ids that name nothing, and the roles that may.
fn guarded() -> Vec<(Method, String, Vec<String>)> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(verb, operation)| (path, verb, operation))
    });
    let guarded = operations.filter_map(|(path, verb, operation)| {
        let roles = operation.get("x-roles")?.as_array().unwrap();
        let roles = roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect();
        let path = ["{id}", "{cert_id}", "{job_id}"].iter().fold(path.clone(), |path, name| path.replace(name, "none"));
        Some((verb.to_uppercase().parse().unwrap(), path, roles))
    });
    guarded.collect()
}

/// A body that every route can read, so that only the role decides.
fn body() -> Value {
    json!({ "name": "", "hostname": "" })
}

#[tokio::test]
async fn each_role_reaches_its_routes_and_no_others() {
    let world = World::new().await;
    let guarded = guarded();
    assert!(guarded.len() > 40);
    for (method, path, roles) in guarded {
        for (key, role) in KEYS {
            let sent = (method != Method::GET).then(body);
            let answer = world.call(method.clone(), &path, key, sent).await;
            let may = roles.iter().any(|name| name == role.name());
            assert_eq!(answer.status != 403, may, "{method} {path} by {role}: {} {}", answer.status, answer.text);
            assert!(!matches!(answer.status.as_u16(), 401 | 405 | 500..), "{method} {path} by {role}: {}", answer.text);
        }
        assert_eq!(world.call(method.clone(), &path, "", Some(body())).await.problem(401), "unauthenticated");
        let answer = world.call(method, &path, "wrong", Some(body())).await;
        assert!(["unauthenticated", "bad_enrol_token"].contains(&answer.problem(401).as_str()), "{path}");
    }
}

#[tokio::test]
async fn what_needs_no_key_is_answered_without_one() {
    let world = World::new().await;
    for path in ["/health", "/ready", "/api/v1/health", "/api/v1/auth/info", "/api/v1/openapi.json", "/api/v1/version"]
    {
        world.call(Method::GET, path, "", None).await.expect(200);
        world.call(Method::GET, path, "wrong", None).await.expect(200);
    }
}
