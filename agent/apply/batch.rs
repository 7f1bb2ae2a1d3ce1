//! Batches: actions that are one step, one of most kinds, all of a phase for kinds that go in one transaction.
//! They are separate because what is one step is also what is recorded and what a crash can lie between.

use crate::plan::{Item, Plan};
use crate::policy::Policy;
use crate::resource::{Action, Resource};

/// Actions that go together: one of most kinds, all of a phase for kinds that batch.
pub(super) struct Batch<'a> {
    pub(super) pairs: Vec<(&'a Resource, &'a Action)>,
    items: Vec<&'a Item>,
}

impl Batch<'_> {
    pub(super) fn text(&self) -> (String, String) {
        let ids: Vec<&str> = self.items.iter().map(|item| item.id.as_str()).collect();
        let actions: Vec<String> = self
            .pairs
            .iter()
            .map(|(_, action)| action.to_string())
            .collect();
        (ids.join(" "), actions.join("; "))
    }

    pub(super) fn tombstones(&self) -> Vec<crate::host::Tombstone> {
        self.items
            .iter()
            .flat_map(|item| item.diff.tombstones.clone())
            .collect()
    }
}

/// Groups the plan's actions, in the plan's order.
pub(super) fn batches<'a>(policy: &'a Policy, plan: &'a Plan) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = Vec::new();
    for item in &plan.items {
        let Some(entry) = policy.entries.get(item.index) else {
            continue;
        };
        for action in &item.diff.actions {
            let pair = (&entry.resource, action);
            match batches.last_mut() {
                Some(last) if entry.resource.batch() && same_kind(last, &entry.resource) => {
                    last.pairs.push(pair);
                    if last
                        .items
                        .last()
                        .is_none_or(|known| known.index != item.index)
                    {
                        last.items.push(item);
                    }
                }
                _ => batches.push(Batch {
                    pairs: vec![pair],
                    items: vec![item],
                }),
            }
        }
    }
    batches
}

fn same_kind(batch: &Batch<'_>, resource: &Resource) -> bool {
    batch
        .pairs
        .first()
        .is_some_and(|(first, _)| first.kind() == resource.kind())
}
