//! What the decoder reads from JSON is what Postgres reads from the same text: `(value #>> path)::type`.

use millrace_connectors::{RawRecords, decode::Decoder};
use millrace_contract::{
    Source, SqlType,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_dataflow::value::print;
use millrace_test_support::TemporaryPostgres;
use rand::{Rng, RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use sqlx::{Connection, PgConnection};

const ERROR: &str = "!error";

/// Values that stand in documents as they are, well-formed or not.
const NASTY: &[&str] = &[
    "null",
    "true",
    "false",
    "\"\"",
    "\" \"",
    "\"null\"",
    "0",
    "-0",
    "-0.0",
    "1e2",
    "1E-2",
    "-1.50",
    "1.50",
    "12345678901234567890",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "32768",
    "1e400",
    "123456789012345678901234567890.123456789",
    "\" 42 \"",
    "\"t\"",
    "\"yes\"",
    "\"off\"",
    "\"1\"",
    "1",
    "\"NaN\"",
    "\"Infinity\"",
    "\"-inf\"",
    "\"1e10\"",
    "\"0x1F\"",
    "\"2026-01-01\"",
    "\"2026-02-30\"",
    "\"infinity\"",
    "\"-infinity\"",
    "\"2026-01-01T09:00:00Z\"",
    "\"2026-01-01 09:00:00+09\"",
    "\"2026-01-01T00:00:00.123456789+09:00\"",
    "\"0001-01-01 BC\"",
    "\"epoch\"",
    "\"24:00:00\"",
    "\"12:34:56.789\"",
    "\"25:00\"",
    "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
    "\"{A0EEBC999C0B4EF8BB6D6BB9BD380A11}\"",
    "\"\\ud55c\\uad6d\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"줄\\n바꿈\\t\\\"따옴표\\\"\"",
    "{}",
    "[]",
    "{\"b\":1,\"a\":[1.0,{\"x\":null}],\"b\":2}",
    "[1, 2 ,[3]]",
    "{\"a\\u0062\":\"\\u00e9\"}",
    "\"{\\\"a\\\":1}\"",
    "\"[1,2\"",
    "1.0e-3",
    "1e-20",
    "100000000000000000000.0",
    "01",
    "nul",
    "'x'",
    "\"a",
    "tru",
    "+1",
    ".5",
    "5.",
    "\"\\x\"",
    "[1,]",
    "{\"a\"}",
    "\"\u{1}\"",
];

fn any<'a>(random: &mut ChaCha8Rng, of: &[&'a str]) -> &'a str {
    of.choose(random).expect("the list is not empty")
}

fn value(random: &mut ChaCha8Rng, depth: u32) -> String {
    match random.random_range(0..if depth > 2 { 6 } else { 9 }) {
        0..4 => any(random, NASTY).to_owned(),
        4 => random.random_range(-100_000_i64..100_000).to_string(),
        5 => format!("\"{}\"", any(random, &["홍길동", "개발팀", "a", "hong@example.com", "", "7", "2026-11-21"])),
        6 | 7 => object(random, depth + 1),
        _ => {
            let elements: Vec<String> = (0..random.random_range(0..4)).map(|_| value(random, depth + 1)).collect();
            format!("[{}]", elements.join(any(random, &[",", ", ", " ,\n"])))
        }
    }
}

