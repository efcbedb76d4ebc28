//! One real call and one refusal, by a client that progenitor made.

progenitor::generate_api!("src/openapi.json");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let var = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let root = reqwest::Certificate::from_pem(&std::fs::read(var("CERTCTL_SERVER_CA_BUNDLE_PATH")?)?)?;
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", var("CERTCTL_API_KEY")?).parse()?);
    let http = reqwest::Client::builder().tls_certs_only([root]).default_headers(headers).build()?;
    let client = Client::new_with_client(&var("CERTCTL_SERVER_URL")?, http);

    let wanted: types::CreateTeamRequest = serde_json::from_str(r#"{"id":"team-rust","name":"Rust"}"#)?;
    let made = client.create_team(&wanted).await?.into_inner();
    assert_eq!(client.get_team("team-rust").await?.into_inner().name, made.name);
    match client.get_team("team-none").await {
        Err(progenitor_client::Error::ErrorResponse(problem)) => assert_eq!(problem.code, "not_found"),
        other => return Err(format!("no problem document: {other:?}").into()),
    }
    println!("the client works");
    Ok(())
}
