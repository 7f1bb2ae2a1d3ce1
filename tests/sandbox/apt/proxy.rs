//! A build behind a proxy with a password: apt goes through it, and nothing of it stays.
//! Separate because it runs the program itself: a proxy comes from the environment of who called it.

use super::{sources, tree};
use crate::sandbox::PROGRAM;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

const PASSWORD: &str = "hunter2secret";

/// Answers requests for packages.example with files of a folder and remembers what was asked.
fn serve(stream: TcpStream, folder: &Path, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if reader.read_line(&mut request)? == 0 {
                return Ok(());
            }
        }
        let url = request.split(' ').nth(1).unwrap_or_default();
        let file = url.strip_prefix("http://packages.example/debian/./");
        let body = file.map(|file| std::fs::read(folder.join(file)));
        heard.lock().unwrap().push(request.clone());
        match body {
            Some(Ok(body)) => {
                write!(
                    writer,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )?;
                writer.write_all(&body)?;
            }
            _ => write!(
                writer,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            )?,
        }
    }
}

/// Regular files that hold a text, in the parts of a tree that a bake writes to.
fn holding(root: &Path, text: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = ["etc", "var", "root", "run", "tmp"]
        .map(|dir| root.join(dir))
        .to_vec();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.windows(text.len()).any(|window| window == text) {
                    found.push(path);
                }
            }
        }
    }
    found
}

#[test]
fn the_callers_proxy_is_used_and_leaves_no_trace() {
    let tree = tree("apt-proxy");
    let root = tree.path();
    sources(
        &tree,
        "deb [trusted=yes] http://packages.example/debian ./\n",
    );
    std::fs::write(root.join("etc/apt/sources.list"), "").unwrap();
    // Out of the tree, so that only the proxy has the files.
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    let mut copy = Command::new("cp");
    super::run(
        copy.arg("-a")
            .arg(root.join("srv/repository"))
            .arg(&repository),
    );
    std::fs::remove_dir_all(root.join("srv/repository")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!(
        "http://builder:{PASSWORD}@{}",
        listener.local_addr().unwrap()
    );
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (to, files) = (Arc::clone(&heard), repository.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (to, files) = (Arc::clone(&to), files.clone());
            std::thread::spawn(move || serve(stream, &files, &to).ok());
        }
    });
    let policy = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = policy.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "90-tiny.toml",
        "schema = 1\n[[package]]\nname = \"tiny\"\nreason = \"x\"\n[[upgrade]]\npackages = \"all\"\nreason = \"x\"\n",
    );
    write(
        "profiles/proxied.toml",
        "schema = 1\ndescription = \"x\"\nproven = false\nfragments = [\"90-tiny.toml\"]\n\
         [requires]\nfamily = \"debian\"\nversion = \"12\"\narch = [\"x86_64\", \"aarch64\"]\n",
    );
    let bake = |proxy: &str| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--root")
            .arg(&root)
            .args(["bake", "--profile", "proxied", "--policy"]);
        command
            .arg(policy.path())
            .env("http_proxy", proxy)
            .env("no_proxy", "localhost");
        let out = command.output().unwrap();
        let said = [out.stdout, out.stderr].concat();
        (out.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let (code, said) = bake(&proxy);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    let heard = heard.lock().unwrap();
    let packages = heard
        .iter()
        .find(|request| request.contains("tiny_2.0-1_all.deb"));
    // builder:hunter2secret
    let credentials = "Proxy-Authorization: Basic YnVpbGRlcjpodW50ZXIyc2VjcmV0";
    assert!(packages.unwrap().contains(credentials), "{heard:?}");
    assert_eq!(holding(&root, PASSWORD.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(
        holding(&root, b"YnVpbGRlcjpodW50ZXIyc2VjcmV0"),
        Vec::<PathBuf>::new()
    );
    // The second bake asks nobody.
    let (code, said) = bake("http://127.0.0.1:9");
    assert_eq!(code, 0, "{said}");
}
