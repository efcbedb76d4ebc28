//! The API against the contract of those who called its predecessor, where the contract is at hand: operations, parameters,
//! statuses, members and values. What differs is in `docs/src/contract-differences.md`, with the reason.

#![expect(clippy::disallowed_methods, reason = "the test reads the contract and the page of differences")]
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contract/wire.yaml");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/contract-differences.md");

/// Operations that are not there yet.
const NOT_YET: &[&str] = &["handleOCSP"];

const VERBS: &[&str] = &["get", "put", "post", "delete", "patch"];

/// How deep members are compared.
const DEEPEST: usize = 6;

fn main() {
    let contract = std::fs::read_to_string(CONTRACT);
    let is_absent = contract.is_err();
    let compare = Trial::test("what_the_contract_says_is_there_or_explained", move || {
        compared(&serde_saphyr::from_str(&contract.unwrap()).unwrap())
    });
    let trials = vec![
        compare.with_ignored_flag(is_absent),
        Trial::test("a_difference_of_every_kind_is_found", || {
            every_kind_is_found();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Set `CERTCTL_BLESS=1` to take from the page what does not differ any more. Nothing is ever added by itself.
fn compared(contract: &Value) -> Result<(), Failed> {
    let ours: Value = serde_json::from_str(certctl_http::openapi::COMMITTED).unwrap();
    let (found, operations) = differences(contract, &ours);
    if operations != 116 {
        return Err(format!("the contract has {operations} operations of this part, not 116").into());
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let rows: BTreeSet<&str> = page.lines().filter_map(explained).collect();
    let unexplained: Vec<&String> = found.iter().filter(|one| !rows.iter().any(|row| covers(row, one))).collect();
    let settled: BTreeSet<&str> =
        rows.iter().copied().filter(|row| !found.iter().any(|one| covers(row, one))).collect();
    if !settled.is_empty() && std::env::var_os("CERTCTL_BLESS").is_some() {
        let kept = page.lines().filter(|line| explained(line).is_none_or(|row| !settled.contains(row)));
        std::fs::write(PAGE, kept.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    } else if !settled.is_empty() {
        return Err(format!("no difference any more, take it from {PAGE} (CERTCTL_BLESS=1 does): {settled:#?}").into());
    }
    if unexplained.is_empty() { Ok(()) } else { Err(format!("not in {PAGE}: {unexplained:#?}").into()) }
}

/// The difference that a row of a table explains: the first cell, in backticks.
fn explained(line: &str) -> Option<&str> {
    let (difference, reason) = line.strip_prefix("| `")?.split_once("` |")?;
    assert!(reason.trim_matches(['|', ' ']).len() > 3, "no reason: {line}");
    Some(difference)
}

/// Whether a row, with at most one `*` for any text, is about the difference.
fn covers(row: &str, difference: &str) -> bool {
    match row.split_once('*') {
        None => row == difference,
        Some((before, after)) => {
            difference.strip_prefix(before).is_some_and(|rest| rest.ends_with(after) && rest.len() >= after.len())
        }
    }
}

/// What the contract has and we do not, and how many operations were compared.
fn differences(contract: &Value, ours: &Value) -> (BTreeSet<String>, usize) {
    let (mut found, mut compared) = (BTreeSet::new(), 0);
    let have: BTreeMap<(String, &str), &Value> =
        operations(ours).map(|(path, verb, operation)| ((shape(path), verb), operation)).collect();
    for (path, verb, operation) in operations(contract) {
        if NOT_YET.iter().any(|id| operation["operationId"] == *id) {
            continue;
        }
        compared += 1;
        let at = format!("{} {path}", verb.to_uppercase());
        let Some(mine) = have.get(&(shape(path), verb)) else {
            found.insert(format!("{at}: missing"));
            continue;
        };
        let mut sides = Sides { contract, ours, found: &mut found };
        sides.operation(&at, operation, mine);
    }
    (found, compared)
}

/// The two documents, and what was found.
struct Sides<'a> {
    contract: &'a Value,
    ours: &'a Value,
    found: &'a mut BTreeSet<String>,
}

impl Sides<'_> {
    fn operation(&mut self, at: &str, theirs: &Value, mine: &Value) {
        if theirs["operationId"] != mine["operationId"] {
            self.found.insert(format!("{at}: operationId {}", theirs["operationId"].as_str().unwrap_or_default()));
        }
        let known = queries(self.ours, mine);
        for (name, schema) in queries(self.contract, theirs) {
            match known.get(&name) {
                None => drop(self.found.insert(format!("{at}: query {name}"))),
                Some(known) => self.values(&format!("{at}: query {name}"), &schema, known),
            }
        }
        let statuses = |operation: &Value| -> BTreeSet<String> {
            operation["responses"].as_object().into_iter().flatten().map(|(status, _)| status.clone()).collect()
        };
        // The router answers 405 itself, for every path.
        for status in statuses(theirs).difference(&statuses(mine)).filter(|status| *status != "405") {
            self.found.insert(format!("{at}: status {status}"));
        }
        if let Some(schema) = json_schema(self.contract, &theirs["requestBody"]) {
            let known = json_schema(self.ours, &mine["requestBody"]).cloned().unwrap_or_default();
            self.members(&format!("{at}: body"), schema, &known, 0);
        }
        for (status, response) in theirs["responses"].as_object().into_iter().flatten() {
            let Some(schema) = json_schema(self.contract, response).filter(|_| status.starts_with('2')) else {
                continue;
            };
            if let Some(response) = mine["responses"].get(status) {
                let known = json_schema(self.ours, response).cloned().unwrap_or_default();
                self.members(&format!("{at}: {status}"), schema, &known, 0);
            }
        }
    }

    /// Members and values, at every depth.
    fn members(&mut self, at: &str, theirs: &Value, mine: &Value, depth: usize) {
        self.values(at, theirs, mine);
        if depth > DEEPEST {
            return;
        }
        let known = properties(self.ours, mine);
        for (name, schema) in properties(self.contract, theirs) {
            let at = format!("{at} {name}");
            match known.get(&name) {
                None => drop(self.found.insert(at)),
                Some(known) => self.members(&at, &schema, known, depth + 1),
            }
        }
        let theirs = follow(self.contract, theirs);
        if let Some(items) = theirs.get("items") {
            let known = parts(self.ours, mine).find_map(|part| part.get("items").cloned()).unwrap_or_default();
            self.members(at, items, &known, depth + 1);
        }
    }

    fn values(&mut self, at: &str, theirs: &Value, mine: &Value) {
        let known = choices(self.ours, mine);
        // Who accepts any text accepts these.
        if known.is_empty() {
            return;
        }
        for value in choices(self.contract, theirs).difference(&known) {
            self.found.insert(format!("{at} = {value}"));
        }
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let each = item.as_object().unwrap().iter().filter(|(verb, _)| VERBS.contains(&verb.as_str()));
        each.map(move |(verb, operation)| (path.as_str(), verb.as_str(), operation))
    })
}

/// The path without the names of its parameters.
fn shape(path: &str) -> String {
    path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect::<Vec<_>>().join("/")
}

fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => follow(document, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

fn queries(document: &Value, operation: &Value) -> BTreeMap<String, Value> {
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|one| follow(document, one));
    let queries = parameters.filter(|parameter| parameter["in"] == "query");
    queries.map(|query| (query["name"].as_str().unwrap().to_owned(), query["schema"].clone())).collect()
}

fn json_schema<'a>(document: &'a Value, holder: &'a Value) -> Option<&'a Value> {
    follow(document, holder).get("content")?.get("application/json")?.get("schema")
}

/// A schema, and those that it is made of or chooses from.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    let schema = follow(document, schema);
    let more = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
    Box::new(std::iter::once(schema).chain(more.flat_map(|part| parts(document, part))))
}

fn properties(document: &Value, schema: &Value) -> BTreeMap<String, Value> {
    let each = parts(document, schema).filter_map(|part| part.get("properties")?.as_object()).flatten();
    each.map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

fn choices(document: &Value, schema: &Value) -> BTreeSet<String> {
    let named = parts(document, schema).filter_map(|part| part.get("enum")?.as_array()).flatten();
    let single = parts(document, schema).filter_map(|part| part.get("const"));
    named.chain(single).filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn every_kind_is_found() {
    let contract = serde_json::json!({
        "paths": {
            "/a/{id}": { "get": { "operationId": "getA", "tags": ["A"],
                "parameters": [
                    { "in": "query", "name": "q", "schema": { "type": "string" } },
                    { "in": "query", "name": "kind", "schema": { "enum": ["x", "y"] } },
                ],
                "requestBody": { "content": { "application/json": { "schema": { "properties": { "sent": {} } } } } },
                "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/s/A" } } } }, "404": {} },
            } },
            "/b": { "post": { "operationId": "b", "tags": ["A"], "responses": {} } },
                },
        "s": { "A": { "properties": { "one": {}, "two": { "properties": { "deep": {} } },
                                      "many": { "items": { "enum": ["p", "q"] } } } } },
    });
    let ours = serde_json::json!({
        "paths": { "/a/{other}": { "get": { "operationId": "readA", "tags": ["A"],
            "parameters": [{ "in": "query", "name": "kind", "schema": { "enum": ["x"] } }],
            "responses": { "200": { "content": { "application/json": { "schema": { "allOf": [
                { "properties": { "two": { "properties": {} } } },
                { "properties": { "many": { "items": { "enum": ["p"] } } } },
            ] } } } } },
        } } },
    });
    let (found, compared) = differences(&contract, &ours);
    let expected: BTreeSet<String> = [
        "GET /a/{id}: operationId getA",
        "GET /a/{id}: query q",
        "GET /a/{id}: query kind = y",
        "GET /a/{id}: status 404",
        "GET /a/{id}: body sent",
        "GET /a/{id}: 200 one",
        "GET /a/{id}: 200 two deep",
        "GET /a/{id}: 200 many = q",
        "POST /b: missing",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!((found, compared), (expected, 2));
    assert!(covers("PUT * body id", "PUT /a/{id}: body id") && covers("a", "a"));
    assert!(!covers("PUT * body id", "POST /a/{id}: body id") && !covers("a*a", "a"));
}
