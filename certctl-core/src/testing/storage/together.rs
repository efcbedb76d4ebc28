//! Several reads in one trip, and updates of some columns: shortcuts that must not be seen in what they give.

use super::support::{Store, audited, get, update};
use super::{Event, Item, ItemExcerpt, ItemState, event, item, owner};
use crate::domain::Timestamp;
use crate::storage::{Query, Reads, View};

async fn filled(store: &Store) {
    let mut changes = audited("e");
    changes.insert(owner("o"));
    for n in 0..9 {
        changes.insert(Item {
            owner_id: (n % 2 == 0).then(|| "o".to_owned()),
            rank: i64::try_from(n % 3).unwrap() - 1,
            slot: (n % 4 == 0).then_some(i64::MAX - n as i64),
            state: if n % 2 == 0 { ItemState::Fresh } else { ItemState::Used },
            flag: n % 2 == 1,
            note: (n % 3 > 0).then(|| format!("NULL '\\x00\" {n} \u{10ffff}")),
            data: (0..=255).take(n * 40).collect(),
            seen_at: (n % 2 == 0).then_some(Timestamp(-7)),
            ..item(n)
        });
    }
    store.apply(changes).await.unwrap();
}

pub(super) async fn reads_together_give_what_each_gives_alone(store: Store) {
    filled(&store).await;
    let fields = Item::FIELDS;
    let lists = [
        Query::<Item>::all(),
        Query::sorted(fields.rank.descending()).filter(fields.flag.equals(true)).limit(3),
        Query::sorted(fields.rank.ascending()).offset(2).limit(4),
        Query::all().filter(fields.note.is_set()).filter(fields.rank.at_least(0)),
        Query::all().filter(fields.name.equals("nobody".into())),
    ];
    for view in [View::Latest, View::PointInTime] {
        let view = store.read(view).await.unwrap();
        let mut reads = Reads::default();
        let (one, absent, grown) =
            (reads.get::<Item>(&item(3).id), reads.get::<Item>("absent"), reads.get::<Event>("e"));
        let places: Vec<_> = lists.iter().map(|list| reads.list(list.clone()).unwrap()).collect();
        let mut found = view.read(reads).await.unwrap();
        let alone = view.get::<Item>(&item(3).id).await.unwrap().unwrap();
        let together = found.one(&one).unwrap().unwrap();
        assert_eq!((&*together, together.version()), (&*alone, alone.version()));
        assert!(found.one(&absent).unwrap().is_none());
        assert_eq!(found.one(&grown).unwrap().unwrap().into_entity(), event("e"));
        for (place, list) in places.iter().zip(&lists) {
            let alone = view.list(list.clone()).await.unwrap().records;
            let together = found.all(place).unwrap();
            assert_eq!(together.len(), alone.len());
            for (together, alone) in together.iter().zip(&alone) {
                assert_eq!((&**together, together.version()), (&**alone, alone.version()));
            }
        }
        assert!(view.read(Reads::default()).await.is_ok(), "nothing was asked");
    }
}

pub(super) async fn an_excerpt_is_read_like_the_whole(store: Store) {
    filled(&store).await;
    let (whole, part) = (Item::FIELDS, ItemExcerpt::FIELDS);
    let cut = |item: &Item| ItemExcerpt {
        id: item.id.clone(),
        rank: item.rank,
        name: item.name.clone(),
        data: item.data.clone(),
    };
    for view in [View::Latest, View::PointInTime] {
        let view = store.read(view).await.unwrap();
        // A large page too, which a store may read in another way.
        for limit in [2, 500] {
            let whole = Query::sorted(whole.rank.descending()).filter(whole.name.at_least("2".into())).limit(limit);
            let part = Query::sorted(part.rank.descending()).filter(part.name.at_least("2".into())).limit(limit);
            let expected = view.list(whole.clone()).await.unwrap();
            assert!(expected.records.len() >= 2);
            let found = view.list(part.clone()).await.unwrap();
            assert_eq!(found.next.is_some(), expected.next.is_some());
            let mut reads = Reads::default();
            let (one, list) = (reads.get::<ItemExcerpt>("i-absent"), reads.list(part.clone()).unwrap());
            let mut together = view.read(reads).await.unwrap();
            assert!(together.one(&one).unwrap().is_none());
            for found in [found.records, together.all(&list).unwrap()] {
                let found: Vec<_> = found.into_iter().map(|record| (record.version(), record.into_entity())).collect();
                let expected: Vec<_> = expected.records.iter().map(|item| (item.version(), cut(item))).collect();
                assert_eq!(found, expected);
            }
            assert_eq!(view.total(&part).await.unwrap(), view.total(&whole).await.unwrap());
        }
        let (mut pages, mut ids) = (Query::<ItemExcerpt>::sorted(part.rank.ascending()).limit(4), Vec::new());
        loop {
            let page = view.list(pages.clone()).await.unwrap();
            ids.extend(page.records.iter().map(|record| record.id.clone()));
            let Some(next) = page.next else { break };
            pages = pages.after(Some(next));
        }
        assert_eq!(ids.len(), 9, "the pages of a list of excerpts are the whole list");
    }
}

