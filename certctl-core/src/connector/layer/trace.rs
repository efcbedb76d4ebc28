//! The layer that makes a span of each call.

use tracing::Instrument;
use tracing::field::Empty;

use crate::connector::ConnectorError;

/// Whose calls they are.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) kind: &'static str,
    pub(super) id: String,
}

/// The call within a span named `connector`: `kind`, `id`, `operation`, and `outcome` when it has ended. `name` gives the
/// outcome of an answer; that of a failure is its kind. The failure itself is logged where it is handled, once.
pub(super) async fn traced<T>(
    caller: &Caller,
    operation: &'static str,
    name: fn(&T) -> &'static str,
    call: impl Future<Output = Result<T, ConnectorError>>,
) -> Result<T, ConnectorError> {
    let span = tracing::info_span!("connector", kind = caller.kind, id = %caller.id, operation, outcome = Empty);
    let answer = call.instrument(span.clone()).await;
    let outcome = match &answer {
        Ok(answer) => name(answer),
        Err(error) => error.kind.name(),
    };
    span.record("outcome", outcome);
    answer
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::testing::block_on;

    /// Writes down every field of every span.
    #[derive(Clone, Default)]
    struct Notebook(Arc<Mutex<Vec<String>>>);

    impl Visit for Notebook {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.lock().unwrap().push(format!("{field}={value:?}"));
        }
    }

    impl Subscriber for Notebook {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            self.0.lock().unwrap().push(span.metadata().name().to_owned());
            span.record(&mut self.clone());
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut self.clone());
        }
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(format!("event {}", event.metadata().name()));
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    fn noted(answer: Result<u8, ConnectorError>) -> Vec<String> {
        let notebook = Notebook::default();
        let caller = Caller { kind: "Scripted", id: "iss-1".to_owned() };
        let call = traced(&caller, "issue", |_| "issued", std::future::ready(answer));
        tracing::subscriber::with_default(notebook.clone(), || block_on(call).ok());
        notebook.0.lock().unwrap().clone()
    }

    #[test]
    fn a_span_tells_who_was_asked_what_and_how_it_ended() {
        let asked = ["connector", "kind=\"Scripted\"", "id=iss-1", "operation=\"issue\""];
        let with = |outcome| [&asked[..], &[outcome]].concat();
        assert_eq!(noted(Ok(1)), with("outcome=\"issued\""));
        assert_eq!(noted(Err(ConnectorError::unreachable("no"))), with("outcome=\"unreachable\""), "and no event");
    }
}
