//! The SQL of a revision's tables: how a batch combines with what is there, as `contract::table` says.

use millrace_contract::{
    SqlType,
    faults::sabotaged,
    ident::quote,
    table::{COUNT, Column, DELETED, Extreme, Merge, OFFSET, PARTITION, TIMESTAMP, Table, WriteRule},
};

/// `"schema"."table"`.
pub fn place(schema: &str, table: &str) -> String {
    format!("{}.{}", quote(schema), quote(table))
}

/// The columns that a batch brings: all but those derived from others.
pub fn written(table: &Table) -> Vec<usize> {
    (0..table.columns.len()).filter(|&index| table.columns[index].merge != Merge::Derived).collect()
}

/// Whether rows of this table go when their count is 0.
pub fn deletes_empty(table: &Table) -> bool {
    matches!(table.write, WriteRule::Merge { keep_empty: false, .. } | WriteRule::Keyed)
}

/// Writes a batch bound as one array a column. For a table whose empty rows go, it returns the places of those rows.
pub fn write(schema: &str, table: &Table) -> String {
    let columns: Vec<&Column> = written(table).into_iter().map(|index| &table.columns[index]).collect();
    let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
    let insert = format!(
        "INSERT INTO {} AS t ({}) SELECT * FROM {}",
        place(schema, &table.name),
        names.join(", "),
        unnest(&columns, "n", 1)
    );
    let key: Vec<String> = table.key.iter().map(|&index| quote(&table.columns[index].name)).collect();
    let key = key.join(", ");
    match &table.write {
        WriteRule::Append => insert,
        WriteRule::Versioned => {
            let (partition, offset, timestamp) = (quote(PARTITION), quote(OFFSET), quote(TIMESTAMP));
            let newer = if sabotaged("skip_version_check") {
                "true".to_owned()
            } else {
                format!(
                    "CASE WHEN t.{partition} = excluded.{partition} THEN excluded.{offset} > t.{offset} \
                     ELSE (excluded.{timestamp}, excluded.{partition}) > (t.{timestamp}, t.{partition}) END"
                )
            };
            let set: Vec<String> = (0..table.columns.len())
                .filter(|index| !table.key.contains(index))
                .map(|index| quote(&table.columns[index].name))
                .map(|name| {
                    if name == timestamp {
                        format!("{name} = greatest(t.{name}, excluded.{name})")
                    } else {
                        format!("{name} = excluded.{name}")
                    }
                })
                .collect();
            format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {} WHERE {newer}", set.join(", "))
        }
        WriteRule::Merge { .. } => {
            let set: Vec<String> = columns
                .iter()
                .filter_map(|column| {
                    let name = quote(&column.name);
                    match column.merge {
                        Merge::Replace | Merge::Derived => None,
                        Merge::Add => Some(format!("{name} = t.{name} + excluded.{name}")),
                        Merge::Least => Some(format!("{name} = least(t.{name}, excluded.{name})")),
                        Merge::Greatest => Some(format!("{name} = greatest(t.{name}, excluded.{name})")),
                    }
                })
                .collect();
            let upsert = format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "));
            if deletes_empty(table) { empty_of(&upsert) } else { upsert }
        }
        WriteRule::Keyed => {
            let set: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
            empty_of(&format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", ")))
        }
    }
}

/// Runs an upsert and returns the places of the rows that are empty then.
fn empty_of(upsert: &str) -> String {
    format!(
        "WITH written AS ({upsert} RETURNING t.ctid AS place, t.{} AS size) \
         SELECT place::text FROM written WHERE size = 0",
        quote(COUNT)
    )
}

/// The statement that writes a versioned table, kept from rows of other partitions: those it does not count as written.
pub fn of_own_partition(write: &str) -> String {
    format!("{write} AND t.{0} = excluded.{0}", quote(PARTITION))
}

/// Deletes the rows at the bound places that are still empty: they are locked by this transaction.
pub fn delete_empty(schema: &str, table: &Table) -> String {
    format!(
        "DELETE FROM {} AS t WHERE t.ctid = ANY ($1::text[]::tid[]) AND t.{} = 0",
        place(schema, &table.name),
        quote(COUNT)
    )
}

