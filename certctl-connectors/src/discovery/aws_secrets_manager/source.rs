//! Listing secrets and fetching each.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind, DiscoverySource, SourceItem, SourcePage};
use certctl_core::ports::{HttpResponse, Ports, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::config::Region;
use super::signing::Signing;
use crate::discovery::calls::{Service, concerns_one};

/// The secrets of one region.
pub(super) struct Source {
    region: Region,
    service: Service,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.region.fmt(f)
    }
}

/// Secrets per page: a secret has 64 KiB at most, so a page fits into memory.
const PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    secret_list: Vec<Entry>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: Option<Secret>,
    secret_binary: Option<Secret>,
}

impl Source {
    pub(super) fn new(region: Region, ports: &Ports) -> Self {
        Self { region, service: Service { kind_of, ..Service::new("AWS Secrets Manager", ports) } }
    }

    async fn call<T: DeserializeOwned>(&self, action: &str, body: &Value) -> Result<T, ConnectorError> {
        let region = &self.region;
        let signing = Signing {
            access_key_id: &region.access_key_id,
            secret_access_key: &region.secret_access_key,
            session_token: region.session_token.as_ref(),
            region: &region.name,
            service: "secretsmanager",
            now: self.service.clock.now(),
        };
        let target = format!("secretsmanager.{action}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.service.json(signing.post(&region.endpoint, &headers, body.to_string().into_bytes())).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listed, ConnectorError> {
        let mut filters = Vec::new();
        if let Some((key, value)) = &self.region.tag {
            filters.push(json!({ "Key": "tag-key", "Values": [key] }));
            if !value.is_empty() {
                filters.push(json!({ "Key": "tag-value", "Values": [value] }));
            }
        }
        filters.extend(self.region.name_prefix.iter().map(|prefix| json!({ "Key": "name", "Values": [prefix] })));
        let mut body = json!({ "MaxResults": PAGE, "Filters": filters });
        if let (Some(after), Some(members)) = (after, body.as_object_mut()) {
            members.insert("NextToken".to_owned(), json!(after));
        }
        self.call("ListSecrets", &body).await
    }

    /// The filters of the service look at keys and values apart, and at beginnings: one key with another's value fits there.
    fn is_wanted(&self, entry: &Entry) -> bool {
        let tagged = self
            .region
            .tag
            .as_ref()
            .is_none_or(|(key, value)| entry.tags.iter().any(|tag| tag.key == *key && tag.value == *value));
        tagged && self.region.name_prefix.as_ref().is_none_or(|prefix| entry.name.starts_with(prefix))
    }

    async fn item(&self, entry: Entry) -> Result<SourceItem, ConnectorError> {
        let path = format!("aws-sm://{}/{}", self.region.name, entry.name);
        let contents = match self.call("GetSecretValue", &json!({ "SecretId": entry.arn })).await {
            Ok(value) => octets(value),
            Err(error) if concerns_one(&error) => Err(error.explained()),
            Err(error) => return Err(error),
        };
        Ok(SourceItem { path, format: "aws-sm", contents })
    }
}

#[async_trait]
impl DiscoverySource for Source {
    fn place(&self) -> String {
        format!("aws-sm://{}", self.region.name)
    }

    async fn page(&self, after: Option<&str>) -> Result<SourcePage, ConnectorError> {
        let listed = self.list(after).await?;
        let mut items = Vec::new();
        for entry in listed.secret_list {
            if self.is_wanted(&entry) {
                items.push(self.item(entry).await?);
            }
        }
        Ok(SourcePage { items, next: listed.next_token.filter(|token| !token.is_empty()) })
    }
}

/// A secret is a text, octets in base64, or a JSON object some of whose members are texts with PEM.
fn octets(value: SecretValue) -> Result<Zeroizing<Vec<u8>>, String> {
    if let Some(binary) = value.secret_binary {
        return STANDARD.decode(binary.expose()).map(Zeroizing::new).map_err(|_| "its octets are no base64".to_owned());
    }
    let text = value.secret_string.ok_or("it has no value")?;
    let text = text.expose();
    let members = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let Some(Value::Object(members)) = members else { return Ok(Zeroizing::new(text.as_bytes().to_vec())) };
    let mut joined = Zeroizing::new(Vec::new());
    for text in members.values().filter_map(Value::as_str) {
        joined.extend_from_slice(text.as_bytes());
        joined.push(b'\n');
    }
    Ok(joined)
}

/// What the service means by 400, which it answers for nearly everything: the name of the error is in the body.
fn kind_of(answer: &HttpResponse) -> Option<ConnectorErrorKind> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "__type")]
        name: String,
    }
    let named: Named = serde_json::from_slice(&answer.body).ok()?;
    let name = named.name.rsplit('#').next().unwrap_or_default();
    match name {
        "ThrottlingException" | "TooManyRequestsException" | "LimitExceededException" => {
            Some(ConnectorErrorKind::Quota)
        }
        // One secret may be closed to whoever may read the others.
        "AccessDeniedException" => Some(ConnectorErrorKind::Policy),
        "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException" => Some(ConnectorErrorKind::Auth),
        "InternalServiceError" => Some(ConnectorErrorKind::Transient),
        _ => None,
    }
}
