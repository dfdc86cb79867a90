//! Tenancy: which namespace may write which schemas and read or create which topics.

use super::trouble::Trouble;
use millrace_crds::Reason;
use serde::Deserialize;

/// The operator's configuration. Without a list a namespace may write the schema of its own name, and use every topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenancy(Vec<Grant>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    namespace: String,
    schemas: Vec<String>,
    topics: Vec<String>,
}

impl Tenancy {
    /// Reads `[{"namespace":"shop","schemas":["shop"],"topics":["user-*"]}]`; an empty text is no list.
    pub fn parse(text: &str) -> Result<Tenancy, serde_json::Error> {
        if text.trim().is_empty() { Ok(Tenancy::default()) } else { Ok(Tenancy(serde_json::from_str(text)?)) }
    }

    /// Whether a view of `namespace` may write `schema` and use `topics`.
    pub fn allows<'a>(
        &self,
        namespace: &str,
        schema: &str,
        topics: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Trouble> {
        if self.0.is_empty() {
            // A schema cannot have a dash in its name, a namespace can.
            let own = namespace.replace('-', "_");
            return if schema == own {
                Ok(())
            } else {
                Err(Trouble::sink(
                    Reason::NotAllowed,
                    format!(
                        "target.schema is {schema}, but the namespace {namespace} may write the schema {own} only; write \
                         that, or let the operator's configuration (tenancy) allow it"
                    ),
                ))
            };
        }
        let grants: Vec<&Grant> = self.0.iter().filter(|grant| matches(&grant.namespace, namespace)).collect();
        if !grants.iter().any(|grant| grant.schemas.iter().any(|pattern| matches(pattern, schema))) {
            return Err(Trouble::sink(
                Reason::NotAllowed,
                format!(
                    "target.schema is {schema}, which the operator's configuration (tenancy) does not let the namespace \
                     {namespace} write; it may write {}",
                    list(grants.iter().flat_map(|grant| &grant.schemas))
                ),
            ));
        }
        self.allows_topics(namespace, topics)
    }

    /// Whether a resource of `namespace` may use `topics`.
    pub fn allows_topics<'a>(&self, namespace: &str, topics: impl IntoIterator<Item = &'a str>) -> Result<(), Trouble> {
        if self.0.is_empty() {
            return Ok(());
        }
        let grants: Vec<&Grant> = self.0.iter().filter(|grant| matches(&grant.namespace, namespace)).collect();
        for topic in topics {
            if !grants.iter().any(|grant| grant.topics.iter().any(|pattern| matches(pattern, topic))) {
                return Err(Trouble::sources(
                    Reason::NotAllowed,
                    format!(
                        "topic {topic} may not be used by the namespace {namespace} by the operator's configuration \
                         (tenancy); it may use {}",
                        list(grants.iter().flat_map(|grant| &grant.topics))
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Whether `text` is `pattern`, where a `*` at the pattern's end stands for any ending.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tenancy: &str, namespace: &str, schema: &str, topic: &str, refusal: Option<&str>) {
        let tenancy = Tenancy::parse(tenancy).expect("the list is JSON");
        let answer = tenancy.allows(namespace, schema, [topic]);
        assert_eq!(answer.as_ref().err().map(|trouble| trouble.message.as_str()), refusal);
    }

    #[test]
    fn a_namespace_writes_its_own_schema_unless_a_list_says_otherwise() {
        check("", "shop", "shop", "anything", None);
        check("", "my-shop", "my_shop", "anything", None);
        check(
            "",
            "shop",
            "bank",
            "anything",
            Some(
                "target.schema is bank, but the namespace shop may write the schema shop only; write that, or let the \
                 operator's configuration (tenancy) allow it",
            ),
        );
        let list = r#"[{"namespace":"shop","schemas":["shop","report_*"],"topics":["user-*"]}]"#;
        check(list, "shop", "report_daily", "user-events", None);
        check(
            list,
            "shop",
            "shop",
            "orders",
            Some(
                "topic orders may not be used by the namespace shop by the operator's configuration (tenancy); it may \
                 use user-*",
            ),
        );
        check(
            list,
            "bank",
            "bank",
            "user-events",
            Some(
                "target.schema is bank, which the operator's configuration (tenancy) does not let the namespace bank \
                 write; it may write nothing",
            ),
        );
    }
}
