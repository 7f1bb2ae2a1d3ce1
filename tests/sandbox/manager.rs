//! Units of a running systemd over its real D-Bus: a booted machine, driven from outside through its socket.
//! Separate because it boots one machine for all of its questions.

use crate::support::machine::{cache, nspawn::Machine};
use nodeagent::host::systemd::Manager;
use nodeagent::host::{Enablement, Units};
use std::path::Path;
use std::time::{Duration, Instant};

/// Long enough for a bus that answers.
const PATIENCE: Duration = Duration::from_secs(5);

const UNITS: &[(&str, &str)] = &[
    (
        "good.service",
        "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "bad.service",
        "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "slow.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1\n",
    ),
    (
        "never.service",
        "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep infinity\n",
    ),
    (
        "clock.service",
        "[Unit]\nConditionCapability=CAP_SYS_TIME\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "many@.service",
        "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\nDefaultInstance=one\n",
    ),
];

fn state(units: &Manager, unit: &str) -> (bool, String, String) {
    let state = units.state(unit).unwrap();
    (state.exists, state.enablement, state.active.unwrap())
}

fn told(exists: bool, enablement: &str, active: &str) -> (bool, String, String) {
    (exists, enablement.to_owned(), active.to_owned())
}

#[test]
fn a_running_systemd_does_what_is_asked_and_says_when_it_cannot() {
    let tree = super::debian("manager");
    for (name, text) in UNITS {
        std::fs::write(tree.path().join("usr/lib/systemd/system").join(name), text).unwrap();
    }
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "manager", &logs).unwrap();
    let bus = machine.view().join("run/dbus/system_bus_socket");
    let units = Manager::new(&bus).unwrap();
    assert!(units.manager());

    enablement(&units, &machine);
    jobs(&units);
    stale_files(&units, &machine);
    unmet_conditions(&units);
    lost_bus(&units, &machine, &bus);
    silent_bus(&machine, &bus);
    machine.power_off().unwrap();
}

fn enablement(units: &Manager, machine: &Machine) {
    assert_eq!(
        state(units, "good.service"),
        told(true, "disabled", "inactive")
    );
    assert_eq!(
        state(units, "slow.service"),
        told(true, "static", "inactive")
    );
    assert_eq!(state(units, "missing.service"), told(false, "", "inactive"));
    assert_eq!(
        state(units, "many@.service"),
        told(true, "disabled", "inactive")
    );
    assert_eq!(state(units, "dbus.service").2, "active");
    assert!(state(units, "-.mount").0);

    units.set("good.service", Enablement::Enable).unwrap();
    units.set("good.service", Enablement::Enable).unwrap();
    assert_eq!(state(units, "good.service").1, "enabled");
    assert!(
        units
            .enabled()
            .unwrap()
            .contains(&"good.service".to_owned())
    );
    // systemd has read the new link: without a reload it would not know of it before the next boot.
    let wanted = machine.unit("multi-user.target", "Wants").unwrap();
    assert!(wanted.contains("good.service"), "{wanted}");
    units.set("many@.service", Enablement::Enable).unwrap();
    assert_eq!(state(units, "many@one.service").1, "enabled");
    let wants = "/etc/systemd/system/multi-user.target.wants";
    let links = machine.ok(&["ls", wants]).unwrap();
    assert!(
        links.contains("good.service") && links.contains("many@one.service"),
        "{links}"
    );
    units.set("good.service", Enablement::Disable).unwrap();
    units.set("good.service", Enablement::Mask).unwrap();
    assert_eq!(
        state(units, "good.service"),
        told(true, "masked", "inactive")
    );
    let masked = units.start("good.service").unwrap_err().one_line();
    assert!(masked.contains("mask"), "{masked}");
    units.set("good.service", Enablement::Unmask).unwrap();
    assert_eq!(state(units, "good.service").1, "disabled");
    units.set("missing.service", Enablement::Mask).unwrap();
    assert_eq!(state(units, "missing.service").1, "masked");
    units.set("missing.service", Enablement::Unmask).unwrap();
    assert_eq!(state(units, "missing.service").1, "");
    // A file of one's own where the mask would lie is not lost.
    machine
        .ok(&[
            "cp",
            "/usr/lib/systemd/system/slow.service",
            "/etc/systemd/system/own.service",
        ])
        .unwrap();
    assert!(units.set("own.service", Enablement::Mask).is_err());
}

