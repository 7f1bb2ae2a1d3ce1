//! The last phases of a fill: names are recorded, the store is read again, and everybody is told.
//! It is separate because it is where an image counts as had, and not before.

use super::desired::{self, Desired};
use super::differences::differences;
use super::filling::{Filling, Ground};
use super::plan::Plan;
use super::registrar::failed;
use super::{Event, Inventory, Report};
use crate::error::{Error, Result};
use crate::host::containerd::{Containerd, Image};
use crate::host::failure::{Class, Failure};
use crate::host::oci::Name;

impl Filling<'_> {
    /// Records the names of all images that are whole; one that cannot be recorded fails.
    pub(super) fn names(&mut self, containerd: &dyn Containerd, desired: &Desired, plan: &Plan) {
        let labels = desired::record_labels();
        for (name, record) in &desired.records {
            let users: Vec<usize> = (record.images.iter().copied())
                .filter(|number| self.images.contains_key(number))
                .collect();
            let user = users.first().and_then(|number| self.images.get(number));
            let Some(user) = user.filter(|_| plan.names.contains(name)) else {
                continue;
            };
            let image = Image {
                name: name.clone(),
                target: user.record_target(),
                labels: labels.clone(),
            };
            if let Err(error) = containerd.put_image(&image) {
                let failure = failed(error);
                for number in users {
                    self.fail(number, &failure);
                }
            }
        }
    }

    /// Whether every image that did not fail is whole now; one that is not fails.
    pub(super) fn whole(&mut self, inventory: &Inventory, ground: &Ground) -> Result<()> {
        let desired = self.desired(ground);
        let flaws = differences(&desired, inventory, &mut |digest| ground.rooms.size(digest))?;
        for (users, flaw) in flaws {
            let error = Error::host(format!("check the store: {flaw}"));
            let hint =
                "run the same command again; if it says so once more, look at the daemon's log";
            let failure = Failure::new(Class::Store, error.hint(hint));
            for number in users {
                self.fail(*number, &failure);
            }
        }
        Ok(())
    }

    /// The report, with everybody told.
    pub(super) fn end(mut self) -> Report {
        self.settle_phase();
        for image in &self.report.images {
            let name = &image.name;
            self.progress.event(&match &image.outcome {
                Ok(()) => Event::ImageDone { image: name },
                Err(failure) => Event::ImageFailed {
                    image: name,
                    failure,
                },
            });
        }
        self.report
    }
}

/// A failure that several images may share, as one image's own.
pub(super) fn retold(name: &Name, failure: &Failure) -> Failure {
    let error = Error::host(format!("put {name} in the store")).because(failure.error.one_line());
    let hint = failure.error.next_step().map(str::to_owned);
    let error = hint.into_iter().fold(error, Error::hint);
    Failure::new(failure.class, error)
}
