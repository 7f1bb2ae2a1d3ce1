//! Kind `trim`: what fstrim reports is recorded, a failure is told, and zeros leave room and no file behind.
//! It is separate because its only trace is a report, and a small disk of its own is needed to fill one.

use nodeagent::host::{Root, Where};
use nodeagent::resource::Place;
use nodeagent::resource::trim::Trim;

use super::{Bench, lines, steps};
use crate::support::namespace::{empty, in_namespaces};

const SAID: &str = "/: 1.2 GiB (1288490188 bytes) trimmed on /dev/vda1\n";

fn trim(zero_fill: bool) -> Trim {
    Trim {
        what: "file-systems".to_owned(),
        zero_fill,
    }
}

#[test]
fn bytes_are_noted_and_it_is_done_once_a_run() {
    let bench = Bench::new();
    let diff = bench.diff(&trim(false), Place::Image);
    assert_eq!(
        lines(&diff),
        ["unused blocks: not discarded in this run -> discarded"]
    );
    for _ in 0..2 {
        bench.fakes.exec.expect("fstrim --all --verbose", 0, SAID);
    }
    bench.settle(&trim(false), Place::Image).unwrap();
    let notes = bench.host.notes.drain();
    assert_eq!(notes[0], "/: 1288490188 bytes discarded");
    assert_eq!(
        bench.text("/run/nodeagent/trimmed-generalize"),
        "/: 1288490188 bytes discarded\n"
    );
}

#[test]
fn a_disk_that_takes_no_discards_is_told_and_a_failure_fails() {
    let bench = Bench::new();
    bench.fakes.exec.expect("fstrim", 0, "");
    bench.fakes.exec.expect("fstrim", 0, "");
    bench.settle(&trim(false), Place::Image).unwrap();
    assert!(bench.host.notes.drain()[0].contains("no mounted disk takes discards"));
    for code in [1, 32] {
        let bench = Bench::new();
        bench.fakes.exec.expect("fstrim", code, "");
        let error = bench.settle(&trim(false), Place::Image).unwrap_err();
        assert!(error.to_string().contains(&format!("ended with {code}")));
        assert!(error.next_step().unwrap().contains("--skip"));
    }
    let bench = Bench::new();
    bench.fakes.exec.expect("fstrim", 64, SAID);
    bench.fakes.exec.expect("fstrim", 64, SAID);
    bench.settle(&trim(false), Place::Image).unwrap();
    let notes = bench.host.notes.drain();
    assert!(notes[1].contains("not discarded everywhere"), "{notes:?}");
}

#[test]
fn disks_that_are_not_the_images_are_left_alone() {
    for place in [
        Where::Container,
        Where::Chroot,
        Where::Appliance,
        Where::Root,
    ] {
        let mut bench = Bench::new();
        bench.host.context.place = place;
        let diff = bench.diff(&trim(true), Place::Image);
        assert!(diff.conforms() && diff.actions.is_empty(), "{place:?}");
        assert!(!diff.not_applicable[0].why.is_empty());
    }
}

#[test]
fn zeros_are_written_before_the_discard_and_not_at_closing() {
    let mut bench = Bench::new();
    bench.put(
        "/proc/self/mounts",
        "/dev/vda1 / ext4 rw 0 0\n/dev/vdb /var xfs rw 0 0\n",
    );
    let diff = bench.diff(&trim(true), Place::Image);
    assert_eq!(
        steps(&diff),
        [
            "write zeros to unused blocks of /",
            "write zeros to unused blocks of /var",
            "discard unused blocks"
        ]
    );
    bench.host.closing = true;
    assert!(!steps(&bench.diff(&trim(true), Place::Image)).contains(&steps(&diff)[0]));
}

#[test]
fn zeros_leave_the_floor_free_and_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap().to_owned();
    let (written, names, free) = in_namespaces(move || {
        empty(&at);
        let size = ["-o", "remount,size=64m", at.as_str()];
        let mounted = std::process::Command::new("mount").args(size).status();
        assert!(mounted.unwrap().success());
        let root = Root::open(std::path::Path::new(&at)).unwrap();
        root.make_dir("/d", nodeagent::host::root::Attr::root(0o755))
            .unwrap();
        let written = root.fill_with_zeros("/d", 24 << 20).unwrap();
        let free = || {
            let free = nix::sys::statvfs::statvfs(at.as_str()).unwrap();
            free.blocks_available() * free.fragment_size()
        };
        // A child that another test starts just now holds the nameless file until it executes its program.
        for _ in 0..500 {
            if free() > 60 << 20 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        (written, root.list("/d").unwrap(), free())
    });
    assert!(
        written > 30 << 20 && written <= 40 << 20,
        "{written} bytes of 64 MiB with a floor of 24 MiB"
    );
    assert_eq!(names, Vec::<String>::new());
    assert!(free > 60 << 20, "{free} bytes are free again");
}
