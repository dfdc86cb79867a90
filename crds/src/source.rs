//! Sources: Kafka topics, and how their records become rows.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::validation::{must, must_at, name_rules, not_blank_rules, not_empty_rules, positive_rules};

/// A Kafka topic, read as a table that the query names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = source_rules()))]
pub struct Source {
    /// The table's name in the query.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = name_rules("a source's name", "users")))]
    pub name: String,
    /// The topic's name.
    #[schemars(length(max = 249), extend("x-kubernetes-validations" = topic_rules()))]
    pub topic: String,
    /// Stream: every record is an inserted row. Table: the newest record of a key wins, and a tombstone (a record without a value) deletes.
    #[serde(rename = "as")]
    pub read_as: ReadAs,
    /// Json: the value is one JSON object. DebeziumJson: the value is a change event of Debezium, with or without its schema.
    #[serde(default)]
    pub format: Format,
    /// How the record's key is read. Text: as the text of one column. Json: as a JSON object with the key's columns. None: not at all; tombstones are dead letters then.
    #[serde(default)]
    pub key_format: KeyFormat,
    /// The columns that identify a row of a Table, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::key")]
    pub key: Vec<String>,
    /// A condition in SQL over the source's columns; a record that meets it deletes its row, as a tombstone does. Only for a Table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 4096),
        extend("x-kubernetes-validations" = not_blank_rules("deleteWhen", "write a condition, for example event_type = 'USER_DELETED', or take the field out"))
    )]
    pub delete_when: Option<String>,
    /// The table's columns.
    #[schemars(
        length(max = 200),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["name"],
            "x-kubernetes-validations" = not_empty_rules("columns", "write for example columns: [{name: id, type: bigint}]")
        )
    )]
    pub columns: Vec<Column>,
    /// How the topic must be. It is made, or grown, when it is not so; it never shrinks. Without this field the topic must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensure_topic: Option<EnsureTopic>,
}

/// How a topic's records are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReadAs {
    Stream,
    Table,
}

/// How a record's value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    #[default]
    Json,
    DebeziumJson,
}

/// How a record's key is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyFormat {
    #[default]
    Text,
    Json,
    None,
}

/// One column of a source: a field of the record's value, or a part of the record besides it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = column_rules()))]
pub struct Column {
    /// The column's name in the query.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = name_rules("a column's name", "department")))]
    pub name: String,
    /// The column's type, as Postgres names it.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Where the column is in the value: names of fields, from outside in, with dots between them. The column's name unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-validations" = path_rules()))]
    pub path: Option<String>,
    /// Takes the column from the record instead of from its value. Key: the record's key. Header: the header that `header` names. Timestamp, Partition, Offset: the record's own.
    // Without `with`, null would be listed as a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ColumnFrom")]
    pub from: Option<ColumnFrom>,
    /// The name of the header, with `from: Header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 256),
        extend("x-kubernetes-validations" = not_blank_rules("header", "write the header's name as the producer does, for example trace-id"))
    )]
    pub header: Option<String>,
}

impl Column {
    /// Where the column is in the value: the path given, or the column's name.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.name)
    }
}

/// A part of a record besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColumnFrom {
    Key,
    Header,
    Timestamp,
    Partition,
    Offset,
}

/// The types of columns, named as Postgres names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    Boolean,
    Smallint,
    Integer,
    Bigint,
    Real,
    #[serde(rename = "double precision")]
    DoublePrecision,
    Numeric,
    Text,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Uuid,
    Jsonb,
}

impl ColumnType {
    /// The name that Postgres knows.
    pub const fn as_str(self) -> &'static str {
        match self {
            ColumnType::Boolean => "boolean",
            ColumnType::Smallint => "smallint",
            ColumnType::Integer => "integer",
            ColumnType::Bigint => "bigint",
            ColumnType::Real => "real",
            ColumnType::DoublePrecision => "double precision",
            ColumnType::Numeric => "numeric",
            ColumnType::Text => "text",
            ColumnType::Date => "date",
            ColumnType::Time => "time",
            ColumnType::Timestamp => "timestamp",
            ColumnType::Timestamptz => "timestamptz",
            ColumnType::Uuid => "uuid",
            ColumnType::Jsonb => "jsonb",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A topic as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = ensure_topic_rules()))]
