//! Pages by number, pages by cursor, filters, orders and sparse rows.

use serde_json::{Value, json};

use crate::world::{World, check_problem};

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// Teams `t0` … `t6` beside the default one, each made a second later.
async fn teams() -> World {
    let world = World::new().await;
    for number in 0..7 {
        world.fakes.clock.advance(std::time::Duration::from_secs(1));
        world.post("/api/v1/teams", json!({ "name": format!("t{number}") })).await.expect(201);
    }
    world
}

#[tokio::test]
async fn pages_by_number_carry_the_true_total() {
    let world = teams().await;
    let page = world.get("/api/v1/teams?page=2&per_page=3").await.expect(200);
    assert_eq!((&page["total"], &page["page"], &page["per_page"]), (&json!(8), &json!(2), &json!(3)));
    assert_eq!(names(&page), ["t3", "t2", "t1"]);
    assert!(page["next_cursor"].is_string() && page.get("page_size").is_none());
    let last = world.get("/api/v1/teams?page=3&per_page=3").await.expect(200);
    assert_eq!(names(&last), ["t0", "default"]);
    assert!(last.get("next_cursor").is_none());
    let beyond = world.get("/api/v1/teams?page=9").await.expect(200);
    assert_eq!((&beyond["data"], &beyond["total"]), (&json!([]), &json!(8)));
}

#[tokio::test]
async fn sizes_out_of_range_fall_back_to_50() {
    let world = teams().await;
    for size in ["0", "-1", "501", "9999", "many", ""] {
        let page = world.get(&format!("/api/v1/teams?per_page={size}&page={size}")).await.expect(200);
        assert_eq!(page["per_page"], 50, "{size}");
    }
    assert_eq!(world.get("/api/v1/teams?per_page=500").await.expect(200)["per_page"], 500);
    assert_eq!(world.get("/api/v1/teams?page=x").await.expect(200)["page"], 1);
}

#[tokio::test]
async fn cursors_walk_through_the_whole_list() {
    let world = teams().await;
    let mut path = "/api/v1/teams?page_size=3".to_owned();
    let mut seen = Vec::new();
    for pages in 1.. {
        let page = world.get(&path).await.expect(200);
        assert!(page.get("total").is_none() && page.get("page").is_none());
        assert_eq!(page["page_size"], 3);
        seen.extend(names(&page).into_iter().map(ToOwned::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(pages, 3);
            break;
        };
        path = format!("/api/v1/teams?page_size=3&cursor={cursor}");
    }
    assert_eq!(seen, ["t6", "t5", "t4", "t3", "t2", "t1", "t0", "default"]);
    assert_eq!(world.get("/api/v1/teams?page_size=1&total=true").await.expect(200)["total"], 8);
}

#[tokio::test]
async fn cursors_of_another_list_and_repeated_parameters_are_refused() {
    let world = teams().await;
    let page = world.get("/api/v1/teams?page_size=3").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in [format!("/api/v1/owners?cursor={cursor}"), "/api/v1/teams?cursor=!".into()] {
        let problem = check_problem(&world.get(&path).await, 400);
        assert_eq!(
            (&problem["errors"][0]["code"], &problem["errors"][0]["pointer"]),
            (&json!("bad_cursor"), &json!("/cursor"))
        );
    }
    world.get("/api/v1/teams?page=1&page=2").await.problem(400);
}

#[tokio::test]
async fn certificates_are_filtered_and_sorted() {
    let world = World::new().await;
    for (id, environment) in [("mc-b", "production"), ("mc-a", "test"), ("mc-c", "production")] {
        world.fakes.clock.advance(std::time::Duration::from_secs(1));
        world.certificate(id, json!({ "environment": environment })).await;
    }
    let list = async |query: &str| {
        let list = world.get(&format!("/api/v1/certificates?{query}")).await.expect(200);
        names(&list).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["mc-c", "mc-a", "mc-b"]);
    assert_eq!(list("sort=createdAt").await, ["mc-b", "mc-a", "mc-c"]);
    assert_eq!(list("sort=-name").await, ["mc-c", "mc-b", "mc-a"]);
    assert_eq!(list("sort=name&sort_desc=true").await, ["mc-c", "mc-b", "mc-a"]);
    assert_eq!(list("environment=production&sort=name").await, ["mc-b", "mc-c"]);
    assert_eq!(list("status=Active").await.len(), 0);
}

#[tokio::test]
async fn unknown_orders_and_values_are_refused() {
    let world = World::new().await;
    for query in ["sort=colour", "status=Unknown", "expires_before=yesterday", "owner_id=a%20b"] {
        world.get(&format!("/api/v1/certificates?{query}")).await.problem(400);
    }
    world.get("/api/v1/certificates?created_after=2020-01-01T00:00:00+01:00&owner_id=&colour=red").await.expect(200);
    world.get("/api/v1/jobs?status=Nowhere").await.problem(400);
}

#[tokio::test]
async fn archived_certificates_are_hidden_unless_asked_for() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    world.delete("/api/v1/certificates/mc-1").await.expect(204);
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["data"], json!([]));
    let archived = world.get("/api/v1/certificates?status=Archived").await.expect(200);
    assert_eq!(names(&archived), ["mc-1"]);
    assert_eq!(world.get("/api/v1/certificates/mc-1").await.expect(200)["status"], "Archived");
}

#[tokio::test]
async fn sparse_rows_carry_what_was_asked_for() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    let list = world.get("/api/v1/certificates?fields=id,status,expires_at,colour").await.expect(200);
    assert_eq!(list["data"], json!([{ "id": "mc-1", "status": "Pending", "expires_at": null }]));
    assert_eq!(list["total"], 1);
}

#[tokio::test]
async fn jobs_are_filtered() {
    let world = World::new().await;
    world.certificate("mc-1", json!({})).await;
    world.certificate("mc-2", json!({})).await;
    let count =
        async |query: &str| world.get(&format!("/api/v1/jobs?{query}")).await.expect(200)["total"].as_u64().unwrap();
    assert_eq!(count("").await, 2);
    assert_eq!(count("certificate_id=mc-1").await, 1);
    assert_eq!(count("type=Issuance&status=AwaitingCSR").await, 2);
    assert_eq!(count("type=Deployment").await, 0);
    assert_eq!(count("target_id=tgt-1&agent_id=edge-1").await, 0);
}
