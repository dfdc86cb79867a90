//! The key columns of a Table, read from the record key.

use super::scalar::Scalar;
use millrace_contract::{
    Source,
    source::{Format, KeyFormat, SourceKind},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// Reads record keys by the source's `keyFormat`.
pub struct KeyReader {
    format: KeyFormat,
    /// A Debezium key may lie below `payload`.
    wrapped: bool,
    names: Vec<String>,
}

type Fields<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

impl KeyReader {
    pub fn new(source: &Source) -> KeyReader {
        KeyReader {
            format: if source.kind == SourceKind::Table { source.key_format } else { KeyFormat::None },
            wrapped: source.format == Format::DebeziumJson,
            names: source.key.iter().map(|&index| source.columns[index].name.clone()).collect(),
        }
    }

    /// The texts of the key columns in their order; `None` where the record key is not read.
    pub fn read<'a>(&self, key: Option<&'a [u8]>) -> Result<Option<Vec<Cow<'a, str>>>, String> {
        if self.format == KeyFormat::None {
            return Ok(None);
        }
        let Some(key) = key else {
            return Err(format!("the record key is null; expected {}", self.expected()));
        };
        let text = std::str::from_utf8(key).map_err(|error| format!("the record key is not UTF-8: {error}"))?;
        match self.format {
            KeyFormat::None => Ok(None),
            KeyFormat::Text => Ok(Some(vec![Cow::Borrowed(text)])),
            KeyFormat::Json => self.json(text.trim()).map(Some),
        }
    }

    fn json<'a>(&self, text: &'a str) -> Result<Vec<Cow<'a, str>>, String> {
        if !text.starts_with('{') {
            let raw: &RawValue = serde_json::from_str(text).map_err(|error| self.unreadable(text, &error))?;
            if self.names.len() != 1 || raw.get().starts_with('[') {
                return Err(format!(
                    "the record key is {}; expected {}",
                    super::rejected::shorten(text),
                    self.expected()
                ));
            }
            return Ok(vec![self.part(&self.names[0], Some(raw))?]);
        }
        let mut fields = self.fields(text)?;
        if self.wrapped
            && !self.names.iter().all(|name| fields.contains_key(name.as_str()))
            && let Some(payload) = fields.get("payload").map(|raw| raw.get())
        {
            if !payload.starts_with('{') {
                return self.json(payload);
            }
            fields = self.fields(payload)?;
        }
        self.names.iter().map(|name| self.part(name, fields.get(name.as_str()).copied())).collect()
    }

    fn fields<'a>(&self, text: &'a str) -> Result<Fields<'a>, String> {
        let fields: HashMap<KeyName<'a>, &'a RawValue> =
            serde_json::from_str(text).map_err(|error| self.unreadable(text, &error))?;
        Ok(fields.into_iter().map(|(name, raw)| (name.0, raw)).collect())
    }

    fn part<'a>(&self, name: &str, raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, String> {
        let raw = raw.ok_or_else(|| format!("the record key has no field {name:?}; expected {}", self.expected()))?;
        Scalar::text(raw.get())
            .map_err(|problem| format!("field {name:?} of the record key: {problem}"))?
            .ok_or_else(|| format!("field {name:?} of the record key is null; expected a value"))
    }

    fn unreadable(&self, text: &str, error: &serde_json::Error) -> String {
        format!("the record key is {}; expected {}: {error}", super::rejected::shorten(text), self.expected())
    }

    fn expected(&self) -> String {
        match (self.format, self.names.as_slice()) {
            (KeyFormat::Json, [one]) => format!("a JSON scalar or an object with the field {one:?}"),
            (KeyFormat::Json, names) => format!("a JSON object with the fields {names:?}"),
            (KeyFormat::Text | KeyFormat::None, names) => format!("the text of {}", names.join(", ")),
        }
    }
}

/// A field name that borrows where it can.
#[derive(serde::Deserialize, PartialEq, Eq, Hash)]
struct KeyName<'a>(#[serde(borrow)] Cow<'a, str>);
