//! `completions`: shell completions and man pages, generated from the clap tree.
//! It is separate because packaging calls it at build time.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};

use super::{Cli, Io, output};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::Root;
use crate::host::root::Attr;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent completions bash > /etc/bash_completion.d/nodeagent\n  nodeagent completions --man /usr/share/man/man1"
)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, required_unless_present = "man", conflicts_with = "man")]
    pub shell: Option<clap_complete::Shell>,
    /// Write the man pages to DIR, one a verb: nodeagent.1, nodeagent-bake.1 and so on.
    #[arg(long, value_name = "DIR")]
    pub man: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(args: &CompletionsArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if root.is_some() {
        return Err(Error::usage("completions: --root has no meaning here")
            .hint("name the folder itself: completions --man DIR"));
    }
    if let Some(dir) = &args.man {
        man(dir)?;
    }
    if let Some(shell) = args.shell {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "nodeagent", &mut text);
        io.out.write_all(&text).context(|| output::STDOUT)?;
    }
    Ok(Exit::Ok)
}

/// Writes a page for the program, each verb and each verb of a verb.
fn man(dir: &Path) -> Result<()> {
    let dir = std::path::absolute(dir).context(|| format!("find {}", dir.display()))?;
    let dir = dir.to_string_lossy();
    let root = Root::open(Path::new("/"))?;
    for (name, page) in pages()? {
        root.write(&format!("{dir}/{name}"), &page, Attr::mine(0o644))?;
    }
    Ok(())
}

/// Every man page by the name of its file.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut tree = Cli::command().disable_help_subcommand(true);
    tree.build();
    let mut todo = vec![("nodeagent".to_owned(), tree)];
    let mut pages = Vec::new();
    while let Some((name, command)) = todo.pop() {
        let verbs = command.get_subcommands();
        todo.extend(verbs.map(|verb| (format!("{name}-{}", verb.get_name()), verb.clone())));
        let file = format!("{name}.1");
        let page = page(name, command).context(|| format!("write the man page {file}"))?;
        pages.push((file, page));
    }
    Ok(pages)
}

/// One page. The examples are columns, which `Man::render` would fill as a paragraph.
fn page(name: String, mut command: clap::Command) -> std::io::Result<Vec<u8>> {
    let after = command.get_after_help().map(ToString::to_string);
    command = command.after_help("");
    let verbs = command.has_subcommands();
    let man = clap_mangen::Man::new(command)
        .title(name)
        .source(concat!("nodeagent ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if verbs {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = after {
        page.extend(examples(&text).into_bytes());
    }
    Ok(page)
}

/// Text that roff(7) prints as it is.
fn examples(text: &str) -> String {
    let plain = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = plain.lines().map(|line| format!("\\&{line}\n"));
    format!(
        ".SH EXAMPLES AND NOTES\n.nf\n{}.fi\n",
        lines.collect::<String>()
    )
}
