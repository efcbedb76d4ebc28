//! Pages by number, pages by cursor, filters, orders and sparse rows.

use serde_json::{Value, json};

use crate::world::{World, check_problem, csr};

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

#[tokio::test]
async fn each_certificate_of_a_page_has_its_own_targets_and_newest_version() {
    let world = World::new().await;
    world.agent("edge-2").await;
    for (number, id) in ["mc-1", "mc-2", "mc-3"].iter().enumerate() {
        world.certificate(id, json!({})).await;
        if number < 2 {
            for turn in 0..2 {
                world.fakes.clock.advance(std::time::Duration::from_secs(1));
                let request = json!({ "csr_pem": csr(id, (number * 10 + turn) as u64).await });
                world.post(&format!("/api/v1/certificates/{id}/csr"), request).await.expect(202);
                world.post(&format!("/api/v1/certificates/{id}/renew"), json!({})).await;
            }
        }
    }
    world.target("tgt-1", "edge-2").await;
    world.target("tgt-2", "edge-2").await;
    world.certificate("mc-4", json!({ "target_ids": ["tgt-2", "tgt-1"] })).await;
    let list = world.get("/api/v1/certificates?sort=name").await.expect(200);
    assert_eq!(names(&list), ["mc-1", "mc-2", "mc-3", "mc-4"]);
    for listed in list["data"].as_array().unwrap() {
        let id = listed["id"].as_str().unwrap();
        assert_eq!(*listed, world.get(&format!("/api/v1/certificates/{id}")).await.expect(200), "{id}");
        let versions = world.get(&format!("/api/v1/certificates/{id}/versions")).await.expect(200);
        assert_eq!(listed.get("serial_number"), versions["data"][0].get("serial_number"), "{id}");
    }
    for status in ["Active", "Expiring", "Pending", "RenewalInProgress"] {
        let by_number = world.get(&format!("/api/v1/certificates?status={status}")).await.expect(200);
        let by_cursor = world.get(&format!("/api/v1/certificates?status={status}&page_size=50")).await.expect(200);
        assert_eq!(by_number["data"], by_cursor["data"], "{status}");
        let here = list["data"].as_array().unwrap().iter().filter(|row| row["status"] == status);
        assert_eq!(by_number["data"].as_array().unwrap().len(), here.count(), "{status}");
    }
    assert_ne!(list["data"][0]["serial_number"], list["data"][1]["serial_number"]);
    assert!(list["data"][2].get("serial_number").is_none());
    assert_eq!(list["data"][3]["target_ids"].as_array().unwrap().len(), 2);
    for field in ["serial_number", "fingerprint_sha256", "key_algorithm", "key_size", "issued_at", "target_ids"] {
        let sparse = world.get(&format!("/api/v1/certificates?sort=name&fields=id,{field}")).await.expect(200);
        let whole = list["data"].as_array().unwrap().iter().map(|row| row.get(field));
        assert!(whole.eq(sparse["data"].as_array().unwrap().iter().map(|row| row.get(field))), "{field}");
    }
}

#[tokio::test]
async fn a_filter_by_an_agent_gives_all_of_its_certificates_or_says_that_it_cannot() {
    let world = World::new().await;
    world.agent("edge-2").await;
    let mut targets = Vec::new();
    for number in 0..500 {
        targets.push(format!("tgt-{number}"));
        world.target(targets.last().unwrap(), "edge-2").await;
    }
    for number in 0..20 {
        world.certificate(&format!("mc-{number}"), json!({ "target_ids": targets })).await;
    }
    let path = "/api/v1/certificates?agent_id=edge-2";
    assert_eq!(world.get(path).await.expect(200)["total"], 20);
    world.certificate("mc-20", json!({ "target_ids": ["tgt-7"] })).await;
    let problem = check_problem(&world.get(path).await, 400);
    let error = &problem["errors"][0];
    assert_eq!((&error["code"], &error["pointer"]), (&json!("too_many"), &json!("/agent_id")));
    assert_eq!(world.get("/api/v1/certificates").await.expect(200)["total"], 21);
}
