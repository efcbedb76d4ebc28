//! Policy rules and what violates them.

mod create;
mod delete;
mod get;
mod list;
mod update;
mod violations;

pub use create::Create;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use update::Update;
pub use violations::Violations;

use crate::decide::policy::PolicyBreach;
use crate::domain::{PolicyConfig, PolicyRuleId, PolicyType, PolicyViolation};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::policy;
use crate::storage::{Query, UnitOfWork};

/// The refusal of what violates enforcing rules: `policy_violation`, with a member for each of them.
pub fn refusal(breaches: &[PolicyBreach]) -> Error {
    policy::refusal(breaches)
}

/// Refuses a configuration that does not fit the type.
fn check_config(kind: PolicyType, config: &serde_json::Value) -> Result<(), Error> {
    let read = PolicyConfig::parse(kind, config);
    read.map(drop).map_err(|error| Error::invalid_field(error.pointer, error.code, error.detail))
}

/// Every stored violation of a rule.
async fn violations_of(unit: &UnitOfWork, rule: &PolicyRuleId) -> Result<Vec<Record<PolicyViolation>>, Error> {
    let of = PolicyViolation::FIELDS.rule_id.equals(rule.clone());
    Ok(unit.all(Query::all().filter(of)).await?)
}
