//! What a record does to a Table: its key, its tombstone, its Debezium envelope, and why it is rejected.

use millrace_connectors::{RawRecords, decode::Decoder};
use millrace_contract::{
    Source, SqlType,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_dataflow::value::print;

fn source(kind: SourceKind, format: Format, key_format: KeyFormat) -> Source {
    let column = |name: &str, ty| SourceColumn { name: name.into(), ty, origin: Origin::Path(vec![name.into()]) };
    Source {
        name: "users".into(),
        topic: "users".into(),
        kind,
        format,
        key_format,
        key: if kind == SourceKind::Table { vec![0] } else { vec![] },
        delete_when: None,
        columns: vec![column("id", SqlType::BigInt), column("이름", SqlType::Text)],
    }
}

/// Each line: the record's key and value (`-` is none) and what becomes of it: `+ id name`, `- id`, or `! Reason part of
/// the sentence`.
fn check(source: &Source, lines: &[(&str, &str, &str)]) {
    for (key, value, expected) in lines {
        let bytes = |text: &'static str| (text != "-").then_some(text.as_bytes());
        let mut raw = RawRecords::default();
        let (key, value): (&'static str, &'static str) = (leak(key), leak(value));
        raw.push(0, 5, 0, bytes(key), bytes(value));
        let decoded = Decoder::new(source, chrono_tz::UTC).decode(&raw);
        let found = match (decoded.rejected.first(), decoded.records.tombstones.iter().next().flatten()) {
            (Some(rejected), None) => format!("! {} {}", rejected.reason, rejected.detail),
            (None, Some(tombstone)) => {
                let cell = |index: usize| {
                    let column = &source.columns[index];
                    print(decoded.records.columns.column(index).as_ref(), column.ty, 0, chrono_tz::UTC)
                        .unwrap_or_else(|| "null".into())
                };
                if tombstone { format!("- {}", cell(0)) } else { format!("+ {} {}", cell(0), cell(1)) }
            }
            other => panic!("{key} {value}: a record is a row or rejected, found {:?}", other.0),
        };
        match expected.strip_prefix("! ") {
            None => assert_eq!(&found, expected, "key {key}, value {value}"),
            Some(parts) => {
                for part in parts.split(" | ") {
                    assert!(found.starts_with("! ") && found.contains(part), "key {key}, value {value}: {found}");
                }
            }
        }
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

#[test]
fn a_text_key_is_the_keys_bytes_and_must_be_the_values() {
    check(
        &source(SourceKind::Table, Format::Json, KeyFormat::Text),
        &[
            ("7", r#"{"id":7,"이름":"홍길동"}"#, "+ 7 홍길동"),
            ("7", r#"{"id":"7"}"#, "+ 7 null"),
            ("07", r#"{"id":7e0}"#, "+ 7 null"),
            ("7", "-", "- 7"),
            ("8", r#"{"id":7}"#, "! KeyMismatch | column id | \"7\" in the value | \"8\" in the record key"),
            ("x", r#"{"id":7}"#, "! Decode | key column id in the record key | \"x\" | bigint"),
            ("x", "-", "! Decode | column id | \"x\" | bigint"),
            ("-", r#"{"id":7}"#, "! Decode | the record key is null"),
            ("-", "-", "! Decode | the record key is null"),
            ("7", r#"{"이름":"홍길동"}"#, "! Decode | key column id is null"),
            ("7", r#"{"id":null}"#, "! Decode | key column id is null"),
            ("7", r#"{"id":7,"이름":"a\u0000b"}"#, "! Decode | column 이름 | \\u0000"),
            ("7", r#"{"id":7,"other":"a\u0000b"}"#, "+ 7 null"),
            ("7", r#"{"id":7"#, "! Decode | no JSON document"),
            ("7", r#"{"id":99999999999999999999}"#, "! Decode | column id | 99999999999999999999 | bigint"),
        ],
    );
}

#[test]
fn a_json_key_is_an_object_or_a_scalar() {
    check(
        &source(SourceKind::Table, Format::Json, KeyFormat::Json),
        &[
            ("7", r#"{"id":7}"#, "+ 7 null"),
            (r#""7""#, r#"{"id":7}"#, "+ 7 null"),
            (r#"{"id":7}"#, r#"{"id":7}"#, "+ 7 null"),
            (r#"{"id":8,"id":7}"#, "-", "- 7"),
            (r#"{"payload":{"id":7}}"#, "-", "! Decode | no field \"id\""),
            (r#"{"id":null}"#, "-", "! Decode | field \"id\" of the record key is null"),
            ("null", "-", "! Decode | null"),
            ("[7]", "-", "! Decode | [7]"),
            ("{7", "-", "! Decode | {7"),
        ],
    );
}

#[test]
fn without_a_key_format_the_key_is_ignored_and_tombstones_are_rejected() {
    check(
        &source(SourceKind::Table, Format::Json, KeyFormat::None),
        &[
            ("8", r#"{"id":7}"#, "+ 7 null"),
            ("-", r#"{"id":7}"#, "+ 7 null"),
            ("7", "-", "! Tombstone | keyFormat None"),
            ("7", "{}", "! Decode | key column id is null"),
        ],
    );
    check(
        &source(SourceKind::Stream, Format::Json, KeyFormat::None),
        &[("7", "-", "! Tombstone | Stream"), ("7", "{}", "+ null null")],
    );
}

#[test]
fn a_debezium_envelope_says_what_happened() {
    let wrapped = r#"{"schema":{},"payload":{"before":null,"after":{"id":7,"이름":"홍길동"},"op":"c"}}"#;
    check(
        &source(SourceKind::Table, Format::DebeziumJson, KeyFormat::Json),
        &[
            (r#"{"schema":{},"payload":{"id":7}}"#, wrapped, "+ 7 홍길동"),
            (r#"{"id":7}"#, r#"{"before":null,"after":{"id":7},"op":"r"}"#, "+ 7 null"),
            (r#"{"id":7}"#, r#"{"before":{"id":7},"after":null,"op":"d"}"#, "- 7"),
            (r#"{"id":7}"#, "-", "- 7"),
            (r#"{"id":7}"#, r#"{"op":"u","after":null}"#, "! Decode | `after` is null"),
            (r#"{"id":7}"#, r#"{"op":"t"}"#, "! Decode | \"t\""),
            (r#"{"id":7}"#, r#"{"after":{"id":7}}"#, "! Decode | no `op`"),
            (r#"{"id":8}"#, r#"{"op":"u","after":{"id":7}}"#, "! KeyMismatch | \"8\""),
        ],
    );
    check(
        &source(SourceKind::Table, Format::DebeziumJson, KeyFormat::None),
        &[
            ("-", r#"{"before":{"id":7},"after":null,"op":"d"}"#, "- 7"),
            ("-", r#"{"before":null,"op":"d"}"#, "! Decode | `before` is null"),
        ],
    );
    check(
        &source(SourceKind::Stream, Format::DebeziumJson, KeyFormat::None),
        &[("-", r#"{"before":{"id":7},"op":"d"}"#, "! Decode | Stream")],
    );
}

#[test]
fn numbers_that_are_long_without_their_exponent_are_rejected() {
    for (ty, long, short) in [
        (SqlType::Numeric, "1e131071", "1e308"),
        (SqlType::Numeric, "\"1e131071\"", "\"1e-308\""),
        (SqlType::Text, "1e131071", "\"1e131071\""),
        (SqlType::Text, "[1e131071]", "{\"a\":1e30}"),
        (SqlType::Jsonb, "{\"a\":[1e131071]}", "{\"a\":[\"1e131071\",1e-300]}"),
        (SqlType::DoublePrecision, "1e131071", "1e300"),
        (SqlType::BigInt, "1e131071", "1e18"),
    ] {
        let mut source = source(SourceKind::Stream, Format::Json, KeyFormat::None);
        source.columns[1].ty = ty;
        let mut raw = RawRecords::default();
        for number in [long, short] {
            raw.push(0, 5, 0, None, Some(format!(r#"{{"id":7,"이름":{number}}}"#).as_bytes()));
        }
        let decoded = Decoder::new(&source, chrono_tz::UTC).decode(&raw);
        let reasons: Vec<&str> = decoded.rejected.iter().map(|rejected| rejected.reason.name()).collect();
        assert_eq!((reasons, decoded.rows), (vec!["Decode"], vec![1]), "{ty} {long}");
        assert!(decoded.rejected[0].detail.contains("131071 digits longer"), "{}", decoded.rejected[0].detail);
    }
}

#[test]
fn many_short_numbers_do_not_become_a_large_batch() {
    let mut source = source(SourceKind::Stream, Format::Json, KeyFormat::None);
    source.columns[1].ty = SqlType::Jsonb;
    let value = format!(r#"{{"이름":[{}]}}"#, vec!["1e9999"; 5_000].join(","));
    let mut raw = RawRecords::default();
    raw.push(0, 5, 0, None, Some(value.as_bytes()));
    let decoded = Decoder::new(&source, chrono_tz::UTC).decode(&raw);
    assert!(decoded.records.is_empty(), "{} bytes became a row", value.len());
}
