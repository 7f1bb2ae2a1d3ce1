//! A program that runs beside us: what it said, whether it still runs, where its files are, and its end.
//! It is separate because a child that is waited for needs none of this.

use std::io::Read;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, fstat, stat};
use nix::unistd::Pid;

use super::drain::keep_last;
use super::kill::parent_in;
use super::{Cmd, child};
use crate::error::{Context as _, Error, Result};

/// Of what it writes to standard error the last part is kept.
const KEPT: usize = 16 << 10;

/// How often its end is looked for.
const TICK: Duration = Duration::from_millis(2);

/// A program that runs beside us. Dropped, it is asked to end and waited for.
#[derive(Debug)]
pub struct Running {
    name: String,
    limit: Duration,
    supervisor: Child,
    tree: Option<PathBuf>,
    /// The root directory that it sees, once it has entered its tree.
    view: Option<OwnedFd>,
    said: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
    code: Option<i32>,
}

impl Running {
    pub(super) fn new(cmd: &Cmd, mut supervisor: Child, tree: Option<&Path>) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let listener = supervisor.stderr.take().map(|from| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || listen(from, &said))
        });
        Self {
            name: cmd.brief(),
            limit: cmd.timeout,
            supervisor,
            tree: tree.map(Path::to_owned),
            view: None,
            said,
            listener,
            code: None,
        }
    }

    /// The exit code, if it has ended; 128+n when signal n ended it.
    pub fn ended(&mut self) -> Result<Option<i32>> {
        if self.code.is_some() {
            return Ok(self.code);
        }
        let status = self.supervisor.try_wait();
        let Some(status) = status.context(|| format!("wait for '{}'", self.name))? else {
            return Ok(None);
        };
        // Whoever wrote to the pipe has ended too, so the listener does.
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
        let code = status.code();
        let code = code.unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        self.code = Some(code);
        match child::failure(code, self.said().as_bytes()) {
            Some(why) => Err(Error::host(format!("start '{}'", self.name)).because(why)),
            None => Ok(self.code),
        }
    }

    /// The last part of what it wrote to standard error.
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// A path of the root that the program sees, as this process reaches it; none before it has entered its tree.
    pub fn reach(&mut self, path: &str) -> Result<Option<PathBuf>> {
        let Some(tree) = &self.tree else {
            return Ok(Some(path.into()));
        };
        if self.view.is_none() {
            self.view = view(self.supervisor.id().cast_signed(), tree)?;
        }
        let view = self.view.as_ref();
        Ok(view.map(|fd| format!("/proc/self/fd/{}{path}", fd.as_raw_fd()).into()))
    }

    /// Asks it to end, waits, and gives its exit code. It is killed only after its limit.
    pub fn stop(&mut self) -> Result<i32> {
        let doing = format!("stop '{}'", self.name);
        let supervisor = Pid::from_raw(self.supervisor.id().cast_signed());
        if let Some(code) = self.ended()? {
            return Ok(code);
        }
        kill(supervisor, Signal::SIGTERM).context(|| doing.clone())?;
        let asked = Instant::now();
        while asked.elapsed() < self.limit {
            if let Some(code) = self.ended()? {
                return Ok(code);
            }
            std::thread::sleep(TICK);
        }
        // Its death is the death of all below it.
        self.supervisor.kill().context(|| doing.clone())?;
        self.supervisor.wait().context(|| doing.clone())?;
        let waited = format!(
            "it did not end within {} s and was killed",
            self.limit.as_secs()
        );
        Err(Error::host(doing).because(waited))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.code.is_none()
            && let Err(error) = self.stop()
        {
            tracing::warn!("{}", error.one_line());
        }
    }
}

fn listen(mut from: impl Read, said: &Mutex<Vec<u8>>) {
    let mut part = [0_u8; 4 << 10];
    loop {
        match from.read(&mut part) {
            Ok(0) => return,
            Ok(count) => {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend_from_slice(part.get(..count).unwrap_or_default());
                keep_last(&mut said, KEPT);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The root directory of the step below the supervisor, if that is the tree already and no longer ours.
fn view(supervisor: i32, tree: &Path) -> Result<Option<OwnedFd>> {
    let doing = || format!("look into {} as its programs see it", tree.display());
    let wanted = stat(tree).context(doing)?;
    let Some(pid) = child_of(supervisor)? else {
        return Ok(None);
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let path = format!("/proc/{pid}/root");
    let fd = match open(path.as_str(), flags, Mode::empty()) {
        Err(Errno::ENOENT | Errno::ESRCH) => return Ok(None),
        other => other.context(doing)?,
    };
    let found = fstat(&fd).context(doing)?;
    let same = (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino);
    Ok(same.then_some(fd))
}

fn child_of(parent: i32) -> Result<Option<i32>> {
    for entry in std::fs::read_dir("/proc").context(|| "list /proc")? {
        let name = entry.context(|| "list /proc")?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // Gone between listing and reading: not the one.
        let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        if parent_in(&String::from_utf8_lossy(&stat)) == Some(parent) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}
