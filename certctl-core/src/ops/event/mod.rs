//! What happens, for whoever may look around: the audit trail in the order of commits, without who did it and without the
//! details, which are the auditors' (requirements D2).

mod feed;
mod follow;

pub use feed::{Feed, Happened};
pub use follow::{Follow, FollowFilter};
