//! Migrations, up and down, and the states in which they are refused.

use libtest_mimic::Trial;

use crate::Server;

pub(crate) fn trials(_server: &Server) -> Vec<Trial> {
    vec![]
}