pub(super) async fn octets_are_joined_as_they_are(store: Store) {
    filled(&store).await;
    let (whole, part) = (Item::FIELDS, ItemExcerpt::FIELDS);
    let lists = [
        Query::<ItemExcerpt>::all(),
        Query::sorted(part.rank.ascending()),
        Query::sorted(part.rank.descending()).filter(part.rank.below(1)),
        Query::sorted(part.rank.ascending()).filter(part.rank.equals(0)),
        Query::sorted(part.name.ascending()).filter(part.name.at_least("2".into())).filter(part.name.below("8".into())),
        Query::sorted(part.name.ascending()).filter(part.name.equals("nobody".into())),
    ];
    for view in [View::Latest, View::PointInTime] {
        let view = store.read(view).await.unwrap();
        for list in &lists {
            let items = view.all(list.clone()).await.unwrap();
            // Pages that the rows fill, that they do not, and that hold them all.
            for limit in [1, 3, 4, 100] {
                let (mut octets, mut records, mut query) = (Vec::new(), 0, list.clone().limit(limit));
                loop {
                    let page = view.joined(query.clone(), part.data).await.unwrap();
                    let on_page = view.list(query.clone()).await.unwrap();
                    assert_eq!(page.records, on_page.records.len());
                    let expected: Vec<u8> = on_page.records.iter().flat_map(|item| item.data.clone()).collect();
                    assert_eq!(cells(&page.octets), cells(&expected));
                    (octets, records) = ([octets, page.octets].concat(), records + page.records);
                    let Some(next) = page.next else { break };
                    query = query.after(Some(next));
                }
                let expected: Vec<u8> = items.iter().flat_map(|item| item.data.clone()).collect();
                assert_eq!((cells(&octets), records), (cells(&expected), items.len()), "{limit}");
            }
        }
        let behind = Query::<Item>::sorted(whole.rank.ascending()).offset(7).limit(2);
        let page = view.joined(behind, whole.data).await.unwrap();
        assert_eq!((page.records, page.next.is_some()), (2, true));
    }
}

/// The cells of which octets are joined, in an order that does not depend on theirs: each begins with the only 0 in it.
fn cells(octets: &[u8]) -> Vec<&[u8]> {
    let mut cells: Vec<&[u8]> = octets.chunk_by(|_, next| *next != 0).collect();
    cells.sort_unstable();
    cells
}

pub(super) async fn an_update_writes_what_changed_and_leaves_the_rest(store: Store) {
    filled(&store).await;
    let before = get::<Item>(&store, &item(3).id).await.unwrap();
    let mut record = before.clone();
    (record.flag, record.note) = (!before.flag, None);
    let wanted = record.clone().into_entity();
    update(&store, record).await.unwrap();
    let after = get::<Item>(&store, &item(3).id).await.unwrap();
    assert_eq!((&*after, after.version()), (&wanted, before.version() + 1));
    // An update that changes nothing is a change all the same: whoever pinned the record is told.
    update(&store, after.clone()).await.unwrap();
    assert_eq!(get::<Item>(&store, &item(3).id).await.unwrap().version(), before.version() + 2);
    // Records of one set that differ in what changes.
    let (mut first, mut second) =
        (get::<Item>(&store, &item(4).id).await.unwrap(), get::<Item>(&store, &item(5).id).await.unwrap());
    (first.rank, second.seen_at, second.data) = (70, Some(Timestamp(9)), vec![0, 255]);
    let wanted = [first.clone().into_entity(), second.clone().into_entity()];
    let mut changes = audited("both");
    changes.update(first);
    changes.update(second);
    store.apply(changes).await.unwrap();
    assert_eq!(get::<Item>(&store, &item(4).id).await.unwrap().into_entity(), wanted[0]);
    assert_eq!(get::<Item>(&store, &item(5).id).await.unwrap().into_entity(), wanted[1]);
}
