//! What a plan's result must be after some records, by a reading of JSON and a fold that share nothing with the product.

use millrace_contract::{Plan, plan::Output};
use millrace_test_support::plans::GONE;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: String,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct User {
    department: Option<String>,
    cells: Vec<Option<String>>,
    age: Option<i64>,
}

/// The rows of the result, sorted. For a Table the last of the records with one key counts.
pub fn recomputed(plan: &Plan, records: &[Record]) -> Vec<Vec<Option<String>>> {
    let read = |record: &Record| -> Option<User> {
        let document: serde_json::Value = serde_json::from_str(record.value.as_deref()?).expect("JSON");
        let user = &document["user"];
        let text = |name: &str| match &user[name] {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Some(User {
            department: text("department"),
            cells: ["id", "name", "department", "age"].map(text).to_vec(),
            age: user["age"].as_i64(),
        })
    };
    let table = !plan.sources[0].key.is_empty();
    let mut newest: BTreeMap<&str, Option<User>> = BTreeMap::new();
    let mut all = Vec::new();
    for record in records {
        let user = read(record);
        if table {
            newest.insert(&record.key, user.filter(|user| user.department.as_deref() != Some(GONE)));
        } else {
            all.extend(user);
        }
    }
    all.extend(newest.into_values().flatten());
    let mut rows: Vec<Vec<Option<String>>> = match plan.output {
        Output::Append { .. } | Output::Upsert { .. } | Output::Keyed { .. } => {
            all.into_iter().map(|user| user.cells).collect()
        }
        Output::Aggregate { .. } => {
            let mut groups: BTreeMap<Option<String>, Vec<Option<i64>>> = BTreeMap::new();
            for user in all {
                groups.entry(user.department).or_default().push(user.age);
            }
            let line = |(department, ages): (Option<String>, Vec<Option<i64>>)| {
                let known: Vec<i64> = ages.iter().flatten().copied().collect();
                vec![
                    department,
                    Some(ages.len().to_string()),
                    Some(known.iter().sum::<i64>().to_string()),
                    Some(known.len().to_string()),
                    known.iter().min().map(i64::to_string),
                    known.iter().max().map(i64::to_string),
                ]
            };
            groups.into_iter().map(line).collect()
        }
    };
    rows.sort();
    rows
}
