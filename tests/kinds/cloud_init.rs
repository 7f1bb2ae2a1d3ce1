//! Kind `cloud-init`: files as cloud-init writes them, changed by a thread while a bake waits.
//! It is separate because time passes in it, real or by the clock's seam.

use std::os::unix::fs::PermissionsExt as _;
use std::rc::Rc;
use std::time::Duration;

use nodeagent::error::Result;
use nodeagent::host::clock::SystemClock;
use nodeagent::host::{Cmd, Context, Exec, Output, Where};
use nodeagent::resource::cloud_init::CloudInit;
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, steps};

const WANTED: CloudInit = CloudInit { deadline: 30 };
const STATUS: &str = "/run/cloud-init/status.json";
const RESULT: &str = "/run/cloud-init/result.json";
const RUNNING: &str = r#"{"v1": {"datasource": null, "stage": "init-local", "init-local": {"start": 3.5, "finished": null, "errors": []}}}"#;

/// What `systemctl list-jobs` prints.
struct Jobs(&'static str);

impl Exec for Jobs {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        assert_eq!(cmd.line(), "systemctl list-jobs --no-legend --no-pager");
        Ok(Output {
            code: 0,
            stdout: self.0.into(),
            stderr: Vec::new(),
        })
    }
}

fn machine(jobs: &'static str) -> Bench {
    let mut bench = Bench::new();
    bench.host.exec = Rc::new(Jobs(jobs));
    bench.put("/usr/bin/cloud-init", "");
    bench.put("/run/cloud-init/enabled", "");
    bench.put(STATUS, RUNNING);
    bench
}

fn apply(bench: &Bench) -> Result<()> {
    let diff = bench.diff(&WANTED, Place::Build);
    assert_eq!(steps(&diff), ["wait for cloud-init, at most 30 s"]);
    CloudInit::apply(&[(&WANTED, &diff.actions[0])], &bench.host)
}

#[test]
fn a_bake_waits_until_it_has_finished_and_tells_what_it_recovered_from() {
    let mut bench = machine("");
    bench.host.clock = Box::new(SystemClock::start(None));
    bench
        .fakes
        .units
        .add("cloud-init-local.service", "enabled", "activating");
    let at = bench.at("");
    let cloud_init = std::thread::spawn(move || {
        let write = |path: &str, text: &str| {
            let new = at.join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o644)).unwrap();
            std::fs::rename(&new, at.join(path.trim_start_matches('/'))).unwrap();
        };
        std::thread::sleep(Duration::from_millis(300));
        write(
            STATUS,
            r#"{"v1": {"stage": "modules-final", "modules-final": {"start": 9.0, "finished": null, "recoverable_errors": {"DEPRECATED": ["old spelling"]}}}}"#,
        );
        std::thread::sleep(Duration::from_millis(600));
        write(
            RESULT,
            r#"{"v1": {"datasource": "DataSourceNoCloud [seed=/dev/sr0]", "errors": []}}"#,
        );
    });
    assert_eq!(
        lines(&bench.diff(&WANTED, Place::Build)),
        ["cloud-init: stage init-local -> finished"]
    );
    apply(&bench).unwrap();
    cloud_init.join().unwrap();
    assert!(bench.at(RESULT).exists(), "it did not wait");
    assert_eq!(
        bench.host.notes.drain(),
        ["cloud-init finished with a recoverable error: DEPRECATED: old spelling"]
    );
    let after = bench.diff(&WANTED, Place::Build);
    assert!(after.conforms() && after.not_applicable[0].why.contains("old spelling"));
    let seen = serde_json::to_value(WANTED.observe(&bench.host).unwrap()).unwrap();
    assert_eq!(
        (&seen["state"], &seen["datasource"]),
        (
            &"finished".into(),
            &"DataSourceNoCloud [seed=/dev/sr0]".into()
        )
    );
}

