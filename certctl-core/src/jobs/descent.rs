//! What an order says of the version before it, and what is stored of whose order it was.

use crate::connector::{Issuer, Predecessor};
use crate::decide::lineage::{self, Lineage, LineageInput};
use crate::domain::{IssuerId, IssuingAccount, RenewalInfoId, Version};
use crate::pki;

/// Where an order comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descent {
    /// What the order names as replaced.
    pub(crate) replaces: Option<Predecessor>,
    /// Under which account it goes out, where the issuer offers renewal information.
    pub(crate) account: Option<IssuingAccount>,
    /// Why it names nothing although there is something that it replaces.
    pub(crate) broken: Option<String>,
}

impl Descent {
    /// That of an order at this issuer. `refused` is why the CA refused to hear of the version before, if it did.
    pub(crate) async fn of(
        (id, issuer): (&IssuerId, &dyn Issuer),
        predecessor: Option<&Version>,
        refused: Option<&str>,
    ) -> Self {
        let account = match issuer.renewal_info() {
            // An order that cannot say under which account it goes out says less; it is not stopped.
            Some(role) => role.account().await.ok(),
            None => None,
        };
        let input = LineageInput { predecessor, issuer: id, account: account.as_ref(), refused };
        let (replaces, broken) = match lineage::decide(&input) {
            Lineage::First => (None, None),
            Lineage::Broken(why) => (None, Some(why)),
            Lineage::Continues => (predecessor.map(|version| named(version, account.is_some())), None),
        };
        Self { replaces, account, broken }
    }
}

fn named(version: &Version, with_id: bool) -> Predecessor {
    let facts = with_id.then(|| pki::certificate::parse(version.chain.leaf()).ok()).flatten();
    Predecessor { serial: version.serial_number.clone(), renewal_info_id: facts.as_ref().and_then(RenewalInfoId::of) }
}
