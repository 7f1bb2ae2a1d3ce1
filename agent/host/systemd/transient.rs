//! A service without a file as systemd's D-Bus interface wants it (org.freedesktop.systemd1(5), systemd.service(5)).
//! It is separate because these are names of properties and their types, and nothing else.

use std::time::Duration;

use zbus::Variant;

use super::Transient;

/// The properties of `StartTransientUnit`. All are known to systemd 240 and later.
pub(super) fn properties(service: &Transient) -> Vec<(&'static str, Variant<'_>)> {
    let program = service.argv.first().map(String::as_str).unwrap_or_default();
    let argv: Vec<&str> = service.argv.iter().map(String::as_str).collect();
    // Program, arguments with its name, and whether a failure is ignored.
    let start = vec![(program, argv, false)];
    let text = |text: &'static str| Variant::from(text);
    vec![
        ("Description", Variant::from(service.description.as_str())),
        ("Type", text("notify")),
        ("ExecStart", Variant::from(start)),
        ("StandardInput", text("data")),
        ("StandardInputData", Variant::from(service.stdin.as_slice())),
        (
            "StandardOutputFileToAppend",
            Variant::from(service.log.as_str()),
        ),
        ("StandardError", text("inherit")),
        // Only the program is asked to end; what it leaves behind is killed.
        ("KillMode", text("mixed")),
        ("TimeoutStartUSec", micros(service.ready)),
        ("TimeoutStopUSec", micros(service.end)),
        // Nothing of it stays loaded, so that the next one can be started under the same name.
        ("CollectMode", text("inactive-or-failed")),
    ]
}

fn micros(time: Duration) -> Variant<'static> {
    Variant::from(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_properties_have_systemds_types() {
        let service = Transient {
            description: "a".to_owned(),
            argv: vec!["/bin/a".to_owned(), "b".to_owned()],
            stdin: b"c".to_vec(),
            log: "/run/a".to_owned(),
            ready: Duration::from_secs(1),
            end: Duration::from_secs(2),
        };
        for (name, value) in properties(&service) {
            let want = match name {
                "ExecStart" => "a(sasb)",
                "StandardInputData" => "ay",
                "TimeoutStartUSec" | "TimeoutStopUSec" => "t",
                _ => "s",
            };
            assert_eq!(value.value_signature().to_string(), want, "{name}");
        }
    }
}
