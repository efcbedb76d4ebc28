//! Which tool of the Model Context Protocol an operation is: `x-mcp-tool`, or why it is none: `x-mcp-exempt`.

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;

/// What every tool's name begins with.
const PREFIX: &str = "certctl_";

/// Tools that are not called as their operations are.
const NAMES: &[(&str, &str)] = &[
    ("checkAuth", "auth_check"),
    ("getAuthInfo", "auth_info"),
    ("getCertificatesByStatus", "certificates_by_status"),
    ("getDERCRL", "get_der_crl"),
    ("getDashboardSummary", "dashboard_summary"),
    ("getExpirationTimeline", "expiration_timeline"),
    ("getHealth", "health"),
    ("getIssuanceRate", "issuance_rate"),
    ("getJobTrends", "job_trends"),
    ("getMetrics", "metrics"),
    ("getReady", "ready"),
    ("handleOCSP", "ocsp_check"),
    ("markNotificationAsRead", "mark_notification_read"),
    ("testIssuerConnection", "test_issuer"),
    ("testTargetConnection", "test_target"),
];

/// Arguments of tools that are not called as the parameters of their operations are.
const ARGUMENTS: &[(&str, &[(&str, &str)])] = &[
    ("agentPickupCertificate", &[("id", "agent_id")]),
    ("agentReportJobStatus", &[("id", "agent_id")]),
    ("agentSubmitCSR", &[("id", "agent_id")]),
];

/// Operations that are no tool, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("answerOCSP", "The protocol has clients of its own; getting the status of a serial number is a tool"),
    ("bootstrapAuth", "The first administrator is made by whoever can read the server's files, not by an assistant"),
    ("getApiHealth", "The same as getHealth"),
    ("getOpenApi", "Every tool describes itself"),
];

/// Paths of protocols that have clients of their own.
const PROTOCOLS: &[&str] = &["/.well-known/est", "/scep", "/acme"];

/// Says of an operation which tool it is.
pub(super) fn name_tool(path: &str, operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let mut extensions = Extensions::builder();
    match exemption(path, &id, operation) {
        Some(reason) => extensions = extensions.add("x-mcp-exempt", reason),
        None => extensions = extensions.add("x-mcp-tool", tool(&id)),
    }
    if let Some((_, renamed)) = ARGUMENTS.iter().find(|(operation, _)| *operation == id) {
        let renamed: serde_json::Map<String, Value> =
            renamed.iter().map(|(parameter, argument)| ((*parameter).to_owned(), json!(argument))).collect();
        extensions = extensions.add("x-mcp-arguments", Value::Object(renamed));
    }
    operation.extensions.get_or_insert_default().merge(extensions.build());
}

fn exemption(path: &str, id: &str, operation: &Operation) -> Option<&'static str> {
    if let Some((_, reason)) = EXEMPT.iter().find(|(exempt, _)| *exempt == id) {
        return Some(reason);
    }
    if PROTOCOLS.iter().any(|protocol| path.starts_with(protocol)) {
        return Some("The protocol has clients of its own");
    }
    let answers = serde_json::to_value(&operation.responses).unwrap_or_default();
    let streams = answers.as_object().into_iter().flatten().any(|(_, answer)| {
        answer
            .pointer("/content")
            .and_then(Value::as_object)
            .is_some_and(|kinds| kinds.contains_key("text/event-stream"))
    });
    streams.then_some("A stream does not fit into one answer")
}

fn tool(id: &str) -> String {
    match NAMES.iter().find(|(operation, _)| *operation == id) {
        Some((_, name)) => format!("{PREFIX}{name}"),
        None => format!("{PREFIX}{}", snake_case(id)),
    }
}

