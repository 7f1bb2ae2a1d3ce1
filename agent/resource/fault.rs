//! What is wrong with an entry although each of its fields is right by itself.
//! It is separate because kinds state it and policy loading reports it, at the field's place.

/// Something wrong with an entry as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field to point at; one that is not there stands for the entry.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl Fault {
    /// A fault.
    pub fn new(field: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
            help: help.into(),
        }
    }
}

/// The fault of a `path` that is no .conf file right below a folder that a loader reads.
pub(crate) fn drop_in(path: &str, folder: &str) -> Option<Fault> {
    let name = path.strip_prefix(folder).and_then(|n| n.strip_prefix('/'));
    let name = name.and_then(|n| n.strip_suffix(".conf"));
    if name.is_some_and(|n| !n.is_empty() && !n.contains('/')) {
        return None;
    }
    let message = format!("`path` must be a .conf file in {folder}");
    let help = format!("right is a file such as \"{folder}/90-rke2.conf\"");
    Some(Fault::new("path", message, help))
}

/// The fault of a field that holds nothing.
pub(crate) fn empty(field: &'static str) -> Fault {
    let help = "add at least one, or remove the entry";
    Fault::new(field, format!("`{field}` is empty"), help)
}
