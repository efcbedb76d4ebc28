//! A name that is not in a closed list.

/// A name that is not in a closed list, with the names that are and the nearest of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    given: String,
    known: &'static [&'static str],
}

impl UnknownName {
    /// Keeps at most 64 characters of what was given.
    pub fn new(given: &str, known: &'static [&'static str]) -> Self {
        Self { given: given.chars().take(64).collect(), known }
    }

    /// The known name that looks most like the given one, if any is close.
    pub fn nearest(&self) -> Option<&'static str> {
        nearest(&self.given, self.known.iter().copied())
    }
}

/// The candidate that looks most like `given`, if any is close.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not one of {}", self.given, self.known.join(", "))?;
        match self.nearest() {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownName {}
