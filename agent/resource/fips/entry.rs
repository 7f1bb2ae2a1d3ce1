//! Boot entries as text: which kernel, which arguments.
//! It is separate because the Boot Loader Specification and GRUB's own file write the same arguments differently.

use serde::Serialize;

/// What matters of a boot entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BootEntry {
    /// It has `fips=1`.
    pub fips: bool,
    /// It has `boot=`.
    pub boot: bool,
    /// Its initramfs was made after dracut was told of the module; EL alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initramfs: Option<bool>,
}

/// The first word of a key's value.
pub(super) fn value(entry: &str, key: &str) -> Option<String> {
    let mut lines = entry.lines().map(str::trim);
    let rest = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']))?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// The arguments of an entry; `$kernelopts` stands for GRUB's own variable.
pub(super) fn options(entry: &str, grubenv: &str) -> String {
    let lines = entry.lines().map(str::trim);
    let options: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("options")?.strip_prefix([' ', '\t']))
        .collect();
    let kernelopts = grubenv
        .lines()
        .find_map(|line| line.strip_prefix("kernelopts="));
    options
        .join(" ")
        .replace("$kernelopts", kernelopts.unwrap_or_default())
}

/// What matters of a kernel's arguments.
pub(super) fn arguments(options: &str) -> BootEntry {
    let mut words = options.split_whitespace();
    BootEntry {
        fips: words.clone().any(|word| word == "fips=1"),
        boot: words.any(|word| word.starts_with("boot=")),
        initramfs: None,
    }
}

/// The path in the tree of a file that an entry names from the root of /boot's own file system.
pub(super) fn in_boot(path: &str) -> String {
    match path.starts_with("/boot/") {
        true => path.to_owned(),
        false => format!("/boot/{}", path.trim_start_matches('/')),
    }
}

/// Entries are told by their kernel: their own names begin with the builder's machine-id.
pub(super) fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_whole_words_and_kernelopts_are_grubs() {
        let env = "# GRUB Environment Block\nkernelopts=root=/dev/vda1 fips=1 boot=UUID=x\n";
        let table = [
            ("options root=/dev/vda1 fips=1", true, false),
            ("options root=/dev/vda1 nofips=1 fips=10", false, false),
            ("options $kernelopts $tuned_params", true, true),
            (
                "options root=/dev/vda1 boot=UUID=x\noptions fips=1",
                true,
                true,
            ),
            ("title fips=1", false, false),
        ];
        for (text, fips, boot) in table {
            let entry = arguments(&options(text, env));
            assert_eq!((entry.fips, entry.boot), (fips, boot), "{text}");
        }
    }
}
