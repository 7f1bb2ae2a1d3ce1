//! Debian's package manager: dpkg's database read from the tree, changes by the real apt-get and dpkg.
//! It is separate from the seam because all that is special about this family lies below here.

mod fault;
mod lock;
mod offline;
mod run;
mod sources;
mod upgrade;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fault::Fault;

use super::{Installed, Manager, PackageRequest, Packages, status, version};
use crate::error::{Context as _, Error, Result};
use crate::host::{Clock, Cmd, Exec, Notes, Root};

/// dpkg's database.
const STATUS: &str = "/var/lib/dpkg/status";
/// Changes of the database that a killed dpkg has not merged into it.
const UPDATES: &str = "/var/lib/dpkg/updates";
/// Package indexes.
const LISTS: &str = "/var/lib/apt/lists";

/// Sources, in one file and in parts.
const SOURCES_LIST: &str = "/etc/apt/sources.list";
const SOURCES_DIR: &str = "/etc/apt/sources.list.d";

/// How long a transaction may take.
const INSTALL: Duration = Duration::from_secs(3600);

/// The database as last read, with the file it was read from.
type Cached = ((i64, u64, u64), Rc<BTreeMap<String, Installed>>);

/// apt and dpkg of one tree.
pub struct Apt {
    root: Root,
    exec: Rc<dyn Exec>,
    clock: Rc<dyn Clock>,
    notes: Notes,
    cached: RefCell<Option<Cached>>,
}

impl std::fmt::Debug for Apt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apt")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Apt {
    /// apt of the tree at `root`; `exec` runs in that tree.
    pub fn new(root: Root, exec: Rc<dyn Exec>, clock: Rc<dyn Clock>, notes: Notes) -> Self {
        Self {
            root,
            exec,
            clock,
            notes,
            cached: RefCell::new(None),
        }
    }

    /// Unpacks again what a kill cut off amid unpacking: dpkg refuses to configure it, and apt's --fix-broken
    /// either tries that all the same or says that all is well.
    fn reinstall_torn(&self) -> Result<()> {
        let bytes = self.root.read(STATUS)?.unwrap_or_default();
        let torn = status::to_reinstall(&String::from_utf8_lossy(&bytes));
        if torn.is_empty() {
            return Ok(());
        }
        self.reinstall(&torn)
            .context(|| format!("unpack again {}", torn.join(", ")))
    }

    fn dpkg_configure() -> Cmd {
        let argv = [
            "dpkg",
            "--configure",
            "-a",
            "--force-confdef",
            "--force-confold",
        ];
        run::noninteractive(Cmd::new(argv)).timeout(INSTALL)
    }
}

impl Packages for Apt {
    fn manager(&self) -> Result<Manager> {
        Ok(Manager::Apt)
    }

    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>> {
        let Some(meta) = self.root.meta_followed(STATUS)? else {
            return Err(
                Error::host(format!("read the installed packages: there is no {STATUS}"))
                    .hint("this works on Debian and Ubuntu trees only; check --root"),
            );
        };
        let key = (meta.mtime, meta.size, meta.inode);
        if let Some((seen, all)) = &*self.cached.borrow()
            && *seen == key
        {
            return Ok(Rc::clone(all));
        }
        let bytes = self.root.read(STATUS)?.unwrap_or_default();
        let all = Rc::new(status::parse(&String::from_utf8_lossy(&bytes)));
        *self.cached.borrow_mut() = Some((key, Rc::clone(&all)));
        Ok(all)
    }

    fn interrupted(&self) -> Result<Option<String>> {
        if !self.root.list(UPDATES)?.is_empty() {
            return Ok(Some("dpkg was interrupted".to_owned()));
        }
        let all = self.installed()?;
        let open: Vec<_> = all
            .iter()
            .filter(|(_, p)| !p.complete)
            .map(|(name, _)| name.as_str())
            .collect();
        Ok((!open.is_empty()).then(|| brief(&open)))
    }

    fn install(&self, wanted: &[PackageRequest]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let names = wanted.iter().map(|p| p.name.as_str()).collect::<Vec<_>>();
        let doing = || format!("install {}", names.join(", "));
        let installed = self.installed()?;
        let args = run::install_args(wanted, &installed);
        let output = self
            .repaired(|| self.install_with_lists(&args))
            .context(doing)?;
        if fault::classify(&output) == Fault::Network && wanted.iter().any(|p| p.offline.is_some())
        {
            let why = fault::meaning(&output);
            return self.install_offline(wanted, &why).context(doing);
        }
        run::finished(&output).context(doing)
    }

    fn set_hold(&self, names: &[String], held: bool) -> Result<()> {
        let installed = self.installed()?;
        let is_held = |name: &String| installed.get(name).is_some_and(|package| package.held);
        let change: Vec<&str> = names
            .iter()
            .filter(|name| is_held(name) != held)
            .map(String::as_str)
            .collect();
        if change.is_empty() {
            return Ok(());
        }
        let verb = if held { "hold" } else { "unhold" };
        let doing = || format!("{verb} {}", change.join(", "));
        let argv = ["apt-mark", verb].into_iter().chain(change.iter().copied());
        self.locked(&Cmd::new(argv)).context(doing)
    }

    fn repair(&self) -> Result<()> {
        let Some(why) = self.interrupted()? else {
            return Ok(());
        };
        self.notes.add(format!(
            "finishing an interrupted package transaction ({why})"
        ));
        tracing::info!("finishing an interrupted package transaction ({why})");
        let configured = self.locked(&Self::dpkg_configure());
        if self.interrupted()?.is_none() {
            return Ok(());
        }
        let fixed = self.reinstall_torn().and_then(|()| self.fix_broken());
        match (self.interrupted()?, fixed.and(configured)) {
            (None, _) => Ok(()),
            (Some(_), Err(error)) => Err(error),
            (Some(left), Ok(())) => Err(Error::host(left)),
        }
        .context(|| "finish an interrupted package transaction")
    }

    fn refresh(&self) -> Result<()> {
        self.update().context(|| "fetch the package indexes")
    }

    fn metadata_digest(&self) -> Result<Option<String>> {
        self.lists_digest()
            .context(|| "look at the package indexes")
    }

    fn upgrade(&self) -> Result<()> {
        self.full_upgrade().context(|| "upgrade all packages")
    }

    fn waiting(&self) -> Result<Vec<String>> {
        self.simulated_upgrade()
            .context(|| "look for packages with updates waiting")
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        version::compare(a, b)
    }
}

/// Some of the names that are not configured.
fn brief(names: &[&str]) -> String {
    let first = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(3);
    match more {
        0 => format!("not configured: {first}"),
        _ => format!("not configured: {first} and {more} more"),
    }
}
