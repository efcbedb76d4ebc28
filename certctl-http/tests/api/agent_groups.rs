//! Groups of agents: kept, changed, and who is in them.

use std::sync::Arc;

use axum::http::Method;
use certctl_http::client::Listing;
use certctl_http::wire::{CreateAgentGroup, Patch, UpdateAgentGroup};
use serde_json::{Value, json};

use crate::client::{InProcess, client};
use crate::world::{ADMIN, OPERATOR, VIEWER, World, check_problem};

const GROUPS: &str = "/api/v1/agent-groups";

/// An agent that reported itself like this.
async fn agent(world: &World, id: &str, os: &str, address: &str) {
    let agent = json!({
        "id": id, "name": id, "hostname": id, "os": os, "architecture": "amd64", "ip_address": address, "version": "1.0",
    });
    world.post("/api/v1/agents", agent).await.expect(201);
}

async fn fleet() -> World {
    let world = World::new().await;
    for (id, os, address) in [
        ("edge-1", "linux", "10.0.0.1"),
        ("edge-2", "Linux", "10.0.0.2"),
        ("mail-1", "linux", "192.0.2.1"),
        ("desk-1", "windows", "10.0.0.9"),
        ("six-1", "linux", "2001:db8::1"),
    ] {
        agent(&world, id, os, address).await;
    }
    world
}

async fn members(world: &World, id: &str) -> Vec<String> {
    let found = world.get(&format!("{GROUPS}/{id}/members")).await.expect(200);
    let mut ids: Vec<String> =
        found["data"].as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found["total"], ids.len());
    ids.sort();
    ids
}

#[tokio::test]
async fn members_meet_every_criterion() {
    let world = fleet().await;
    for (id, criteria, expected) in [
        ("g-os", json!({ "match_os": "LINUX" }), vec!["edge-1", "edge-2", "mail-1", "six-1"]),
        ("g-net", json!({ "match_ip_cidr": "10.0.0.0/30" }), vec!["edge-1", "edge-2"]),
        ("g-both", json!({ "match_os": "linux", "match_ip_cidr": "10.0.0.0/8" }), vec!["edge-1", "edge-2"]),
        ("g-six", json!({ "match_ip_cidr": "2001:db8::/32" }), vec!["six-1"]),
        (
            "g-all",
            json!({ "match_architecture": "amd64", "match_version": "1.0" }),
            vec!["desk-1", "edge-1", "edge-2", "mail-1", "six-1"],
        ),
        ("g-none", json!({ "match_os": "linux", "match_version": "2.0" }), vec![]),
        ("g-empty", json!({}), vec![]),
        ("g-off", json!({ "match_os": "linux", "enabled": false }), vec![]),
    ] {
        let mut group = criteria;
        group.as_object_mut().unwrap().extend([("id".into(), json!(id)), ("name".into(), json!(id))]);
        world.post(GROUPS, group).await.expect(201);
        assert_eq!(members(&world, id).await, expected, "{id}");
    }
}

#[tokio::test]
async fn names_decide_before_criteria_and_retired_agents_are_out() {
    let world = fleet().await;
    let group = json!({
        "id": "g", "name": "g", "match_ip_cidr": "10.0.0.0/8",
        "include_agent_ids": ["mail-1", "edge-1", "mail-1"], "exclude_agent_ids": ["edge-1", "desk-1"],
    });
    let made = world.post(GROUPS, group).await.expect(201);
    assert_eq!(made["include_agent_ids"], json!(["edge-1", "mail-1"]));
    assert_eq!(made["exclude_agent_ids"], json!(["desk-1", "edge-1"]));
    assert_eq!(world.get(&format!("{GROUPS}/g")).await.expect(200), made);
    assert_eq!(members(&world, "g").await, ["edge-2", "mail-1"]);

    let changed = world.put(&format!("{GROUPS}/g"), json!({ "exclude_agent_ids": [] })).await.expect(200);
    assert_eq!(
        (&changed["include_agent_ids"], &changed["exclude_agent_ids"]),
        (&made["include_agent_ids"], &json!([]))
    );
    assert_eq!(members(&world, "g").await, ["desk-1", "edge-1", "edge-2", "mail-1"]);
    world.delete("/api/v1/agents/mail-1").await.expect(200);
    assert_eq!(members(&world, "g").await, ["desk-1", "edge-1", "edge-2"]);
    world.put(&format!("{GROUPS}/g"), json!({ "match_ip_cidr": "", "include_agent_ids": ["six-1"] })).await.expect(200);
    assert_eq!(members(&world, "g").await, ["six-1"]);
}

