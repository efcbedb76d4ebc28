//! From named arguments to a request.

use std::time::Duration;

use certctl_http::client::RawRequest;
use serde_json::{Map, Value};

use super::{Operation, Parameter, ParameterPlace};

/// The argument that is the whole body, where that has no members.
pub(crate) const BODY: &str = "body";

/// Arguments by name: parameters, and members of the body.
pub(crate) type Arguments = Map<String, Value>;

/// The arguments are not those of the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadArgument {
    #[error("`{0}` is missing")]
    Missing(String),
    #[error("there is no argument `{name}`; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("`{0}` must be a text, a number, true or false, or a list of such")]
    NotPlain(String),
    #[error("`{0}` must be a text that is not empty")]
    Empty(String),
}

impl Operation {
    /// Whether the body is one argument, because it is no object with named members.
    pub(crate) fn takes_whole_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| {
            let members = body.schema.get("properties").and_then(Value::as_object);
            members.is_none_or(Map::is_empty) || body.media_type != "application/json"
        })
    }

    /// The request for these arguments. What the values must be is left to the server.
    pub(crate) fn request(&self, mut arguments: Arguments) -> Result<RawRequest, BadArgument> {
        let mut request = RawRequest::new(self.method, self.segments(&mut arguments)?);
        for parameter in self.parameters.iter().filter(|parameter| parameter.place != ParameterPlace::Path) {
            let Some(value) = given(&mut arguments, parameter)? else { continue };
            for text in plain(&parameter.argument, &value)? {
                if parameter.name == "wait" {
                    request = request.patience(Duration::from_secs(text.parse::<u64>().unwrap_or(0).min(LONGEST_WAIT)));
                }
                request = match parameter.place {
                    ParameterPlace::Header => request.header(&*parameter.name, text),
                    _ => request.query(&*parameter.name, text),
                };
            }
        }
        let Some(body) = &self.body else {
            return if arguments.is_empty() { Ok(request) } else { Err(self.unknown(&arguments)) };
        };
        if self.takes_whole_body() {
            let whole = arguments.remove(BODY);
            if !arguments.is_empty() {
                return Err(self.unknown(&arguments));
            }
            return match whole {
                None if body.required => Err(BadArgument::Missing(BODY.to_owned())),
                None => Ok(request),
                // What is no JSON travels as it is.
                Some(Value::String(text)) if body.media_type != "application/json" => {
                    Ok(request.body(&*body.media_type, text))
                }
                Some(value) => Ok(request.body(&*body.media_type, value.to_string())),
            };
        }
        if arguments.keys().any(|name| !self.members().any(|(member, _)| member == name)) {
            return Err(self.unknown(&arguments));
        }
        if arguments.is_empty() && !body.required {
            return Ok(request);
        }
        Ok(request.body(&*body.media_type, Value::Object(arguments).to_string()))
    }

    /// The path with its parameters in place.
    pub(crate) fn segments(&self, arguments: &mut Arguments) -> Result<Vec<String>, BadArgument> {
        let mut segments = Vec::new();
        for segment in self.path.trim_start_matches('/').split('/') {
            let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
                segments.push(segment.to_owned());
                continue;
            };
            let parameter = self.parameters_in(ParameterPlace::Path).find(|parameter| parameter.name == name);
            let argument = parameter.map_or(name, |parameter| &parameter.argument);
            let value = arguments.remove(argument).ok_or_else(|| BadArgument::Missing(argument.to_owned()))?;
            match &*plain(argument, &value)? {
                [text] if !text.is_empty() => segments.push(text.clone()),
                _ => return Err(BadArgument::Empty(argument.to_owned())),
            }
        }
        Ok(segments)
    }

    fn unknown(&self, arguments: &Arguments) -> BadArgument {
        let mut known: Vec<&str> = self.parameters.iter().map(|parameter| parameter.argument.as_str()).collect();
        if self.takes_whole_body() {
            known.push(BODY);
        } else {
            known.extend(self.members().map(|(name, _)| name));
        }
        let name = arguments.keys().find(|name| !known.contains(&name.as_str()));
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        BadArgument::Unknown { name: name.cloned().unwrap_or_default(), known }
    }
}

/// The longest that a server holds a request, in seconds.
const LONGEST_WAIT: u64 = 60;

fn given(arguments: &mut Arguments, parameter: &Parameter) -> Result<Option<Value>, BadArgument> {
    match arguments.remove(&parameter.argument) {
        None | Some(Value::Null) if parameter.required => Err(BadArgument::Missing(parameter.argument.clone())),
        None | Some(Value::Null) => Ok(None),
        value => Ok(value),
    }
}

/// The value as it travels outside of bodies; a list is sent value by value.
fn plain(name: &str, value: &Value) -> Result<Vec<String>, BadArgument> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        _ => Err(BadArgument::NotPlain(name.to_owned())),
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => one(value).map(|text| vec![text]),
    }
}