/// `listAgents` → `list_agents`, `agentSubmitCSR` → `agent_submit_csr`.
fn snake_case(id: &str) -> String {
    let characters: Vec<char> = id.chars().collect();
    let mut name = String::with_capacity(id.len() + 8);
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| characters.get(before));
        let after = characters.get(at + 1);
        let begins = character.is_ascii_uppercase()
            && (before.is_some_and(|before| !before.is_ascii_uppercase())
                || (before.is_some() && after.is_some_and(char::is_ascii_lowercase)));
        if begins {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_at_capitals_and_abbreviations_stay_together() {
        for (id, name) in [
            ("listAgents", "list_agents"),
            ("agentSubmitCSR", "agent_submit_csr"),
            ("exportCertificatePKCS12", "export_certificate_pkcs12"),
            ("getCSRStatus", "get_csr_status"),
            ("verify", "verify"),
        ] {
            assert_eq!(snake_case(id), name);
        }
    }

    /// The names that assistants know, by the operations that they are.
    #[test]
    fn tools_are_called_as_they_always_were() {
        const KNOWN: &[(&str, &[&str])] = &[
            ("Certificate", &["list s", "get", "create", "update", "archive", "revoke", "bulkRevoke s"]),
            ("Issuer", &["list s", "get", "create", "update", "delete"]),
            ("Target", &["list s", "get", "create", "update", "delete"]),
            ("Agent", &["list s", "get", "listRetired s", "register", "retire"]),
            ("Job", &["list s", "get", "cancel", "approve", "reject"]),
            ("Policy", &["get", "create", "update", "delete"]),
            ("Profile", &["list s", "get", "create", "update", "delete"]),
            ("Team", &["list s", "get", "create", "update", "delete"]),
            ("Owner", &["list s", "get", "create", "update", "delete"]),
            ("Agent Group", &["list s", "get", "create", "update", "delete"]),
            ("Audit Event", &["list s", "get"]),
            ("Notification", &["list s", "get", "requeue"]),
        ];
        for (noun, verbs) in KNOWN {
            for verb in *verbs {
                let (verb, plural) = verb.split_once(' ').unwrap_or((verb, ""));
                let id = format!("{verb}{}{plural}", noun.replace(' ', ""));
                let verb = verb.replace("bulkRevoke", "bulk_revoke").replace("listRetired", "list_retired");
                let name = format!("certctl_{verb}_{}{plural}", noun.to_lowercase().replace(' ', "_"));
                assert_eq!(tool(&id), name);
            }
        }
        for (id, name) in [
            ("triggerRenewal", "trigger_renewal"),
            ("bulkRenewCertificates", "bulk_renew_certificates"),
            ("releaseCertificate", "release_certificate"),
            ("bulkReassignCertificates", "bulk_reassign_certificates"),
            ("importCertificates", "import_certificates"),
            ("triggerDeployment", "trigger_deployment"),
            ("listCertificateVersions", "list_certificate_versions"),
            ("getDERCRL", "get_der_crl"),
            ("handleOCSP", "ocsp_check"),
            ("testIssuerConnection", "test_issuer"),
            ("agentHeartbeat", "agent_heartbeat"),
            ("agentSubmitCSR", "agent_submit_csr"),
            ("agentPickupCertificate", "agent_pickup_certificate"),
            ("agentGetWork", "agent_get_work"),
            ("agentReportJobStatus", "agent_report_job_status"),
            ("listPolicies", "list_policies"),
            ("listPolicyViolations", "list_policy_violations"),
            ("listAgentGroupMembers", "list_agent_group_members"),
            ("markNotificationAsRead", "mark_notification_read"),
            ("getDashboardSummary", "dashboard_summary"),
            ("getCertificatesByStatus", "certificates_by_status"),
            ("getExpirationTimeline", "expiration_timeline"),
            ("getJobTrends", "job_trends"),
            ("getIssuanceRate", "issuance_rate"),
            ("previewDigest", "preview_digest"),
            ("sendDigest", "send_digest"),
            ("getMetrics", "metrics"),
            ("getHealth", "health"),
            ("getReady", "ready"),
            ("getAuthInfo", "auth_info"),
            ("checkAuth", "auth_check"),
        ] {
            assert_eq!(tool(id), format!("certctl_{name}"));
        }
    }

    #[test]
    fn streams_and_protocols_are_no_tools() {
        let mut stream: Operation = serde_json::from_value(json!({
            "operationId": "getEvents",
            "responses": { "200": { "description": "", "content": { "text/event-stream": {} } } },
        }))
        .unwrap();
        name_tool("/api/v1/events", &mut stream);
        let told = serde_json::to_value(&stream).unwrap();
        assert!(told["x-mcp-exempt"].is_string() && told.get("x-mcp-tool").is_none(), "{told}");
        let mut plain: Operation =
            serde_json::from_value(json!({ "operationId": "estCACerts", "responses": {} })).unwrap();
        name_tool("/.well-known/est/cacerts", &mut plain);
        assert!(serde_json::to_value(&plain).unwrap()["x-mcp-exempt"].is_string());
        name_tool("/api/v1/elsewhere", &mut plain);
        assert_eq!(serde_json::to_value(&plain).unwrap()["x-mcp-tool"], "certctl_est_ca_certs");
    }
}
