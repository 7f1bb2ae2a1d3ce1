//! What goes wrong before a registry answers: names, addresses, TLS, redirects, proxies.
//! It is separate because no lie of a registry is in it.

use nodeagent::host::failure::Class;
use nodeagent::host::oci::{Descriptor, Digest, Name};

use super::{access, blob, document, name, noise, puller, told};
use crate::support::lying::{Lie, Lying};
use crate::support::namespace::in_namespaces;
use crate::support::registry::free_address;

fn some_blob() -> Descriptor {
    Descriptor {
        media_type: "m".to_owned(),
        digest: Digest::of(b"x"),
        size: 1,
    }
}

#[test]
fn nobody_there_is_told() {
    let host = free_address();
    let mut access = access(&[]);
    access.plain_http.push(host.clone());
    let name = Name::parse(&format!("{host}/a:1")).unwrap();
    let got = blob(&puller(&access), &name, &some_blob());
    told(
        got,
        Class::Network,
        &["Connection refused", "3 tries", &host],
    );
}

#[test]
fn a_name_without_address_is_told() {
    // Without a network no name has one, and no question leaves the machine.
    in_namespaces(|| {
        let name = Name::parse("nowhere.invalid/a:1").unwrap();
        let mut access = access(&[]);
        access.patience.tries = 1;
        let got = blob(&puller(&access), &name, &some_blob());
        told(got, Class::Dns, &["nowhere.invalid", "/etc/resolv.conf"]);
    });
}

#[test]
fn tls_where_there_is_none_is_told() {
    let registry = Lying::start();
    let mut access = access(&[]);
    access.insecure_tls.push(registry.host());
    let got = blob(&puller(&access), &name(&registry), &some_blob());
    told(got, Class::Tls, &["--plain-http HOST"]);
}

#[test]
fn redirects_in_a_circle_or_without_end_are_left() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(1000));
    let itself = format!("/v2/k8s/a/blobs/{}", wanted.digest);
    let puller = puller(&access(&[&registry]));
    registry.always("/blobs/", Lie::Redirect(itself));
    let circle = "redirected more than 5 times, or in a circle";
    told(
        blob(&puller, &name(&registry), &wanted),
        Class::Registry,
        &[circle],
    );
    assert_eq!(registry.asked("/blobs/").len(), 2);
    let chain = (0..20).map(|n| Lie::Redirect(format!("/v2/{n}/blobs/x")));
    registry.lie("/blobs/", chain);
    told(
        blob(&puller, &name(&registry), &wanted),
        Class::Registry,
        &[circle],
    );
    assert_eq!(registry.asked("/blobs/").len(), 2 + 6);
    // Five are followed.
    let end = Lie::Redirect(format!("/v2/k8s/a/blobs/{}?5", wanted.digest));
    let chain = (0..4).map(|n| Lie::Redirect(format!("/v2/{n}/blobs/x")));
    registry.lie("/blobs/", chain.chain([end]));
    assert_eq!(
        blob(&puller, &name(&registry), &wanted).unwrap(),
        noise(1000)
    );
}

#[test]
fn a_document_follows_redirects_too() {
    let registry = Lying::start();
    registry.hold(&crate::support::images::small::tiny("k8s/b:1", "one"));
    registry.lie(
        "/k8s/a/",
        [Lie::Redirect("/v2/k8s/b/manifests/1".to_owned())],
    );
    document(&puller(&access(&[&registry])), &name(&registry), "1").unwrap();
}
