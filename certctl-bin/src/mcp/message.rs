//! Messages of JSON-RPC 2.0, one a line, as the Model Context Protocol sends them over standard input and output.

use std::io::{self, BufRead, Read};

use serde_json::{Value, json};

/// The longest message that is read, in bytes.
pub(super) const LONGEST: usize = 4 << 20;

/// The most messages in one batch.
const LARGEST_BATCH: usize = 64;

/// Codes of errors (JSON-RPC 2.0 §5.1).
pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
/// A code of our own: try again later.
pub(super) const BUSY: i64 = -32000;

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// Longer than allowed; it was passed over.
    TooLong,
}

/// The next line without its end; nothing at the end of the input.
pub(super) fn next_line(input: &mut impl BufRead, longest: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    if input.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > longest {
        pass_over_line(input)?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Whole(line)))
}

fn pass_over_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
            let all = buffer.len();
            input.consume(all);
            if all == 0 {
                return Ok(());
            }
            continue;
        };
        input.consume(end + 1);
        return Ok(());
    }
}

/// What the other side sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// Wants an answer with this id.
    Request { id: Value, method: String, params: Value },
    /// Wants none: a notification, or an answer to something that was never asked.
    Silent,
    /// No message; this is the answer.
    Bad(Value),
}

/// What a line says: one message, or a batch of them, which gets its answers in one line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    One(Message),
    Batch(Vec<Message>),
}

/// Reads a line. Whatever it is, there is something to do about it.
pub(super) fn read(line: &[u8]) -> Said {
    match serde_json::from_slice(line) {
        Err(error) => Said::One(Message::Bad(failure(&Value::Null, PARSE_ERROR, &format!("this is no JSON: {error}")))),
        Ok(Value::Array(items)) if items.is_empty() || items.len() > LARGEST_BATCH => {
            let text = format!("a batch has 1 to {LARGEST_BATCH} messages");
            Said::One(Message::Bad(failure(&Value::Null, INVALID_REQUEST, &text)))
        }
        Ok(Value::Array(items)) => Said::Batch(items.into_iter().map(message).collect()),
        Ok(value) => Said::One(message(value)),
    }
}

fn message(value: Value) -> Message {
    let bad = |id: &Value, text: &str| Message::Bad(failure(id, INVALID_REQUEST, text));
    let Value::Object(mut members) = value else {
        return bad(&Value::Null, "a message is a JSON object");
    };
    let id = members.remove("id");
    // An id is a text or a number, never null (Model Context Protocol, Base Protocol, Requests).
    let told = id.clone().filter(|id| id.is_string() || id.is_number()).unwrap_or(Value::Null);
    if members.get("jsonrpc") != Some(&json!("2.0")) {
        return bad(&told, "`jsonrpc` must be \"2.0\"");
    }
    let Some(method) = members.get("method") else {
        let answers = members.contains_key("result") || members.contains_key("error");
        return if answers { Message::Silent } else { bad(&told, "`method` is missing") };
    };
    let Some(method) = method.as_str().map(str::to_owned) else { return bad(&told, "`method` must be a text") };
    match (id, members.remove("params").unwrap_or(Value::Null)) {
        (None, _) => Message::Silent,
        (Some(_), _) if told.is_null() => bad(&told, "`id` must be a text or a number"),
        (Some(_), params) if !params.is_object() && !params.is_null() => {
            Message::Bad(failure(&told, INVALID_PARAMS, "`params` must be an object"))
        }
        (Some(_), params) => Message::Request { id: told, method, params },
    }
}

/// The answer that something went well.
pub(super) fn success(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// The answer that it did not.
pub(super) fn failure(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(said: &Said) -> Option<i64> {
        let Said::One(Message::Bad(answer)) = said else { return None };
        answer["error"]["code"].as_i64()
    }

    #[test]
    fn requests_are_read_and_what_is_none_is_refused_with_its_id() {
        let said = read(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
        let request = Message::Request { id: json!(7), method: "ping".into(), params: Value::Null };
        assert_eq!(said, Said::One(request.clone()));
        let batch = read(br#"[{"jsonrpc":"2.0","id":7,"method":"ping"},{"jsonrpc":"2.0","method":"x"}]"#);
        assert_eq!(batch, Said::Batch(vec![request, Message::Silent]));
        assert_eq!(read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Said::One(Message::Silent));
        for (line, expected) in [
            ("", PARSE_ERROR),
            ("{", PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ("3", INVALID_REQUEST),
            (r#"{"id":1,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":3}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, INVALID_PARAMS),
        ] {
            assert_eq!(code(&read(line.as_bytes())), Some(expected), "{line}");
        }
        let Said::One(Message::Bad(answer)) = read(br#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#) else { panic!() };
        assert_eq!(answer["id"], "a");
        assert_eq!(code(&read(&b"[".repeat(100_000))), Some(PARSE_ERROR), "depth is limited");
        assert_eq!(code(&read(format!("[{}1]", "1,".repeat(LARGEST_BATCH)).as_bytes())), Some(INVALID_REQUEST));
    }

    #[test]
    fn lines_that_are_too_long_are_passed_over_and_the_next_is_read() {
        let mut input = io::BufReader::with_capacity(4, &b"12345\nabcdefgh\n123456\nlast"[..]);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 5).unwrap() {
            lines.push(line);
        }
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(lines, [whole("12345"), Line::TooLong, Line::TooLong, whole("last")]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&line);
        }

        #[test]
        fn whatever_has_the_shape_of_json_gets_an_answer_or_none(line in r#"[\[\]{}:,"0-9a-z. -]{0,80}"#) {
            read(line.as_bytes());
        }

        #[test]
        fn lines_end_where_they_end(input in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..60)) {
            let (mut reader, mut lines) = (&input[..], Vec::new());
            while let Some(line) = next_line(&mut reader, 3).unwrap() {
                lines.push(line);
            }
            let text = String::from_utf8(input.clone()).unwrap();
            let expected: Vec<Line> = text
                .lines()
                .map(|line| if line.len() > 3 { Line::TooLong } else { Line::Whole(line.as_bytes().to_vec()) })
                .collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
