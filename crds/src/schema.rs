//! Schemas of field types that are not ours, bounded as the API server wants them.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::validation::{must, name_rules, not_empty_rules};

/// Names of columns that make a key, in the order of the key.
pub fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "items": {"type": "string", "maxLength": 63},
        "x-kubernetes-list-type": "atomic",
    })
}

/// Indexes: lists of lists of column names.
pub fn indexes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": {
            "type": "array",
            "maxItems": 8,
            "items": {
                "type": "string",
                "maxLength": 63,
                "x-kubernetes-validations": name_rules("an index column", "department"),
            },
            "x-kubernetes-list-type": "atomic",
            "x-kubernetes-validations": [
                must("self.size() >= 1", "an index is empty, but it must have a column at least; write for example [department]"),
                must(
                "self.all(name, self.exists_one(other, other == name))",
                "the index ${self} names a column twice, but each column of an index must be named once; \
                 take the second one out",
            ),
            ],
        },
        "x-kubernetes-list-type": "atomic",
        "x-kubernetes-validations": [must(
            "self.all(index, self.exists_one(other, other == index))",
            "target.indexes has the index ${self.filter(index, !self.exists_one(other, other == index))[0]} \
             twice, but one is enough; take the second one out",
        )],
    })
}

/// Roles of Postgres.
pub fn readers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": {
            "type": "string",
            "maxLength": 63,
            "x-kubernetes-validations": [must(
                "self.matches('^[a-z_][a-z0-9_]*$') && !self.startsWith('pg_') && !(self in ['public', 'none'])",
                "a reader is '${self}', but it must be the name of a role: lower-case letters, digits and _, beginning \
                 with a letter or _, not beginning with pg_, and neither public nor none; make a role with CREATE ROLE \
                 and write its name, for example dashboards",
            )],
        },
        "x-kubernetes-list-type": "set",
    })
}

/// Assertions about a new revision.
pub fn assertions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "items": {
            "type": "string",
            "maxLength": 4096,
            "x-kubernetes-validations": [must(
                "self.contains('{next}')",
                "an assertion of rollout.gates.assertions does not read {next}, but a gate is about the new revision; write \
                 for example select count(*) > 0 from {next}",
            )],
        },
        "x-kubernetes-list-type": "atomic",
    })
}

/// Settings of a topic.
pub fn topic_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 256},
        "x-kubernetes-validations": [must(
            "self.all(setting, setting.matches('^[a-z][a-z.]*$') && setting.size() <= 64)",
            "ensureTopic.config has the setting \
             '${self.filter(setting, !setting.matches('^[a-z][a-z.]*$') || setting.size() > 64)[0]}', but a setting of a \
             topic has lower-case letters and dots only; write it as Kafka does, for example retention.ms",
        )],
    })
}

/// Offsets by source and partition.
pub fn replay_offsets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "type": "object",
            "maxProperties": 1000,
            "additionalProperties": {
                "type": "integer",
                "format": "int64",
                "x-kubernetes-validations": [must(
                    "self >= 0",
                    "an offset of replay.from.offsets is ${self}, but it must be 0 or more; write the offset of the first \
                     record to read",
                )],
            },
            "x-kubernetes-validations": [must(
                "self.all(partition, partition.matches('^[0-9]+$'))",
                "replay.from.offsets has the partition '${self.filter(partition, \
                 !partition.matches('^[0-9]+$'))[0]}', but a partition must be a number; write for example \
                 {users: {0: 1200, 1: 1180}}",
            )],
        },
    })
}

/// Offsets by topic and partition, as they were found.
pub fn found_offsets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "type": "object",
            "maxProperties": 10000,
            "additionalProperties": {"type": "integer", "format": "int64"},
        },
    })
}

/// A pod template. The API server checks it whole when the operator asks it for a dry run; here only that it has
/// containers with images, and what it does not name stays as it was written, also fields newer than this program.
pub fn pod_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "metadata": {
                "type": "object",
                "description": "Labels and annotations of the pods.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
            "spec": {
                "type": "object",
                "description": "The pods, as a Deployment takes them.",
                "required": ["containers"],
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": {
                    "containers": {
                        "type": "array",
                        "description": "The program, and what runs beside it.",
                        "maxItems": 16,
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "x-kubernetes-preserve-unknown-fields": true,
                            "properties": {
                                "name": {"type": "string", "maxLength": 63, "description": "The container's name."},
                                "image": {"type": "string", "maxLength": 1024, "description": "The image that it runs."},
                            },
                            "x-kubernetes-validations": [must(
                                "has(self.image) && self.image != ''",
                                "the container '${self.name}' of podTemplate has no image, but there must be one to run; \
                                 write for example image: registry.example.com/inventory:1.0",
                            )],
                        },
                        "x-kubernetes-validations": not_empty_rules(
                            "podTemplate.spec.containers",
                            "write for example containers: [{name: inventory, image: registry.example.com/inventory:1.0}]"
                        ),
                    },
                },
            },
        },
    })
}

/// An amount of a resource, such as `500m`, `1` or `100Mi`.
pub fn amount(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "x-kubernetes-validations": [must(
            "type(self) == int ? self > 0 : \
             isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
            "the amount is '${self}', but it must be a number above 0, with a unit where one is meant; write \
             for example 500m for half a core, or 100Mi for memory",
        )],
    })
}

/// Conditions, as every Kubernetes API has them.
pub fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "What is said to be true or not, such as Ready."},
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "maxLength": 7,
                    "description": "True, False or Unknown.",
                },
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Why, as one word for programs."},
                "message": {"type": "string", "maxLength": 32768, "description": "Why, as sentences for people."},
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "maxLength": 64,
                    "description": "When the status last changed.",
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The generation of the resource that this was said about.",
                },
            },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// Sentences for people.
pub fn sentences(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {"type": "string", "maxLength": 1024},
        "x-kubernetes-list-type": "atomic",
    })
}

/// A moment.
pub fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 64})
}
