//! Flags of an operation: parameters of the path by position, the others and the members of the body by name.

use std::io::Read;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::operations::{Arguments, BODY, Operation, ParameterPlace};

/// Flags that every command has.
const COMMON: &[&str] = &["api-key", "ca", "data", "format", "help", "no-input", "output", "server", "store", "to"];

const DATA: &str = "data of the body";
const TO: &str = "file of the answer";

/// The longest body that is read from a file, in bytes. Servers read less.
const LONGEST: u64 = 16 << 20;

/// The command of an operation.
pub(super) fn command(verb: &str, operation: &Operation) -> clap::Command {
    let mut command = clap::Command::new(verb.to_owned()).about(operation.summary.clone()).disable_version_flag(true);
    if !operation.description.is_empty() {
        let summary = operation.summary.trim_end_matches('.');
        command = command.long_about(format!("{summary}.\n\n{}", operation.description.replace('\n', " ")));
    }
    for parameter in operation.parameters_in(ParameterPlace::Path) {
        command = command.arg(
            Arg::new(parameter.name.clone())
                .required(true)
                .value_name(parameter.name.to_uppercase())
                .help(parameter.description.clone()),
        );
    }
    for parameter in operation.parameters.iter().filter(|parameter| parameter.place != ParameterPlace::Path) {
        let text = help(&parameter.description, &parameter.schema);
        command = command.arg(flag(&parameter.argument, &parameter.schema).help(text).required(parameter.required));
    }
    if let Some(body) = &operation.body {
        for (name, schema) in operation.members() {
            let text = help(schema.get("description").and_then(Value::as_str).unwrap_or_default(), schema);
            let flag = flag(name, schema).help(text);
            let needed = body.required && operation.requires(name);
            command = command.arg(if needed { flag.required_unless_present(DATA) } else { flag });
        }
        let text = "The body: JSON, @FILE, or - for standard input; flags go over its members";
        let data = Arg::new(DATA).long("data").value_name("JSON|@FILE|-").help(text);
        command = command.arg(data.required(body.required && operation.takes_whole_body()));
    }
    if operation.media_types.iter().any(|media_type| media_type != "application/json") {
        command = command.arg(Arg::new(TO).long("to").value_name("FILE").help("Where to write what is no JSON"));
    }
    command
}

/// What a person typed, as arguments of the operation.
pub(super) fn arguments(operation: &Operation, matches: &ArgMatches) -> Result<Arguments, Failure> {
    let mut arguments = match matches.try_get_one::<String>(DATA).ok().flatten() {
        Some(data) => body(operation, data)?,
        None => Map::new(),
    };
    let parameters = operation.parameters.iter().map(|parameter| {
        let id = if parameter.place == ParameterPlace::Path { &parameter.name } else { &parameter.argument };
        (id.as_str(), parameter.argument.as_str(), &parameter.schema)
    });
    let members = operation.members().map(|(name, schema)| (name, name, schema));
    for (id, argument, schema) in parameters.chain(members) {
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let texts: Vec<&String> = matches.get_many::<String>(id).into_iter().flatten().collect();
        let value = if kind(schema) == Kind::Texts {
            texts.into_iter().cloned().map(Value::String).collect()
        } else if let Some(text) = texts.first() {
            value(schema, text).map_err(|reason| Failure::usage(format!("--{}: {reason}", long(argument))))?
        } else {
            continue;
        };
        arguments.insert(argument.to_owned(), value);
    }
    Ok(arguments)
}

/// Where the answer is to be written.
pub(super) fn destination(matches: &ArgMatches) -> Option<&String> {
    matches.try_get_one::<String>(TO).ok().flatten()
}

fn flag(name: &str, schema: &Value) -> Arg {
    let flag = Arg::new(name.to_owned()).long(long(name)).value_name(value_name(name, schema));
    let choices: Vec<String> = choices(schema);
    match kind(schema) {
        Kind::Texts => flag.action(ArgAction::Append),
        Kind::Bool => flag
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(ValueParser::from(PossibleValuesParser::new(["true", "false"]))),
        _ if !choices.is_empty() => flag.value_parser(ValueParser::from(PossibleValuesParser::new(choices))),
        _ => flag,
    }
}

/// The flag's name: that of the API with hyphens, and something before it where every command has such a flag.
fn long(name: &str) -> String {
    let name = name.replace('_', "-");
    if COMMON.contains(&name.as_str()) { format!("with-{name}") } else { name }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    Number,
    Text,
    Texts,
    Json,
}

