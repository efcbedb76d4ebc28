//! How the doors stand, for those who run the server: they are configured beside the store, and what they lead to is in it.

use async_trait::async_trait;

use super::{Door, DoorTerms};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation};

/// Asks of every door by what its requests would be judged.
#[derive(Clone, Debug, Default)]
pub struct Inspect {
    /// The doors.
    pub doors: Vec<Door>,
}

/// By what a door's requests are judged, or why it issues nothing.
pub type DoorStanding = Result<DoorTerms, String>;

#[async_trait]
impl Operation for Inspect {
    /// In the order of the doors.
    type Output = Vec<DoorStanding>;
    const NAME: &'static str = "enrol.inspect";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<DoorStanding>, Error> {
        let mut standings = Vec::with_capacity(self.doors.len());
        for door in &self.doors {
            standings.push(match door.run(cx).await {
                Ok(terms) => Ok(terms),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unprocessable) => {
                    Err(error.message().to_owned())
                }
                Err(error) => return Err(error),
            });
        }
        Ok(standings)
    }
}
