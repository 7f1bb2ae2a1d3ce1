//! Kind `file`: where content comes from, and that it is what the policy states by digest.
//! It is separate from the table of violations because these cases fail before anything is written.

use nodeagent::host::binary::{self_binary, self_digest};
use nodeagent::host::root::sha256;
use nodeagent::resource::Place;

use super::file::wanted;
use super::{Bench, lines, steps};

#[test]
fn the_binary_installs_itself_and_no_other() {
    let bench = Bench::new();
    let mut file = wanted("");
    file.path = "/usr/local/bin/nodeagent".to_owned();
    file.content = None;
    file.source = Some("self".to_owned());
    file.mode = "0755".to_owned();
    file.sha256 = self_digest().unwrap();
    let diff = bench.diff(&file, Place::Build);
    assert_eq!(steps(&diff), ["write the running binary, 0755 root:web"]);
    bench.settle(&file, Place::Build).unwrap();
    assert_eq!(
        std::fs::read(bench.at(&file.path)).unwrap(),
        self_binary().unwrap()
    );

    std::fs::remove_file(bench.at(&file.path)).unwrap();
    file.sha256 = sha256(b"another binary");
    let error = bench.settle(&file, Place::Build).unwrap_err();
    assert!(error.next_step().unwrap().contains("binary"));
    assert!(!bench.at(&file.path).exists());
}

#[test]
fn a_policy_without_content_and_one_with_a_bad_mode_fail_clearly() {
    let bench = Bench::new();
    let mut file = wanted("right\n");
    file.content = None;
    file.source = Some("rootfs/etc/app/app.conf".to_owned());
    assert!(
        bench
            .settle(&file, Place::Build)
            .unwrap_err()
            .one_line()
            .contains("no content")
    );
    file.mode = "rw".to_owned();
    assert_eq!(
        lines(&bench.diff(&file, Place::Build)),
        ["? mode: 'rw' is not an octal number"]
    );
}
