//! Every function of the table gives what a real Postgres gives: the same value, null, or error with the same SQLSTATE.

mod edges;

use arrow_array::{ArrayRef, StringArray, cast::AsArray};
use chrono_tz::Tz;
use millrace_contract::{SqlType, ident::literal};
use millrace_dataflow::{ColumnBuilder, Context, Function, Sql, functions, print};
use millrace_test_support::TemporaryPostgres;
use sqlx::{Connection, PgConnection, Row};

const ZONE: Tz = Tz::America__New_York;
/// Arguments of one function, at most; of more a part, evenly spread, is tried.
const MOST_ROWS: usize = 700;

/// What became of one call.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Value(String),
    Null,
    Error(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_agrees_with_postgres() {
    let mut connection = PgConnection::connect(&TemporaryPostgres::database().await).await.expect("connected");
    for statement in [PROBE, "SET timezone = 'America/New_York'"] {
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("prepared");
    }
    let mut differences = Vec::new();
    let mut calls = 0;
    for function in functions() {
        let rows = argument_rows(function);
        let expressions: Vec<String> = rows.iter().map(|row| expression(function, row)).collect();
        let expected = ask_postgres(&mut connection, &expressions).await;
        calls += rows.len();
        for ((row, expression), expected) in rows.iter().zip(&expressions).zip(expected) {
            let found = evaluate(function, row);
            if found != expected && !is_known(function, &found, &expected) {
                differences
                    .push(format!("{}: {expression}\n    here {found:?}\n    there {expected:?}", function.name));
            }
        }
    }
    assert!(calls > 20_000, "only {calls} calls were compared");
    assert!(
        differences.is_empty(),
        "{} of {calls} calls differ:\n{}",
        differences.len(),
        differences.iter().take(100).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upper_and_lower_case_agree_with_postgres_for_every_character() {
    let mut connection = PgConnection::connect(&TemporaryPostgres::database().await).await.expect("connected");
    let rows = sqlx::query(
        "SELECT i, lower(chr(i)), upper(chr(i)) FROM generate_series(1, 1114111) AS i
         WHERE i NOT BETWEEN 55296 AND 57343 AND (lower(chr(i)) <> chr(i) OR upper(chr(i)) <> chr(i))",
    )
    .fetch_all(&mut connection)
    .await
    .expect("answers");
    assert!(rows.len() > 2_000, "only {} characters have a case", rows.len());
    let changed: std::collections::HashMap<i32, (String, String)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let characters: Vec<String> = (1..=0x10ffff).filter_map(char::from_u32).map(String::from).collect();
    let column: ArrayRef = std::sync::Arc::new(StringArray::from_iter_values(&characters));
    let call = |name| {
        let function = millrace_dataflow::function(name).expect("a function of the table");
        (function.evaluate)(&Context { zone: ZONE }, std::slice::from_ref(&column), characters.len()).expect("text")
    };
    let (lower, upper) = (call("lower"), call("upper"));
    for (index, character) in characters.iter().enumerate() {
        let code = character.chars().next().expect("one character") as i32;
        let (lower_there, upper_there) =
            changed.get(&code).map_or((character, character), |(lower, upper)| (lower, upper));
        assert_eq!(lower.as_string::<i32>().value(index), lower_there, "lower case of {code:x}");
        assert_eq!(upper.as_string::<i32>().value(index), upper_there, "upper case of {code:x}");
    }
}

/// Evaluates one expression and says what became of it.
const PROBE: &str = "
    CREATE FUNCTION probe(expression text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
        EXECUTE 'SELECT (' || expression || ')::text' INTO result;
        RETURN coalesce('=' || result, 'null');
    EXCEPTION WHEN OTHERS THEN
        RETURN '!' || SQLSTATE;
    END $$";

async fn ask_postgres(connection: &mut PgConnection, expressions: &[String]) -> Vec<Outcome> {
    let rows = sqlx::query("SELECT probe(e) FROM unnest($1::text[]) WITH ORDINALITY AS t(e, n) ORDER BY n")
        .bind(expressions)
        .fetch_all(connection)
        .await
        .expect("answers");
    rows.iter()
        .map(|row| {
            let answer: String = row.get(0);
            match answer.split_at(1) {
                ("=", value) => Outcome::Value(value.to_owned()),
                ("!", sqlstate) => Outcome::Error(sqlstate.to_owned()),
                _ => Outcome::Null,
            }
        })
        .collect()
}

type TextRow = Vec<(SqlType, Option<String>)>;

/// The cross product of the arguments' edge values, or an even part of it.
fn argument_rows(function: &Function) -> Vec<TextRow> {
    let mut types = function.arguments.to_vec();
    if let Some(variadic) = function.variadic {
        types.resize(3, variadic);
    }
    let choices: Vec<Vec<Option<String>>> = types
        .iter()
        .enumerate()
        .map(|(position, ty)| edges::values(function, position, *ty).into_iter().map(Some).chain([None]).collect())
        .collect();
    let total: usize = choices.iter().map(Vec::len).product();
    // A step that shares no factor with the numbers of choices meets every value of every argument.
    let mut step = total.div_ceil(MOST_ROWS);
    while step > 1
        && choices
            .iter()
            .any(|values| values.len().is_multiple_of(smallest_factor(step)) || values.len().is_multiple_of(step))
    {
        step += 1;
    }
    let row = |mut index: usize| {
        let pick = |(values, ty): (&Vec<Option<String>>, &SqlType)| {
            let value = values[index % values.len()].clone();
            index /= values.len();
            (*ty, value)
        };
        choices.iter().zip(&types).map(pick).collect()
    };
    (0..total).step_by(step.max(1)).map(row).collect()
}

fn smallest_factor(number: usize) -> usize {
    (2..=number).find(|factor| number.is_multiple_of(*factor)).unwrap_or(number)
}

fn expression(function: &Function, row: &TextRow) -> String {
    let arguments: Vec<String> = row
        .iter()
        .map(|(ty, text)| match text {
            None => format!("NULL::{ty}"),
            Some(text) => format!("{}::{ty}", literal(text)),
        })
        .collect();
    match function.sql {
        // There the path is an array; a query's literal becomes one.
        Sql::Operator(operator @ ("#>" | "#>>")) => {
            format!("({}) {operator} ({}::text[])", arguments[0], arguments[1])
        }
        Sql::Operator(operator) => format!("({}) {operator} ({})", arguments[0], arguments[1]),
        Sql::Prefix(operator) => format!("{operator} ({})", arguments[0]),
        Sql::Function("boolout") => format!("textin(boolout({}))", arguments[0]),
        Sql::Function(name @ ("greatest" | "least" | "nullif")) => format!("{name}({})", arguments.join(", ")),
        Sql::Function(name) => format!("pg_catalog.\"{name}\"({})", arguments.join(", ")),
        Sql::Cast(_) => format!("CAST({} AS {})", arguments[0], function.returns),
    }
}

fn evaluate(function: &Function, row: &TextRow) -> Outcome {
    let column = |(ty, text): &(SqlType, Option<String>)| -> Result<ArrayRef, millrace_dataflow::EvalError> {
        let mut builder = ColumnBuilder::new(*ty, 1).in_zone(ZONE);
        match text {
            None => builder.append_null(),
            Some(text) => builder.append_text(text)?,
        }
        Ok(builder.finish())
    };
    let result = row
        .iter()
        .map(column)
        .collect::<Result<Vec<ArrayRef>, _>>()
        .and_then(|arguments| (function.evaluate)(&Context { zone: ZONE }, &arguments, 1));
    match result {
        Err(error) => Outcome::Error(error.sqlstate.to_owned()),
        Ok(array) => match print(&array, function.returns, 0, ZONE) {
            None => Outcome::Null,
            // The cast to text, which the probe ends with, writes a boolean in full.
            Some(text) if function.returns == SqlType::Boolean => {
                Outcome::Value(if text == "t" { "true" } else { "false" }.to_owned())
            }
            Some(text) => Outcome::Value(text),
        },
    }
}

/// Where we refuse what Postgres accepts, on purpose and with a class of its own.
fn is_known(function: &Function, found: &Outcome, expected: &Outcome) -> bool {
    // There a path is read before the function is called, here by the function, which a null document ends first.
    let is_path = matches!(function.sql, Sql::Operator("#>" | "#>>"));
    if is_path && *found == Outcome::Null {
        return *expected == Outcome::Error("22P02".to_owned());
    }
    let Outcome::Error(sqlstate) = found else { return false };
    let special = |text: &str| matches!(text, "NaN" | "Infinity" | "-Infinity");
    match (expected, sqlstate.as_str()) {
        // Timestamps end thirty years before Postgres's, with the 64 bits that start in 1970.
        (Outcome::Value(text), "22008") => text.starts_with("2942"),
        // numeric has finite values only.
        (Outcome::Value(text), "0A000") if function.returns == SqlType::Numeric => special(text),
        // Back-references and look-around.
        (_, "0A000") => matches!(function.sql, Sql::Operator("~" | "!~" | "~*" | "!~*")),
        _ => false,
    }
}
