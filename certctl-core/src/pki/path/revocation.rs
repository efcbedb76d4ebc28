//! Whether a certificate of a path is revoked, by given lists (RFC 5280 §6.3.3).

use super::build::Search;
use super::list::{Entry, RevocationList, is_directory};
use super::node::Node;
use super::scope::{ALL_REASONS, Point};
use super::validate::verified;
use super::{CRL_SIGN, PathError, PathFault, Revocation, TrustAnchor, UnknownStatus};

/// How many paths of signers of lists may depend on each other: that of the signer of a list about the signer of a list.
const MAX_LEVEL: u8 = 2;

/// A certificate of a path, and those above it.
struct Asked<'p, 'a> {
    node: &'p Node<'a>,
    /// Those above it, nearest first.
    above: &'p [&'p Node<'a>],
    anchor: &'p TrustAnchor,
}

impl<'a> Search<'a> {
    /// Looks for every certificate of a path that is otherwise valid whether it is revoked.
    pub(super) fn check_revocation(&mut self, path: &[&Node<'a>], anchor: &'a TrustAnchor) -> Result<(), PathError> {
        let Revocation::Lists { lists, unknown, .. } = self.terms.revocation else { return Ok(()) };
        for (position, node) in path.iter().enumerate().rev() {
            let asked = Asked { node, above: path.get(position + 1..).unwrap_or_default(), anchor };
            match self.status(&asked, lists) {
                Ok(()) => {}
                Err(PathFault::RevocationUnknown(_)) if unknown == UnknownStatus::Accept => {}
                Err(fault) => return Err(node.fault(position, fault)),
            }
        }
        Ok(())
    }

    fn status(&mut self, asked: &Asked<'_, 'a>, lists: &[RevocationList<'a>]) -> Result<(), PathFault> {
        let issuer = &asked.node.issuer;
        let points = asked.node.distribution_points.map(|value| Point::read_all(value, issuer));
        let points =
            points.transpose().map_err(|_| PathFault::RevocationUnknown("its cRLDistributionPoints are damaged"))?;
        let mut reasons = 0;
        // Why no list was good enough; the first reason says most.
        let mut why = None;
        for point in points.iter().flatten().chain([&Point::of_issuer(issuer)]) {
            for list in lists.iter().filter(|list| list.base.is_none() && is_about(list, point, asked.node)) {
                let interim = point.reasons.unwrap_or(ALL_REASONS) & list.scope.reasons.unwrap_or(ALL_REASONS);
                if reasons == ALL_REASONS || interim & !reasons == 0 {
                    continue;
                }
                if let Err(reason) = self.is_reliable(list, asked) {
                    why = why.or(Some(reason));
                    continue;
                }
                match self.look_up(list, lists, point, asked) {
                    Ok(None | Some(Entry::Removed)) => reasons |= interim,
                    Ok(Some(Entry::Revoked { at, reason })) => return Err(PathFault::Revoked { at, reason }),
                    Err(reason) => why = why.or(Some(reason)),
                }
            }
        }
        if reasons & ALL_REASONS == ALL_REASONS {
            return Ok(());
        }
        let nothing =
            if reasons == 0 { "no CRL of its issuer is at hand" } else { "the CRLs at hand cover some reasons only" };
        Err(PathFault::RevocationUnknown(why.unwrap_or(nothing)))
    }

    /// The complete list and, where one fits, a delta list that is newer (§6.3.3 (c), (i) to (k)).
    fn look_up(
        &mut self,
        list: &RevocationList<'a>,
        lists: &[RevocationList<'a>],
        point: &Point<'_>,
        asked: &Asked<'_, 'a>,
    ) -> Result<Option<Entry>, &'static str> {
        let (serial, issuer) = (asked.node.serial, &asked.node.issuer);
        for delta in lists.iter().filter(|delta| continues(delta, list) && is_about(delta, point, asked.node)) {
            if self.is_reliable(delta, asked).is_ok()
                && let Some(entry) = delta.find(serial, issuer)?
            {
                return Ok(Some(entry));
            }
        }
        list.find(serial, issuer)
    }

    /// Whether a list is current and signed by somebody who may (§6.3.3 (f) to (h)).
    fn is_reliable(&mut self, list: &RevocationList<'a>, asked: &Asked<'_, 'a>) -> Result<(), &'static str> {
        if let Some(why) = list.unfit {
            return Err(why);
        }
        if let Some(at) = self.terms.at {
            if list.this_update > at {
                return Err("the CRL at hand is of a time to come");
            }
            if list.next_update.is_none_or(|next| next < at.floor_to_second()) {
                return Err("the CRL at hand is out of date");
            }
        }
        if list.signature_algorithm != list.inner_algorithm {
            return Err("the CRL at hand names two different signature algorithms");
        }
        let mut known = false;
        for node in asked.above.iter().filter(|node| node.subject == list.issuer) {
            known = true;
            if signs_crls(node) && self.is_signed_with(list, node.spki)? {
                return Ok(());
            }
        }
        if asked.anchor.name == list.issuer {
            known = true;
            if asked.anchor.signs_crls && self.is_signed_with(list, &asked.anchor.spki)? {
                return Ok(());
            }
        }
        let signers = self.signers;
        for signer in signers.named(&list.issuer).filter(|signer| signs_crls(signer)) {
            known = true;
            if self.is_signed_with(list, signer.spki)? && self.is_trusted(signer, asked.anchor) {
                return Ok(());
            }
        }
        Err(if known {
            "nobody at hand who may sign the CRL has signed it"
        } else {
            "nobody at hand has the name of the CRL's issuer"
        })
    }

    fn is_signed_with(&mut self, list: &RevocationList<'_>, spki: &[u8]) -> Result<bool, &'static str> {
        self.budget.step().map_err(|_| "more CRLs and signers are at hand than are tried")?;
        Ok(verified(spki, list.signature_algorithm, list.tbs, list.signature).is_ok())
    }

    /// Whether somebody who signs lists has a valid path to the same anchor, whose certificates are not revoked either.
    fn is_trusted(&mut self, signer: &Node<'a>, anchor: &TrustAnchor) -> bool {
        if self.level >= MAX_LEVEL {
            return false;
        }
        let terms = self.terms.of_a_signer(std::slice::from_ref(anchor));
        let mut search = Search::new(&terms, self.signers, self.signers, self.budget);
        search.level = self.level + 1;
        search.find(signer).is_ok()
    }
}

/// Without keyUsage everything is allowed.
fn signs_crls(node: &Node<'_>) -> bool {
    node.key_usage.is_none_or(|bits| bits & CRL_SIGN != 0)
}

/// Whether a list may speak of a certificate at this point (§6.3.3 (b)).
fn is_about(list: &RevocationList<'_>, point: &Point<'_>, node: &Node<'_>) -> bool {
    let scope = &list.scope;
    let from_the_right_one = match &point.list_issuer {
        Some(issuers) => scope.indirect && issuers.iter().any(|name| is_directory(*name, &list.issuer)),
        None => list.issuer == node.issuer,
    };
    from_the_right_one
        && scope.point.as_ref().is_none_or(|names| point.meets(names))
        && (!scope.only_users || !node.is_ca)
        && (!scope.only_authorities || node.is_ca)
        && !scope.only_attributes
}

/// Whether a delta list can be laid over a complete one (§5.2.4, §6.3.3 (c)).
fn continues(delta: &RevocationList<'_>, complete: &RevocationList<'_>) -> bool {
    let (Some(base), Some(number), Some(newer)) = (delta.base, complete.number, delta.number) else { return false };
    // Without leading zeros the longer number is the larger one.
    let key = |number: &[u8]| (number.len(), number.to_vec());
    delta.issuer == complete.issuer
        && delta.scope_value == complete.scope_value
        && delta.authority_key_id == complete.authority_key_id
        && key(number) >= key(base)
        && key(number) <= key(newer)
}
