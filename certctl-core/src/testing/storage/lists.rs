//! Filters, order, pages and cursors.

use std::collections::BTreeSet;

use super::support::{Store, get, ids, insert, list};
use super::{Item, ItemExcerpt, ItemState, Owner, item, owner};
use crate::domain::{Day, Timestamp};
use crate::storage::{Cursor, Query, StorageError, View};

pub(super) async fn filters_select(store: Store) {
    let make = |n: usize| Item {
        note: n.is_multiple_of(2).then(|| "ops".to_owned()),
        rank: n as i64,
        flag: n == 4,
        state: if n < 2 { ItemState::Used } else { ItemState::Fresh },
        data: vec![n as u8],
        seen_at: (n > 3).then_some(Timestamp(n as i64)),
        ..item(format!("i{n}"))
    };
    insert(&store, (0..6).map(make)).await.unwrap();
    let fields = Item::FIELDS;
    let ids = async |query: Query<Item>| ids(&store, query).await;
    let all = Query::<Item>::all;
    assert_eq!(ids(all().filter(fields.note.is_null())).await, ["i1", "i3", "i5"]);
    assert_eq!(ids(all().filter(fields.note.is_set())).await, ["i0", "i2", "i4"]);
    assert_eq!(ids(all().filter(fields.note.equals(Some("ops".into())))).await, ["i0", "i2", "i4"]);
    // Null differs from every value, as it does in memory.
    assert_eq!(ids(all().filter(fields.note.differs(Some("ops".into())))).await, ["i1", "i3", "i5"]);
    assert_eq!(ids(all().filter(fields.note.one_of([Some("ops".into()), None]))).await.len(), 6);
    assert_eq!(ids(all().filter(fields.note.one_of([None]))).await, ["i1", "i3", "i5"]);
    assert!(ids(all().filter(fields.note.one_of([]))).await.is_empty());
    assert_eq!(ids(all().filter(fields.rank.below(3)).filter(fields.note.is_null())).await, ["i1"]);
    for wanted in [fields.rank.at_least(4), fields.rank.not_below(4)] {
        assert_eq!(ids(all().filter(wanted)).await, ["i4", "i5"]);
    }
    // What is not there is neither below nor not below.
    let seen = ids(all().filter(fields.seen_at.at_least(Some(Timestamp(5))))).await;
    assert_eq!(ids(all().filter(fields.seen_at.not_below(Some(Timestamp(5))))).await, seen);
    assert_eq!(
        ids(all().filter(fields.seen_at.not_below(None))).await,
        ids(all().filter(fields.seen_at.is_set())).await
    );
    for wanted in [fields.seen_at.below(Some(Timestamp(5))), fields.seen_at.not_at_least(Some(Timestamp(5)))] {
        assert_eq!(ids(all().filter(wanted)).await, ["i4"]);
    }
    assert!(ids(all().filter(fields.seen_at.not_at_least(None))).await.is_empty());
    assert_eq!(ids(all().filter(fields.flag.equals(true))).await, ["i4"]);
    assert_eq!(ids(all().filter(fields.data.equals(vec![3]))).await, ["i3"]);
    assert_eq!(ids(all().filter(fields.state.differs(ItemState::Fresh))).await, ["i0", "i1"]);
    let two = fields.name.one_of(["i1.example".to_owned(), "i5.example".to_owned()]);
    assert_eq!(ids(Query::sorted(fields.rank.descending()).filter(two)).await, ["i5", "i1"]);
}

pub(super) async fn text_is_ordered_bytewise(store: Store) {
    let mut names = ["a", "B", "Z", "_", "aa", "a-", "a.b", "ä", "é", "~", "1", "10", "2", "\u{ffff}", "\u{10000}"];
    insert(&store, names.map(owner)).await.unwrap();
    names.sort_unstable();
    let fields = Owner::FIELDS;
    assert_eq!(ids(&store, Query::sorted(fields.name.ascending())).await, names);
    assert_eq!(ids(&store, Query::all().filter(fields.name.below("a".into()))).await, ["1", "10", "2", "B", "Z", "_"]);
    names.reverse();
    assert_eq!(ids(&store, Query::sorted(fields.name.descending())).await, names);
}

