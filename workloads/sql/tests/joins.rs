//! Joins against the oracle: whatever happens to either side, in whatever order, the rows are those of the same SQL in a
//! real Postgres.

mod common;

use common::{
    oracle::{Case, case, check},
    source,
};
use millrace_contract::{SqlType, source::SourceKind};
use millrace_sql::SourceDecl;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

fn users() -> SourceDecl {
    let columns = [
        ("id", SqlType::BigInt),
        ("name", SqlType::Text),
        ("department", SqlType::Text),
        ("i4", SqlType::Integer),
        ("nu", SqlType::Numeric),
    ];
    source("users", SourceKind::Table, &columns, &["id"])
}

fn posts(kind: SourceKind) -> SourceDecl {
    let columns = [
        ("id", SqlType::BigInt),
        ("user_id", SqlType::BigInt),
        ("title", SqlType::Text),
        ("department", SqlType::Text),
        ("i4", SqlType::Integer),
        ("nu", SqlType::Numeric),
    ];
    source("posts", kind, &columns, if kind == SourceKind::Table { &["id"] } else { &[] })
}

fn departments() -> SourceDecl {
    let columns = [("id", SqlType::BigInt), ("name", SqlType::Text), ("i4", SqlType::Integer)];
    source("departments", SourceKind::Table, &columns, &["id"])
}

/// A side of a join is `p`, `u` or `d`; these are columns of them.
const COLUMNS: [&str; 8] =
    ["p.id AS post", "p.title", "u.name", "u.department", "p.i4 + 1 AS more", "u.id AS author", "p.nu", "u.nu AS u_nu"];
const EQUALITIES: [&str; 7] = [
    "p.user_id = u.id",
    "p.user_id = u.id",
    "u.id = p.id",
    "p.department = u.department",
    "p.nu = u.nu",
    "p.i4 = u.id",
    "p.i4 = u.i4 AND u.department = p.department",
];
const EXTRAS: [&str; 5] = ["p.i4 > u.i4", "u.i4 > 0", "p.title <> u.name", "p.i4 IS NOT NULL", "p.i4 + u.i4 < 70"];
const FILTERS: [&str; 7] = [
    "p.i4 > 0",
    "u.name IS NOT NULL",
    "u.id IS NULL",
    "p.title = u.name OR u.i4 > 1",
    "coalesce(u.i4, 0) < 3",
    "p.id IS NOT NULL",
    "p.department IS NOT DISTINCT FROM u.department",
];
/// The names inside hide those outside.
const ASKED: [&str; 6] = [
    "EXISTS (SELECT FROM departments WHERE name = p.department)",
    "NOT EXISTS (SELECT 1 FROM departments AS p WHERE p.name = u.department AND i4 > 0)",
    "p.user_id IN (SELECT id FROM departments)",
    "(p.i4 IN (SELECT x.i4 FROM departments x WHERE x.name <> p.title))",
    "NOT EXISTS (SELECT * FROM departments x, users y WHERE x.name = y.department AND y.id = p.user_id)",
    "EXISTS (SELECT FROM departments x WHERE x.id = p.id AND x.i4 IN (SELECT i4 FROM users WHERE name = x.name))",
];
const KINDS: [&str; 5] = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "INNER JOIN"];

fn choose<'a>(options: &[&'a str], random: &mut ChaCha8Rng) -> &'a str {
    options.choose(random).copied().expect("there are options")
}

fn random_case(seed: u64) -> Result<Case, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let random = &mut random;
    let kind = if random.random_range(0..5) == 0 { SourceKind::Stream } else { SourceKind::Table };
    let mut declared = vec![posts(kind), users()];
    let mut on = choose(&EQUALITIES, random).to_owned();
    if random.random_bool(0.4) {
        on = format!("{on} AND {}", choose(&EXTRAS, random));
    }
    let mut from = match random.random_range(0..6) {
        0 => format!("posts p {} users u USING (id)", choose(&["JOIN", "LEFT JOIN", "RIGHT JOIN"], random)),
        _ => format!("posts AS p {} users u ON {on}", choose(&KINDS, random)),
    };
    let mut filters = Vec::new();
    if random.random_bool(0.1) {
        from = "posts p, users u".to_owned();
        filters.push(on);
    }
    if random.random_bool(0.3) {
        declared.push(departments());
        let on = choose(&["d.name = u.department", "d.id = u.id", "d.i4 = p.i4", "p.user_id = d.id"], random);
        from = format!("{from} {} departments d ON {on}", choose(&KINDS, random));
    } else if random.random_bool(0.2) {
        // The same source once more.
        from = format!("{from} {} users AS d ON d.id = p.user_id", choose(&KINDS, random));
    }
    if random.random_bool(0.5) {
        filters.push(choose(&FILTERS, random).to_owned());
    }
    if random.random_range(0..4) == 0 {
        declared.retain(|source| source.name != "departments");
        declared.push(departments());
        filters.push(choose(&ASKED, random).to_owned());
    }
    let filter = if filters.is_empty() { String::new() } else { format!(" WHERE {}", filters.join(" AND ")) };
    let query = match random.random_range(0..6) {
        0 => format!(
            "SELECT u.department, count(*) AS posts, sum(p.i4) AS total, max(p.i4) AS most, min(u.nu) AS least, \
             count(u.id) AS authors FROM {from}{filter} GROUP BY u.department"
        ),
        1 => format!("SELECT count(*) AS rows, max(p.title) AS last FROM {from}{filter}"),
        2 => format!("SELECT DISTINCT u.department, p.i4 FROM {from}{filter}"),
        3 if from.ends_with("USING (id)") && !filters.is_empty() => {
            format!("SELECT id, title, name FROM {from}{filter}")
        }
        _ => {
            let mut columns = COLUMNS.to_vec();
            while columns.len() > 1 && random.random_bool(0.6) {
                columns.remove(random.random_range(0..columns.len()));
            }
            format!("SELECT {} FROM {from}{filter}", columns.join(", "))
        }
    };
    let records = random.random_range(0..60);
    case(seed, declared, query, records, random)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_has_the_rows_of_the_same_query_in_postgres() {
    let count = std::env::var("CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    check(count, random_case).await;
}
