//! What the configured sources leave among the indexes once they were fetched.
//! It is separate because it is pure: whether a source was ever asked is told by what is on disk, not by what we did.

/// Schemes whose indexes are named after the URI.
const NAMED: &[&str] = &["http", "https", "file", "copy", "ftp"];

/// Beginnings of the names of index files, one for each suite of each source in a file.
pub(super) fn prefixes(file: &str, text: &str) -> Vec<String> {
    let pairs = if file.ends_with(".sources") {
        stanzas(text)
    } else {
        text.lines().filter_map(line).collect()
    };
    pairs
        .iter()
        .filter_map(|(uri, suite)| prefix(uri, suite))
        .collect()
}

/// URI and suite of a one-line source.
fn line(line: &str) -> Option<(String, String)> {
    let rest = line.trim_start().strip_prefix("deb")?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_ascii_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// URIs with each of their suites in a deb822 file.
fn stanzas(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    let mut pairs = Vec::new();
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let words = |name: &str| field(stanza, name);
        let off = words("enabled")
            .iter()
            .any(|w| matches!(w.as_str(), "no" | "false"));
        if off || !words("types").iter().any(|word| word == "deb") {
            continue;
        }
        for uri in words("uris") {
            pairs.extend(
                words("suites")
                    .into_iter()
                    .map(|suite| (uri.clone(), suite)),
            );
        }
    }
    pairs
}

/// The words of a field, on its line and on those that go on with it.
fn field(stanza: &[&str], name: &str) -> Vec<String> {
    let mut inside = false;
    let mut words = Vec::new();
    for line in stanza {
        let value = match line.split_once(':') {
            _ if line.starts_with([' ', '\t']) => *line,
            Some((key, value)) => {
                inside = key.trim().eq_ignore_ascii_case(name);
                value
            }
            None => continue,
        };
        if inside {
            words.extend(value.split_ascii_whitespace().map(str::to_owned));
        }
    }
    words
}

/// As apt names them: without scheme and credentials, quoted, with `_` for `/`.
fn prefix(uri: &str, suite: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !NAMED.contains(&scheme) || suite.contains("$(") {
        return None;
    }
    let rest = rest
        .strip_prefix("//")
        .unwrap_or(rest)
        .trim_end_matches('/');
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let base = format!("{host}{path}");
    let full = if suite.ends_with('/') {
        format!("{base}/{suite}")
    } else {
        format!("{base}/dists/{suite}/")
    };
    Some(full.chars().map(quoted).collect())
}

fn quoted(c: char) -> String {
    match c {
        '/' => "_".to_owned(),
        c if !c.is_ascii_graphic() || "\\|{}[]<>\"^~_=!@#$%&*".contains(c) => {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).bytes();
            bytes.map(|byte| format!("%{byte:02x}")).collect()
        }
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_apt_gives() {
        let one_line = "# deb http://x/ y main\n deb-src http://x/ y main\n\
                        deb [signed-by=/a arch=amd64] http://a.example:80/debian bookworm main\n\
                        deb\thttps://u:p@b.example/d_x/ stable/updates main\n\
                        deb [trusted=yes] file:/srv/repository ./\ndeb mirror+http://m/ s main\ndebris\n";
        assert_eq!(
            prefixes("local.list", one_line),
            [
                "a.example:80_debian_dists_bookworm_",
                "b.example_d%5fx_dists_stable_updates_",
                "_srv_repository_._",
            ]
        );
        let deb822 = "# x\nTypes: deb deb-src\nURIs: http://a.example/debian\n http://b.example/debian\n\
                      Suites: one two\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x: y\n\n\
                      Types: deb\nEnabled: no\nURIs: http://c/\nSuites: x\n\nTypes: deb-src\nURIs: http://d/\nSuites: x\n\n\
                      types: deb\nuris: copy:///srv/pool/\nsuites: ./\n";
        assert_eq!(
            prefixes("x.sources", deb822),
            [
                "a.example_debian_dists_one_",
                "a.example_debian_dists_two_",
                "b.example_debian_dists_one_",
                "b.example_debian_dists_two_",
                "_srv_pool_._",
            ]
        );
        assert_eq!(prefixes("x.sources", ""), Vec::<String>::new());
    }
}
