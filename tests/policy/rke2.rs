//! RKE2 in the shipped profiles: which release, which parts, and units that stay disabled.
//! It is apart from the other shipped parts because the two sources differ in it.

use nodeagent::policy::{Policy, Request, Sources, resolve};
use nodeagent::resource::artifact::{Artifact, Part};
use nodeagent::resource::{Place, Resource};

use super::SELF;

fn load(profile: &str, sets: &[&str]) -> Policy {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    let request = Request {
        profile,
        sets: &sets,
        self_sha256: SELF,
        unset_is_fine: true,
    };
    resolve(&Sources::shipped(), &request).unwrap().policy
}

fn artifact(policy: &Policy) -> &Artifact {
    let mut found = policy.entries.iter().filter_map(|e| match &e.resource {
        Resource::Artifact(artifact) => Some(artifact),
        _ => None,
    });
    found.next().unwrap()
}

#[test]
fn each_source_has_its_release_and_its_parts() {
    let all = vec![Part::Binary, Part::Images, Part::Runtime];
    for (profile, version, parts) in [
        ("rke2-ubuntu2204", "v1.28.15+rke2r1", all.clone()),
        ("rke2-debian12", "v1.28.15+rke2r1", all),
        ("rke2-rocky9", "v1.34.2+rke2r1", Vec::new()),
    ] {
        let policy = load(profile, &[]);
        let artifact = artifact(&policy);
        assert_eq!(
            (artifact.version.as_str(), &artifact.parts),
            (version, &parts),
            "{profile}"
        );
        assert_eq!(
            (artifact.dir.as_str(), artifact.cache),
            ("/tmp/rke2-artifacts", false)
        );
        assert_eq!(
            artifact.sums_sha256, "",
            "no source gives a digest: {profile}"
        );
    }
}

#[test]
fn staging_is_a_matter_of_one_variable() {
    let policy = load(
        "rke2-rocky9",
        &["rke2_parts=images,runtime", "rke2_artifacts=/srv/rke2"],
    );
    let artifact = artifact(&policy);
    assert_eq!(artifact.parts, [Part::Images, Part::Runtime]);
    assert_eq!(artifact.dir, "/srv/rke2");
}

#[test]
fn no_image_starts_rke2_and_a_node_may() {
    for profile in ["rke2-ubuntu2204", "rke2-debian12", "rke2-rocky9"] {
        let policy = load(profile, &[]);
        for role in ["rke2-server.service", "rke2-agent.service"] {
            let id = format!("unit:{role}");
            let entry = policy.entries.iter().find(|entry| entry.id == id).unwrap();
            let unit = serde_json::to_value(&entry.resource).unwrap();
            assert_eq!(unit["enabled"], "disabled", "{profile}");
            assert_eq!(entry.places, [Place::Build, Place::Image], "{profile}");
            assert!(policy.inventory.may_enable_units.contains(&role.to_owned()));
        }
    }
}
