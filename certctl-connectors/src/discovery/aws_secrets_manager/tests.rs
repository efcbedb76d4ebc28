//! A recorded exchange, by the public documentation of the service.

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::ports::Method;
use certctl_core::testing::{FakePorts, ScriptedHttp, block_on, connector_context};
use serde_json::{Value, json};

use super::*;

const ENDPOINT: &str = "https://secretsmanager.eu-central-1.amazonaws.com/";

fn source(world: &FakePorts, more: Value) -> Arc<dyn DiscoverySource> {
    let mut config = json!({
        "region": "eu-central-1", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ports = world.ports();
    let cx = connector_context("suite", ports);
    let valid = serde_json::from_value::<AwsSecretsManagerConfig>(config).unwrap().validate().unwrap();
    AwsSecretsManager::build(valid, &cx).unwrap()
}

fn header(request: &certctl_core::ports::HttpRequest, name: &str) -> String {
    let found = request.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.expose().to_owned()).unwrap_or_default()
}

/// Answers as the service does.
fn serve(world: &FakePorts) {
    world.http.handle(|request, _| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let entry = |name: &str, value: &str| {
            json!({ "ARN": format!("arn:aws:secretsmanager:eu-central-1:1:secret:{name}-Ab1"), "Name": name,
                    "Tags": [{ "Key": "type", "Value": value }, { "Key": "team", "Value": "certificate" }] })
        };
        let id = body["SecretId"].as_str().unwrap_or_default().to_owned();
        let answer = match (header(request, "x-amz-target").as_str(), body["NextToken"].as_str()) {
            ("secretsmanager.ListSecrets", None) => json!({
                "SecretList": [entry("shop", "certificate"), entry("password", "login")], "NextToken": "n2",
            }),
            ("secretsmanager.ListSecrets", Some("n2")) => json!({
                "SecretList": [entry("blog", "certificate"), entry("locked", "certificate"), entry("raw", "certificate")],
            }),
            ("secretsmanager.GetSecretValue", _) if id.contains("shop") => json!({ "SecretString": "PEM of the shop" }),
            ("secretsmanager.GetSecretValue", _) if id.contains("blog") => {
                json!({ "SecretString": json!({ "certificate": "PEM of the blog", "port": 443 }).to_string() })
            }
            ("secretsmanager.GetSecretValue", _) if id.contains("raw") => json!({ "SecretBinary": "MAMCAQU=" }),
            _ => return Some(Ok(ScriptedHttp::json(400, &json!({ "__type": "InvalidRequestException" })))),
        };
        Some(Ok(ScriptedHttp::json(200, &answer)))
    });
}

#[test]
fn secrets_with_the_tag_are_fetched_page_by_page() {
    let world = FakePorts::seeded(1);
    serve(&world);
    let source = source(&world, json!({ "session_token": "t0ken" }));
    let first = block_on(source.page(None)).unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (1, Some("n2")));
    assert_eq!(first.items[0].path, "aws-sm://eu-central-1/shop");
    assert_eq!(first.items[0].contents.as_ref().unwrap().as_slice(), b"PEM of the shop");
    let second = block_on(source.page(Some("n2"))).unwrap();
    let contents: Vec<_> =
        second.items.iter().map(|item| item.contents.as_ref().map(|octets| octets.to_vec())).collect();
    assert_eq!(second.next, None);
    assert_eq!(contents[0], Ok(b"PEM of the blog\n".to_vec()));
    assert!(contents[1].as_ref().unwrap_err().contains("400"), "one that cannot be had does not hide the others");
    assert_eq!(contents[2], Ok(vec![0x30, 3, 2, 1, 5]));
    let calls = world.http.calls();
    assert!(calls.iter().all(|call| call.method == Method::Post && call.url.as_str() == ENDPOINT));
    assert!(
        calls.iter().all(|call| header(call, "authorization").contains("/eu-central-1/secretsmanager/aws4_request"))
    );
    assert!(calls.iter().all(|call| header(call, "x-amz-security-token") == "t0ken"));
    assert!(!calls.iter().any(|call| String::from_utf8_lossy(&call.body).contains("password")), "it has another tag");
}

#[test]
fn what_concerns_all_secrets_ends_the_page_and_says_of_what_kind_it_is() {
    for (status, kind) in [
        (403, ConnectorErrorKind::Auth),
        (429, ConnectorErrorKind::Quota),
        (503, ConnectorErrorKind::Transient),
        (400, ConnectorErrorKind::Permanent),
    ] {
        let world = FakePorts::seeded(1);
        world.http.on(Method::Post, ENDPOINT, ScriptedHttp::response(status, "wJalrXUtnFEMI/K7MDENG"));
        let error = block_on(source(&world, json!({})).page(None)).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(!error.explained().contains("wJalr"), "{error}");
    }
}

#[test]
fn the_name_of_an_error_says_more_than_its_status() {
    for (name, kind) in [
        ("ThrottlingException", ConnectorErrorKind::Quota),
        ("com.amazonaws.secretsmanager#UnrecognizedClientException", ConnectorErrorKind::Auth),
        ("AccessDeniedException", ConnectorErrorKind::Policy),
        ("InvalidNextTokenException", ConnectorErrorKind::Permanent),
    ] {
        let world = FakePorts::seeded(1);
        world.http.on(Method::Post, ENDPOINT, ScriptedHttp::json(400, &json!({ "__type": name, "Message": "m" })));
        assert_eq!(block_on(source(&world, json!({})).page(None)).unwrap_err().kind, kind, "{name}");
    }
}