/// Every column of the rows whose `lookup` columns are those that are bound: the table's key, or an index. What is looked
/// up is never null. `deleted`: whether the versions of deleted keys are rows too.
pub fn fetch(schema: &str, table: &Table, lookup: &[usize], deleted: bool) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.ty {
            SqlType::Numeric | SqlType::Jsonb => format!("t.{}::text", quote(&column.name)),
            _ => format!("t.{}", quote(&column.name)),
        })
        .collect();
    let key: Vec<&Column> = lookup.iter().map(|&index| &table.columns[index]).collect();
    let mut same: Vec<String> =
        key.iter().enumerate().map(|(n, column)| format!("t.{} = k.k{n}", quote(&column.name))).collect();
    if table.write == WriteRule::Versioned && !deleted {
        same.push(format!("NOT t.{}", quote(DELETED)));
    }
    format!(
        "SELECT {} FROM {} JOIN {} AS t ON {}",
        columns.join(", "),
        unnest(&key, "k", 1),
        place(schema, &table.name),
        same.join(" AND ")
    )
}

/// Looks the extremes of groups up again. `nulls` says which key columns are null in these groups: an index finds
/// `IS NULL` and `=`, but not `IS NOT DISTINCT FROM`. The other key columns are bound, one array each.
pub fn derive(schema: &str, table: &Table, extremes: &[Extreme], tables: &[Table], nulls: &[bool]) -> String {
    let key: Vec<&Column> = table.key.iter().map(|&index| &table.columns[index]).collect();
    let bound: Vec<&Column> =
        key.iter().zip(nulls).filter(|(_, is_null)| !**is_null).map(|(column, _)| *column).collect();
    let same = |alias: &str, names: &[String], bound: &str| {
        let mut next = 0;
        let conditions: Vec<String> = names
            .iter()
            .zip(nulls)
            .map(|(name, is_null)| {
                if *is_null {
                    format!("{alias}.{name} IS NULL")
                } else {
                    next += 1;
                    format!("{alias}.{name} = {bound}.k{}", next - 1)
                }
            })
            .collect();
        conditions.join(" AND ")
    };
    let mut looked_up = Vec::new();
    for (index, extreme) in extremes.iter().enumerate() {
        let Some(values) = tables.iter().find(|table| table.name == extreme.values) else { continue };
        let names: Vec<String> =
            values.columns[..values.columns.len() - 1].iter().map(|column| quote(&column.name)).collect();
        let direction = if extreme.largest { " DESC" } else { "" };
        let order: Vec<String> = names.iter().map(|name| format!("v.{name}{direction}")).collect();
        let value = names.last().cloned().unwrap_or_default();
        looked_up.push(format!(
            "(SELECT v.{value} FROM {} AS v WHERE {} AND v.{} > 0 ORDER BY {} LIMIT 1) AS e{index}",
            place(schema, &values.name),
            same("v", &names[..names.len() - 1], "n"),
            quote(COUNT),
            order.join(", ")
        ));
    }
    let set: Vec<String> = extremes
        .iter()
        .enumerate()
        .map(|(index, extreme)| format!("{} = d.e{index}", quote(&table.columns[extreme.column].name)))
        .collect();
    let changed: Vec<String> = extremes
        .iter()
        .enumerate()
        .map(|(index, extreme)| format!("t.{} IS DISTINCT FROM d.e{index}", quote(&table.columns[extreme.column].name)))
        .collect();
    let keys: Vec<String> = (0..bound.len()).map(|n| format!("n.k{n}")).collect();
    let names: Vec<String> = key.iter().map(|column| quote(&column.name)).collect();
    let source = if bound.is_empty() { "(SELECT) AS n".to_owned() } else { unnest(&bound, "n", 1) };
    let select: Vec<String> = keys.into_iter().chain(looked_up).collect();
    format!(
        "UPDATE {} AS t SET {} FROM (SELECT {} FROM {source}) AS d WHERE {} AND ({})",
        place(schema, &table.name),
        set.join(", "),
        select.join(", "),
        same("t", &names, "d"),
        changed.join(" OR ")
    )
}

/// `unnest` of one array a column, first parameter `$first`, as a table with the columns k0, k1, ….
fn unnest(columns: &[&Column], alias: &str, first: usize) -> String {
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(n, column)| match column.ty {
            SqlType::Numeric => format!("${}::text[]::numeric[]", first + n),
            ty => format!("${}::{ty}[]", first + n),
        })
        .collect();
    let names: Vec<String> = (0..columns.len()).map(|n| format!("k{n}")).collect();
    format!("unnest({}) AS {alias}({})", arrays.join(", "), names.join(", "))
}
