//! The EL family's package manager: rpm's database as rpm tells it, changes by the real dnf.
//! It is separate from the seam because all that is special about this family lies below here.

mod database;
mod fault;
mod hold;
mod lock;
mod metadata;
mod names;
mod offline;
mod run;
mod torn;
mod version;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{Installed, Manager, PackageRequest, Packages};
use crate::error::{Context as _, Error, Result};
use crate::host::root::Attr;
use crate::host::{Clock, Cmd, Exec, Notes, Root};

/// Where rpm keeps its database: EL 9 and older, then newer ones; the file's name says which format it has.
const DATABASES: &[&str] = &[
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
];

/// What else changes the answer: sqlite's journal of each database, and the lists of held packages.
const ALSO: &[&str] = &[
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    hold::CONF,
    hold::LOCKS,
];

/// How long a file must be unchanged before an answer is kept: its time has no finer grain.
const SETTLED: i64 = 2;

/// A file as it was: time, size, inode.
type State = Option<(i64, u64, u64)>;

/// The answer as last given, with the files it was read from.
type Cached = (Vec<State>, Rc<BTreeMap<String, Installed>>);

/// dnf and rpm of one tree.
pub struct Dnf {
    root: Root,
    exec: Rc<dyn Exec>,
    clock: Rc<dyn Clock>,
    notes: Notes,
    cached: RefCell<Option<Cached>>,
}

impl std::fmt::Debug for Dnf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dnf")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Dnf {
    /// dnf of the tree at `root`; `exec` runs in that tree.
    pub fn new(root: Root, exec: Rc<dyn Exec>, clock: Rc<dyn Clock>, notes: Notes) -> Self {
        Self {
            root,
            exec,
            clock,
            notes,
            cached: RefCell::new(None),
        }
    }

    /// The files that decide the answer. rpm would make a new, empty database where there is none: that is an error.
    fn state(&self) -> Result<Vec<State>> {
        let mut all = Vec::new();
        for path in DATABASES.iter().chain(ALSO) {
            let meta = self.root.meta_followed(path)?;
            all.push(meta.map(|meta| (meta.mtime, meta.size, meta.inode)));
        }
        if all.iter().take(DATABASES.len()).all(Option::is_none) {
            let places = "/var/lib/rpm and /usr/lib/sysimage/rpm";
            return Err(Error::host(format!(
                "read the installed packages: there is no rpm database in {places}"
            ))
            .hint("check --root; a tree must have rpm and dnf of its own"));
        }
        Ok(all)
    }

    /// Asks rpm for all packages at once.
    fn ask(&self) -> Result<BTreeMap<String, Installed>> {
        let argv = ["rpm", "-qa", "--qf", database::FORMAT];
        let output = self.exec.run(&Cmd::new(argv).timeout(QUERY))?;
        let errors = output.errors();
        // rpm passes over what it cannot read in its database, says so, and exits with 0.
        let fault = errors.lines().find(|line| line.starts_with("error:"));
        if !output.ok() || fault.is_some() {
            let said = fault.unwrap_or("it said nothing");
            return Err(
                Error::host(format!("ask rpm (exit {}): {said}", output.code))
                    .hint("try rpm -qa in that tree; rpm --rebuilddb repairs a damaged database"),
            );
        }
        let held = self.held()?;
        let held = |name: &str| hold::names(&held, name);
        database::parse(&output.text(), std::env::consts::ARCH, &held)
    }

    /// Patterns of held packages.
    fn held(&self) -> Result<Vec<String>> {
        let conf = self.root.read_text(hold::CONF)?.unwrap_or_default();
        let mut all = hold::excludes(&conf);
        if self.obeys_locks()? {
            let list = self.root.read_text(hold::LOCKS)?.unwrap_or_default();
            all.extend(hold::locked(&list));
        }
        Ok(all)
    }

    /// Whether the versionlock plugin is there; without it nobody obeys its list.
    fn obeys_locks(&self) -> Result<bool> {
        let patterns = [
            "/usr/lib/python3*/site-packages/dnf-plugins/versionlock.py",
            "/usr/lib/python3/dist-packages/dnf-plugins/versionlock.py",
        ];
        let found = crate::host::glob::expand(&self.root, &patterns.map(str::to_owned))?;
        Ok(!found.paths.is_empty())
    }

    /// Forgets the answer: what has just been done may have changed it within the grain of a file's time.
    fn forget(&self) {
        self.cached.replace(None);
    }

    fn hold(&self, names: &[&str], held: bool) -> Result<()> {
        let conf = self.root.read_text(hold::CONF)?.unwrap_or_default();
        let changed = hold::changed(&conf, names, held);
        if changed != conf {
            self.root.make_parent(hold::CONF)?;
            self.root
                .write(hold::CONF, changed.as_bytes(), Attr::root(0o644))?;
        }
        if let (false, Some(list)) = (held, self.root.read_text(hold::LOCKS)?) {
            let left = hold::unlocked(&list, names);
            if left != list {
                self.root
                    .write(hold::LOCKS, left.as_bytes(), Attr::root(0o644))?;
            }
        }
        self.forget();
        Ok(())
    }
}

/// How long a question to rpm may take.
const QUERY: Duration = Duration::from_secs(120);

impl Packages for Dnf {
    fn manager(&self) -> Result<Manager> {
        Ok(Manager::Dnf)
    }

    fn installed(&self) -> Result<Rc<BTreeMap<String, Installed>>> {
        let state = self.state()?;
        if let Some((seen, all)) = &*self.cached.borrow()
            && *seen == state
        {
            return Ok(Rc::clone(all));
        }
        let all = Rc::new(self.ask()?);
        let now = i64::try_from(self.clock.now()).unwrap_or(0);
        let settled = |file: &State| file.is_none_or(|(time, ..)| time + SETTLED <= now);
        if state.iter().all(settled) {
            *self.cached.borrow_mut() = Some((state, Rc::clone(&all)));
        }
        Ok(all)
    }

    fn interrupted(&self) -> Result<Option<String>> {
        self.left_over()
    }

    fn install(&self, wanted: &[PackageRequest]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let names = wanted.iter().map(|p| p.name.as_str()).collect::<Vec<_>>();
        let doing = || format!("install {}", names.join(", "));
        self.repair()?;
        self.install_all(wanted).context(doing)
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
        let verb = if held { "hold" } else { "release" };
        self.hold(&change, held)
            .context(|| format!("{verb} {}", change.join(", ")))
    }

    fn repair(&self) -> Result<()> {
        let Some(why) = self.interrupted()? else {
            return Ok(());
        };
        self.notes.warn(format!(
            "finishing an interrupted package transaction ({why})"
        ));
        self.finish()
            .context(|| "finish an interrupted package transaction")
    }

    fn refresh(&self) -> Result<()> {
        self.update().context(|| "fetch the repositories' metadata")
    }

    fn metadata_digest(&self) -> Result<Option<String>> {
        self.repositories_digest()
            .context(|| "look at the repositories' metadata")
    }

    fn upgrade(&self) -> Result<()> {
        self.repair()?;
        self.full_upgrade().context(|| "upgrade all packages")
    }

    fn waiting(&self) -> Result<Vec<String>> {
        self.newer()
            .context(|| "look for packages with updates waiting")
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        version::compare(a, b)
    }
}
