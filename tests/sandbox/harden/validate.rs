//! Files that a program must accept, with the real iptables-restore and visudo.
//! It is separate because their exit codes are the contract: a bad file is never put in place.

use nodeagent::host::root::sha256;
use nodeagent::resource::Accept;
use nodeagent::resource::file::File;
use nodeagent::resource::validate::Validate;

use super::{Bed, lines};

const RULES: &str = include_str!("../../../policy/rootfs/etc/sysconfig/iptables");
const PATH: &str = "/etc/sysconfig/iptables";

fn file(path: &str, content: &str, command: &[&str], control: &str) -> File {
    File {
        path: path.to_owned(),
        sha256: sha256(content.as_bytes()),
        content: Some(content.to_owned()),
        source: None,
        mode: "0600".to_owned(),
        owner: "root".to_owned(),
        group: "root".to_owned(),
        accept: Accept::Exact,
        validate: Some(Validate {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            control: control.to_owned(),
        }),
    }
}

fn rules(content: &str) -> File {
    let control = "*filter\nCOMMIT\n";
    file(PATH, content, &["iptables-restore", "--test"], control)
}

#[test]
fn the_shipped_rules_are_accepted_and_a_misspelt_one_never_reaches_the_disk() {
    let bed = Bed::new("validate-rules");
    assert_eq!(bed.settle(&rules(RULES)).unwrap(), Vec::<String>::new());
    assert!(bed.diff(&rules(RULES)).not_applicable.is_empty());
    for (right, wrong) in [
        ("--dport 22 ", "--dprt 22 "),
        ("--dport 6443 ", "--dport 66443 "),
        ("COMMIT\n", ""),
        ("-p icmp ", "-p icmpp "),
    ] {
        let bad = rules(&RULES.replacen(right, wrong, 1));
        let diff = bed.diff(&bad);
        let found = lines(&diff);
        assert!(
            found
                .iter()
                .any(|l| l.contains("validity: iptables-restore")),
            "{wrong}: {found:?}"
        );
        assert!(diff.actions.is_empty(), "{wrong}");
        bed.settle(&bad).unwrap();
        assert_eq!(bed.text(PATH), RULES, "{wrong}");
    }
}

#[test]
fn sudoers_are_judged_through_a_path() {
    let command = ["/usr/sbin/visudo", "--check", "--file=/dev/stdin"];
    let path = "/etc/sudoers.d/50-site";
    let bed = Bed::new("validate-sudoers");
    let good = file(path, "%wheel ALL=(ALL) ALL\n", &command, "");
    assert_eq!(bed.settle(&good).unwrap(), Vec::<String>::new());
    let bad = file(path, "%wheel ALL=(ALL ALL\n", &command, "");
    assert!(
        lines(&bed.diff(&bad))
            .iter()
            .any(|l| l.contains("validity"))
    );
    bed.settle(&bad).unwrap();
    assert_eq!(bed.text(path), "%wheel ALL=(ALL) ALL\n");
}

#[test]
fn a_program_that_cannot_judge_is_told_and_the_file_is_written() {
    let bed = Bed::new("validate-absent");
    for (command, why) in [
        (
            &["no-such-program"][..],
            "no-such-program is not installed here",
        ),
        (&["false"][..], "false cannot judge here: exit 1"),
    ] {
        let wanted = file("/etc/x.rules", why, command, "");
        assert_eq!(bed.settle(&wanted).unwrap(), Vec::<String>::new());
        assert_eq!(bed.text("/etc/x.rules"), why);
        let told = bed.diff(&wanted).not_applicable;
        assert_eq!(
            (told[0].what.as_str(), told[0].why.as_str()),
            ("validity", why)
        );
    }
}
