//! Kind `fips`: FIPS mode as three facts, requested, configured and active (ruling 4).
//! It is separate because a machine that was asked for FIPS, or even set up for it, is not yet a machine in FIPS mode.

mod active;
mod available;
mod configured;
mod entry;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};
use crate::host::{Cmd, Host, Runtime};
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Kind, Phase, Place};
pub use active::{Active, active};
pub use available::{Available, Family};
pub use configured::Configured;
pub use entry::BootEntry;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fips {
    /// Whether FIPS is asked for; false wants nothing, and what is found is still recorded.
    pub enabled: bool,
    /// What happens where it is asked for and cannot be had.
    #[serde(default)]
    pub mode: Mode,
}

/// What happens where FIPS is asked for and cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is an error.
    #[default]
    Require,
    /// It is told, and the work goes on.
    BestEffort,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// FIPS is asked for.
    pub requested: bool,
    /// The family of the system, which decides how FIPS is set up.
    pub family: Family,
    /// What is set up for the next boot; none where the tree has no kernel to boot.
    pub configured: Option<Configured>,
    /// Whether the running system is in FIPS mode.
    pub active: Runtime<Active>,
    /// How it could be set up; none where nobody asks or nothing is left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<Available>,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// EL: crypto policy, initramfs and boot entries by the system's own tool.
    FipsModeSetup,
    /// Ubuntu: kernel and libraries from Ubuntu Pro.
    ProEnable,
}

impl Action {
    fn argv(self) -> &'static [&'static str] {
        match self {
            Action::FipsModeSetup => &["fips-mode-setup", "--enable"],
            Action::ProEnable => &["pro", "enable", "fips-updates", "--assume-yes"],
        }
    }

    /// What a person looks at when it fails.
    fn hint(self) -> &'static str {
        match self {
            Action::FipsModeSetup => {
                "it comes with the package crypto-policies-scripts and needs dracut-fips, grubby and a mounted /boot; \
                 run it by hand to see more"
            }
            Action::ProEnable => {
                "see `pro status` and /var/log/ubuntu-advantage.log; the build network must reach esm.ubuntu.com"
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.argv().join(" "))
    }
}

impl Fips {
    /// What is missing of the set-up, and how to get it.
    fn judge_configured(&self, seen: &Seen, place: Place, diff: &mut Diff<Action>) {
        match &seen.available {
            Some(Available::By(action)) => {
                diff.actions
                    .extend((place != Place::Image).then_some(*action));
            }
            Some(Available::No { why, next }) if self.mode == Mode::Require => {
                diff.differs("available", why, next);
            }
            Some(Available::No { why, .. }) => {
                diff.differences.clear();
                let why = format!("best effort: {why}; this system is not in FIPS mode");
                diff.skip(ENTRY, why);
            }
            None => {}
        }
    }

    /// All is set up: what the running system says.
    fn judge_active(set: &Configured, seen: &Seen, place: Place, diff: &mut Diff<Action>) {
        let found = match &seen.active {
            Runtime::NotApplicable(why) if place == Place::Node => return diff.skip("active", why),
            Runtime::NotApplicable(why) => return diff.defer("active", why),
            Runtime::Seen(found) => found,
        };
        if found.kernel && !found.provider_is_active() {
            let have = found.provider.as_deref().unwrap_or("not looked at");
            diff.differs("openssl provider fips", have, "active");
        } else if !found.kernel && found.booted_after(set.changed) {
            let have = "not in FIPS mode, although booted after it was set up";
            diff.differs("kernel", have, "in FIPS mode");
        } else if !found.kernel {
            diff.reboot(
                "active",
                "FIPS mode is set up, the running kernel is not in it",
            );
        }
    }
}

impl Kind for Fips {
    const NAME: &'static str = "fips";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str =
        "FIPS mode: requested, configured for the next boot, and active in kernel and OpenSSL.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "enabled",
            Type::Bool,
            "Whether FIPS is asked for. false wants nothing and records what is found.",
        ),
        Field::optional(
            "mode",
            Type::Enum(&["require", "best-effort"]),
            "require: it is an error where FIPS cannot be had; best-effort: it is told. Default: require.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        "mode".to_owned()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: "fips".to_owned(),
            value: format!("{} {:?}", self.enabled, self.mode),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let family = Family::of(&host.root)?;
        let configured = configured::look(&host.root, family)?;
        let open = configured
            .as_ref()
            .is_some_and(|set| !set.missing(family).is_empty());
        let available = match self.enabled && open {
            true => Some(available::look(host, family)?),
            false => None,
        };
        if let (Mode::BestEffort, Some(Available::No { why, .. })) = (self.mode, &available) {
            tracing::warn!("FIPS is asked for with best effort and cannot be had: {why}");
        }
        Ok(Seen {
            requested: self.enabled,
            family,
            configured,
            active: active(host)?,
            available,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if !self.enabled {
            diff.skip(ENTRY, "FIPS is not asked for; what was found is recorded");
            return diff;
        }
        let Some(set) = &seen.configured else {
            diff.skip(ENTRY, "the tree has no kernel that could boot in FIPS mode");
            return diff;
        };
        for (what, have, want) in set.missing(seen.family) {
            diff.differs(what, have, want);
        }
        if diff.conforms() {
            Self::judge_active(set, seen, place, &mut diff);
        } else {
            self.judge_configured(seen, place, &mut diff);
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (_, action) in batch {
            // Both rebuild every initramfs, one of them after a download.
            let cmd = Cmd::new(action.argv().iter().copied()).timeout(Duration::from_secs(1800));
            let output = host
                .exec
                .run(&cmd)
                .map_err(|error| match error.next_step() {
                    Some(_) => error,
                    None => error.hint(action.hint()),
                })?;
            if !output.ok() {
                let text = output.text() + "\n" + &output.errors();
                let said = text.lines().rfind(|line| !line.trim().is_empty());
                let cause = format!(
                    "exit {}: {}",
                    output.code,
                    said.unwrap_or("it said nothing")
                );
                return Err(Error::host(format!("run {}", cmd.brief()))
                    .because(cause)
                    .hint(action.hint()));
            }
        }
        Ok(())
    }
}

/// A program's output as text, when it ended well.
fn ask(host: &Host, argv: &[&str]) -> Result<String> {
    let cmd = Cmd::new(argv.iter().copied()).timeout(Duration::from_secs(60));
    let output = host
        .exec
        .run(&cmd)
        .context(|| format!("run {}", cmd.brief()))?;
    if output.ok() {
        return Ok(output.text());
    }
    let errors = output.errors();
    let said = errors.lines().rfind(|line| !line.trim().is_empty());
    Err(Error::host(format!("run {}", cmd.brief())).because(format!(
        "exit {}: {}",
        output.code,
        said.unwrap_or("it said nothing")
    )))
}

#[cfg(test)]
mod tests;