pub(super) async fn pages_are_stable_under_inserts(store: Store) {
    // Ten share each sort value, and upper case sorts before lower case everywhere.
    let id = |n: usize| format!("{}{n:03}", if n.is_multiple_of(3) { 'a' } else { 'Z' });
    let make = |n: usize| Item { rank: (n / 10) as i64, ..item(id(n)) };
    insert(&store, (0..95).map(make)).await.unwrap();
    for descending in [false, true] {
        let field = Item::FIELDS.rank;
        let sort = if descending { field.descending() } else { field.ascending() };
        let (mut seen, mut cursor, mut round) = (Vec::new(), None, 0);
        loop {
            let page = list(&store, Query::sorted(sort).limit(7).after(cursor.take())).await;
            seen.extend(page.records.iter().map(|r| (r.rank, r.id.clone())));
            // A row before the cursor and one far behind: neither may shift the pages.
            let (low, high) = if descending { (99, -1) } else { (-1, 99) };
            for (rank, side) in [(low, "low"), (high, "high")] {
                let id = format!("new-{descending}-{round}-{side}");
                insert(&store, [Item { rank, ..item(id) }]).await.unwrap();
            }
            round += 1;
            cursor = page.next;
            if cursor.is_none() || round > 40 {
                break;
            }
        }
        let old: Vec<_> = seen.iter().filter(|(_, id)| !id.starts_with("new")).cloned().collect();
        let mut sorted: Vec<_> = (0..95).map(make).map(|item| (item.rank, item.id)).collect();
        sorted.sort();
        if descending {
            sorted.reverse();
        }
        assert_eq!(old, sorted);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    }
}

pub(super) async fn a_range_of_the_sort_column_goes_page_by_page(store: Store) {
    // As revocation lists are read: large pages of an excerpt, between two values of the column that they are sorted by.
    let make = |n: usize| Item { name: format!("{:02}.{n:03}", n % 3), ..item(format!("i{n:03}")) };
    insert(&store, (0..330).map(make)).await.unwrap();
    let name = ItemExcerpt::FIELDS.name;
    // The same read backwards, and small pages, of which the last is full.
    for (descending, limit) in [(false, 60), (true, 60), (false, 10), (true, 10)] {
        let sort = if descending { name.descending() } else { name.ascending() };
        let query = || {
            let sorted = Query::<ItemExcerpt>::sorted(sort).limit(limit);
            sorted.filter(name.at_least("01.".to_owned())).filter(name.below("01/".to_owned()))
        };
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = list(&store, query().after(after)).await;
            seen.extend(page.records.iter().map(|found| found.name.clone()));
            (after, pages) = (page.next, pages + 1);
            if after.is_none() {
                break;
            }
        }
        let mut wanted: Vec<String> =
            (0..330).map(make).map(|item| item.name).filter(|name| name.starts_with("01")).collect();
        wanted.sort();
        if descending {
            wanted.reverse();
        }
        assert_eq!((seen, pages), (wanted, 110_usize.div_ceil(limit)));
    }
}

pub(super) async fn pages_by_number_and_totals(store: Store) {
    insert(&store, (0..25).map(|n| Item { flag: n % 2 == 0, ..item(format!("i{n:02}")) })).await.unwrap();
    let even = || Query::<Item>::all().filter(Item::FIELDS.flag.equals(true));
    let view = store.read(View::Latest).await.unwrap();
    // The total knows nothing of the page.
    assert_eq!(view.total(&even().limit(5).offset(5)).await.unwrap(), 13);
    let page = view.list(even().limit(5).offset(5)).await.unwrap();
    assert_eq!(page.records.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["i10", "i12", "i14", "i16", "i18"]);
    assert!(page.next.is_some());
    let last = view.list(even().limit(5).offset(10)).await.unwrap();
    assert_eq!((last.records.len(), last.next), (3, None));
    let beyond = view.list(even().limit(5).offset(1000)).await.unwrap();
    assert_eq!((beyond.records.len(), beyond.next), (0, None));
    // A page by number hands over to cursors.
    let next = view.list(even().limit(5).after(page.next)).await.unwrap();
    assert_eq!(next.records.first().unwrap().id, "i20");
    let exactly = view.list(even().limit(13)).await.unwrap();
    assert_eq!((exactly.records.len(), exactly.next), (13, None));
}

