//! The cases.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Bench, FIRST, Reaction, SECOND};
use crate::connector::{ConnectorErrorKind, DiscoverySource, SourceItem};
use crate::testing::block_on;

fn all(source: &dyn DiscoverySource) -> Vec<SourceItem> {
    let (mut items, mut after) = (Vec::new(), None::<String>);
    for _ in 0..10 {
        let page = block_on(source.page(after.as_deref())).expect("a page");
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
    panic!("two pages do not end")
}

pub(super) fn all_pages_are_fetched_and_they_end(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Answer);
    let source = bench.source();
    let items = all(&*source);
    let contents: Vec<_> = items.iter().map(|item| item.contents.as_ref().ok().map(|octets| octets.to_vec())).collect();
    assert_eq!(contents, [Some(FIRST.to_vec()), Some(SECOND.to_vec()), None], "{items:?}");
    let paths: BTreeSet<&str> = items.iter().map(|item| item.path.as_str()).collect();
    assert_eq!(paths.len(), 3, "each item has a place of its own");
    for item in &items {
        assert!(item.path.starts_with(&format!("{}/", source.place())), "{} is not in {}", item.path, source.place());
        assert!(item.path.starts_with(&format!("{}://", item.format)), "{} is no {}", item.path, item.format);
        assert!(item.contents.as_ref().err().is_none_or(|why| !why.is_empty()));
    }
}

pub(super) fn a_second_search_finds_the_same_places(bench: &Bench<'_>) {
    bench.subject.react(&bench.world, Reaction::Answer);
    let source = bench.source();
    let (first, second) = (all(&*source), all(&*source));
    assert_eq!(first, second);
    // An access token does not live for ever.
    bench.world.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(first, all(&*source));
}

pub(super) fn a_failure_says_of_what_kind_it_is(bench: &Bench<'_>) {
    let pause = Duration::from_secs(90);
    for (reaction, kind) in [
        (Reaction::RefuseCredentials, ConnectorErrorKind::Auth),
        (Reaction::Throttle(pause), ConnectorErrorKind::Quota),
        (Reaction::Fail, ConnectorErrorKind::Transient),
        (Reaction::Babble, ConnectorErrorKind::Permanent),
        (Reaction::Vanish, ConnectorErrorKind::Unreachable),
    ] {
        let source = bench.source();
        bench.subject.react(&bench.world, reaction);
        let error = block_on(source.page(None)).expect_err("no page");
        assert_eq!(error.kind, kind, "{reaction:?}: {error}");
        let retry_after = (kind == ConnectorErrorKind::Quota).then_some(pause);
        assert_eq!(error.retry_after, retry_after, "{reaction:?}");
        bench.subject.react(&bench.world, Reaction::Answer);
        block_on(source.page(None)).expect("a failure leaves nothing behind");
    }
}

pub(super) fn building_calls_nobody(bench: &Bench<'_>) {
    let _source = bench.source();
    let world = &bench.world;
    assert!(world.http.calls().is_empty() && world.tls.calls().is_empty() && world.commands.calls().is_empty());
}

pub(super) fn secrets_are_never_shown(bench: &Bench<'_>) {
    let source = bench.source();
    bench.hides_secrets(&source);
    for reaction in [Reaction::RefuseCredentials, Reaction::Fail, Reaction::Babble, Reaction::Vanish] {
        bench.subject.react(&bench.world, reaction);
        let error = block_on(source.page(None)).unwrap_err();
        bench.hides_secrets(&error);
        bench.hides_secrets(&error.explained());
    }
}
