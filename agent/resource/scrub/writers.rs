//! Stopping what writes to the paths of a scrub entry, by the way that works for each writer.
//! It is separate because two of them refuse a stop job: auditd and journald (design, ruling 21).

use std::time::Duration;

use crate::error::{Context as _, Error, Result};
use crate::host::{Cmd, Host};

const AUDITD: &str = "auditd.service";
const JOURNALD: &str = "systemd-journald.service";
/// sigaction(2): SIGTERM.
const SIGTERM: i32 = 15;
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

/// Those of the units that run now; none where no manager runs.
/// At shutdown the order of units has stopped all but journald, and nobody answers on the bus any more.
pub(super) fn running(units: &[String], host: &Host) -> Result<Vec<String>> {
    let mut running = Vec::new();
    if !host.context.has_manager() && !host.closing {
        return Ok(running);
    }
    for unit in units {
        if unit == JOURNALD || (!host.closing && active(unit, host)?) {
            running.push(unit.clone());
        }
    }
    Ok(running)
}

fn active(unit: &str, host: &Host) -> Result<bool> {
    let state = host.units.state(unit)?.active.unwrap_or_default();
    Ok(!matches!(state.as_str(), "" | "inactive" | "failed"))
}

/// Stops one writer. Not running: no change.
pub(super) fn stop(unit: &str, host: &Host) -> Result<()> {
    match unit {
        JOURNALD => relinquish(host),
        AUDITD => terminate(unit, host),
        _ => host.units.stop(unit),
    }
}

/// journald goes on in memory and closes its files under /var.
fn relinquish(host: &Host) -> Result<()> {
    let cmd = Cmd::new(["journalctl", "--relinquish-var"]);
    let output = host.exec.run(&cmd)?;
    if output.code == 0 {
        return Ok(());
    }
    let said = output.errors();
    if nobody_listens(&said) {
        return Ok(());
    }
    Err(Error::host(format!(
        "make journald leave /var: {} ended with {}: {}",
        cmd.line(),
        output.code,
        said.trim()
    )))
}

/// Without a journald there is nobody to leave /var, and nothing but the directory to be emptied.
fn nobody_listens(said: &str) -> bool {
    let refused = ["Connection refused", "No such file or directory"];
    said.lines().any(|line| {
        line.starts_with("Failed to connect to") && refused.iter().any(|why| line.ends_with(why))
    })
}

/// auditd has RefuseManualStop=yes on the EL family and flushes its log on SIGTERM.
fn terminate(unit: &str, host: &Host) -> Result<()> {
    let doing = || format!("stop {unit} by SIGTERM");
    if !active(unit, host)? {
        return Ok(());
    }
    host.units.kill(unit, SIGTERM).context(doing)?;
    let until = host.clock.elapsed() + PATIENCE;
    while active(unit, host)? {
        if host.clock.elapsed() >= until {
            return Err(Error::host(format!(
                "{}: it still runs after {} s",
                doing(),
                PATIENCE.as_secs()
            )));
        }
        host.clock.sleep(STEP);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::nobody_listens;

    #[test]
    fn only_a_missing_journald_has_left_already() {
        let at = "Failed to connect to /run/systemd/journal/io.systemd.journal";
        for (why, missing) in [
            ("Connection refused", true),
            ("No such file or directory", true),
            ("Permission denied", false),
            ("Connection timed out", false),
        ] {
            assert_eq!(nobody_listens(&format!("{at}: {why}\n")), missing, "{why}");
        }
        assert!(!nobody_listens("Failed to relinquish: Connection refused"));
    }
}