fn jobs(units: &Manager) {
    units.start("good.service").unwrap();
    units.start("good.service").unwrap();
    assert_eq!(state(units, "good.service").2, "active");
    units.kill("good.service", 9).unwrap();
    units.stop("good.service").unwrap();
    units.stop("good.service").unwrap();
    // The job is waited for: a oneshot is active only when it has ended.
    units.start("slow.service").unwrap();
    assert_eq!(state(units, "slow.service").2, "active");
    let text = |error: nodeagent::error::Error| {
        assert!(error.next_step().is_some(), "{}", error.one_line());
        error.one_line()
    };
    let failed = text(units.start("bad.service").unwrap_err());
    assert!(
        failed.contains("start bad.service") && failed.contains("exit-code"),
        "{failed}"
    );
    assert!(text(units.start("missing.service").unwrap_err()).contains("missing.service"));
    assert!(units.start("never.service").is_err());
    assert!(units.set("slow.service", Enablement::Enable).is_err());
    assert!(units.set("missing.service", Enablement::Enable).is_err());
    units.kill("missing.service", 15).unwrap();
}

fn stale_files(units: &Manager, machine: &Machine) {
    let path = "/usr/lib/systemd/system/good.service";
    units.start("good.service").unwrap();
    assert!(!units.state("good.service").unwrap().need_reload);
    machine
        .ok(&["sh", "-c", &format!("sleep 1; echo '# newer' >> {path}")])
        .unwrap();
    assert!(units.state("good.service").unwrap().need_reload);
    units.reload().unwrap();
    assert!(!units.state("good.service").unwrap().need_reload);
}

/// A reload forgets which condition was not met, and keeps that one was not.
fn unmet_conditions(units: &Manager) {
    let unmet = || units.state("clock.service").unwrap().unmet;
    units.set("clock.service", Enablement::Enable).unwrap();
    assert_eq!(unmet(), None, "nobody has tried yet");
    units.start("clock.service").unwrap();
    let told = Some("ConditionCapability=CAP_SYS_TIME".to_owned());
    assert_eq!(unmet(), told);
    units.reload().unwrap();
    assert_eq!(unmet(), told, "after a reload");
    assert_eq!(units.state("good.service").unwrap().unmet, None);
}

fn lost_bus(units: &Manager, machine: &Machine, bus: &Path) {
    machine
        .ok(&["systemctl", "restart", "dbus.service"])
        .unwrap();
    // The first call may find the old connection broken; the next one connects anew.
    drop(units.state("good.service"));
    assert_eq!(state(units, "good.service").2, "active");
    let gone = Manager::new(&bus.with_file_name("no-such-socket")).unwrap();
    let error = gone.state("good.service").unwrap_err();
    assert!(
        error.one_line().contains("no-such-socket"),
        "{}",
        error.one_line()
    );
    assert!(error.next_step().unwrap().contains("dbus"));
}

/// The bus hangs amid the work: the first question has a limit, and no further one is asked.
fn silent_bus(machine: &Machine, bus: &Path) {
    let units = Manager::patient(bus, PATIENCE).unwrap();
    assert_eq!(state(&units, "good.service").2, "active");
    // From outside: every way into the machine leads over its bus.
    let group = machine.unit("dbus.service", "ControlGroup").unwrap();
    let freeze = machine.control_group().join("payload").join(&group[1..]);
    let frozen = |word: &str| std::fs::write(freeze.join("cgroup.freeze"), word).unwrap();
    frozen("1");
    no_answer(&units, bus);
    frozen("0");
    let after = Manager::patient(bus, PATIENCE).unwrap();
    assert_eq!(state(&after, "good.service").2, "active");
}

fn no_answer(units: &Manager, bus: &Path) {
    let ask = || {
        let begun = Instant::now();
        let error = units.stop("good.service").unwrap_err();
        let text = error.one_line();
        assert!(text.starts_with("stop good.service: "), "{text}");
        assert!(text.contains(bus.to_str().unwrap()), "{text}");
        assert!(error.next_step().unwrap().contains("dbus"));
        (text, begun.elapsed())
    };
    let (first, waited) = ask();
    let limit = format!("no answer within {} s", PATIENCE.as_secs());
    assert!(first.contains(&limit), "{first}");
    assert!(waited < 3 * PATIENCE, "{waited:?}");
    let (second, waited) = ask();
    assert!(second.contains("gave no answer before"), "{second}");
    assert!(waited < PATIENCE, "{waited:?}");
}

#[test]
fn a_socket_that_accepts_and_says_nothing_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let bus = dir.path().join("bus");
    // Connections wait in its queue: nobody ever reads from them.
    let _listener = std::os::unix::net::UnixListener::bind(&bus).unwrap();
    no_answer(&Manager::patient(&bus, PATIENCE).unwrap(), &bus);
}
