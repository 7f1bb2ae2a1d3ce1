//! `completions`: shell completions, generated from the clap tree.
//! It is separate because packaging calls it at build time.

use clap::{Args, CommandFactory as _};

use super::{Cli, Io};
use crate::error::{Context as _, Exit, Result};

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  nodeagent completions bash > /etc/bash_completion.d/nodeagent")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Prints them.
pub fn run(args: &CompletionsArgs, io: &mut Io<'_>) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nodeagent", &mut text);
    io.out
        .write_all(&text)
        .context(|| "write the completions to stdout")?;
    Ok(Exit::Ok)
}
