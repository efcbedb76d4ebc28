//! The trail as a table (RFC 4180), for spreadsheets.

use super::ExportLine;

/// The first line.
pub const HEADING: &str = "seq,timestamp,actor,actor_type,action,resource_type,resource_id,details,id,digest,hash\r\n";

/// An event as a line; empty for a line that is none.
pub fn line(line: &ExportLine<'_>) -> String {
    let Some(cells) = line.cells() else { return String::new() };
    let quoted: Vec<String> = cells.iter().map(|cell| quote(cell)).collect();
    quoted.join(",") + "\r\n"
}

/// In quotes, always. A spreadsheet takes what begins like a formula for one, whatever the quotes, so such a text gets an
/// apostrophe in front.
fn quote(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_formulas_are_none() {
        assert_eq!(quote("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        for formula in ["=1+1", "+1", "-1", "@a", "\tx"] {
            assert!(quote(formula).starts_with("\"'"), "{formula}");
        }
    }

    #[test]
    fn an_event_has_as_many_cells_as_the_heading() {
        let event = ExportLine::parse(r#"{"type":"event","id":"aud-1","actor":"a","details":{"n":1}}"#).unwrap();
        let text = line(&event);
        assert!(text.contains(r#""{""n"":1}""#), "{text}");
        assert_eq!(text.matches("\",\"").count(), HEADING.matches(',').count());
        assert_eq!(line(&ExportLine::end(1, false)), "");
    }
}