fn kind(schema: &Value) -> Kind {
    match types(schema).as_slice() {
        ["boolean"] => Kind::Bool,
        ["integer"] => Kind::Integer,
        ["number"] => Kind::Number,
        ["array"] if schema.get("items").is_some_and(|items| types(items) == ["string"]) => Kind::Texts,
        ["string"] => Kind::Text,
        [] if !choices(schema).is_empty() => Kind::Text,
        _ => Kind::Json,
    }
}

/// The types of a schema, `null` left out.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => {
            let choice = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
            let mut found: Vec<&str> =
                choice.into_iter().flatten().flat_map(types).filter(|name| *name != "null").collect();
            found.dedup();
            found
        }
    }
}

fn choices(schema: &Value) -> Vec<String> {
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn value_name(name: &str, schema: &Value) -> String {
    match kind(schema) {
        Kind::Bool => "BOOL".to_owned(),
        Kind::Integer | Kind::Number => "NUMBER".to_owned(),
        Kind::Json => "JSON".to_owned(),
        Kind::Text | Kind::Texts if name == "id" || name.ends_with("_id") || name.ends_with("_ids") => "ID".to_owned(),
        Kind::Text | Kind::Texts if schema.get("format").is_some_and(|format| format == "date-time") => {
            "TIME".to_owned()
        }
        Kind::Text | Kind::Texts => "TEXT".to_owned(),
    }
}

fn help(description: &str, schema: &Value) -> String {
    let text = description.replace('\n', " ");
    let text = text.trim_end_matches('.');
    if kind(schema) == Kind::Texts { format!("{text}; several times for several") } else { text.to_owned() }
}

/// A value of a schema, from what a person typed.
fn value(schema: &Value, text: &str) -> Result<Value, String> {
    let json = |what: &str| serde_json::from_str(text).map_err(|error| format!("`{text}` is no {what}: {error}"));
    match kind(schema) {
        Kind::Text | Kind::Texts => Ok(Value::String(text.to_owned())),
        Kind::Bool => json("truth value"),
        Kind::Integer => text.parse::<i64>().map(Value::from).map_err(|_| format!("`{text}` is no whole number")),
        Kind::Number => json("number"),
        // Where anything may stand, what is no JSON is a text.
        Kind::Json if types(schema).is_empty() => Ok(json("JSON").unwrap_or_else(|_| Value::String(text.to_owned()))),
        Kind::Json => json("JSON"),
    }
}

/// The body that `--data` names.
fn body(operation: &Operation, data: &str) -> Result<Arguments, Failure> {
    let text = match data.strip_prefix('@') {
        Some(path) => {
            let file = std::fs::File::open(path);
            read(file.map_err(|error| Failure::during(format!("--data: cannot open {path}"), error))?, path)?
        }
        None if data == "-" => read(std::io::stdin().lock(), "standard input")?,
        None => data.to_owned(),
    };
    let is_json = operation.body.as_ref().is_some_and(|body| body.media_type == "application/json");
    if !is_json {
        return Ok(Map::from_iter([(BODY.to_owned(), Value::String(text))]));
    }
    let value: Value =
        serde_json::from_str(&text).map_err(|error| Failure::usage(format!("--data: no JSON: {error}")))?;
    match value {
        value if operation.takes_whole_body() => Ok(Map::from_iter([(BODY.to_owned(), value)])),
        Value::Object(members) => Ok(members),
        _ => Err(Failure::usage("--data: the body must be a JSON object")),
    }
}

fn read(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from.take(LONGEST + 1).read_to_string(&mut text);
    match read.map_err(|error| Failure::during(format!("--data: cannot read {name}"), error))? {
        length if length as u64 > LONGEST => {
            Err(Failure::usage(format!("--data: {name} is longer than {LONGEST} bytes")))
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_by_their_schemas() {
        let read = |schema: Value, text: &str| value(&schema, text);
        assert_eq!(read(json!({ "type": "integer" }), "3"), Ok(json!(3)));
        assert_eq!(read(json!({ "type": ["string", "null"] }), "3"), Ok(json!("3")));
        assert_eq!(read(json!({ "type": "object" }), r#"{"a":1}"#), Ok(json!({ "a": 1 })));
        assert_eq!(read(json!({}), "plain"), Ok(json!("plain")));
        assert!(read(json!({ "type": "integer" }), "three").is_err());
        assert!(read(json!({ "type": "object" }), "{").is_err());
        let texts = json!({ "type": "array", "items": { "type": "string" } });
        assert_eq!(kind(&texts), Kind::Texts);
    }

    #[test]
    fn a_flag_does_not_take_the_name_of_one_that_all_commands_have() {
        assert_eq!((long("format"), long("owner_id")), ("with-format".to_owned(), "owner-id".to_owned()));
    }
}
