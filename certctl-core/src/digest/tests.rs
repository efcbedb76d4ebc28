//! What a digest looks like, whatever it tells of.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{CertificateStatus, JobState};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_893_456_000);

fn digest() -> Digest {
    let certificates = CertificateStatus::ALL.iter().map(|status| (*status, 0)).collect::<BTreeMap<_, _>>();
    let mut census = Census {
        taken_at: NOW,
        certificates,
        ending_soon: 1,
        agents: 3,
        active_agents: 2,
        jobs: BTreeMap::from([(JobState::Failed, 1), (JobState::Completed, 9)]),
        dead_notifications: 4,
    };
    census.certificates.insert(CertificateStatus::Active, 5);
    census.certificates.insert(CertificateStatus::Expired, 2);
    Digest {
        census: Arc::new(census),
        expiring: vec![ExpiringCertificate {
            id: CertificateId::parse("mc-shop").unwrap(),
            common_name: "shop.example.com".to_owned(),
            owner_id: OwnerId::parse("o-anna").unwrap(),
            expires_at: NOW + Duration::from_secs(3 * 86_400 + 60),
        }],
        failures: vec![FailedJob {
            id: JobId::parse("job-1").unwrap(),
            kind: JobType::Renewal,
            certificate_id: CertificateId::parse("mc-blog").unwrap(),
            error: "the CA refused".to_owned(),
        }],
        failed: 1,
        since: NOW - Duration::from_secs(86_400),
    }
}

/// The texts of the cells, without what is around them.
fn cells(html: &str) -> Vec<&str> {
    html.split("<td").skip(1).filter_map(|cell| cell.split_once('>')?.1.split("</td>").next()).collect()
}

#[test]
fn it_counts_lists_and_names_its_day() {
    let digest = digest();
    assert_eq!(digest.subject(), "certctl Certificate Digest — 2030-01-01");
    let html = digest.html();
    let cells = cells(&html);
    let beside = |name: &str| cells.iter().position(|cell| *cell == name).map(|at| cells[at + 1]);
    for (name, value) in [
        ("Certificates", "7"),
        ("Expiring within 30 days", "1"),
        ("Expired", "2"),
        ("Agents not heard of", "1"),
        ("Jobs failed", "1"),
        ("Jobs completed", "9"),
        ("Notifications that were given up", "4"),
        ("Active", "5"),
        ("mc-shop", "shop.example.com"),
        ("2030-01-04T00:01:00Z", "3"),
        ("job-1", "mc-blog"),
        ("Renewal", "the CA refused"),
    ] {
        assert_eq!(beside(name), Some(value), "{name} in {html}");
        assert!(digest.text().contains(value), "{value} in {}", digest.text());
    }
    assert_eq!(beside("Revoked"), Some("0"));
    assert!(!html.contains("and 0 more"));
}

#[test]
fn mail_clients_can_show_it() {
    let html = digest().html();
    for foreign in ["<script", "<style", "<link", "<img", "class=", "flex", "grid", "url(", "javascript:"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    for tag in ["html", "head", "body", "table", "tr", "td", "th", "div"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // Some mail servers break longer lines.
    assert!(html.lines().all(|line| line.len() < 998));
}

#[test]
fn no_value_becomes_markup_or_a_line() {
    let usual = digest();
    let mut digest = usual.clone();
    digest.expiring[0].common_name = "<img src=x onerror=\"a('b')\">&\r\nmc-evil".to_owned();
    digest.failures[0].error = "</td></tr></table><h1>\r\n\r\n".to_owned();
    let html = digest.html();
    assert!(!html.contains("<img") && !html.contains("<h1>") && !html.contains("</table><h1"), "{html}");
    assert!(html.contains("&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;  mc-evil"), "{html}");
    assert_eq!(cells(&html).len(), cells(&usual.html()).len());
    assert_eq!(digest.text().lines().count(), usual.text().lines().count());
}

#[test]
fn what_is_not_listed_is_counted_and_what_there_is_none_of_is_said() {
    let mut digest = digest();
    (digest.failed, Arc::make_mut(&mut digest.census).ending_soon) = (26, 41);
    for page in [digest.html(), digest.text()] {
        assert!(page.contains("and 25 more") && page.contains("and 40 more"), "{page}");
    }
    (digest.failed, Arc::make_mut(&mut digest.census).ending_soon) = (0, 0);
    digest.failures.clear();
    digest.expiring.clear();
    assert_eq!(digest.html().matches(">none<").count(), 2);
    assert_eq!(digest.text().matches("  none\n").count(), 2);
}
