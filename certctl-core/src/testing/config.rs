//! What the suites of connectors ask of every configuration.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking, as tests do")]

use serde_json::Value;

use crate::connector::{ConfigError, ConnectorInfo, secret};

/// A configuration that must be refused.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// The configuration.
    pub config: Value,
    /// JSON pointer (RFC 6901) of what is wrong with it.
    pub pointer: &'static str,
}

impl Unusable {
    /// A configuration that must be refused because of that member.
    pub fn at(pointer: &'static str, config: Value) -> Self {
        Self { config, pointer }
    }
}

type Validate<'a> = Box<dyn Fn(&Value) -> Result<(), ConfigError> + 'a>;

/// One kind of connector and how it is configured.
pub(super) struct Configured<'a> {
    pub(super) info: &'a ConnectorInfo,
    pub(super) validate: Validate<'a>,
    pub(super) config: Value,
    pub(super) secrets: Vec<String>,
    pub(super) unusable: Vec<Unusable>,
}

impl Configured<'_> {
    /// What is configured is accepted; what is not known is refused by its name.
    pub(super) fn only_what_is_known_is_accepted(&self) {
        (self.validate)(&self.config).unwrap();
        for shape in [Value::from("text"), Value::from(vec![1]), Value::from(Vec::<Value>::new()), Value::from(true)] {
            (self.validate)(&shape).expect_err("a configuration is a JSON object");
        }
        let mut strange = self.config.clone();
        let members = strange.as_object_mut().expect("a configuration is a JSON object");
        members.insert("of_no_connector".to_owned(), Value::from(1));
        let refused = (self.validate)(&strange).expect_err("a member that nobody knows must be refused");
        assert!(refused.to_string().contains("of_no_connector"), "it must be named: {refused}");
    }

    /// What cannot work is refused, with the place, and without repeating secrets.
    pub(super) fn what_cannot_work_is_refused_with_its_place(&self) {
        assert!(!self.unusable.is_empty(), "name configurations that cannot work");
        for unusable in &self.unusable {
            let Err(refused) = (self.validate)(&unusable.config) else {
                panic!("{} must be refused because of {}", unusable.config, unusable.pointer)
            };
            assert_eq!(refused.pointer, unusable.pointer, "{refused}");
            assert!(!refused.message.is_empty());
            self.hides_secrets("the refusal", &refused.to_string());
        }
    }

    /// Answers show no secret, and an update that repeats an answer changes nothing.
    pub(super) fn secrets_are_redacted_and_kept(&self) {
        let text = self.config.to_string();
        for hidden in &self.secrets {
            assert!(text.contains(json_text(hidden).as_str()), "the configuration should hold the secret `{hidden}`");
        }
        let shown = secret::redact(&self.info.schema, &self.config);
        self.hides_secrets("the redacted configuration", &shown.to_string());
        assert_eq!(secret::keep_redacted(&self.info.schema, &self.config, &shown), self.config);
    }

    /// Every member of the schema is explained on the connector's page.
    pub(super) fn the_page_explains_every_member(&self) {
        let members = self.info.schema.get("properties").and_then(Value::as_object);
        for name in members.into_iter().flat_map(|members| members.keys()) {
            assert!(self.info.docs.contains(&format!("`{name}`")), "docs.md of {} lacks `{name}`", self.info.kind);
        }
    }

    /// No text that somebody may see holds a secret.
    pub(super) fn hides_secrets(&self, what: &str, text: &str) {
        for hidden in &self.secrets {
            assert!(!text.contains(hidden.as_str()) && !text.contains(&json_text(hidden)), "{what} shows a secret");
        }
    }
}

/// The text as it stands within JSON, without the quotes: a PEM block there has no line breaks.
fn json_text(text: &str) -> String {
    Value::from(text).to_string().trim_matches('"').to_owned()
}
