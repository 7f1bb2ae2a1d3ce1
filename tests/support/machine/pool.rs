//! A local, signed apt repository with the packages a profile asks for and all they depend on.
//! Separate because machines have no network: what they install must be fetched beforehand, once.

use super::{Result, cache, doing, rootfs, run, sources};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Where a machine finds the pool.
const MOUNT: &str = "srv/apt";
/// Fetching is bounded by this, however slow the mirror.
const LIMIT: Duration = Duration::from_mins(15);

/// The names of the packages that a merged policy (`policy show --json`) wants.
pub(crate) fn wanted(policy: &serde_json::Value) -> Vec<String> {
    let field = |entry: &serde_json::Value, name: &str| Some(entry.get(name)?.as_str()?.to_owned());
    let entries = policy.get("entries").and_then(|all| all.as_array());
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter(|entry| field(entry, "kind").as_deref() == Some("package"))
        .filter_map(|entry| field(entry, "name"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The cached pool for `packages`, resolved against the stock root's own dpkg state.
pub(crate) fn for_packages(packages: &[String]) -> Result<cache::Entry> {
    for_root(&rootfs::stock()?.path, packages)
}

/// [`for_packages`], resolved against the dpkg state of any root.
pub(crate) fn for_root(root: &Path, packages: &[String]) -> Result<cache::Entry> {
    let mut inputs: Vec<&str> = vec!["pool 1"];
    let root_name = root.display().to_string();
    inputs.push(&root_name);
    inputs.extend(packages.iter().map(String::as_str));
    cache::entry("pool", &cache::key(&inputs), |dir| {
        if !packages.is_empty() {
            download(root, packages, dir)?;
        }
        index_and_sign(dir)
    })
}

/// Copies the pool into a tree and makes it the tree's only apt source.
pub(crate) fn install(pool: &Path, tree: &Path) -> Result<()> {
    let place = tree.join(MOUNT);
    fs::create_dir_all(&place).map_err(|e| doing("creating", &place, &e))?;
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto"])
        .arg(pool.join("."))
        .arg(&place);
    run::ok(&mut copy, Duration::from_mins(2))?;
    let file = tree.join("etc/apt/sources.list.d/pool.sources");
    let text =
        format!("Types: deb\nURIs: file:/{MOUNT}\nSuites: ./\nSigned-By: /{MOUNT}/pool.asc\n");
    fs::write(&file, text).map_err(|e| doing("writing", &file, &e))
}

/// Lets the host's apt resolve and fetch for the other root, with nothing of the host's own state.
fn download(root: &Path, packages: &[String], into: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let work = work.path();
    let config = apt_config(root, work)?;
    sources::copy_to(&work.join("sources"))?;
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("APT_CONFIG", &config)
            .args(["-q", "-y"])
            .args(args)
            .args(if args.contains(&"update") {
                &[]
            } else {
                packages
            });
        run::ok(&mut command, LIMIT)
    };
    apt(&["update"])?;
    apt(&["install", "--download-only"])?;
    move_debs(&work.join("cache/archives"), into)
}

/// Makes `work` the place of all of apt's files but its packages' state, which is `root`'s, and gives the apt.conf
/// that replaces the host's. Sources go to `work/sources`. Recommends stay on, so the pool is enough either way.
pub(crate) fn apt_config(root: &Path, work: &Path) -> Result<PathBuf> {
    for dir in ["lists/partial", "cache/archives/partial", "sources", "none"] {
        let path = work.join(dir);
        fs::create_dir_all(&path).map_err(|e| doing("creating", &path, &e))?;
    }
    let (work_name, root_name) = (work.display(), root.display());
    let mut text = format!(
        "Dir::Etc::Parts \"{work_name}/none\";\nDir::Etc::Main \"{work_name}/none/main\";\n\
         Dir::Etc::SourceList \"{work_name}/none/list\";\n\
         Dir::Etc::SourceParts \"{work_name}/sources\";\n\
         Dir::Etc::Preferences \"{work_name}/none/preferences\";\n\
         Dir::Etc::PreferencesParts \"{work_name}/none\";\n\
         Dir::State \"{work_name}\";\nDir::State::Lists \"{work_name}/lists\";\n\
         Dir::State::status \"{root_name}/var/lib/dpkg/status\";\n\
         Dir::State::extended_states \"{root_name}/var/lib/apt/extended_states\";\n\
         Dir::Cache \"{work_name}/cache\";\nAcquire::Languages \"none\";\n\
         APT::Sandbox::User \"root\";\n"
    );
    for line in sources::transport_settings()? {
        text.push_str(&line);
        text.push('\n');
    }
    let path = work.join("apt.conf");
    fs::write(&path, text).map_err(|e| doing("writing", &path, &e))?;
    Ok(path)
}

fn move_debs(from: &Path, into: &Path) -> Result<()> {
    let names = fs::read_dir(from).map_err(|e| doing("listing", from, &e))?;
    for name in names {
        let path = name.map_err(|e| doing("listing", from, &e))?.path();
        if let (true, Some(file)) = (
            path.extension().is_some_and(|e| e == "deb"),
            path.file_name(),
        ) {
            let to = into.join(file);
            fs::copy(&path, &to).map_err(|e| doing("copying to", &to, &e))?;
        }
    }
    Ok(())
}

/// Writes `Packages`, `Release` and `InRelease`, signed with a key that is thrown away at once.
fn index_and_sign(dir: &Path) -> Result<()> {
    let ftp = |action: &str| {
        let mut command = Command::new("apt-ftparchive");
        command
            .current_dir(dir)
            .args(["-o", "APT::FTPArchive::Release::Suite=./", action, "."]);
        run::ok(&mut command, Duration::from_mins(2))
    };
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|e| doing("writing", &path, &e))
    };
    write("Packages", ftp("packages")?)?;
    // Into a variable first: a Release file that lists itself would never match.
    let release = ftp("release")?;
    write("Release", release)?;
    sign(dir)
}

fn sign(dir: &Path) -> Result<()> {
    // In /tmp, because the key agent's socket has a short path limit.
    let home = tempfile::tempdir_in("/tmp").map_err(|e| format!("making a key directory: {e}"))?;
    let gpg = |args: &[&str]| {
        let mut command = Command::new("gpg");
        command.current_dir(dir).env("GNUPGHOME", home.path());
        command.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", ""]).args(args);
        run::ok(&mut command, Duration::from_mins(1))
    };
    let result = gpg(&[
        "--quick-generate-key",
        "pool of the machine rig",
        "ed25519",
        "sign",
        "never",
    ])
    .and_then(|_| gpg(&["--armor", "--output", "pool.asc", "--export"]))
    .and_then(|_| gpg(&["--output", "InRelease", "--clearsign", "Release"]));
    // The agent was started for this key only, and dies with it.
    let mut stop = Command::new("gpgconf");
    stop.env("GNUPGHOME", home.path())
        .args(["--kill", "gpg-agent"]);
    run::run(&mut stop, Duration::from_secs(20))?;
    result.map(|_| ())
}
