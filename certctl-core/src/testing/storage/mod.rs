//! The conformance suite of the storage contract: every backend passes every case.
//!
//! A test harness opens a fresh store of [`SCHEMAS`] for each of [`CASES`] and runs it. A backend that is not there
//! shows as ignored, never as passed.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a case fails by panicking, as tests do")]
#![expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "the numbers of a case are small")]

mod atomicity;
mod claims;
mod constraints;
mod lists;
mod load;
mod pins;
mod records;
mod sample;
mod sealing;
mod support;
mod together;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use load::drain;
pub use sample::{Event, Item, ItemExcerpt, ItemState, Owner, SCHEMAS, Task, TaskState, event, item, owner, task};

use crate::storage::Storage;

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    run: fn(Arc<dyn Storage>) -> BoxFuture<'static, ()>,
}

impl Case {
    /// Runs the case on an empty store of [`SCHEMAS`]. Panics when the store does not keep the contract.
    pub fn run(&self, store: Arc<dyn Storage>) -> BoxFuture<'static, ()> {
        (self.run)(store)
    }
}

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[ $(Case { name: stringify!($name), run: |store| Box::pin($module::$name(store)) }),* ]
    };
}

/// Every case.
pub const CASES: &[Case] = cases![
    records::every_kind_of_value_survives,
    records::a_text_with_nul_is_refused,
    records::a_record_is_inserted_updated_and_deleted,
    records::an_excerpt_is_enough_to_delete,
    records::a_stale_write_is_refused,
    records::a_record_is_changed_once_per_set,
    records::a_table_that_only_grows_is_read_like_others,
    together::reads_together_give_what_each_gives_alone,
    together::an_excerpt_is_read_like_the_whole,
    together::octets_are_joined_as_they_are,
    together::an_update_writes_what_changed_and_leaves_the_rest,
    constraints::a_conflict_names_its_field,
    constraints::a_composite_conflict_names_its_last_field,
    constraints::null_conflicts_with_nothing,
    constraints::an_item_has_one_open_task,
    constraints::several_open_tasks_are_replaced_in_one_set,
    constraints::a_referenced_record_cannot_be_deleted,
    constraints::a_reference_must_exist,
    constraints::parents_and_children_fit_in_one_set,
    pins::write_skew_is_refused,
    pins::two_units_that_read_one_and_write_another,
    pins::a_record_that_was_only_read_is_pinned,
    pins::a_record_that_was_peeked_at_is_not_pinned,
    pins::many_may_pin_the_same_record,
    pins::a_deleted_record_breaks_its_pin,
    pins::a_set_of_nothing_but_pins_is_checked,
    atomicity::apply_is_all_or_nothing,
    atomicity::a_change_without_audit_is_refused,
    atomicity::bookkeeping_needs_no_audit,
    atomicity::units_combine_into_one_set,
    atomicity::a_commit_tells_what_changed,
    atomicity::a_unit_without_changes_commits,
    lists::filters_select,
    lists::text_is_ordered_bytewise,
    lists::pages_are_stable_under_inserts,
    lists::pages_by_number_and_totals,
    lists::a_range_of_the_sort_column_goes_page_by_page,
    lists::cursors_go_through_text,
    lists::a_cursor_belongs_to_its_list,
    lists::garbage_is_no_cursor,
    lists::days_are_counted_by_the_store,
    lists::the_first_of_a_list,
    lists::a_view_at_a_point_in_time_does_not_move,
    claims::due_rows_are_claimed_in_order,
    claims::each_partition_keeps_its_limit,
    claims::a_held_row_is_not_claimed_again,
    claims::an_expired_lease_is_abandoned,
    claims::a_lost_lease_fences_its_holder,
    claims::a_lease_is_prolonged_without_touching_the_version,
    claims::a_lost_lease_is_not_prolonged,
    claims::closed_rows_are_never_claimed,
    claims::the_next_due_moment_is_known,
    claims::concurrent_claims_share_nothing,
    sealing::rows_are_sealed_in_order_and_once,
    sealing::what_commits_late_is_sealed_late,
    sealing::two_sealers_at_once_make_one_chain,
    sealing::sealing_beside_writers_forgets_nothing,
    load::a_thousand_rows_fit_in_one_set,
    load::a_hundred_updates_fit_in_one_set,
    load::each_concurrent_set_gets_its_own_verdict,
    load::contended_increments_lose_nothing,
    load::overlapping_sets_are_written_or_stale,
    load::four_workers_lose_nothing_and_do_nothing_twice,
];

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::{CASES, SCHEMAS};
    use crate::domain::Timestamp;
    use crate::ports::{Clock, Monotonic};
    use crate::storage::MemoryStorage;

    struct StoppedClock;

    impl Clock for StoppedClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(1_900_000_000)
        }
        fn monotonic(&self) -> Monotonic {
            Monotonic(0)
        }
        fn sleep_until(&self, _: Monotonic) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn the_memory_store_passes_every_case() {
        for case in CASES {
            let store = std::sync::Arc::new(MemoryStorage::new(SCHEMAS, std::sync::Arc::new(StoppedClock)));
            assert_eq!(case.run(store).now_or_never(), Some(()), "{} waited", case.name);
        }
    }
}
