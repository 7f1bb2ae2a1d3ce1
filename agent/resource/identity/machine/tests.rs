//! Forms of a machine-id and the verdict over each.
//! It is separate because the tables are longer than the code they guard.

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn only_one_form_is_an_identifier() {
    let zero = "0".repeat(32);
    let table = [
        (format!("{ID}\n"), Form::Valid),
        (ID.to_owned(), Form::Valid),
        (String::new(), Form::Empty),
        ("\n".to_owned(), Form::Empty),
        ("uninitialized\n".to_owned(), Form::Uninitialized),
        (zero, Form::Zero),
        (ID.to_uppercase(), Form::Malformed),
        (format!("{ID}\n{ID}\n"), Form::Malformed),
        (format!(" {ID}"), Form::Malformed),
        (ID[1..].to_owned(), Form::Malformed),
        ("é".repeat(32), Form::Malformed),
    ];
    for (text, want) in table {
        assert_eq!(Form::of(&text), want, "{text:?}");
    }
}

fn fine() -> MachineId {
    MachineId {
        form: Form::Valid,
        transient: false,
        baked: Baked::Other,
        from_smbios: false,
        from_command_line: false,
    }
}

fn judged(seen: &MachineId) -> (usize, usize) {
    let mut diff = Diff::<()>::default();
    seen.judge(&mut diff);
    (diff.differences.len(), diff.unknown.len())
}

#[test]
fn each_violation_is_told_and_the_smbios_source_is_only_a_note() {
    let mut table = vec![(fine(), (0, 0))];
    for form in [
        Form::Missing,
        Form::NotAFile(FileKind::Symlink),
        Form::Empty,
        Form::Uninitialized,
        Form::Zero,
        Form::Malformed,
    ] {
        table.push((MachineId { form, ..fine() }, (1, 0)));
    }
    let baked = |baked| MachineId { baked, ..fine() };
    table.push((baked(Baked::Same), (1, 0)));
    table.push((baked(Baked::NoSalt), (0, 1)));
    table.push((baked(Baked::NoTombstone), (0, 1)));
    let transient = true;
    table.push((
        MachineId {
            transient,
            ..fine()
        },
        (1, 0),
    ));
    let from_command_line = true;
    table.push((
        MachineId {
            from_command_line,
            ..fine()
        },
        (1, 0),
    ));
    let from_smbios = true;
    let hypervisor = MachineId {
        from_smbios,
        ..fine()
    };
    assert_eq!((hypervisor.notes().len(), fine().notes().len()), (1, 0));
    let both = MachineId {
        baked: Baked::Same,
        ..hypervisor.clone()
    };
    let mut diff = Diff::<()>::default();
    both.judge(&mut diff);
    assert_eq!(diff.differences.len(), 1);
    assert!(
        diff.differences[0]
            .have
            .contains("its source is the SMBIOS")
    );
    table.push((hypervisor, (0, 0)));
    for (seen, want) in table {
        assert_eq!(judged(&seen), want, "{seen:?}");
    }
}

#[test]
fn the_copy_of_dbus_must_lead_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path()).unwrap();
    for path in ["etc", "var/lib/dbus"] {
        std::fs::create_dir_all(dir.path().join(path)).unwrap();
    }
    let copy = dir.path().join("var/lib/dbus/machine-id");
    assert_eq!(observe_dbus(&root).unwrap(), DbusId::Absent);
    std::os::unix::fs::symlink("/etc/machine-id", &copy).unwrap();
    assert_eq!(observe_dbus(&root).unwrap(), DbusId::Dangling);
    std::fs::write(dir.path().join("etc/machine-id"), format!("{ID}\n")).unwrap();
    assert_eq!(observe_dbus(&root).unwrap(), DbusId::Equal);
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, ID).unwrap();
    assert_eq!(observe_dbus(&root).unwrap(), DbusId::Equal);
    std::fs::write(&copy, ID.replace('0', "1")).unwrap();
    assert_eq!(observe_dbus(&root).unwrap(), DbusId::Other);
    for (seen, want) in [
        (DbusId::Absent, 0),
        (DbusId::Equal, 0),
        (DbusId::Dangling, 1),
        (DbusId::Other, 1),
    ] {
        let mut diff = Diff::<()>::default();
        seen.judge(&mut diff);
        assert_eq!(diff.differences.len(), want);
    }
}
