//! The part of systemd's D-Bus interface that is used (org.freedesktop.systemd1(5)).
//! It is separate because it is generated code from a few signatures; a whole binding would be larger than the agent.

use zbus::{OwnedObjectPath, Variant, proxy};

/// One symlink that systemd made or removed: what, where, whereto.
pub(super) type Change = (String, String, String);

/// One condition of a unit and how its last test ended.
pub(super) type Condition = (String, bool, bool, String, i32);

/// The manager.
#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(super) trait Manager {
    /// Asks for signals.
    fn subscribe(&self) -> zbus::Result<()>;
    /// Loads a unit, be there a file or not.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    /// The state of a unit's file, read from disk.
    fn get_unit_file_state(&self, name: &str) -> zbus::Result<String>;
    /// All unit files: path and state.
    fn list_unit_files(&self) -> zbus::Result<Vec<(String, String)>>;
    /// Enables; whether there was an `[Install]` section, and what was changed.
    fn enable_unit_files(
        &self,
        names: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<(bool, Vec<Change>)>;
    /// Disables.
    fn disable_unit_files(&self, names: &[&str], runtime: bool) -> zbus::Result<Vec<Change>>;
    /// Masks.
    fn mask_unit_files(
        &self,
        names: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<Vec<Change>>;
    /// Unmasks.
    fn unmask_unit_files(&self, names: &[&str], runtime: bool) -> zbus::Result<Vec<Change>>;
    /// Queues a start; the job's path.
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Makes a unit that has no file and queues its start; the job's path.
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        others: &[(&str, &[(&str, Variant<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    /// Queues a stop; the job's path.
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Sends a signal to processes of a unit.
    fn kill_unit(&self, name: &str, who: &str, signal: i32) -> zbus::Result<()>;
    /// Reads all unit files again.
    fn reload(&self) -> zbus::Result<()>;
    /// A job has ended.
    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

/// A loaded unit.
#[proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
pub(super) trait Unit {
    /// `loaded`, `not-found`, `masked`, ….
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;
    /// `active`, `inactive`, `failed`, ….
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    /// The file's state as it was when the unit was loaded.
    #[zbus(property)]
    fn unit_file_state(&self) -> zbus::Result<String>;
    /// Conditions: type, trigger, negated, parameter, and how the last test ended (below zero: not met).
    #[zbus(property)]
    fn conditions(&self) -> zbus::Result<Vec<Condition>>;
    /// Whether all conditions were met at the last try.
    #[zbus(property)]
    fn condition_result(&self) -> zbus::Result<bool>;
    /// When that was, in microseconds; 0: never.
    #[zbus(property)]
    fn condition_timestamp_monotonic(&self) -> zbus::Result<u64>;
    /// The file has changed since it was loaded.
    #[zbus(property)]
    fn need_daemon_reload(&self) -> zbus::Result<bool>;
}

/// What only services have.
#[proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
pub(super) trait Service {
    /// Why it ended: `success`, `exit-code`, `timeout`, ….
    #[zbus(property)]
    fn result(&self) -> zbus::Result<String>;
}
