//! The image list of the OpenStack profile: each image that the source names, by tag where it gives one.
//! It is apart from the other shipped parts because its versions come from the site alone.

use nodeagent::policy::{Mistakes, Policy, Request, Sources, resolve};
use nodeagent::resource::Resource;

use super::SELF;

const SITE: &[&str] = &[
    "registry=registry.example/k8s",
    "csi_attacher_version=v1",
    "csi_resizer_version=v2",
    "csi_snapshotter_version=v3",
    "csi_node_driver_registrar_version=v4",
    "kube_vip_image=kube-vip/kube-vip:v5",
    "cert_manager_image=jetstack/cert-manager-controller:v6",
];

fn load(profile: &str, sets: &[String], unset_is_fine: bool) -> Result<Policy, String> {
    let request = Request {
        profile,
        sets,
        self_sha256: SELF,
        unset_is_fine,
    };
    match resolve(&Sources::shipped(), &request) {
        Ok(loaded) => Ok(loaded.policy),
        Err(error) => Err(Mistakes::of(&error).unwrap().to_string()),
    }
}

fn images(policy: &Policy) -> Vec<String> {
    let all = policy.entries.iter().filter_map(|e| match &e.resource {
        Resource::Image(image) => Some(image.reference.clone()),
        _ => None,
    });
    all.collect()
}

#[test]
fn the_openstack_profile_names_every_image_of_the_source() {
    let sets: Vec<String> = SITE.iter().map(|s| (*s).to_owned()).collect();
    let policy = load("rke2-ubuntu2204", &sets, true).unwrap_or_else(|e| panic!("{e}"));
    let want = [
        "provider-os/openstack-cloud-controller-manager:v1.30.0",
        "provider-os/cinder-csi-plugin:v1.30.0",
        "sig-storage/csi-provisioner:v5.0.1",
        "sig-storage/csi-attacher:v1",
        "sig-storage/csi-resizer:v2",
        "sig-storage/csi-snapshotter:v3",
        "sig-storage/csi-node-driver-registrar:v4",
        "kube-vip/kube-vip:v5",
        "jetstack/cert-manager-controller:v6",
    ];
    let want = want.map(|name| format!("registry.example/k8s/{name}"));
    assert_eq!(images(&policy), want);
}

#[test]
fn a_version_that_no_source_gives_has_to_be_set() {
    let said = load("rke2-ubuntu2204", &[], false).unwrap_err();
    for variable in SITE.iter().map(|s| s.split_once('=').unwrap().0) {
        assert!(said.contains(&format!("`{variable}`")), "{variable}");
    }
    // Without values the entries are left out of a mere check, and no other profile asks for images.
    for profile in ["rke2-ubuntu2204", "rke2-rocky9", "rke2-debian12"] {
        assert_eq!(images(&load(profile, &[], true).unwrap()).len(), 0);
    }
}
