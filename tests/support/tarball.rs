//! Tar archives byte by byte, right ones and hostile ones, and a release of RKE2 made of them.
//! They are separate because no packing tool writes what must be refused.
#![allow(
    dead_code,
    reason = "a shared toolbox: which part is used changes with the tests"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The version of the releases made here.
pub(crate) const VERSION: &str = "v1.28.15+rke2r1";
/// The tag of its images.
pub(crate) const TAG: &str = "v1.28.15-rke2r1";

/// One header to be written.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    /// Stated size; the content's own where none is given.
    pub(crate) size: Option<u64>,
    pub(crate) link: String,
}

impl Head {
    pub(crate) fn new(name: &str, kind: u8) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            mode: 0o644,
            size: None,
            link: String::new(),
        }
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn link(mut self, to: &str) -> Self {
        to.clone_into(&mut self.link);
        self
    }

    pub(crate) fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}

/// An archive that is being written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tarball(pub(crate) Vec<u8>);

impl Tarball {
    /// Any header with any content.
    pub(crate) fn raw(mut self, head: &Head, content: &[u8]) -> Self {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &head.name.as_bytes()[..head.name.len().min(100)]);
        put(100, format!("{:07o}", head.mode).as_bytes());
        put(108, b"0001750\0");
        put(116, b"0001750\0");
        let size = head.size.unwrap_or(content.len() as u64);
        if size < 1 << 33 {
            put(124, format!("{size:011o}").as_bytes());
        } else {
            put(124, &[0x80, 0, 0, 0]);
            put(128, &size.to_be_bytes());
        }
        put(136, b"14000000000\0");
        put(148, b"        ");
        put(156, &[head.kind]);
        put(157, head.link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(block);
        self.0.extend(content);
        self.0.resize(self.0.len().div_ceil(512) * 512, 0);
        self
    }

    pub(crate) fn file(self, name: &str, mode: u32, content: &[u8]) -> Self {
        self.raw(&Head::new(name, b'0').mode(mode), content)
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.raw(&Head::new(name, b'5').mode(0o755), b"")
    }

