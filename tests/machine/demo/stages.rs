//! The demo's first half, stage by stage: a stock machine becomes a sealed image.
//! Separate from `main` so that the order of the whole job can be read on one screen.

use crate::{
    agent::{self, Caller, INSTALLED, PROFILE, SETTINGS, UPLOADED},
    identity::Identity,
    nodes,
    story::Story,
    summary::{Bake, Plan, Sealed, Summary},
    support::machine::{Result, doing, nspawn::Machine, pool, rootfs, run, seed::Seed, tree::Tree},
    tarball,
    traces::{self, BUILDER, KEY_COMMENT},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The build time that generalize is given, and how the manifest spells it.
const EPOCH: &str = "SOURCE_DATE_EPOCH=1700000000";
const STATED: &str = "2023-11-14T22:13:20Z";
/// For a call that must refuse.
const HAND: Duration = Duration::from_mins(1);

/// The public key with which the builder was reached.
const BUILDER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFyA4Nh0dTq9m0nQm3S8mJxkE2vT1rYb7cWq5oZpLdKe";

/// What every stage needs.
struct Demo<'a> {
    binary: &'a Path,
    logs: PathBuf,
    caller: Caller,
}

/// Runs the whole job and gives what was found.
pub(crate) fn all(binary: &Path, out: &Path, story: &mut Story) -> Result<Summary> {
    let demo = Demo {
        binary,
        logs: out.join("logs"),
        caller: Caller::new(out.join("reports"))?,
    };
    let tree = demo.prepare(story)?;
    let machine = demo.boot(story, &tree)?;
    let builder = Identity::of(&machine)?;
    demo.soil(story, &machine, &tree, &builder)?;
    let plan = demo.plan(story, &machine)?;
    let first_bake = demo.bake(story, &machine, "bake", UPLOADED)?;
    let second_bake = demo.bake(story, &machine, "bake_again", INSTALLED)?;
    let image = demo.generalize(story, machine, tree)?;
    let sealed = demo.look_at(story, &image, &builder)?;
    let clones = nodes::all(story, &demo.caller, &demo.logs, &image, &builder)?;
    let size = fs::metadata(binary).map_err(|e| doing("reading the size of", binary, &e))?;
    let (binary_bytes, seconds) = (size.len(), story.seconds());
    Ok(Summary {
        binary_bytes,
        plan,
        first_bake,
        second_bake,
        sealed,
        clones,
        seconds,
    })
}