pub(super) async fn cursors_go_through_text(store: Store) {
    insert(&store, (0..5).map(|n| Owner { name: format!("ä \"{n}\" /+="), ..owner(n) })).await.unwrap();
    let sort = Owner::FIELDS.name.descending();
    let (mut seen, mut cursor) = (Vec::new(), None::<Cursor>);
    loop {
        let page = list(&store, Query::sorted(sort).limit(2).after(cursor)).await;
        seen.extend(page.records.iter().map(|r| r.id.clone()));
        let Some(next) = page.next else { break };
        let text = next.to_string();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
        cursor = Some(text.parse().unwrap());
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
}

pub(super) async fn a_cursor_belongs_to_its_list(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    insert(&store, [owner("a"), owner("b")]).await.unwrap();
    let fields = Item::FIELDS;
    let cursor = list(&store, Query::sorted(fields.rank.ascending()).limit(1)).await.next;
    assert!(cursor.is_some());
    let view = store.read(View::Latest).await.unwrap();
    for sort in [fields.name.ascending(), fields.rank.descending()] {
        let refused = view.list(Query::sorted(sort).after(cursor.clone())).await;
        assert_eq!(refused.map(|page| page.records.len()), Err(StorageError::BadCursor));
    }
    let refused = view.list(Query::<Owner>::all().after(cursor)).await;
    assert_eq!(refused.map(|page| page.records.len()), Err(StorageError::BadCursor));
}

pub(super) async fn garbage_is_no_cursor(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    for text in ["", "a b", "ä", "%00", "x".repeat(Cursor::MAX_LENGTH + 1).as_str()] {
        assert_eq!(text.parse::<Cursor>(), Err(StorageError::BadCursor), "{text}");
    }
    // Well-formed texts that no list has made: `null`, `[]`, a value of another kind, U+0000.
    let view = store.read(View::Latest).await.unwrap();
    for text in
        ["A", "bnVsbA", "W10", "WyJzYW1wbGVfaXRlbXMiLCJpZCIsMSwieCJd", "WyJzYW1wbGVfaXRlbXMiLCJpZCIsIlx1MDAwMCIsIngiXQ"]
    {
        let refused = view.list(Query::<Item>::all().after(Some(text.parse().unwrap()))).await;
        assert_eq!(refused.map(|page| page.records.len()), Err(StorageError::BadCursor), "{text}");
    }
}

pub(super) async fn days_are_counted_by_the_store(store: Store) {
    let day = Day::MICROSECONDS;
    let moments = [Some(0), Some(day - 1), Some(day), Some(-1), Some(-day), Some(-day - 1), Some(i64::MAX), None];
    let make = |(n, moment): (usize, &Option<i64>)| Item {
        seen_at: moment.map(Timestamp),
        rank: moment.unwrap_or(0),
        flag: n.is_multiple_of(2),
        ..item(n)
    };
    insert(&store, moments.iter().enumerate().map(make)).await.unwrap();
    let view = store.read(View::Latest).await.unwrap();
    let fields = Item::FIELDS;
    let last = Day::of(Timestamp(i64::MAX));
    let counted = view.total_by_day(&Query::<Item>::all(), fields.seen_at).await.unwrap();
    let expected = [(Day(-2), 1), (Day(-1), 2), (Day(0), 2), (Day(1), 1), (last, 1)];
    assert_eq!(counted.into_iter().collect::<Vec<_>>(), expected);
    // The filter counts, the page does not.
    let some =
        Query::<Item>::all().filter(fields.flag.equals(true)).filter(fields.seen_at.at_least(Some(Timestamp(0))));
    let counted = view.total_by_day(&some.limit(1), fields.seen_at).await.unwrap();
    assert_eq!(counted.into_iter().collect::<Vec<_>>(), [(Day(0), 1), (Day(1), 1), (last, 1)]);
    let none = Query::<Item>::all().filter(fields.name.equals("nobody".into()));
    assert!(view.total_by_day(&none, fields.seen_at).await.unwrap().is_empty());
}

pub(super) async fn the_first_of_a_list(store: Store) {
    insert(&store, (0..3).map(|n| Item { rank: n, ..item(n) })).await.unwrap();
    let view = store.read(View::Latest).await.unwrap();
    let last = view.first(Query::sorted(Item::FIELDS.rank.descending())).await.unwrap().unwrap();
    assert_eq!(last.id, "2");
    let none = view.first(Query::<Item>::all().filter(Item::FIELDS.rank.at_least(9))).await.unwrap();
    assert!(none.is_none());
}

pub(super) async fn a_view_at_a_point_in_time_does_not_move(store: Store) {
    insert(&store, [item("a")]).await.unwrap();
    let view = store.read(View::PointInTime).await.unwrap();
    assert!(view.get::<Item>("a").await.unwrap().is_some());
    insert(&store, [item("b")]).await.unwrap();
    assert!(view.get::<Item>("b").await.unwrap().is_none());
    assert_eq!(view.total(&Query::<Item>::all()).await.unwrap(), 1);
    assert!(get::<Item>(&store, "b").await.is_some());
}