fn object(random: &mut ChaCha8Rng, depth: u32) -> String {
    let names = ["a", "b", "이름", "0", "-1", "a", "\\u0061", "c\\\"d", ""];
    let fields: Vec<String> = (0..random.random_range(0..5))
        .map(|_| format!("\"{}\"{}{}", any(random, &names), any(random, &[":", " : "]), value(random, depth + 1)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn source(path: &[&str], ty: SqlType) -> Source {
    let path = path.iter().map(|name| (*name).to_owned()).collect();
    Source {
        name: "t".into(),
        topic: "t".into(),
        kind: SourceKind::Stream,
        format: Format::Json,
        key_format: KeyFormat::None,
        key: vec![],
        delete_when: None,
        columns: vec![SourceColumn { name: "값".into(), ty, origin: Origin::Path(path) }],
    }
}

/// What the decoder makes of every document: text, null, or an error.
fn decoded(documents: &[String], path: &[&str], ty: SqlType) -> Vec<Option<String>> {
    let mut raw = RawRecords::default();
    for (offset, document) in documents.iter().enumerate() {
        raw.push(0, offset as i64, 0, None, Some(document.as_bytes()));
    }
    let decoded = Decoder::new(&source(path, ty), chrono_tz::Asia::Seoul).decode(&raw);
    let mut found = vec![Some(ERROR.to_owned()); documents.len()];
    for (row, &record) in decoded.rows.iter().enumerate() {
        found[record as usize] = print(decoded.records.columns.column(0).as_ref(), ty, row, chrono_tz::Asia::Seoul);
    }
    assert_eq!(decoded.rows.len() + decoded.rejected.len(), documents.len(), "every record is a row or rejected");
    found
}

async fn oracle(postgres: &mut PgConnection, documents: &[String], path: &[&str], ty: SqlType) -> Vec<Option<String>> {
    let expression = if ty == SqlType::Jsonb {
        "nullif(document::jsonb #> path, 'null'::jsonb)::text".to_owned()
    } else {
        // As its output function has it: `boolean::text` writes the word out.
        format!("format('%s', (document::jsonb #>> path)::{ty})")
    };
    let function = format!(
        "CREATE OR REPLACE FUNCTION pg_temp.read(document text, path text[]) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN RETURN CASE WHEN document::jsonb #>> path IS NULL THEN NULL ELSE {expression} END;
         EXCEPTION WHEN data_exception OR program_limit_exceeded OR feature_not_supported THEN RETURN '{ERROR}'; END $$"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(function)).execute(&mut *postgres).await.expect("the function is made");
    sqlx::query_scalar(
        "SELECT pg_temp.read(d.document, $2) FROM unnest($1::text[]) WITH ORDINALITY AS d(document, n) ORDER BY d.n",
    )
    .bind(documents)
    .bind(path)
    .fetch_all(postgres)
    .await
    .expect("the documents are read")
}

/// Postgres refuses a document with \u0000 anywhere; the decoder only where it is used. numeric NaN and infinities
/// are refused on purpose. Postgres finds a date in the text of an array (`[1, 2, [3]]`); the decoder does not.
fn differs_on_purpose(
    document: &str,
    text: &Option<String>,
    ty: SqlType,
    found: &Option<String>,
    expected: &Option<String>,
) -> bool {
    let refused = found.as_deref() == Some(ERROR);
    let calendar = matches!(ty, SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz);
    let nested = text.as_ref().is_some_and(|text| text.starts_with(['[', '{']));
    (refused && calendar && nested)
        || (document.contains("\\u0000") && expected.as_deref() == Some(ERROR))
        || (document.contains("\\ud800") && expected.as_deref() == Some(ERROR))
        || (ty == SqlType::Numeric && refused && matches!(expected.as_deref(), Some("NaN" | "Infinity" | "-Infinity")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_what_postgres_reads_at_its_path() {
    let mut postgres = PgConnection::connect(&TemporaryPostgres::database().await).await.expect("postgres connects");
    sqlx::raw_sql("SET timezone = 'Asia/Seoul'").execute(&mut postgres).await.expect("the zone is known");
    let seed = rand::rng().next_u64();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut documents: Vec<String> = NASTY.iter().map(|value| format!("{{\"a\": {value}}}")).collect();
    documents.extend(NASTY.iter().map(|value| format!("{{\"a\":{{\"b\":{value}}},\"x\":[{value}]}}")));
    documents.extend(NASTY.iter().map(|value| (*value).to_owned()));
    documents.extend(["", " ", "{", "{\"a\":1}x", "{\"a\":1,}", "\u{feff}{}"].map(str::to_owned));
    documents.extend((0..400).map(|_| object(&mut random, 0)));
    let paths: &[&[&str]] = &[&["a"], &["a", "b"], &["이름"], &["a", "0"], &["a", "-1"], &["b", "a", "이름"], &[]];
    let mut wrong = Vec::new();
    let mut compared = 0;
    for ty in SqlType::ALL {
        for path in paths {
            let texts = oracle(&mut postgres, &documents, path, SqlType::Text).await;
            let expected = oracle(&mut postgres, &documents, path, ty).await;
            let found = decoded(&documents, path, ty);
            for (((document, text), found), expected) in documents.iter().zip(&texts).zip(found).zip(expected) {
                compared += 1;
                if found != expected && !differs_on_purpose(document, text, ty, &found, &expected) {
                    wrong.push(format!("{ty} at {path:?} of {document}: {found:?}, Postgres has {expected:?}"));
                }
            }
        }
    }
    wrong.dedup();
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "seed {seed}: {} of {compared} differ:\n{shown:#?}", wrong.len());
}
