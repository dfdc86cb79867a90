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
use std::collections::{BTreeMap, BTreeSet};

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
const KINDS_USING: [&str; 3] = ["JOIN", "LEFT JOIN", "RIGHT JOIN"];
/// The equality is in WHERE.
const PRODUCTS: [&str; 2] = ["posts p, users u", "posts AS p CROSS JOIN users AS u"];
const DEPARTMENTS: [&str; 4] = ["d.name = u.department", "d.id = u.id", "d.i4 = p.i4", "p.user_id = d.id"];
const GROUPED: [&str; 2] = [
    "count(*) AS posts, sum(p.i4) AS total, max(p.i4) AS most, min(u.nu) AS least, count(u.id) AS authors",
    "avg(p.nu) AS mean, count(*) FILTER (WHERE u.i4 > 0) AS some",
];
const LISTS: [&str; 4] =
    ["count(*) AS rows, max(p.title) AS last", "DISTINCT u.department, p.i4", "p.*", "u.*, p.title"];

/// What a view is made of at random, and which forms it has by that.
struct Draw {
    random: ChaCha8Rng,
    forms: BTreeSet<String>,
}

impl Draw {
    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    fn of<'a>(&mut self, options: &[&'a str]) -> &'a str {
        options.choose(&mut self.random).copied().expect("there are options")
    }

    /// One of `options`, each of which is a form by itself.
    fn form<'a>(&mut self, options: &[&'a str]) -> &'a str {
        let chosen = self.of(options);
        self.forms.insert(chosen.to_owned());
        chosen
    }

    /// A kind of join; it is a form together with `what` is joined.
    fn kind<'a>(&mut self, kinds: &[&'a str], what: &str) -> &'a str {
        let kind = self.of(kinds);
        self.forms.insert(format!("{kind} {what}"));
        kind
    }
}

const ON: &str = "ON an equality";
const ON_MORE: &str = "ON more than an equality";
const USING: &str = "USING";
const THIRD: &str = "a third source";
const AGAIN: &str = "a source once more";
const A_STREAM: &str = "a Stream and a Table";
const HAVING: &str = "HAVING";
const MERGED: &str = "id, title, name";

/// Every form that views may have.
fn forms() -> BTreeSet<String> {
    let whole =
        [&EQUALITIES[..], &EXTRAS, &FILTERS, &ASKED, &PRODUCTS, &DEPARTMENTS, &GROUPED, &LISTS, &COLUMNS].concat();
    let joined = [ON, ON_MORE, THIRD, AGAIN].map(|what| KINDS.map(|kind| format!("{kind} {what}")));
    let using = KINDS_USING.map(|kind| format!("{kind} {USING}"));
    let whole = whole.into_iter().chain([A_STREAM, HAVING, MERGED]).map(str::to_owned);
    whole.chain(joined.concat()).chain(using).collect()
}

/// FROM, and what WHERE must say besides.
fn from(draw: &mut Draw, declared: &mut Vec<SourceDecl>) -> (String, Vec<String>) {
    let mut filters = Vec::new();
    let mut from = if draw.chance(0.15) {
        format!("posts p {} users u USING (id)", draw.kind(&KINDS_USING, USING))
    } else if draw.chance(0.15) {
        filters.push(draw.form(&EQUALITIES).to_owned());
        draw.form(&PRODUCTS).to_owned()
    } else if draw.chance(0.4) {
        let (kind, equality, more) = (draw.kind(&KINDS, ON_MORE), draw.form(&EQUALITIES), draw.form(&EXTRAS));
        format!("posts AS p {kind} users u ON {equality} AND {more}")
    } else {
        format!("posts AS p {} users u ON {}", draw.kind(&KINDS, ON), draw.form(&EQUALITIES))
    };
    if draw.chance(0.3) {
        declared.push(departments());
        from = format!("{from} {} departments d ON {}", draw.kind(&KINDS, THIRD), draw.form(&DEPARTMENTS));
    } else if draw.chance(0.2) {
        from = format!("{from} {} users AS d ON d.id = p.user_id", draw.kind(&KINDS, AGAIN));
    }
    (from, filters)
}

fn random_case(seed: u64, forms: &mut BTreeSet<String>) -> Result<Case, String> {
    let mut draw = Draw { random: ChaCha8Rng::seed_from_u64(seed), forms: BTreeSet::new() };
    let kind = if draw.chance(0.2) { SourceKind::Stream } else { SourceKind::Table };
    if kind == SourceKind::Stream {
        draw.forms.insert(A_STREAM.to_owned());
    }
    let mut declared = vec![posts(kind), users()];
    let (from, mut filters) = from(&mut draw, &mut declared);
    if draw.chance(0.5) {
        filters.push(draw.form(&FILTERS).to_owned());
    }
    if draw.chance(0.25) {
        declared.retain(|source| source.name != "departments");
        declared.push(departments());
        filters.push(draw.form(&ASKED).to_owned());
    }
    let filter = if filters.is_empty() { String::new() } else { format!(" WHERE {}", filters.join(" AND ")) };
    let query = if from.ends_with("USING (id)") && draw.chance(0.3) {
        format!("SELECT {} FROM {from}{filter}", draw.form(&[MERGED]))
    } else if draw.chance(0.2) {
        let having = if draw.chance(0.3) { draw.form(&[HAVING]).to_owned() + " count(*) > 1" } else { String::new() };
        format!("SELECT u.department, {} FROM {from}{filter} GROUP BY u.department {having}", draw.form(&GROUPED))
    } else if draw.chance(0.4) {
        format!("SELECT {} FROM {from}{filter}", draw.form(&LISTS))
    } else {
        let mut columns = COLUMNS.to_vec();
        while columns.len() > 1 && draw.chance(0.6) {
            columns.remove(draw.random.random_range(0..columns.len()));
        }
        draw.forms.extend(columns.iter().map(|&column| column.to_owned()));
        format!("SELECT {} FROM {from}{filter}", columns.join(", "))
    };
    let records = draw.random.random_range(0..60);
    *forms = draw.forms;
    case(seed, declared, query, records, &mut draw.random)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_has_the_rows_of_the_same_query_in_postgres() {
    let asked = std::env::var("CASES").ok().and_then(|count| count.parse().ok());
    let mut never = forms();
    let mut refusals: BTreeMap<String, String> = BTreeMap::new();
    check(asked.unwrap_or(200), |seed| {
        let mut forms = BTreeSet::new();
        let case = random_case(seed, &mut forms);
        match &case {
            Ok(_) => never.retain(|form| !forms.contains(form)),
            Err(refusal) => refusals.extend(forms.into_iter().map(|form| (form, refusal.clone()))),
        }
        case
    })
    .await;
    // Fewer views than always need not have every form.
    if asked.is_none() {
        let said: Vec<_> = never.iter().map(|form| (form, refusals.get(form))).collect();
        assert!(never.is_empty(), "forms that no accepted view has, and why one was refused: {said:#?}");
    }
}
