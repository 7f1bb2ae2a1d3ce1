//! The trees of the offline tests: unit files and symlinks of every kind that matters.
//! Separate because they are data.

use std::os::unix::fs::symlink;
use std::path::Path;

pub(super) const VENDOR: &str = "lib/systemd/system";

/// Unit files of the vendor: name and [Install] section.
pub(super) const FILES: &[(&str, &str)] = &[
    ("plain.service", "WantedBy=multi-user.target"),
    ("on.service", "WantedBy=multi-user.target"),
    (
        "two.service",
        "WantedBy=multi-user.target graphical.target\nRequiredBy=x.target",
    ),
    (
        "named.service",
        "Alias=other.service dbus-org.example.service\nWantedBy=multi-user.target",
    ),
    ("namedonly.service", "Alias=second.service"),
    (
        "oldalias.service",
        "Alias=multi-user.target.wants/oldalias.service",
    ),
    ("badalias.service", "Alias=x.socket"),
    (
        "also.service",
        "WantedBy=multi-user.target\nAlso=also.socket also-missing.service",
    ),
    ("also.socket", "WantedBy=sockets.target\nAlso=also.service"),
    ("alsoonly.service", "Also=also.socket"),
    ("fixed.service", ""),
    (
        "tmpl@.service",
        "WantedBy=multi-user.target\nDefaultInstance=one",
    ),
    ("nodefault@.service", "WantedBy=multi-user.target"),
    ("carried@.service", "WantedBy=carrier@.target"),
    ("spec@.service", "WantedBy=dev-%i.device %p.target"),
    (
        "tmplalias@.service",
        "Alias=nick@.service\nWantedBy=multi-user.target",
    ),
    (
        "aliased@.service",
        "Alias=short.service\nDefaultInstance=one",
    ),
    ("drop.service", ""),
    ("hidden.service", ""),
    ("conflict.service", "Alias=taken.service"),
    ("replace.service", "Alias=elsewhere.service"),
    ("over.service", "WantedBy=multi-user.target"),
    ("a.timer", "WantedBy=timers.target"),
    ("m.mount", "WantedBy=local-fs.target\nAlias=n.mount"),
    (
        "quoted.service",
        "WantedBy=\"multi-user.target\"\nWantedBy=\nWantedBy=late.target \\\n  later.target",
    ),
    ("multi-user.target", ""),
    ("runtime.service", "WantedBy=multi-user.target"),
];

/// Symlinks: path and target.
pub(super) const LINKS: &[(&str, &str)] = &[
    ("lib/systemd/system/vendoralias.service", "plain.service"),
    ("lib/systemd/system/vendormasked.service", "/dev/null"),
    (
        "etc/systemd/system/etcalias.service",
        "/lib/systemd/system/plain.service",
    ),
    ("etc/systemd/system/linked.service", "/opt/linked.service"),
    (
        "etc/systemd/system/linkedother.service",
        "/opt/renamed.service",
    ),
    ("etc/systemd/system/masked.service", "/dev/null"),
    (
        "etc/systemd/system/dangling.service",
        "/lib/systemd/system/gone.service",
    ),
    ("etc/systemd/system/outside.service", "/opt/missing.service"),
    (
        "etc/systemd/system/elsewhere.service",
        "/lib/systemd/system/fixed.service",
    ),
    (
        "etc/systemd/system/multi-user.target.wants/on.service",
        "/lib/systemd/system/on.service",
    ),
    (
        "etc/systemd/system/multi-user.target.wants/tmpl@two.service",
        "/lib/systemd/system/tmpl@.service",
    ),
    (
        "etc/systemd/system/multi-user.target.wants/nodefault@x.service",
        "../../../../lib/systemd/system/nodefault@.service",
    ),
    (
        "run/systemd/system/multi-user.target.wants/runtime.service",
        "/lib/systemd/system/runtime.service",
    ),
    // Below the administrator's own file of that name: hidden by it.
    (
        "run/systemd/system/over.service",
        "/lib/systemd/system/plain.service",
    ),
    ("run/systemd/system/rtmasked.service", "/dev/null"),
];

pub(super) const TEMPLATE_INSTANCES: &[&str] = &[
    "tmpl@one.service",
    "tmpl@two.service",
    "nodefault@x.service",
    "nodefault@new.service",
    "spec@sda.service",
    "tmplalias@i.service",
    "carried@c.service",
];

pub(super) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(super) fn build(root: &Path) {
    let unit = |install: &str| {
        format!("[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\n{install}\n")
    };
    for (name, install) in FILES {
        write(&root.join(VENDOR).join(name), &unit(install));
    }
    std::fs::create_dir_all(root.join("usr")).unwrap();
    symlink("../lib", root.join("usr/lib")).unwrap();
    write(
        &root.join("opt/linked.service"),
        &unit("WantedBy=multi-user.target"),
    );
    write(
        &root.join("opt/renamed.service"),
        &unit("WantedBy=multi-user.target"),
    );
    write(&root.join("etc/systemd/system/taken.service"), &unit(""));
    write(
        &root.join("etc/systemd/system/over.service"),
        &unit("WantedBy=other.target"),
    );
    write(
        &root.join("etc/systemd/system/drop.service.d/10-x.conf"),
        "[Install]\nWantedBy=multi-user.target\n",
    );
    // Of two drop-ins with one name only the administrator's counts.
    write(
        &root.join("etc/systemd/system/hidden.service.d/10-x.conf"),
        "[Install]\nWantedBy=mine.target\n",
    );
    write(
        &root.join("lib/systemd/system/hidden.service.d/10-x.conf"),
        "[Install]\nWantedBy=theirs.target\n",
    );
    write(&root.join("lib/systemd/system/empty.service"), "");
    write(
        &root.join("etc/systemd/system/emptydir.target.wants/.keep"),
        "",
    );
    for (path, target) in LINKS {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }
}
