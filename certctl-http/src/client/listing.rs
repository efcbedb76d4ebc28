//! Which part of a list is wanted.

/// The query of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing(Vec<(&'static str, String)>);

impl Listing {
    /// The page of this number, from 1.
    #[must_use = "this makes a new value"]
    pub fn page(self, number: u64) -> Self {
        self.filter("page", number.to_string())
    }
    /// So many items per page, 1 to 500.
    #[must_use = "this makes a new value"]
    pub fn per_page(self, items: u64) -> Self {
        self.filter("per_page", items.to_string())
    }
    /// In cursor mode, so many items per page, 1 to 500.
    #[must_use = "this makes a new value"]
    pub fn page_size(self, items: u64) -> Self {
        self.filter("page_size", items.to_string())
    }
    /// What follows the page that gave this cursor.
    #[must_use = "this makes a new value"]
    pub fn after(self, cursor: impl Into<String>) -> Self {
        self.filter("cursor", cursor)
    }
    /// Any other parameter of the list, such as `status` or `sort`.
    #[must_use = "this makes a new value"]
    pub fn filter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(super) fn pairs(&self) -> &[(&'static str, String)] {
        &self.0
    }
}
