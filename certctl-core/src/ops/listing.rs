//! Lists, in pages by number or by cursor (requirements G1).

use crate::entity::{Entity, Record};
use crate::error::Error;
use crate::storage::{Cursor, Query, UnitOfWork};

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRequest {
    /// A page by its number.
    Number {
        /// From 1; 0 counts as 1.
        page: u64,
        /// 1 to 500; anything else counts as 50.
        per_page: u64,
    },
    /// What follows a cursor, or the beginning.
    Cursor {
        /// Where the page before ended.
        after: Option<Cursor>,
        /// 1 to 500; anything else counts as 50.
        page_size: u64,
        /// Whether to count the whole list.
        total: bool,
    },
}

impl Default for PageRequest {
    fn default() -> Self {
        Self::Number { page: 1, per_page: 50 }
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listed<E> {
    /// The records, in order.
    pub records: Vec<Record<E>>,
    /// How many there are in all, where it was asked for; always in page mode.
    pub total: Option<u64>,
    /// Where the next page begins; absent on the last.
    pub next: Option<Cursor>,
    /// The page's number, in page mode.
    pub page: u64,
    /// How many records a page has, as it was applied.
    pub size: u64,
}

impl<E> Listed<E> {
    /// One page, by its number, of a list that was put together here.
    pub(crate) fn part(all: Vec<Record<E>>, page: u64, per_page: u64) -> Self {
        let (page, size) = (page.max(1), PageRequest::size(per_page));
        let total = Some(all.len() as u64);
        let skip = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
        let records = all.into_iter().skip(skip).take(PageRequest::limit(size)).collect();
        Self { records, total, next: None, page, size }
    }
}

impl PageRequest {
    const DEFAULT: u64 = 50;
    const LARGEST: u64 = 500;

    /// Reads one page of a query.
    ///
    /// # Errors
    /// The store's, and `bad_cursor`.
    pub async fn read<E: Entity>(&self, unit: &UnitOfWork, query: Query<E>) -> Result<Listed<E>, Error> {
        match self {
            Self::Number { page, per_page } => {
                let (page, size) = ((*page).max(1), Self::size(*per_page));
                let total = unit.total(&query).await?;
                let skip = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
                let found = unit.list(query.limit(Self::limit(size)).offset(skip)).await?;
                Ok(Listed { records: found.records, total: Some(total), next: found.next, page, size })
            }
            Self::Cursor { after, page_size, total } => {
                let size = Self::size(*page_size);
                let total = if *total { Some(unit.total(&query).await?) } else { None };
                let found = unit.list(query.limit(Self::limit(size)).after(after.clone())).await?;
                Ok(Listed { records: found.records, total, next: found.next, page: 1, size })
            }
        }
    }

    fn size(asked: u64) -> u64 {
        if (1..=Self::LARGEST).contains(&asked) { asked } else { Self::DEFAULT }
    }
    fn limit(size: u64) -> usize {
        usize::try_from(size).unwrap_or(50)
    }
}
