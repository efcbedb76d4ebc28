//! How answers are shown.

use certctl_core::domain::Timestamp;
use serde_json::{Map, Value};

use crate::arguments::OutputFormat;
use crate::failure::Failure;
use crate::output::table;

/// So many columns has a table whose columns nobody chose.
const COLUMNS: usize = 7;

/// Members that come first in such a table.
const FIRST: &[&str] = &["id", "name", "type", "status", "severity", "email", "count"];

/// The text of an answer. `columns` are those of a list's table, as far as its items have them.
pub(super) fn shown(value: &Value, format: OutputFormat, columns: &[&str]) -> Result<String, Failure> {
    match format {
        OutputFormat::Json => Ok(serde_json::to_string_pretty(value)?),
        OutputFormat::Yaml => Ok(serde_saphyr::to_string(value)?.trim_end().to_owned()),
        OutputFormat::Name => names(value),
        OutputFormat::Table => Ok(match (rows(value), value) {
            (Some(items), _) => list(items, columns) + &rest(value, items.len()),
            (None, Value::Object(members)) => one(members),
            (None, value) => cell(value),
        }),
    }
}

/// The items of a list: of a page, or of a bare array.
fn rows(value: &Value) -> Option<&Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        value => value.get("data").and_then(Value::as_array),
    }
}

fn names(value: &Value) -> Result<String, Failure> {
    let name = |item: &Value| {
        let found = ["id", "name"].iter().find_map(|member| item.get(*member).and_then(Value::as_str));
        found.map(str::to_owned).ok_or_else(|| Failure::usage("what was answered has no id; use -o json"))
    };
    match rows(value) {
        Some(items) => Ok(items.iter().map(name).collect::<Result<Vec<_>, _>>()?.join("\n")),
        None => name(value),
    }
}

fn list(items: &[Value], chosen: &[&str]) -> String {
    let has = |name: &str| items.iter().any(|item| item.get(name).is_some());
    let mut columns: Vec<&str> = chosen.iter().copied().filter(|name| has(name)).collect();
    // Two are too few to tell one from another: then the list is of something else than was thought.
    if columns.len() < 3 {
        columns = found(items);
    }
    if columns.is_empty() {
        return table(&["VALUE"], &items.iter().map(|item| vec![cell(item)]).collect::<Vec<_>>());
    }
    let heading: Vec<String> = columns.iter().map(|name| name.replace('_', " ").to_uppercase()).collect();
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let row = |item: &Value| columns.iter().map(|name| item.get(*name).map_or_else(dash, cell)).collect();
    table(&heading, &items.iter().map(row).collect::<Vec<_>>())
}

/// The columns of items that nobody chose columns for: plain members, the telling ones first.
fn found(items: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for item in items {
        let plain = item.as_object().into_iter().flatten().filter(|(_, value)| !value.is_object() && !value.is_array());
        for (name, _) in plain {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names.truncate(COLUMNS);
    names
}

fn one(members: &Map<String, Value>) -> String {
    let rows: Vec<Vec<String>> = members.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect();
    table(&["FIELD", "VALUE"], &rows)
}

/// What a page leaves out.
fn rest(page: &Value, shown: usize) -> String {
    match page.get("total").and_then(Value::as_u64) {
        Some(total) if total > shown as u64 => format!("\n\n{shown} of {total}"),
        _ => String::new(),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => dash(),
        Value::String(text) if text.is_empty() => dash(),
        Value::String(text) => match Timestamp::parse_rfc3339(text) {
            Ok(at) => at.floor_to_second().to_rfc3339(),
            Err(_) => text.clone(),
        },
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value, format: OutputFormat) -> String {
        shown(value, format, &[]).unwrap()
    }

    #[test]
    fn a_list_is_a_table_of_its_telling_members() {
        let page = json!({ "data": [{ "zeta": 1, "id": "a", "tags": {}, "created_at": "2026-01-02T03:04:05.678Z" }], "total": 2 });
        let expected = "ID  CREATED AT            ZETA\na   2026-01-02T03:04:05Z  1\n\n1 of 2";
        assert_eq!(text(&page, OutputFormat::Table), expected);
        assert_eq!(text(&page, OutputFormat::Name), "a");
        assert!(text(&page, OutputFormat::Yaml).contains("zeta: 1"));
        assert_eq!(
            shown(&page, OutputFormat::Table, &["id", "zeta", "created_at", "no"]).unwrap().lines().next(),
            Some("ID  ZETA  CREATED AT")
        );
    }

    #[test]
    fn whatever_comes_is_shown() {
        assert_eq!(text(&json!([1, 2]), OutputFormat::Table), "VALUE\n1\n2");
        assert_eq!(
            text(&json!({ "a": null, "b": ["x", "y"] }), OutputFormat::Table),
            "FIELD  VALUE\na      -\nb      x, y"
        );
        assert_eq!(text(&json!("text"), OutputFormat::Table), "text");
        assert!(shown(&json!({ "a": 1 }), OutputFormat::Name, &[]).is_err());
    }
}
