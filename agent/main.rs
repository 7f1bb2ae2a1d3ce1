//! The program: parse, log, run one verb, print an error chain, exit.
//! It is separate from the library so that tests run the same verbs without a process.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use nodeagent::cli::{Cli, Io, output};
use nodeagent::error::{Error, Exit};
use nodeagent::host::{environment, exec, signals};
use nodeagent::policy::Mistakes;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == "__child") {
        let code = exec::child_main(args.get(2..).unwrap_or_default());
        return ExitCode::from(u8::try_from(code).unwrap_or(255));
    }
    let cli = Cli::parse();
    let terminal = std::io::stderr().is_terminal();
    log(cli.verbose, terminal);
    // A verb without steps has no place to stop at: a signal ends it as it ends any program.
    let stop = match cli.verb.has_steps().then(signals::watch).transpose() {
        Ok(stop) => stop,
        Err(error) => return end(&error),
    };
    let mut out = std::io::stdout().lock();
    let mut io = Io {
        out: &mut out,
        terminal,
        stop: &move || stop.as_ref().and_then(signals::Stop::asked),
    };
    let result = cli.run(&mut io).and_then(|exit| {
        out.flush()
            .map_err(|e| Error::host(output::STDOUT).because(e))?;
        Ok(exit)
    });
    match result {
        Ok(exit) => ExitCode::from(exit.code()),
        // `nodeagent plan | head`: whoever reads has seen enough; as if SIGPIPE had ended this process.
        Err(error) if output::reader_left(&error) => ExitCode::from(Exit::Signal(13).code()),
        Err(error) => end(&error),
    }
}

/// stderr that nobody reads is no reason to stop in the middle of a bake.
#[derive(Debug)]
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The logger would tell the failure to the same stderr and panic.
        Ok(std::io::stderr().write(bytes).unwrap_or(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log(verbose: u8, terminal: bool) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_writer(|| Log)
        .with_max_level(level)
        .with_target(false)
        .with_ansi(terminal && !environment::no_color());
    if terminal {
        log.without_time().init();
    } else {
        log.init();
    }
}

/// The one place where an error becomes text for a person.
fn end(error: &Error) -> ExitCode {
    // Mistakes in a policy are a page of their own; the sum comes after them, where the eye ends.
    let mistakes = Mistakes::of(error).map_or_else(String::new, |list| format!("{list}\n"));
    let mut lines = vec![format!("{mistakes}error: {error}")];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause.filter(|_| mistakes.is_empty()) {
        lines.push(format!("  caused by: {inner}"));
        cause = inner.source();
    }
    lines.extend(error.next_step().map(|hint| format!("  next: {hint}")));
    lines.push(String::new());
    // There is nobody left to tell if this fails; the exit code still says it.
    Log.write_all(output::clean(&lines.join("\n")).as_bytes())
        .ok();
    let exit: Exit = error.exit();
    ExitCode::from(exit.code())
}
