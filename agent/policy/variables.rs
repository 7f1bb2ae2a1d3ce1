//! Variables of a policy: their types, their values, and `${name}` in texts.
//! It is separate because fragments, profiles, the command line and template files all meet here.

use std::collections::BTreeMap;

use super::diagnostic::Position;
use crate::resource::schema::Check;

/// The type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarType {
    /// A text.
    String,
    /// true or false.
    Bool,
    /// A whole number.
    Int,
    /// A list of texts.
    List,
    /// The absolute path of a file with a secret; its content is never read here.
    SecretFile,
}

impl VarType {
    /// The words, as written in a fragment.
    pub(crate) const WORDS: &'static [&'static str] =
        &["string", "bool", "int", "list", "secret-file"];

    /// The type that a word names.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "string" => VarType::String,
            "bool" => VarType::Bool,
            "int" => VarType::Int,
            "list" => VarType::List,
            "secret-file" => VarType::SecretFile,
            _ => return None,
        })
    }

    /// The word, as written in a fragment.
    pub(crate) fn word(self) -> &'static str {
        match self {
            VarType::String => "string",
            VarType::Bool => "bool",
            VarType::Int => "int",
            VarType::List => "list",
            VarType::SecretFile => "secret-file",
        }
    }

    /// What a value must look like on the command line.
    pub(crate) fn wants(self) -> &'static str {
        match self {
            VarType::String => "a text",
            VarType::Bool => "true or false",
            VarType::Int => "a whole number",
            VarType::List => "texts with commas: a,b,c",
            VarType::SecretFile => "the absolute path of a file that holds the secret",
        }
    }

    /// Reads a value from the command line.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            VarType::String => Some(Value::Text(text.to_owned())),
            VarType::Bool => text.parse().ok().map(Value::Bool),
            VarType::Int => text.parse().ok().map(Value::Int),
            VarType::List => Some(Value::List(
                text.split(',')
                    .filter(|p| !p.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )),
            VarType::SecretFile => Check::AbsPath
                .test(text)
                .is_ok()
                .then(|| Value::Text(text.to_owned())),
        }
    }
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of a string or secret-file.
    Text(String),
    /// Of a bool.
    Bool(bool),
    /// Of an int.
    Int(i64),
    /// Of a list.
    List(Vec<String>),
}

impl Value {
    /// As text, as it stands in a string and in the merged policy.
    pub(crate) fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::List(list) => list.join(","),
        }
    }
}

/// A declared variable and, where there is one, its value.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Its type.
    pub(crate) kind: VarType,
    /// Its value; none where neither default, profile nor command line give one.
    pub(crate) value: Option<Value>,
    /// `default`, `profile NAME` or `--set`.
    pub(crate) from: String,
    /// Where it is declared.
    pub(crate) declared: Position,
    /// Where the value is written.
    pub(crate) set: Option<Position>,
    /// What it is for.
    pub(crate) description: String,
}

/// The variables that a fragment may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env {
    /// By name.
    pub(crate) known: BTreeMap<String, Known>,
    /// Variables of fragments outside the profile: name and fragment.
    pub(crate) elsewhere: BTreeMap<String, String>,
}

/// A stretch of a text with variables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Plain text.
    Text(&'a str),
    /// `${name}`, with the offset of the dollar sign.
    Variable(&'a str, usize),
    /// `${` without a name and `}`, and what follows of it.
    Bad(&'a str, usize),
}

/// Splits a text at its `${name}`; `$${` stands for `${`, every other dollar sign for itself.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let mut list = Vec::new();
    let mut from = 0;
    while let Some(found) = slice(from, text.len()).find("${") {
        let dollar = from + found;
        let head = slice(from, dollar);
        if head.ends_with('$') {
            list.push(Piece::Text(head));
            list.push(Piece::Text("{"));
            from = dollar + 2;
            continue;
        }
        if !head.is_empty() {
            list.push(Piece::Text(head));
        }
        let rest = slice(dollar + 2, text.len());
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
        let end = dollar + 2 + end.unwrap_or(rest.len());
        let name = slice(dollar + 2, end);
        from = if is_name(name) && slice(end, text.len()).starts_with('}') {
            list.push(Piece::Variable(name, dollar));
            end + 1
        } else {
            list.push(Piece::Bad(slice(dollar, end), dollar));
            end
        };
    }
    let tail = slice(from, text.len());
    if !tail.is_empty() {
        list.push(Piece::Text(tail));
    }
    list
}

/// Whether a word may name a variable: a lower-case letter, then letters, digits and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let list = pieces(text);
        let parts = list.iter().map(|p| match p {
            Piece::Text(t) => (*t).to_owned(),
            Piece::Variable(name, at) => format!("<{name}@{at}>"),
            Piece::Bad(part, at) => format!("<!{part}@{at}>"),
        });
        parts.collect()
    }

    #[test]
    fn names_are_found_and_escapes_kept() {
        let table = [
            ("plain $HOME 5$", "plain $HOME 5$"),
            ("${a}", "<a@0>"),
            ("x${a_1}y${b}", "x<a_1@1>y<b@8>"),
            ("$${a} ${b}", "${a} <b@6>"),
            ("$$${a}", "$${a}"),
            ("$a${b}", "$a<b@2>"),
            ("", ""),
            ("${", "<!${@0>"),
            ("é${Abc}", "é<!${Abc@2>}"),
            ("${a b}", "<!${a@0> b}"),
            ("${a", "<!${a@0>"),
            ("${}", "<!${@0>}"),
            ("${a-b} ${c}", "<!${a-b@0>} <c@7>"),
        ];
        for (text, want) in table {
            assert_eq!(shown(text), want, "{text:?}");
        }
    }

    #[test]
    fn command_line_values_follow_their_type() {
        let list = |l: &[&str]| Value::List(l.iter().map(|s| (*s).to_owned()).collect());
        let table = [
            (VarType::Bool, "true", Some(Value::Bool(true))),
            (VarType::Bool, "yes", None),
            (VarType::Int, "-3", Some(Value::Int(-3))),
            (VarType::Int, "3.5", None),
            (VarType::List, "a,b", Some(list(&["a", "b"]))),
            (VarType::List, "", Some(list(&[]))),
            (VarType::SecretFile, "token", None),
            (
                VarType::SecretFile,
                "/run/token",
                Some(Value::Text("/run/token".into())),
            ),
        ];
        for (kind, text, want) in table {
            assert_eq!(kind.parse(text), want, "{kind:?} {text:?}");
        }
    }
}
