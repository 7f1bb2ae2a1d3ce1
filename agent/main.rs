//! The nodeagent binary.
//! x
fn main() -> std::process::ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some((first, rest)) = args.split_first()
        && first == nodeagent::host::exec::CHILD
    {
        let code = nodeagent::host::exec::child_main(rest);
        return u8::try_from(code).map_or(std::process::ExitCode::FAILURE, Into::into);
    }
    std::process::ExitCode::SUCCESS
}
