//! Transition tables: a state changes only along an edge that is written down.

/// An edge that no table has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {machine} cannot go from {from} to {to}")]
pub struct IllegalTransition {
    /// What has the state, such as `job`.
    pub machine: &'static str,
    /// The state it is in.
    pub from: &'static str,
    /// The state it was to enter.
    pub to: &'static str,
}

/// Gives a state enum its transition table: `TABLE`, `can_become`, `transition`, and `diagram` (Mermaid).
#[macro_export]
macro_rules! transitions {
    ($state:ident as $machine:literal { $( $from:ident => [ $($to:ident),* $(,)? ] ),* $(,)? }) => {
        impl $state {
            /// Each state with the states that may follow it.
            pub const TABLE: &'static [(Self, &'static [Self])] = &[ $( (Self::$from, &[ $(Self::$to),* ]) ),* ];

            /// Whether the table has this edge.
            pub fn can_become(self, next: Self) -> bool {
                Self::TABLE.iter().any(|(from, to)| *from == self && to.contains(&next))
            }

            /// Whether no edge leaves this state.
            pub fn is_terminal(self) -> bool {
                Self::TABLE.iter().all(|(from, to)| *from != self || to.is_empty())
            }

            /// Takes an edge.
            ///
            /// # Errors
            /// [`IllegalTransition`](crate::state::IllegalTransition) when the table does not have it.
            pub fn transition(self, next: Self) -> Result<Self, $crate::state::IllegalTransition> {
                if self.can_become(next) {
                    return Ok(next);
                }
                Err($crate::state::IllegalTransition { machine: $machine, from: self.name(), to: next.name() })
            }

            /// The table as a Mermaid state diagram.
            pub fn diagram() -> String {
                let mut text = String::from("stateDiagram-v2\n");
                for (from, targets) in Self::TABLE {
                    for to in *targets {
                        text.push_str(&format!("    {from} --> {to}\n"));
                    }
                }
                text
            }
        }
    };
}
