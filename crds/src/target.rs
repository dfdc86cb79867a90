//! The target: the table that readers see.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::validation::{must, name_rules};

/// The table in Postgres that readers see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The table's schema. Cannot be changed.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = schema_rules()))]
    pub schema: String,
    /// The table's name. Cannot be changed.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = table_rules()))]
    pub name: String,
    /// Indexes besides the primary key, each a list of columns of the query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::indexes")]
    pub indexes: Vec<Vec<String>>,
    /// Roles of Postgres that may read the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::readers")]
    pub readers: Vec<String>,
}

fn schema_rules() -> Vec<ValidationRule> {
    let mut rules = name_rules("target.schema", "shop");
    rules.push(must(
        "!(self in ['millrace', 'information_schema'])",
        "target.schema is '${self}', but this schema is not for views; write another, for example the name of the \
         namespace",
    ));
    rules.push(unchanged("target.schema"));
    rules
}

fn table_rules() -> Vec<ValidationRule> {
    let mut rules = name_rules("target.name", "user_view");
    rules.push(unchanged("target.name"));
    rules
}

fn unchanged(field: &str) -> ValidationRule {
    must(
        "self == oldSelf",
        &format!(
            "{field} is '${{self}}' and was '${{oldSelf}}', but it cannot change, because readers know the table by it; \
             write '${{oldSelf}}', or make another MaterializedView"
        ),
    )
}
