//! Containers run from the store: containerd mounts our layers and runc starts what lies in them.
//! It is separate because it makes mounts and namespaces, of which none may reach the machine.

use std::time::Duration;

use super::{SAID, Stage};
use crate::support::generations::Generation;
use crate::support::machine::run::run;
use crate::support::namespace::in_namespaces;

#[test]
fn a_container_runs_from_every_image_that_has_a_program() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        in_namespaces(|| {
            let daemon = stage.daemon(false);
            for repository in [
                "k8s/base",
                "k8s/changes",
                "k8s/zstd",
                "k8s/index",
                "k8s/twice",
            ] {
                let image = stage.image(repository).tagged(stage.registry.host());
                let id = repository.replace('/', "-");
                let args = ["run", "--snapshotter", "overlayfs", "--rm", &image, &id];
                let done = run(&mut daemon.ctr(&args), Duration::from_secs(60)).unwrap();
                assert_eq!(
                    done.code,
                    0,
                    "{repository}: {}\n{}",
                    done.stderr,
                    daemon.log()
                );
                assert_eq!(done.stdout, SAID, "{repository}");
            }
            daemon.stop().unwrap();
        });
    }
}
