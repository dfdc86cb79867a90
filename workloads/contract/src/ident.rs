//! Postgres identifiers: the names Millrace gives, and quoting.

use sha2::{Digest, Sha256};

/// `name` as a quoted SQL identifier: every double quote doubled.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as an SQL string literal that means the same under any `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The first `digits` hex digits of SHA-256 over `parts`, each preceded by its length, so that no two lists of parts collide.
pub fn hex_digest<'a>(parts: impl IntoIterator<Item = &'a str>, digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

/// The Postgres role that the workers of the view `namespace/name` log in as: 15 characters. Roles are the server's, views
/// the database's: the catalog's id keeps those of two databases apart.
pub fn view_role(catalog_id: &str, namespace: &str, name: &str) -> String {
    format!("mr_{}", hex_digest([catalog_id, namespace, name], 12))
}

/// The schema that holds the rows and the state of one revision: 24 characters.
pub fn revision_schema(namespace: &str, name: &str, revision: &str) -> String {
    format!("mr_{}_{revision}", hex_digest([namespace, name], 12))
}

/// The Kafka consumer group that shows the positions of a view: the stable one when live, one of its own while building.
pub fn consumer_group(namespace: &str, name: &str, building: Option<&str>) -> String {
    match building {
        None => format!("millrace.{namespace}.{name}"),
        Some(revision) => format!("millrace.{namespace}.{name}.{revision}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_survive_hostile_names() {
        assert_eq!(quote("부서"), "\"부서\"");
        assert_eq!(quote("a\"; drop table x; --"), "\"a\"\"; drop table x; --\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("back\\slash"), "E'back\\\\slash'");
    }

    #[test]
    fn names_depend_on_every_part_and_on_where_it_ends() {
        assert_ne!(view_role("one", "a", "bc"), view_role("one", "ab", "c"));
        assert_ne!(view_role("one", "a", "bc"), view_role("another", "a", "bc"));
        assert_eq!(view_role("one", "shop", "user-view").len(), 15);
        assert_eq!(revision_schema("shop", "user-view", "0123abcd").len(), 24);
    }
}