impl Demo<'_> {
    /// A fresh Debian 12 with a local package pool and the builder's cloud-init seed.
    fn prepare(&self, story: &mut Story) -> Result<Tree> {
        let stock = story.stage("root", "Debian 12 root file system", || {
            let entry = rootfs::stock()?;
            Ok((entry.path, told(entry.built)))
        })?;
        let pool = story.stage("pool", "signed local package repository", || {
            let packages = agent::wanted_packages(&self.caller, self.binary)?;
            let entry = pool::for_packages(&packages)?;
            Ok((
                entry.path,
                format!("{} packages, {}", packages.len(), told(entry.built)),
            ))
        })?;
        let tree = Tree::of_stock(&stock, "builder")?;
        pool::install(&pool, &tree.path())?;
        let user_data = format!(
            "disable_root: false\nssh_pwauth: true\n\
             ssh_authorized_keys: [\"{BUILDER_KEY} {KEY_COMMENT}\"]\n\
             users:\n  - name: packer\n    sudo: ALL=(ALL) NOPASSWD:ALL\n    shell: /bin/bash\n    \
             ssh_authorized_keys: [\"{BUILDER_KEY} {KEY_COMMENT}\"]\n"
        );
        let seed = Seed {
            instance_id: "i-builder",
            hostname: BUILDER,
            address: "192.0.2.10/24",
            user_data: &user_data,
        };
        seed.write(&tree.path())?;
        Ok(tree)
    }

    fn boot(&self, story: &mut Story, tree: &Tree) -> Result<Machine> {
        story.stage("boot", "build machine: boot", || {
            let machine = Machine::boot(&tree.path(), "builder", &self.logs)?;
            Ok((machine, "systemd, D-Bus, cloud-init, sshd".to_owned()))
        })
    }

    /// Gives the build machine the dirt of a real one, and the one uploaded file.
    fn soil(
        &self,
        story: &mut Story,
        machine: &Machine,
        tree: &Tree,
        builder: &Identity,
    ) -> Result<()> {
        story.stage("soil", "build machine: leave a builder's traces", || {
            machine.ok(&["sh", "-c", include_str!("dirt.sh")])?;
            machine.copy_in(self.binary, UPLOADED, "0755")?;
            // A release made for this: its program runs and says its version, its images are tiny.
            let release = tree.path().join("var/tmp/rke2-artifacts");
            tarball::running_release(&release, tarball::VERSION);
            let traces = traces::of_builder(&tree.path(), builder)?.len();
            // The same search must find nothing in the image: it has to find something here.
            if traces < 10 {
                return Err(format!("the search for traces finds only {traces} files"));
            }
            Ok(((), format!("{traces} files name it")))
        })
    }

    fn plan(&self, story: &mut Story, machine: &Machine) -> Result<Plan> {
        story.stage("plan", "nodeagent plan", || {
            let argv = [
                &[UPLOADED, "plan", "--profile", PROFILE, "--json"],
                &SETTINGS[..],
            ];
            let exit = self.caller.machine(machine, "plan", &argv.concat())?.exit;
            Ok((Plan { exit }, format!("exit {exit}")))
        })
    }

    fn bake(&self, story: &mut Story, machine: &Machine, key: &str, program: &str) -> Result<Bake> {
        story.stage(key, &format!("nodeagent {}", key.replace('_', " ")), || {
            let bake = [
                program,
                "bake",
                "--profile",
                PROFILE,
                "--build-machine",
                "--json",
            ];
            let argv = [&bake, &SETTINGS[..]].concat();
            let report = self.caller.machine(machine, key, &argv)?.expect_exit(0)?;
            let (changes, seconds) = (report.number("changes")?, report.seconds("seconds")?);
            Ok((Bake { changes, seconds }, format!("{changes} changes")))
        })
    }

    /// Generalizes, powers off, and freezes what is left on the disk.
    fn generalize(&self, story: &mut Story, machine: Machine, mut tree: Tree) -> Result<Tree> {
        story.stage("generalize", "nodeagent generalize", || {
            let argv = ["env", EPOCH, INSTALLED, "generalize", "--json"];
            let report = self
                .caller
                .machine(&machine, "generalize", &argv)?
                .expect_exit(0)?;
            Ok(((), format!("{} changes", report.number("changes")?)))
        })?;
        refuses_to_close_by_hand(&machine)?;
        story.stage("power_off", "build machine: power off", || {
            machine.power_off()?;
            tree.freeze()?;
            keeps_the_stated_time(&tree)?;
            Ok((tree, "the image is read-only from here".to_owned()))
        })
    }

    /// Looks at the sealed image from outside.
    fn look_at(&self, story: &mut Story, image: &Tree, builder: &Identity) -> Result<Sealed> {
        story.stage("verify_root", "nodeagent verify --root IMAGE", || {
            let root = image.path().display().to_string();
            let args = ["verify", "--root", &root, "--json"];
            let report = self.caller.host(self.binary, "verify-root", &args)?;
            let sealed = Sealed {
                state: seal_state(&image.path())?,
                verify_exit: report.exit,
                verify_conforming: report.conforming()?,
                verify_findings: report.findings(),
                builder_traces: traces::of_builder(&image.path(), builder)?,
            };
            let note = format!(
                "exit {}, {} traces",
                report.exit,
                sealed.builder_traces.len()
            );
            Ok((sealed, note))
        })
    }
}

fn seal_state(tree: &Path) -> Result<String> {
    let path = tree.join("etc/packer-build/seal.json");
    let text = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| doing("parsing", &path, &e))?;
    let state = json.get("state").and_then(serde_json::Value::as_str);
    state
        .map(str::to_owned)
        .ok_or_else(|| format!("{} has no state", path.display()))
}

fn told(built: bool) -> String {
    if built { "made now" } else { "from the cache" }.to_owned()
}

/// A seal that is closed while the machine is in use would vouch for what comes after it.
fn refuses_to_close_by_hand(machine: &Machine) -> Result<()> {
    let mut close = machine.command(&[INSTALLED, "generalize", "--close"]);
    let said = run::run(&mut close, HAND)?;
    if said.code == 4 && said.stderr.contains("in use") {
        return Ok(());
    }
    Err(format!(
        "closing a running machine by hand: exit {}, not 4: {}",
        said.code, said.stderr
    ))
}

/// The unit that closes at power off has no SOURCE_DATE_EPOCH and must not state a time of its own.
fn keeps_the_stated_time(tree: &Tree) -> Result<()> {
    let path = tree.path().join("etc/packer-build/image-manifest.json");
    let text = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
    if text.contains(STATED) {
        return Ok(());
    }
    Err(format!(
        "the manifest does not state {STATED}, the time that generalize was given"
    ))
}
