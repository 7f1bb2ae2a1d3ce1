//! Tells cargo that the folders below are part of the program.
//! It is separate because `include_dir!` sees a changed file but not a new one: the binary would keep the old policy.

fn main() {
    for folder in ["policy", "units"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