#[tokio::test]
async fn members_come_in_pages() {
    let world = fleet().await;
    world.post(GROUPS, json!({ "id": "g", "name": "g", "match_os": "linux" })).await.expect(201);
    let page = async |query: &str| world.get(&format!("{GROUPS}/g/members?{query}")).await.expect(200);
    let ids =
        |page: &Value| page["data"].as_array().unwrap().iter().map(|agent| agent["id"].clone()).collect::<Vec<Value>>();
    let whole = page("").await;
    assert_eq!((&whole["page"], &whole["per_page"], &whole["total"]), (&json!(1), &json!(50), &json!(4)));
    let (first, second, third) =
        (page("per_page=3").await, page("page=2&per_page=3").await, page("page=3&per_page=3").await);
    assert_eq!(
        (first["total"].clone(), second["page"].clone(), third["data"].clone()),
        (json!(4), json!(2), json!([]))
    );
    assert_eq!([ids(&first), ids(&second)].concat(), ids(&whole));
    assert_eq!(page("per_page=9999&page=x").await["per_page"], 50);
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_place() {
    let world = fleet().await;
    world.post(GROUPS, json!({ "id": "g", "name": "g" })).await.expect(201);
    for (wrong, pointer) in [
        (json!({ "name": "" }), "/name"),
        (json!({ "match_ip_cidr": "10.0.0.1" }), "/match_ip_cidr"),
        (json!({ "match_ip_cidr": "10.0.0.1/8" }), "/match_ip_cidr"),
        (json!({ "match_ip_cidr": "2001:db8::/129" }), "/match_ip_cidr"),
        (json!({ "match_ip_cidr": 7 }), "/match_ip_cidr"),
        (json!({ "match_os": "x".repeat(129) }), "/match_os"),
        (json!({ "include_agent_ids": ["edge-1", "nobody"] }), "/include_agent_ids/1"),
        (json!({ "exclude_agent_ids": ["a b"] }), "/exclude_agent_ids/0"),
        (json!({ "exclude_agent_ids": "edge-1" }), "/exclude_agent_ids"),
    ] {
        let mut group = json!({ "name": "h" });
        group.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        for answer in [world.post(GROUPS, group).await, world.put(&format!("{GROUPS}/g"), wrong.clone()).await] {
            assert_eq!(check_problem(&answer, 400)["errors"][0]["pointer"], pointer, "{wrong}: {}", answer.text);
        }
    }
    assert_eq!(world.get(GROUPS).await.expect(200)["total"], 1);
    assert_eq!(world.post(GROUPS, json!({ "name": "g" })).await.problem(409), "already_exists");
    for path in ["none", "none/members"] {
        world.get(&format!("{GROUPS}/{path}")).await.problem(404);
    }
    world.put(&format!("{GROUPS}/none"), json!({})).await.problem(404);
    world.delete(&format!("{GROUPS}/none")).await.problem(404);
    world.call(Method::POST, GROUPS, VIEWER, Some(json!({ "name": "v" }))).await.problem(403);
}

#[tokio::test]
async fn a_client_keeps_groups() {
    let world = fleet().await;
    let http = Arc::new(InProcess(world));
    let operator = client(&http, OPERATOR);
    let new = CreateAgentGroup {
        name: "edge".into(),
        match_ip_cidr: "10.0.0.0/8".parse().ok(),
        include_agent_ids: vec!["mail-1".parse().unwrap()],
        ..CreateAgentGroup::default()
    };
    let made = operator.create_agent_group(&new).await.unwrap();
    assert!(made.id.as_str().starts_with("grp-") && made.enabled);
    assert_eq!(operator.list_agent_groups(&Listing::default()).await.unwrap().data, std::slice::from_ref(&made));
    let update = UpdateAgentGroup { match_ip_cidr: Patch::Clear, ..UpdateAgentGroup::default() };
    let changed = operator.update_agent_group(&made.id, &update).await.unwrap();
    assert_eq!((changed.match_ip_cidr.as_str(), &changed.include_agent_ids), ("", &made.include_agent_ids));
    let members = operator.list_agent_group_members(&made.id, &Listing::default()).await.unwrap();
    assert_eq!(members.data.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(), ["mail-1"]);
    operator.delete_agent_group(&made.id).await.unwrap();
    assert_eq!(client(&http, ADMIN).agent_group(&made.id).await.unwrap_err().status(), Some(404));
}
