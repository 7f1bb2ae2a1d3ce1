//! The little of YAML that configuration files use: maps, lists and words, as JSON values.
//! It is separate because the parser gives events, and what they may build is bounded here.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Deepest nesting; no real file comes near.
const DEEPEST: usize = 16;

/// Most values; with the size of the file it bounds what is built.
const MOST: usize = 100_000;

/// Reads the first document. Every scalar is a string, or null where nothing is written: what it means is the
/// reader's to say. Anchors and aliases are refused, because a few lines of them can stand for gigabytes.
pub(super) fn parse(text: &str) -> Result<Value> {
    let mut open: Vec<Frame> = Vec::new();
    let mut count = 0usize;
    for event in Parser::new_from_str(text) {
        // The parser's own message can quote the file, which may hold secrets.
        let (event, span) = event.map_err(|error| wrong(error.marker().line(), "no valid YAML"))?;
        let line = span.start.line();
        count += 1;
        if count > MOST || open.len() > DEEPEST {
            return Err(wrong(line, "larger or deeper than any real file"));
        }
        let done = match event {
            Event::Scalar(word, style, 0, _) => Some(scalar(&word, style)),
            Event::SequenceStart(0, _) => {
                open.push(Frame::List(Vec::new()));
                None
            }
            Event::MappingStart(0, _) => {
                open.push(Frame::Map(Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(Frame::value),
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::MappingStart(..) => {
                return Err(wrong(line, "an anchor or alias, which is not read here"));
            }
            Event::DocumentEnd | Event::StreamEnd => return Ok(Value::Null),
            _ => None,
        };
        let Some(value) = done else { continue };
        match open.last_mut() {
            None => return Ok(value),
            Some(frame) => frame.add(value).map_err(|what| wrong(line, what))?,
        }
    }
    Ok(Value::Null)
}

fn wrong(line: usize, what: &str) -> Error {
    Error::usage(format!("line {line}: {what}"))
}

/// A list or map that is being read.
enum Frame {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

impl Frame {
    fn add(&mut self, value: Value) -> Result<(), &'static str> {
        match self {
            Frame::List(list) => list.push(value),
            Frame::Map(map, key) => match (key.take(), value) {
                (Some(key), value) => {
                    if map.insert(key, value).is_some() {
                        return Err("a key that was there before");
                    }
                }
                (None, Value::String(word)) => *key = Some(word),
                (None, _) => return Err("a key that is no word"),
            },
        }
        Ok(())
    }

    fn value(self) -> Value {
        match self {
            Frame::List(list) => Value::Array(list),
            Frame::Map(map, _) => Value::Object(map),
        }
    }
}

fn scalar(word: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match word {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        _ => Value::String(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::json;

    #[test]
    fn files_become_values() {
        let table = [
            ("", json!(null)),
            ("# nothing\n", json!(null)),
            (
                "a: 1\nb: [x, 'y z', \"\\u0041\"]\nc:\n",
                json!({"a": "1", "b": ["x", "y z", "A"], "c": null}),
            ),
            (
                "\"*\":\n  - https://a/v2 # why\n  - null\n",
                json!({"*": ["https://a/v2", null]}),
            ),
            ("---\na: yes\n---\nb: 2\n", json!({"a": "yes"})),
            (
                "{\"a\": {\"b\": \"robot$c\"}}",
                json!({"a": {"b": "robot$c"}}),
            ),
            (
                "a: |\n  line\n  more\nb: ''\n",
                json!({"a": "line\nmore\n", "b": ""}),
            ),
        ];
        for (text, want) in table {
            assert_eq!(parse(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_is_broken_or_hostile_is_refused_without_its_words() {
        let deep = "[".repeat(100_000);
        let bomb = "a: &a [x]\nb: [*a, *a]\n";
        let many = "- x\n".repeat(super::MOST + 1);
        let table = [
            "a: [secret",
            "a: b: secret",
            "a: 1\na: secret",
            "? [secret]\n: 1",
            "a: \"secret",
            bomb,
            "a: *secret",
            &deep,
            &many,
        ];
        for text in table {
            let error = parse(text).unwrap_err().one_line();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("line "), "{error}");
        }
    }
}