pub struct EnsureTopic {
    /// How many partitions the topic has at least. A topic with fewer is grown; the number can only be raised.
    #[schemars(extend("maximum" = 10000, "x-kubernetes-validations" = partitions_rules()))]
    pub partitions: i32,
    /// How many brokers hold each record, when the topic is made.
    #[schemars(extend("maximum" = 100, "x-kubernetes-validations" = positive_rules("ensureTopic.replicas", "write for example replicas: 3")))]
    pub replicas: i32,
    /// Settings of the topic, as Kafka names them; they are kept as written here. Values are texts: put numbers in quotes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::topic_config")]
    pub config: BTreeMap<String, String>,
}

/// Rules over the list of all sources.
pub(crate) fn sources_rules() -> Vec<ValidationRule> {
    let mut rules = not_empty_rules("sources", "write for example a source named users");
    rules.push(must(
        "self.all(a, self.all(b, a.topic != b.topic || !has(a.ensureTopic) || !has(b.ensureTopic) \
         || a.ensureTopic == b.ensureTopic))",
        "two sources have the topic '${self.filter(a, self.exists(b, a.topic == b.topic && has(a.ensureTopic) \
         && has(b.ensureTopic) && a.ensureTopic != b.ensureTopic))[0].topic}' and ask for it differently, but a topic \
         can be in one way only; write the same ensureTopic for both, or for one of them",
    ));
    rules
}

pub(crate) fn topic_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-zA-Z0-9._-]+$') && !(self in ['.', '..'])",
        "topic is '${self}', but the name of a topic must have letters a to z, digits, dots, _ and - only; write it as \
         Kafka knows it, for example user-events",
    )]
}

fn path_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[^.]+([.][^.]+)*$')",
        "path is '${self}', but it must be names of fields with one dot between them; write for example user.id",
    )]
}

fn source_rules() -> Vec<ValidationRule> {
    let unknown = "self.key.filter(name, !self.columns.exists(column, column.name == name))";
    let misplaced = "self.columns.filter(column, column.name in self.key && has(column.from) && column.from != 'Key')";
    vec![
        must_at(
            ".key",
            "self.__as__ != 'Table' || (has(self.key) && self.key.size() > 0)",
            "the source '${self.name}' is a Table without key, but a Table must say which columns identify a row; write \
             for example key: [id], or as: Stream",
        ),
        must_at(
            ".key",
            "self.__as__ != 'Stream' || !has(self.key) || self.key.size() == 0",
            "the source '${self.name}' is a Stream with the key ${self.key}, but in a Stream every record is \
             a row of its own; take key out, or write as: Table",
        ),
        must_at(
            ".deleteWhen",
            "self.__as__ != 'Stream' || !has(self.deleteWhen)",
            "the source '${self.name}' is a Stream with deleteWhen, but a row of a Stream is never deleted; take \
             deleteWhen out, or write as: Table with a key",
        ),
        must_at(
            ".format",
            "self.format != 'DebeziumJson' || self.__as__ == 'Table'",
            "the source '${self.name}' is a Stream with the format DebeziumJson, but Debezium's events update and delete \
             rows, which only a Table can do; write as: Table with a key, or format: Json",
        ),
        must_at(
            ".key",
            "!has(self.key) || self.key.all(name, self.columns.exists(column, column.name == name))",
            &format!(
                "key names ${{{unknown}}}, but the source '${{self.name}}' has no such column; add it to \
                 columns, or write the name of a column"
            ),
        ),
        must_at(
            ".key",
            "!has(self.key) || self.key.all(name, self.key.exists_one(other, other == name))",
            "key is ${self.key}, but each column of a key must be named once; take the second one out",
        ),
        must_at(
            ".keyFormat",
            "self.keyFormat != 'Text' || !has(self.key) || self.key.size() < 2",
            "keyFormat is Text and the key is ${self.key}, but a text can hold one column only; write \
             keyFormat: Json when the record's key is a JSON object, or keyFormat: None when it is something else",
        ),
        must_at(
            ".keyFormat",
            "self.keyFormat != 'None' || !self.columns.exists(column, has(column.from) && column.from == 'Key')",
            "keyFormat is None, but the column '${self.columns.filter(column, has(column.from) \
             && column.from == 'Key')[0].name}' is read from the key; write keyFormat: Text or Json, or read the column \
             from the value",
        ),
        must_at(
            ".columns",
            "!has(self.key) || !self.columns.exists(column, column.name in self.key && has(column.from) \
             && column.from != 'Key')",
            &format!(
                "the key column '${{{misplaced}[0].name}}' is read from ${{{misplaced}[0].from}}, which a tombstone does \
                 not repeat, but a key column must be read from the value or from Key; take its from out, or write \
                 from: Key"
            ),
        ),
    ]
}