#[test]
fn at_the_deadline_it_says_what_hangs_and_no_secret() {
    let bench = machine(
        "77 network-online.target start waiting\n12 cloud-init-local.service start running\n",
    );
    bench
        .fakes
        .units
        .add("cloud-init-local.service", "enabled", "activating");
    bench.put("/var/log/cloud-init.log", "util.py[DEBUG]: chpasswd root:hunter2\n\
        __init__.py[DEBUG]: Seeing if we can get any data from <class 'cloudinit.sources.DataSourceOpenStack.DataSourceOpenStackLocal'>\n\
        url_helper.py[WARNING]: Calling 'http://u:p@169.254.169.254/openstack' failed [3/120s]: timed out\n");
    let error = apply(&bench).unwrap_err();
    let text = error.one_line();
    for part in [
        "not finished after 30 s",
        "stage init-local",
        "still starting: cloud-init-local.service",
        "jobs of systemd: cloud-init-local.service (running), network-online.target (waiting)",
        "data source being tried: OpenStackLocal",
        "Calling 'http://169.254.169.254/openstack' failed [3/120s]: timed out",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("hunter2") && !text.contains("u:p@"),
        "{text}"
    );
    assert!(error.next_step().unwrap().contains("cloud_init_deadline"));
}

#[test]
fn units_that_never_come_are_not_waited_for_until_the_deadline() {
    let bench = machine("");
    bench.put(STATUS, r#"{"v1": {"stage": null}}"#);
    let error = apply(&bench).unwrap_err();
    assert!(
        error.one_line().contains("nothing of it runs or is queued"),
        "{}",
        error.one_line()
    );
    assert!(error.one_line().contains("not started"));
}

#[test]
fn errors_are_a_failure_that_names_them() {
    let bench = machine("");
    bench.put(
        RESULT,
        r#"{"v1": {"datasource": "x", "errors": ["('scripts_user', RuntimeError('1 failed'))"]}}"#,
    );
    let found = bench.diff(&WANTED, Place::Build);
    assert_eq!(found.actions, []);
    let said = "error of cloud-init: «('scripts_user', RuntimeError('1 failed'))» -> none";
    assert_eq!(lines(&found), [said]);
    for broken in ["", "[]", "{\"v1\": 3}"] {
        bench.put(RESULT, broken);
        assert!(WANTED.observe(&bench.host).is_err(), "{broken:?}");
    }
}

/// Makes it so that there is nothing to wait for.
type Change = fn(&mut Bench);

#[test]
fn where_there_is_nothing_to_wait_for_it_says_why() {
    let why = |change: Change| {
        let mut bench = machine("");
        change(&mut bench);
        let diff = bench.diff(&WANTED, Place::Build);
        assert!(diff.conforms() && diff.actions.is_empty());
        diff.not_applicable[0].why.clone()
    };
    let table: [(Change, &str); 6] = [
        (
            |b| std::fs::remove_file(b.at("/usr/bin/cloud-init")).unwrap(),
            "not installed",
        ),
        (
            |b| b.put("/etc/cloud/cloud-init.disabled", ""),
            "/etc/cloud/cloud-init.disabled",
        ),
        (
            |b| b.put("/run/cloud-init/disabled", ""),
            "found no data source",
        ),
        (
            |b| {
                b.put(
                    "/proc/self/cgroup",
                    "0::/system.slice/cloud-final.service\n",
                );
            },
            "run by cloud-init itself",
        ),
        (
            |b| {
                b.host.context = Context {
                    place: Where::Root,
                    evidence: String::new(),
                };
            },
            "no booted system",
        ),
        (
            |b| {
                std::fs::remove_file(b.at("/run/cloud-init/enabled")).unwrap();
                std::fs::remove_file(b.at(STATUS)).unwrap();
                b.fakes
                    .units
                    .add("cloud-final.service", "disabled", "inactive");
            },
            "cloud-final.service is not enabled",
        ),
    ];
    for (change, want) in table {
        let told = why(change);
        assert!(told.contains(want), "{want}: {told}");
    }
}
