//! Command lines as text: which arguments are missing, and a file with them added.
//! It is separate because three formats write the same arguments, and each byte beside them stays.

/// Arguments that a command line does not have. For a key that stands several times the kernel takes the last.
pub(super) fn missing(line: &str, args: &[&str]) -> Vec<String> {
    let key = |word: &str| word.split('=').next().unwrap_or_default().replace('-', "_");
    let lacks = |arg: &&&str| {
        let mut same = line.split_whitespace().rev().filter(|w| key(w) == key(arg));
        // console= and the like may stand several times; then it is enough to be among them.
        let many = ["console", "earlycon"].contains(&key(arg).as_str());
        match same.next() {
            Some(last) if last == **arg => false,
            Some(_) if many => !same.any(|word| word == **arg),
            _ => true,
        }
    };
    args.iter()
        .filter(lacks)
        .map(|arg| (*arg).to_owned())
        .collect()
}

/// A command line with arguments added; an older value of the same key goes.
pub(super) fn with(line: &str, args: &[String]) -> String {
    let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let new: Vec<String> = args.iter().map(|arg| key(arg)).collect();
    let kept = line.split_whitespace();
    let kept = kept.filter(|word| {
        *word == "console" || !new.contains(&key(word)) || word.starts_with("console=")
    });
    kept.map(str::to_owned)
        .chain(args.iter().cloned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The arguments in an entry of the Boot Loader Specification.
pub(super) fn options(entry: &str) -> String {
    let values = entry.lines().filter_map(option);
    values.collect::<Vec<_>>().join(" ")
}

fn option(line: &str) -> Option<&str> {
    line.trim_start()
        .strip_prefix("options")?
        .strip_prefix([' ', '\t'])
        .map(str::trim)
}

/// The same entry with arguments added to its last `options` line.
pub(super) fn with_options(entry: &str, args: &[String]) -> String {
    let lines: Vec<&str> = entry.lines().collect();
    let last = lines.iter().rposition(|line| option(line).is_some());
    let mut out: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    match last.and_then(|at| Some((out.get_mut(at)?, lines.get(at)?))) {
        Some((slot, line)) => {
            *slot = format!("options {}", with(option(line).unwrap_or_default(), args));
        }
        None => out.push(format!("options {}", args.join(" "))),
    }
    out.join("\n") + "\n"
}

/// Command lines of every kernel in GRUB's own file, with the line's number.
pub(super) fn grub_lines(config: &str) -> Vec<(usize, String)> {
    let numbered = config.lines().zip(1usize..);
    let found = numbered.filter_map(|(line, number)| {
        let mut words = line.split_whitespace();
        let command = words.next()?;
        let kernel = matches!(command, "linux" | "linuxefi" | "linux16");
        kernel.then(|| (number, words.skip(1).collect::<Vec<_>>().join(" ")))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_counts_and_words_are_whole() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("root=/dev/vda1 ro audit=1", &["audit=1", "ro"], &[]),
            ("root=/dev/vda1 audit=1 audit=0", &["audit=1"], &["audit=1"]),
            ("noaudit=1 audit=10", &["audit=1"], &["audit=1"]),
            ("console=tty0 console=ttyS0", &["console=tty0"], &[]),
            (
                "audit_backlog_limit=8192",
                &["audit-backlog-limit=8192"],
                &["audit-backlog-limit=8192"],
            ),
            ("", &["quiet"], &["quiet"]),
        ];
        for (line, args, want) in table {
            assert_eq!(missing(line, args), *want, "{line}");
        }
    }

    #[test]
    fn an_older_value_goes_and_everything_else_stays() {
        let args = ["audit=1".to_owned(), "console=ttyS0".to_owned()];
        assert_eq!(
            with("root=UUID=x ro audit=0 console=tty0", &args),
            "root=UUID=x ro console=tty0 audit=1 console=ttyS0"
        );
        let entry = "title T\noptions root=/dev/vda1\noptions audit=0 quiet\ninitrd /i\n";
        assert_eq!(
            with_options(entry, &args),
            "title T\noptions root=/dev/vda1\noptions quiet audit=1 console=ttyS0\ninitrd /i\n"
        );
        assert_eq!(
            options(&with_options("title T", &args)),
            "audit=1 console=ttyS0"
        );
    }

    #[test]
    fn every_kernel_of_grub_is_looked_at() {
        let config =
            "menuentry x {\n\tlinux /vmlinuz-1 root=/dev/vda1 ro\n  linuxefi /v a\n linux_x y\n}\n";
        let found = grub_lines(config);
        assert_eq!(
            found,
            [(2, "root=/dev/vda1 ro".to_owned()), (3, "a".to_owned())]
        );
    }
}
