//! Tables of right and wrong texts for every check.
//! They are apart because they are longer than the code they test.

use super::*;

/// Check, right texts, wrong texts.
const TABLE: &[(Check, &[&str], &[&str])] = &[
    (Check::NotEmpty, &["x"], &["", "  \n"]),
    (
        Check::AbsPath,
        &[
            "/etc/motd",
            "/a",
            "/etc/systemd/system/a@b.service",
            "/a/[b",
        ],
        &[
            "",
            "/",
            "etc/motd",
            "~/x",
            "/etc/",
            "/etc//x",
            "/etc/../x",
            "/etc/./x",
            "/a\nb",
            "/a/*",
        ],
    ),
    (
        Check::AbsPathOrEmpty,
        &["", "/srv/debs"],
        &["/", "srv", "/srv/"],
    ),
    (
        Check::Keyword,
        &["PermitRootLogin", "x11"],
        &["", "9x", "Permit RootLogin", "a-b", "a.b"],
    ),
    (
        Check::Karg,
        &[
            "audit=1",
            "quiet",
            "console=ttyS0,115200n8",
            "module.key=a/b",
        ],
        &[
            "", "=1", "-x", "a b", "a=\"b\"", "a=$b", "a=`b`", "a;b", "a\nb",
        ],
    ),
    (
        Check::Uri,
        &[
            "https://a.example/deb",
            "file:/srv/apt",
            "http://a:8080/$basearch/x?y",
        ],
        &[
            "",
            "a.example",
            "https:/",
            "https://u:p@a.example/",
            "https://a b",
            "gopher://a",
            "https://a\nX: y",
        ],
    ),
    (
        Check::Suite,
        &[
            "bookworm",
            "./",
            "bookworm-updates",
            "main",
            "stable/updates",
        ],
        &["", "a b", "-x", "/x", "a\nb"],
    ),
    (
        Check::Fingerprint,
        &[
            "0123456789abcdef0123456789ABCDEF01234567",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
        &[
            "",
            "01234567",
            "0123 4567 89ab cdef 0123 4567 89AB CDEF 0123 4567",
            "g123456789abcdef0123456789abcdef01234567",
        ],
    ),
    (
        Check::Glob,
        &["/var/log/*.gz", "~/.ssh/authorized_keys", "/a/[ab]?"],
        &["", "~", "~root/x", "var/log/*", "/a/../b"],
    ),
    (
        Check::Mode,
        &["644", "0644", "4755"],
        &["", "64", "00644", "0888", "rw-r--r--", "0o644"],
    ),
    (
        Check::UnitName,
        &[
            "chrony.service",
            "getty@tty1.service",
            "dev-sda\\x2d1.swap",
            "-.mount",
        ],
        &[
            "",
            "chrony",
            ".service",
            "chrony.servce",
            "a b.service",
            "/etc/a.service",
        ],
    ),
    (
        Check::SysctlKey,
        &[
            "net.ipv4.ip_forward",
            "vm.overcommit_memory",
            "net.ipv4.conf.eth0.arp_ignore",
        ],
        &[
            "",
            "ip_forward",
            "net/ipv4/ip_forward",
            "net..ipv4",
            "net.ipv4.",
            "net.ipv4 x",
        ],
    ),
    (
        Check::ModuleName,
        &["br_netfilter", "ip_vs"],
        &["", "-x", "br_netfilter.ko", "a/b", "a b"],
    ),
    (
        Check::PackageName,
        &[
            "chrony",
            "libstdc++6",
            "policycoreutils-python-utils",
            "libc6:amd64",
        ],
        &["", "-y", "chrony=4.3", "a b", "+x"],
    ),
    (
        Check::Version,
        &["1:4.3-2+deb12u1", "4.3~rc1", "5.15.0-101"],
        &["", "a b", ">=4", "-1"],
    ),
    (
        Check::Owner,
        &["root", "_chrony", "0", "65534"],
        &["", "Root", "a b", "-1", "a:b"],
    ),
    (
        Check::Digest,
        &["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        &[
            "",
            "sha256:",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256:E3B0",
        ],
    ),
    (
        Check::Word,
        &["host-keys", "a1"],
        &["", "-a", "Host", "a_b", "a b"],
    ),
    (
        Check::Date,
        &["2027-03-31", "2028-02-29"],
        &[
            "",
            "2027-02-29",
            "2027-13-01",
            "2027-3-1",
            "31.03.2027",
            "2027-00-10",
            "2027-01-00",
            "+027-01-01",
        ],
    ),
    (
        Check::ImageRef,
        &[
            "registry.example/k8s/pause:3.9",
            "localhost/x",
            "10.0.0.1:5000/a/b",
            "r.example/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
        &[
            "",
            "pause:3.9",
            "library/pause",
            "https://r.example/a",
            "r.example/A",
            "r.example/a@sha256:1",
            "r.example/a:",
        ],
    ),
];

#[test]
fn every_check_tells_right_from_wrong() {
    for (check, right, wrong) in TABLE {
        for text in *right {
            assert_eq!(check.test(text), Ok(()), "{check:?} refuses {text:?}");
        }
        for text in *wrong {
            let advice = check.test(text);
            assert!(advice.is_err(), "{check:?} accepts {text:?}");
        }
    }
}

#[test]
fn advice_repairs_common_slips() {
    let advice = |check: Check, text| check.test(text).unwrap_err();
    assert!(advice(Check::UnitName, "chrony").contains("\"chrony.service\""));
    assert!(advice(Check::SysctlKey, "net/ipv4/ip_forward").contains("\"net.ipv4.ip_forward\""));
    assert!(advice(Check::PackageName, "chrony=4").contains("`version`"));
}
