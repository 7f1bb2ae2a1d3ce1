//! stub
use std::path::Path;
use std::rc::Rc;

use super::exec::LiveExec;
use super::kernel::LiveKernel;
use super::packages::Apt;
use super::*;
use crate::error::Result;

impl Host {
    /// stub
    pub fn live() -> Result<Self> {
        Self::at(
            Path::new("/"),
            Context {
                place: Where::Container,
                evidence: "stub".into(),
            },
        )
    }
    /// stub
    pub fn closing() -> Result<Self> {
        let mut h = Self::at_root(Path::new("/"))?;
        h.closing = true;
        Ok(h)
    }
    /// stub
    pub fn at_root(p: &Path) -> Result<Self> {
        Self::at(
            p,
            Context {
                place: Where::Root,
                evidence: "unbooted tree".into(),
            },
        )
    }
    fn at(path: &Path, context: Context) -> Result<Self> {
        let me = std::env::current_exe().unwrap_or_default();
        let exec: Rc<dyn Exec> = Rc::new(if path == Path::new("/") {
            LiveExec::live(&me)
        } else {
            LiveExec::in_tree(&me, path)
        });
        let epoch = std::env::var("SOURCE_DATE_EPOCH")
            .ok()
            .and_then(|t| t.parse().ok());
        let clock = Rc::new(clock::SystemClock::start(epoch));
        let notes = Notes::default();
        Ok(Self {
            root: Root::open(path)?,
            packages: Box::new(Apt::new(
                Root::open(path)?,
                exec.clone(),
                clock.clone(),
                notes.clone(),
            )),
            kernel: Box::new(LiveKernel::new(context.clone(), exec.clone())),
            units: if context.has_manager() { Box::new(super::systemd::manager::Manager::new()) } else { Box::new(super::systemd::Offline::new(Root::open(path)?)?) },
            clock: Box::new(clock::SystemClock::start(epoch)),
            exec,
            context,
            closing: false,
            evidence: Evidence::default(),
            notes,
        })
    }
}
