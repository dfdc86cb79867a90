//! A Debezium envelope: `op`, `before` and `after`, bare or below `payload`.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What an envelope says happened to a row.
pub enum Envelope<'a> {
    Row(&'a str),
    Delete { before: Option<&'a str> },
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    op: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope, or says what is wrong with it.
    pub fn read(document: &'a str) -> Result<Envelope<'a>, String> {
        let parse = |text: &'a str| {
            serde_json::from_str::<Fields<'a>>(text)
                .map_err(|error| format!("the value is no Debezium envelope: {error}"))
        };
        let mut fields = parse(document)?;
        if let (None, Some(payload)) = (&fields.op, fields.payload) {
            fields = parse(payload.get())?;
        }
        let row = |part: Option<&'a RawValue>| part.map(RawValue::get).filter(|json| *json != "null");
        match fields.op.as_deref() {
            Some("c" | "r" | "u") => row(fields.after).map(Envelope::Row).ok_or_else(|| {
                format!(
                    "the envelope's op is {:?} but `after` is null; expected the row",
                    fields.op.as_deref().unwrap_or_default()
                )
            }),
            Some("d") => Ok(Envelope::Delete { before: row(fields.before) }),
            Some(other) => Err(format!("the envelope's op is {other:?}; expected \"c\", \"r\", \"u\" or \"d\"")),
            None => Err("the envelope has no `op`, neither at its top nor below `payload`; expected \"c\", \"r\", \"u\" or \"d\"".into()),
        }
    }
}
