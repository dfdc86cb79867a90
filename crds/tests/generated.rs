//! The YAML in the repository is what the Rust types generate, and is bounded and described throughout.

use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use millrace_crds::definition;
use serde_json::Value;

/// Calls `visit` with every property and item of every definition.
fn walk_all(visit: &mut dyn FnMut(&str, &Value, bool)) {
    for (definition, _) in definition::all() {
        let schema = serde_json::to_value(&definition.spec.versions[0].schema).expect("a definition is JSON");
        walk(&definition.spec.names.kind, &schema["openAPIV3Schema"], visit);
    }
}

/// Calls `visit` with the path and the schema of every property and item below `schema`.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value, bool)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        visit(&path, property, true);
        walk(&path, property, visit);
    }
    for (suffix, key) in [("[]", "items"), ("{}", "additionalProperties")] {
        if let Some(inner) = schema.get(key) {
            let path = format!("{path}{suffix}");
            visit(&path, inner, false);
            walk(&path, inner, visit);
        }
    }
}

#[test]
fn the_crd_yaml_is_what_the_rust_types_generate() {
    for (definition, files) in definition::all() {
        let generated = definition::yaml(&definition).expect("a definition is YAML");
        for file in files {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                written == generated,
                "{file} is not what the Rust types generate; run `cargo run -p millrace-crds --bin crdgen`"
            );
        }
    }
}

#[test]
fn every_crd_is_smaller_than_200_kb() {
    for (definition, _) in definition::all() {
        let generated = definition::yaml(&definition).expect("a definition is YAML");
        assert!(generated.len() < 200_000, "{} bytes", generated.len());
    }
}

#[test]
fn every_property_is_described() {
    let mut properties = 0;
    let mut silent = Vec::new();
    walk_all(&mut |path, property, named| {
        properties += 1;
        let description = property["description"].as_str().unwrap_or_default();
        if named && description.trim().is_empty() {
            silent.push(path.to_string());
        }
    });
    assert!(properties > 60, "only {properties} properties were seen");
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_string_list_and_map_is_bounded() {
    let mut unbounded = Vec::new();
    walk_all(&mut |path, schema, _| {
        let bound = match schema["type"].as_str() {
            Some("string") if schema.get("enum").is_some() => return,
            Some("string") => "maxLength",
            Some("array") => "maxItems",
            Some("object") if schema.get("additionalProperties").is_some() => "maxProperties",
            None if schema["x-kubernetes-int-or-string"] == true => "maxLength",
            _ => return,
        };
        if schema.get(bound).is_none() {
            unbounded.push(format!("{path} has no {bound}"));
        }
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_number_is_an_integer() {
    let mut numbers = Vec::new();
    walk_all(&mut |path, schema, _| {
        if schema["type"] == "number" {
            numbers.push(path.to_string());
        }
    });
    assert_eq!(numbers, Vec::<String>::new());
}

#[test]
fn every_rule_says_a_sentence() {
    let mut rules = 0;
    walk_all(&mut |path, schema, _| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            rules += 1;
            let sentence = rule["message"].as_str().unwrap_or_default();
            assert!(sentence.contains(", but ") && sentence.contains("; "), "{path}: {sentence:?}");
        }
    });
    assert!(rules > 30, "only {rules} rules were seen");
}

#[test]
fn the_printer_columns_are_what_a_person_looks_for() {
    let definition = definition::materialized_view();
    let columns = definition.spec.versions[0].additional_printer_columns.clone().unwrap_or_default();
    let (wide, always): (Vec<_>, Vec<_>) = columns.iter().partition(|column| column.priority.unwrap_or_default() > 0);
    let names = |columns: Vec<&CustomResourceColumnDefinition>| -> Vec<String> {
        columns.into_iter().map(|column| column.name.clone()).collect()
    };
    let expected = ["READY", "STATUS", "ROLLOUT", "PROGRESS", "ETA", "LAG", "FRESHNESS", "REPLICAS", "AGE"];
    assert_eq!(names(always), expected);
    assert_eq!(names(wide), ["PREVIOUS", "BEHIND"]);
}
