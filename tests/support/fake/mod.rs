//! Fakes of the host seams: state in memory, a log of calls, and a fault on the n-th call of a method.
//! They are separate from the seams because they implement the public traits and nothing else, as the live ones do.
//!
//! Every fake is a handle: clones share one state, so a test keeps a clone and looks at it after the host used it.
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

mod exec;
mod kernel;
mod packages;
mod units;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use nodeagent::error::{Error, Result};
use nodeagent::host::{Context, Evidence, Host, Notes, Root, Where};

pub(crate) use exec::{FakeClock, FakeExec};
pub(crate) use kernel::FakeKernel;
pub(crate) use packages::FakePackages;
pub(crate) use units::FakeUnits;

/// A log of calls and the faults to inject in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    log: Rc<RefCell<Vec<String>>>,
    counts: Rc<RefCell<BTreeMap<String, usize>>>,
    faults: Rc<RefCell<BTreeSet<(String, usize)>>>,
}

impl Calls {
    /// Makes the n-th call (from 1) of a method fail, counted from now.
    pub(crate) fn fail_on(&self, method: &str, n: usize) {
        let done = self.counts.borrow().get(method).copied().unwrap_or(0);
        self.faults.borrow_mut().insert((method.into(), done + n));
    }

    /// The calls that change something, as `method argument …`, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    pub(super) fn look(&self, method: &str) -> Result<()> {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(method.to_owned()).or_default();
        *count += 1;
        if self.faults.borrow().contains(&(method.to_owned(), *count)) {
            return Err(Error::host(format!(
                "{method}: injected fault in call {count}"
            )));
        }
        Ok(())
    }

    pub(super) fn change(&self, method: &str, arguments: &str) -> Result<()> {
        self.look(method)?;
        self.log.borrow_mut().push(format!("{method} {arguments}"));
        Ok(())
    }
}

/// One handle on every fake of a host.
#[derive(Debug, Clone)]
pub(crate) struct Fakes {
    /// Kernel.
    pub(crate) kernel: FakeKernel,
    /// Packages.
    pub(crate) packages: FakePackages,
    /// Units.
    pub(crate) units: FakeUnits,
    /// Children.
    pub(crate) exec: FakeExec,
    /// Clock.
    pub(crate) clock: FakeClock,
}

/// A booted machine whose files are those below `root` and whose other seams are fakes.
pub(crate) fn fake_host(root: &Path) -> Host {
    fake_parts(root).0
}

/// The same, with a handle on its fakes.
pub(crate) fn fake_parts(root: &Path) -> (Host, Fakes) {
    let fakes = Fakes {
        kernel: FakeKernel::default(),
        packages: FakePackages::default(),
        units: FakeUnits::default(),
        exec: FakeExec::default(),
        clock: FakeClock::at(1_700_000_000, None),
    };
    let host = Host {
        root: Root::open(root).expect("the test's root opens"),
        exec: Rc::new(fakes.exec.clone()),
        packages: Box::new(fakes.packages.clone()),
        kernel: Box::new(fakes.kernel.clone()),
        units: Box::new(fakes.units.clone()),
        clock: Box::new(fakes.clock.clone()),
        context: Context {
            place: Where::Booted,
            evidence: "a test".to_owned(),
        },
        closing: false,
        stamped: false,
        refresh: Cell::new(false),
        tried_images: Cell::new(false),
        meter: std::sync::Arc::new(nodeagent::host::meter::Unwatched),
        deep: false,
        evidence: Evidence::default(),
        notes: Notes::default(),
    };
    (host, fakes)
}
