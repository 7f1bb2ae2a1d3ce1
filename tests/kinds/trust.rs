//! Kind `trust`: the certificate in the store, and in the bundle that programs read.
//! It is separate because a file in the store alone trusts nobody.

use std::process::Command;

use nodeagent::host::Manager;
use nodeagent::resource::trust::Trust;
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, steps};

/// A new certificate: PEM text and digest, both by openssl.
fn certificate() -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (key, cert) = (path("key"), path("cert"));
    let openssl = |args: &[&str]| {
        let out = Command::new("openssl").args(args).output().unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=Site CA",
        "-days",
        "3650",
        "-keyout",
        &key,
        "-out",
        &cert,
    ]);
    let text = openssl(&["x509", "-in", &cert, "-noout", "-fingerprint", "-sha256"]);
    let hex = text.trim().rsplit_once('=').unwrap().1.replace(':', "");
    let pem = std::fs::read_to_string(cert).unwrap();
    (pem, format!("sha256:{}", hex.to_lowercase()))
}

fn trust(file: &str, sha256: &str) -> Trust {
    Trust {
        name: "site".to_owned(),
        certificate: None,
        file: Some(file.to_owned()),
        sha256: sha256.to_owned(),
    }
}

#[test]
fn the_certificate_is_in_the_store_and_in_the_bundle() {
    let (pem, digest) = certificate();
    let (other, _) = certificate();
    for (manager, anchor, bundle, tool) in [
        (
            Manager::Apt,
            "/usr/local/share/ca-certificates/site.crt",
            "/etc/ssl/certs/ca-certificates.crt",
            "update-ca-certificates",
        ),
        (
            Manager::Dnf,
            "/etc/pki/ca-trust/source/anchors/site.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "update-ca-trust extract",
        ),
    ] {
        let bench = Bench::new();
        bench.fakes.packages.edit().manager = Some(manager);
        bench.put("/root/ca.pem", &format!("subject: somebody\n{pem}"));
        bench.put(bundle, &other);
        let wanted = trust("/root/ca.pem", &digest);
        let diff = bench.diff(&wanted, Place::Build);
        assert_eq!(
            lines(&diff),
            [
                format!("{anchor}: absent -> {digest}"),
                format!("{bundle}: not in it -> holds the certificate"),
            ]
        );
        let run = format!("run {tool}");
        assert_eq!(steps(&diff), ["write the pinned certificate", run.as_str()]);
        bench.fakes.exec.expect(tool, 0, "");
        for action in &diff.actions {
            Trust::apply(&[(&wanted, action)], &bench.host).unwrap();
        }
        assert_eq!(bench.text(anchor), pem, "nothing but the certificate");
        assert_eq!(bench.fakes.exec.calls.changes(), [format!("run {tool}")]);
        // The fake tool made no bundle, and only the bundle counts.
        assert_eq!(lines(&bench.diff(&wanted, Place::Image)).len(), 1);
        bench.put(bundle, &format!("# Other\n{other}\n# Site CA\n{pem}"));
        std::fs::remove_file(bench.at("/root/ca.pem")).unwrap();
        assert!(bench.diff(&wanted, Place::Image).conforms());
        std::fs::remove_file(bench.at(bundle)).unwrap();
        assert!(lines(&bench.diff(&wanted, Place::Node))[0].contains("there is no bundle"));
    }
}

#[test]
fn what_is_not_the_pinned_certificate_is_not_trusted() {
    let (pem, digest) = certificate();
    let (other, found) = certificate();
    let table = [
        (Some(other.clone()), found.as_str()),
        (Some(format!("{pem}{other}")), "2 certificates"),
        (
            Some(format!("{pem}-----BEGIN PRIVATE KEY-----\n")),
            "private key",
        ),
        (Some(pem.replace("-----END", "-----FIN")), "torn"),
        (
            Some("-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n".to_owned()),
            "no certificate",
        ),
        (Some(String::new()), "no certificate"),
        (None, "absent"),
    ];
    for (file, why) in table {
        let bench = Bench::new();
        if let Some(text) = &file {
            bench.put("/root/ca.pem", text);
        }
        let diff = bench.diff(&trust("/root/ca.pem", &digest), Place::Build);
        let found = lines(&diff).join("\n");
        assert!(
            found.contains("the certificate in /root/ca.pem") && found.contains(why),
            "{found}"
        );
        assert_eq!(steps(&diff), Vec::<String>::new(), "{why}");
    }
}

#[test]
fn an_empty_file_switches_the_entry_off_and_a_failing_tool_is_told() {
    let bench = Bench::new();
    let diff = bench.diff(&trust("", ""), Place::Build);
    assert!(
        diff.conforms()
            && diff.not_applicable[0]
                .why
                .contains("no certificate is given")
    );
    assert!(trust("", "").faults().is_empty());
    assert_eq!(trust("/root/ca.pem", "").faults().len(), 1);
    let (pem, digest) = certificate();
    bench.put("/root/ca.pem", &pem);
    let settle = || {
        let error = bench.settle(&trust("/root/ca.pem", &digest), Place::Build);
        let error = error.unwrap_err();
        format!("{} / {}", error.one_line(), error.next_step().unwrap())
    };
    bench.fakes.exec.expect("update-ca-certificates", 3, "");
    let failed = settle();
    assert!(
        failed.contains("update-ca-certificates: it exited with 3"),
        "{failed}"
    );
    let missing = settle();
    assert!(missing.contains("the package ca-certificates"), "{missing}");
}
