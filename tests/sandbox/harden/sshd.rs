//! Kind `sshd` with sshd itself as the judge: where it says conforms, `sshd -T` prints the wanted values, and only there.
//! It is separate because first-value-wins, Include and Match have their own rules, and only sshd knows them for certain.

use nodeagent::resource::sshd::Sshd;

use super::{Bed, lines};

const PATH: &str = "/etc/ssh/sshd_config.d/00-nodeagent.conf";

fn wanted() -> Sshd {
    let no = serde_json::json!({ "value": "no", "reason": "r" });
    let keys = serde_json::json!({
        "PasswordAuthentication": no, "KbdInteractiveAuthentication": no,
        "X11Forwarding": no, "PermitRootLogin": no,
    });
    serde_json::from_value(serde_json::json!({ "path": PATH, "keys": keys })).unwrap()
}

/// Whether sshd takes every wanted value for anybody and for one user; the options are those of its unit.
fn sshd_agrees(bed: &Bed, options: &str) -> bool {
    ["nobody", "bob"].iter().all(|user| {
        let connection = format!("user={user},host=h.example,addr=192.0.2.9");
        let line =
            format!("mkdir -p /run/sshd && exec /usr/sbin/sshd -T -C {connection} {options}");
        let (code, text) = bed.run(&["sh", "-c", &line]);
        assert_eq!(code, 0, "{text}");
        wanted().keys.keys().all(|key| {
            let line = format!("{} no", key.to_lowercase());
            text.lines().any(|found| found == line)
        })
    })
}

/// What is done to a baked tree, and what must be told then; nothing: it conforms.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf\n";

const CASES: &[Case] = &[
    ("as baked", &[], ""),
    (
        "cloud-init's own says the opposite later",
        &[(
            "/etc/ssh/sshd_config.d/50-cloud-init.conf",
            "PasswordAuthentication yes\n",
        )],
        "",
    ),
    (
        "a drop-in that sorts before",
        &[(
            "/etc/ssh/sshd_config.d/00-a.conf",
            "passwordauthentication YES\n",
        )],
        "PasswordAuthentication: YES from /etc/ssh/sshd_config.d/00-a.conf:1, which sshd reads first",
    ),
    (
        "the same value before is fine",
        &[(
            "/etc/ssh/sshd_config.d/00-a.conf",
            "PasswordAuthentication=NO\n",
        )],
        "",
    ),
    (
        "a hidden file is not read",
        &[(
            "/etc/ssh/sshd_config.d/.00-a.conf",
            "PasswordAuthentication yes\n",
        )],
        "",
    ),
    (
        "a line above the Include",
        &[(
            "/etc/ssh/sshd_config",
            "X11Forwarding yes\nInclude sshd_config.d/*.conf\n",
        )],
        "X11Forwarding: yes from /etc/ssh/sshd_config:1, which sshd reads first",
    ),
    (
        "an older name of the keyword",
        &[(
            "/etc/ssh/sshd_config.d/00-a.conf",
            "ChallengeResponseAuthentication yes\n",
        )],
        "KbdInteractiveAuthentication: yes from",
    ),
    (
        "no Include at all",
        &[(
            "/etc/ssh/sshd_config",
            "UsePAM yes\nPasswordAuthentication no\n",
        )],
        "PermitRootLogin: sshd's default: it does not read this file",
    ),
    (
        "a Match block for one user",
        &[(
            "/etc/ssh/sshd_config.d/60-bob.conf",
            "Match User bob\n  PasswordAuthentication yes\n",
        )],
        "PasswordAuthentication for Match User bob: yes from /etc/ssh/sshd_config.d/60-bob.conf:2",
    ),
    (
        "a Match block ends with its file",
        &[
            (
                "/etc/ssh/sshd_config",
                "Include /etc/ssh/first\nInclude sshd_config.d/*.conf\n",
            ),
            ("/etc/ssh/first", "Match User bob\n  X11Forwarding no\n"),
            ("/etc/ssh/sshd_config.d/60-late.conf", "X11Forwarding yes\n"),
        ],
        "",
    ),
    (
        "an Include in a Match block",
        &[
            (
                "/etc/ssh/sshd_config",
                "Include sshd_config.d/*.conf\nMatch User bob\n  Include /etc/ssh/bob\n",
            ),
            ("/etc/ssh/bob", "PermitRootLogin yes\n"),
        ],
        "PermitRootLogin for Match User bob: yes from /etc/ssh/bob:1",
    ),
    (
        "a Match block that says the same",
        &[(
            "/etc/ssh/sshd_config.d/60-bob.conf",
            "Match User bob\n  PasswordAuthentication no\n",
        )],
        "",
    ),
];

#[test]
fn what_wins_is_what_sshd_says_wins() {
    let bed = Bed::new("sshd");
    bed.run(&["ssh-keygen", "-A"]);
    let stock = bed.text("/etc/ssh/sshd_config");
    assert!(!sshd_agrees(&bed, ""), "a stock sshd must not conform");
    assert!(!lines(&bed.diff(&wanted())).is_empty());
    assert_eq!(bed.settle(&wanted()).unwrap(), Vec::<String>::new());
    for (name, files, told) in CASES {
        for (path, text) in *files {
            bed.put(path, text);
        }
        let found = lines(&bed.diff(&wanted()));
        assert_eq!(found.is_empty(), sshd_agrees(&bed, ""), "{name}: {found:?}");
        assert_eq!(found.is_empty(), told.is_empty(), "{name}: {found:?}");
        assert!(
            told.is_empty() || found.iter().any(|line| line.starts_with(told)),
            "{name}: {found:?}"
        );
        for (path, _) in *files {
            std::fs::remove_file(bed.at(path)).unwrap();
        }
        bed.put("/etc/ssh/sshd_config", &stock);
    }
    assert!(stock.contains(INCLUDE));
}

#[test]
fn options_of_the_unit_come_before_every_file() {
    let bed = Bed::new("sshd-options");
    bed.run(&["ssh-keygen", "-A"]);
    bed.settle(&wanted()).unwrap();
    for (file, variable) in [
        ("/etc/default/ssh", "SSHD_OPTS"),
        ("/etc/sysconfig/sshd", "OPTIONS"),
    ] {
        for options in ["-oX11Forwarding=yes", "-4 -o X11Forwarding=yes"] {
            bed.put(file, &format!("# defaults\n{variable}=\"{options}\"\n"));
            let found = lines(&bed.diff(&wanted()));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].starts_with(&format!("X11Forwarding: yes from {file}:2")),
                "{found:?}"
            );
            assert!(!sshd_agrees(&bed, options));
        }
        bed.put(file, &format!("{variable}=-4\n"));
        assert!(lines(&bed.diff(&wanted())).is_empty());
    }
    std::fs::remove_file(bed.at("/etc/ssh/sshd_config")).unwrap();
    let diff = bed.diff(&wanted());
    assert!(diff.conforms() && diff.not_applicable[0].what == "effective values");
}