fn column_rules() -> Vec<ValidationRule> {
    vec![
        must(
            "!has(self.path) || !has(self.from)",
            "the column '${self.name}' has the path '${self.path}' and from: ${self.from}, but a column must come from one \
             place; take path out, or take from out",
        ),
        must(
            "!has(self.from) || self.from != 'Header' || has(self.header)",
            "the column '${self.name}' has from: Header without a header, but which header it is must be said; write \
             for example header: trace-id",
        ),
        must(
            "!has(self.header) || (has(self.from) && self.from == 'Header')",
            "the column '${self.name}' has the header '${self.header}' without from: Header, but header only goes with \
             it; write from: Header, or take header out",
        ),
        must(
            "!has(self.from) || self.from != 'Timestamp' || self.type == 'timestamptz'",
            "the column '${self.name}' has from: Timestamp and the type ${self.type}, but the time of a record is a \
             timestamptz; write type: timestamptz and cast it in the query",
        ),
        must(
            "!has(self.from) || self.from != 'Partition' || self.type in ['integer', 'bigint']",
            "the column '${self.name}' has from: Partition and the type ${self.type}, but the number of a partition is \
             an integer or a bigint; write type: integer and cast it in the query",
        ),
        must(
            "!has(self.from) || self.from != 'Offset' || self.type == 'bigint'",
            "the column '${self.name}' has from: Offset and the type ${self.type}, but an offset is a bigint; write type: \
             bigint and cast it in the query",
        ),
    ]
}

fn ensure_topic_rules() -> Vec<ValidationRule> {
    let least = "self.config['min.insync.replicas']";
    let given = "has(self.config) && 'min.insync.replicas' in self.config";
    vec![
        must_at(
            ".config",
            &format!("!({given}) || {least}.matches('^[1-9][0-9]{{0,3}}$')"),
            &format!(
                "min.insync.replicas is '${{{least}}}', but it must be a number of brokers above 0; write for example \"2\""
            ),
        ),
        must_at(
            ".replicas",
            &format!("!({given}) || !{least}.matches('^[1-9][0-9]{{0,3}}$') || int({least}) <= self.replicas"),
            &format!(
                "replicas is ${{self.replicas}} and min.insync.replicas is ${{{least}}}, but then no record \
                 could be written; write replicas: ${{{least}}} or more, or a smaller min.insync.replicas"
            ),
        ),
    ]
}

fn partitions_rules() -> Vec<ValidationRule> {
    let mut rules = positive_rules("ensureTopic.partitions", "write for example partitions: 6");
    rules.push(must(
        "self >= oldSelf",
        "partitions is ${self} and was ${oldSelf}, but a topic can only grow; write \
         ${oldSelf} or more",
    ));
    rules
}
