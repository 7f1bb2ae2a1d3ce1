//! Puts the real seams together: for the system we run on, or for an unbooted tree.
//! It is separate because it is the one place that chooses them; everything else takes what it is given.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::clock::{Clock, SystemClock};
use super::context::{self, Context, Where};
use super::exec::{Exec, LiveExec};
use super::family::Family;
use super::kernel::LiveKernel;
use super::meter::Unwatched;
use super::packages::{Apt, Dnf, Packages, Unknown};
use super::systemd::{BUS, Manager, Offline, Units};
use super::{Evidence, Host, Notes, Root};
use crate::error::Result;

/// Our own program: the kernel's name for it, which stays right when the bake replaces the file.
const SELF: &str = "/proc/self/exe";

impl Host {
    /// The system we run on.
    pub fn live() -> Result<Self> {
        Self::open(Path::new("/"), context::detect(), Path::new(SELF))
    }

    /// An unbooted tree.
    pub fn at_root(dir: &Path) -> Result<Self> {
        let tree = Context {
            place: Where::Root,
            evidence: format!("the tree {}", dir.display()),
        };
        Self::open(dir, tree, Path::new(SELF))
    }

    /// The system we run on while it shuts down: its manager takes no more work, so it is treated as a tree.
    pub fn closing() -> Result<Self> {
        let mut host = Self::at_root(Path::new("/"))?;
        host.closing = true;
        Ok(host)
    }

    /// A host with this context; children are started through `program`, the agent's own binary.
    pub fn open(dir: &Path, context: Context, program: &Path) -> Result<Self> {
        let root = Root::open(dir)?;
        let exec: Rc<dyn Exec> = Rc::new(if root.is_live() {
            LiveExec::live(program)
        } else {
            LiveExec::in_tree(program, root.path())
        });
        let clock = clock();
        let notes = Notes::default();
        Ok(Self {
            packages: packages(Root::open(dir)?, &exec, &notes)?,
            kernel: Box::new(LiveKernel::new(context.clone(), Rc::clone(&exec))),
            units: units(dir, &context)?,
            clock: Box::new(clock),
            root,
            exec,
            context,
            closing: false,
            stamped: false,
            refresh: Cell::new(false),
            tried_images: Cell::new(false),
            meter: Arc::new(Unwatched),
            deep: false,
            evidence: Evidence::default(),
            notes,
        })
    }
}

/// The package manager that the tree's os-release stands for.
fn packages(root: Root, exec: &Rc<dyn Exec>, notes: &Notes) -> Result<Box<dyn Packages>> {
    let (exec, clock, notes) = (Rc::clone(exec), Rc::new(clock()), notes.clone());
    Ok(match Family::of(&root)? {
        Family::Debian => Box::new(Apt::new(root, exec, clock, notes)),
        Family::El => Box::new(Dnf::new(root, exec, clock, notes)),
        Family::Other(found) => Box::new(Unknown::new(found)),
    })
}

fn units(dir: &Path, context: &Context) -> Result<Box<dyn Units>> {
    Ok(if context.has_manager() {
        Box::new(Manager::new(&PathBuf::from(BUS))?)
    } else {
        Box::new(Offline::new(Root::open(dir)?)?)
    })
}

fn clock() -> impl Clock {
    SystemClock::start(super::environment::source_date_epoch())
}