    /// The end mark, and fill to a whole record as tar(1) writes it.
    pub(crate) fn end(mut self) -> Vec<u8> {
        let whole = (self.0.len() + 1024).div_ceil(10240) * 10240;
        self.0.resize(whole, 0);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A PAX record with its own length in front.
pub(crate) fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

/// The tarball with program and units, not yet ended.
pub(crate) fn bundle(version: &str) -> Tarball {
    let unit = |role: &str| {
        format!(
            "[Unit]\nDescription=RKE2 {role}\n[Install]\nWantedBy=multi-user.target\n[Service]\nType=notify\nEnvironmentFile=-/usr/local/lib/systemd/system/%N.env\nExecStart=/usr/local/bin/rke2 {role}\n"
        )
    };
    let program =
        format!("#!/bin/sh\necho 'rke2 version {version} (0123abc)'\necho 'go version go1.22'\n");
    let uninstall = "#!/bin/sh\n: \"${INSTALL_RKE2_ROOT:=\"/usr/local\"}\"\n";
    let mut tar = Tarball::default()
        .dir("bin/")
        .file("bin/rke2", 0o755, program.as_bytes())
        .file("bin/rke2-killall.sh", 0o755, b"#!/bin/sh\n")
        .file("bin/rke2-uninstall.sh", 0o755, uninstall.as_bytes())
        .dir("lib/")
        .dir("lib/systemd/system/");
    for role in ["agent", "server"] {
        let base = format!("lib/systemd/system/rke2-{role}");
        tar = tar
            .file(&format!("{base}.env"), 0o644, b"HOME=/root\n")
            .file(&format!("{base}.service"), 0o644, unit(role).as_bytes());
    }
    tar.file("share/rke2/LICENSE.txt", 0o644, b"Apache\n").file(
        "share/rke2/rke2-cis-sysctl.conf",
        0o644,
        b"vm.panic_on_oom=0\n",
    )
}

/// A layer of the runtime image, not yet ended.
pub(crate) fn layer() -> Tarball {
    Tarball::default()
        .dir("bin/")
        .file("bin/containerd", 0o755, b"containerd")
        .file("bin/kubelet", 0o775, b"kubelet")
        .dir("charts/")
        .file("charts/rke2-coredns.yaml", 0o644, b"kind: HelmChart\n")
        .raw(&Head::new("etc/other", b'2').link("/etc/passwd"), b"")
}

/// A tarball of images as `docker image save` and the vendor's reordering leave it.
pub(crate) fn images(list: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = list.iter().enumerate();
    let manifest: Vec<serde_json::Value> = entries
        .map(|(at, (name, _))| serde_json::json!({"Config": "c", "RepoTags": [name], "Layers": [format!("{at}/layer.tar")]}))
        .collect();
    let mut tar = Tarball::default()
        .file(
            "manifest.json",
            0o644,
            &serde_json::to_vec(&manifest).unwrap(),
        )
        .file("repositories", 0o644, b"{}");
    for (at, (_, layer)) in list.iter().enumerate() {
        tar = tar
            .dir(&format!("{at}/"))
            .file(&format!("{at}/layer.tar"), 0o644, layer);
    }
    tar.end()
}

/// The images of a release, with the runtime image among them.
pub(crate) fn core(tag: &str, runtime: Vec<u8>) -> Vec<u8> {
    let other = Tarball::default().file("pause", 0o755, b"pause").end();
    images(&[
        ("rancher/mirrored-pause:3.6", other),
        (&format!("rancher/rke2-runtime:{tag}"), runtime),
    ])
}

/// Images of a CNI, without the runtime.
pub(crate) fn cilium() -> Vec<u8> {
    let layer = Tarball::default().file("cilium", 0o755, b"cilium").end();
    images(&[("rancher/mirrored-cilium:1", gzip(&layer))])
}

/// Writes files and the list of their sums into a directory.
pub(crate) fn release(dir: &Path, files: &[(&str, Vec<u8>)]) {
    std::fs::create_dir_all(dir).unwrap();
    let mut sums = String::new();
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
        let sum = nodeagent::host::root::sha256(bytes);
        writeln!(sums, "{sum}  {name}").unwrap();
    }
    std::fs::write(dir.join("sha256sum-amd64.txt"), sums).unwrap();
}

/// A whole release: the tarball, the images with the runtime, those of a CNI, and the install script.
pub(crate) fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("rke2.linux-amd64.tar.gz", gzip(&bundle(VERSION).end())),
        (
            "rke2-images-core.linux-amd64.tar.zst",
            zstd(&core(TAG, layer().end())),
        ),
        ("rke2-images-cilium.linux-amd64.tar.gz", gzip(&cilium())),
        (
            "rke2-images.linux-amd64.txt",
            b"docker.io/rancher/x\n".to_vec(),
        ),
    ]
}

/// A stand-in for RKE2: it says its version, and as a server or agent it says that it is ready and stays.
const STAND_IN: &str = r#"#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static void ready(const char *to) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strncpy(at.sun_path, to, sizeof at.sun_path - 1);
  if (*to == '@') at.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&at, offsetof(struct sockaddr_un, sun_path) + strlen(to));
  close(fd);
}
int main(int argc, char **argv) {
  puts("rke2 version VERSION (0123abc)");
  if (argc < 2 || (strcmp(argv[1], "server") && strcmp(argv[1], "agent"))) return 0;
  fflush(stdout);
  const char *to = getenv("NOTIFY_SOCKET");
  if (to) ready(to);
  for (;;) pause();
}
"#;

/// A program that runs without a library, as RKE2's does.
fn program(version: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (source, made) = (dir.path().join("rke2.c"), dir.path().join("rke2"));
    std::fs::write(&source, STAND_IN.replace("VERSION", version)).unwrap();
    let done = Command::new("cc")
        .arg("-static")
        .arg("-o")
        .args([&made, &source])
        .status()
        .unwrap();
    assert!(done.success());
    std::fs::read(made).unwrap()
}

/// A whole release whose program really runs and says one version; everything else is of [`VERSION`].
pub(crate) fn running_release(dir: &Path, says: &str) {
    // The first entry is the directory, the second the script that other tests have for a program.
    let rest = bundle(VERSION).0.split_off(1536);
    let program = [program(says), VERSION.as_bytes().to_vec()].concat();
    let bundle = Tarball::default().file("bin/rke2", 0o755, &program);
    let mut files = whole();
    files[0].1 = gzip(&Tarball([bundle.0, rest].concat()).end());
    release(dir, &files);
}
