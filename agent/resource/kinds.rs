//! The one list of kinds, and the dispatch that is made of it; nothing else dispatches on kinds.
//! It is separate because adding a kind is one line here and one file beside it.

use serde::{Deserialize, Serialize};

use super::{
    Claim, Diff, Fault, Kind, KindInfo, Phase, Place, absent, account, artifact, build_account,
    cloud_init, directory, file, fips, forbidden, identity, image, image_archive, kargs, module,
    need, package, repository, script, scrub, selinux, sshd, swap, sysctl, trim, trust, unit,
    upgrade,
};
use crate::error::Result;
use crate::host::Host;

macro_rules! kinds {
    ($($kind:ident = $module:ident),+ $(,)?) => {
        /// A wanted fact of any kind, as the policy states it and as policy.json keeps it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Resource { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::$kind)),+ }

        /// What was seen of a resource.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Observed { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::Seen)),+ }

        /// One step that changes the host.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action { $(#[doc = concat!("See the module `", stringify!($module), "`.")] $kind($module::Action)),+ }

        impl std::fmt::Display for Action {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Action::$kind(action) => action.fmt(f)),+ }
            }
        }

        /// The kinds as data: name, documentation, fields, default places.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            name: <$module::$kind as Kind>::NAME,
            doc: <$module::$kind as Kind>::DOC,
            fields: <$module::$kind as Kind>::FIELDS,
            places: <$module::$kind as Kind>::PLACES,
            phase: <$module::$kind as Kind>::PHASE,
        }),+];

        impl Resource {
            /// The stable id: kind and natural key.
            pub fn id(&self) -> String {
                match self { $(Resource::$kind(r) => format!("{}:{}", <$module::$kind as Kind>::NAME, r.key())),+ }
            }
            /// The kind's name.
            pub fn kind(&self) -> &'static str {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::NAME),+ }
            }
            /// When it is worked on.
            pub fn phase(&self) -> Phase {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::PHASE),+ }
            }
            /// Whether its actions go together with those of other entries.
            pub fn batch(&self) -> bool {
                match self { $(Resource::$kind(_) => <$module::$kind as Kind>::BATCH),+ }
            }
            /// What is wrong with it as a whole.
            pub fn faults(&self) -> Vec<Fault> {
                match self { $(Resource::$kind(r) => r.faults()),+ }
            }
            /// Shared facts that it demands a value of.
            pub fn claims(&self) -> Vec<Claim> {
                match self { $(Resource::$kind(r) => r.claims()),+ }
            }
            /// Looks; never writes.
            pub fn observe(&self, host: &Host) -> Result<Observed> {
                match self { $(Resource::$kind(r) => r.observe(host).map(Observed::$kind)),+ }
            }
            /// Judges; pure. An observation of another kind is a fault of the caller and judged unknown.
            pub fn diff(&self, seen: &Observed, place: Place) -> Diff<Action> {
                match (self, seen) {
                    $((Resource::$kind(r), Observed::$kind(s)) => r.diff(s, place).map(Action::$kind),)+
                    _ => {
                        let mut diff = Diff::default();
                        diff.unknown(self.kind(), "observed as another kind");
                        diff
                    }
                }
            }
            /// Performs actions of one kind; the caller groups them.
            pub fn apply(batch: &[(&Resource, &Action)], host: &Host) -> Result<()> {
                $({
                    let mine: Vec<_> = batch.iter().filter_map(|(r, a)| match (r, a) {
                        (Resource::$kind(r), Action::$kind(a)) => Some((r, a)),
                        _ => None,
                    }).collect();
                    if !mine.is_empty() {
                        <$module::$kind as Kind>::apply(&mine, host)?;
                    }
                })+
                Ok(())
            }
        }
    };
}

// A new kind is one file, one line here, one case folder and one policy example.
kinds! {
    CloudInit = cloud_init,
    Package = package,
    Account = account,
    Trust = trust,
    Repository = repository,
    Upgrade = upgrade,
    Directory = directory,
    File = file,
    Sshd = sshd,
    Absent = absent,
    Artifact = artifact,
    Module = module,
    Sysctl = sysctl,
    Kargs = kargs,
    Swap = swap,
    Fips = fips,
    Unit = unit,
    Image = image,
    ImageArchive = image_archive,
    Script = script,
    Need = need,
    Scrub = scrub,
    BuildAccount = build_account,
    Selinux = selinux,
    Trim = trim,
    Forbidden = forbidden,
    Identity = identity,
}
