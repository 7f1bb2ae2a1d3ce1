//! What is on the disk when: every blob before any name is recorded, and the names before the program ends.
//! It is separate because a library between our program and the kernel is the witness: no test can pull a plug.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Stage;
use super::keep::parts;
use crate::support::generations::Generation;
use crate::support::machine::run::{ok, run};

/// Notes of each syncfs what of the store there is at that moment: how many blobs, and whether a name is recorded.
const WITNESS: &str = r#"
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int named(const char *store, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/io.containerd.metadata.v1.bolt/meta.db", store);
    int fd = open(path, O_RDONLY), found = 0;
    struct stat meta;
    if (fd >= 0 && fstat(fd, &meta) == 0) {
        char *all = malloc(meta.st_size + 1);
        ssize_t got = read(fd, all, meta.st_size);
        found = got > 0 && memmem(all, got, name, strlen(name)) != NULL;
        free(all);
    }
    close(fd);
    return found;
}

static int blobs(const char *store) {
    char path[4096];
    snprintf(path, sizeof path, "%s/io.containerd.content.v1.content/blobs/sha256", store);
    int count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) count += entry->d_name[0] != '.';
    if (dir) closedir(dir);
    return count;
}

int syncfs(int fd) {
    const char *store = getenv("WITNESS_STORE");
    FILE *log = fopen(getenv("WITNESS_LOG"), "a");
    fprintf(log, "%d %d\n", blobs(store), named(store, getenv("WITNESS_NAME")));
    fclose(log);
    return syscall(SYS_syncfs, fd);
}
"#;

fn witness(dir: &Path) -> PathBuf {
    let (source, made) = (dir.join("witness.c"), dir.join("witness.so"));
    std::fs::write(&source, WITNESS).unwrap();
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-o"])
        .args([&made, &source]);
    ok(&mut compile, Duration::from_secs(60)).unwrap();
    made
}

#[test]
fn blobs_are_on_the_disk_before_any_name_is_recorded_and_names_before_the_end() {
    let stage = Stage::new(Generation::V17);
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // As the key of its record: nothing else in the database holds name and tag together.
    let name = stage.images[0].tagged(stage.registry.host());
    let mut command = stage.pulling();
    command
        .env("LD_PRELOAD", witness(dir.path()))
        .env("WITNESS_LOG", &log)
        .env("WITNESS_NAME", &name)
        .env("WITNESS_STORE", stage.store());
    let done = run(&mut command, Duration::from_secs(120)).unwrap();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);

    let said = std::fs::read_to_string(&log).unwrap();
    let all: std::collections::BTreeSet<String> = stage.images.iter().flat_map(parts).collect();
    let full = |named: u8| format!("{} {named}", all.len());
    let lines: Vec<&str> = said.lines().collect();
    let before = lines.iter().position(|line| **line == full(0));
    let after = lines.iter().rposition(|line| **line == full(1));
    assert!(before.is_some(), "no sync between blobs and names: {said}");
    assert!(after > before, "no sync after the names: {said}");
}
