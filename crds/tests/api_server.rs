//! The resource on a real API server: what it refuses and with which sentence, what it accepts and with which defaults.

#[path = "support/cases.rs"]
mod cases;
mod support;

use std::path::Path;

use expect_test::expect_file;
use millrace_crds::{MaterializedView, RolloutPlan, Verdict};
use serde_json::{Value, json};
use support::{QUESTIONS, VIEWS, api_server, documents, folder, path_of, read, send};

#[tokio::test]
async fn every_wrong_manifest_is_refused_with_its_sentence() {
    let server = api_server().await;
    let client = server.client();
    let file = folder().join("wrong.txt");
    let (head, cases) = cases::parse(&read(&file));
    assert!(cases.len() >= 40, "only {} cases", cases.len());

    let mut answered = head;
    let mut accepted = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut manifest = documents(&read(&folder().join(&case.base))).remove(0);
        cases::change(&mut manifest, &case.changes);
        let resources = path_of(&manifest);
        let mut path = format!("{resources}?dryRun=All&fieldValidation=Strict");
        let mut method = "POST";
        if let Some(update) = &case.update {
            let name = format!("case-{number}");
            manifest["metadata"]["name"] = json!(name);
            manifest = send(&client, "POST", resources, &manifest).await.unwrap_or_else(|refusal| {
                panic!("{}: the manifest before the change is refused: {refusal:?}", case.title)
            });
            cases::change(&mut manifest, update);
            path = format!("{resources}/{name}?dryRun=All&fieldValidation=Strict");
            method = "PUT";
        }
        answered.push_str(&format!("\n== {}\n", case.text));
        match send(&client, method, &path, &manifest).await {
            Ok(_) => accepted.push(&case.title),
            Err(sentences) => answered.extend(sentences.iter().map(|sentence| format!("-> {sentence}\n"))),
        }
    }
    assert!(accepted.is_empty(), "accepted, although wrong: {accepted:#?}");
    expect_file![file].assert_eq(&answered);
}

#[tokio::test]
async fn right_manifests_are_accepted_and_come_back_with_their_defaults() {
    let server = api_server().await;
    let client = server.client();
    let mut files: Vec<_> = std::fs::read_dir(folder().join("accepted"))
        .expect("the folder of right manifests")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let manifest = documents(&read(&file)).remove(0);
        let path = format!("{VIEWS}?dryRun=All&fieldValidation=Strict");
        let back = send(&client, "POST", &path, &manifest)
            .await
            .unwrap_or_else(|refusal| panic!("{}: {refusal:#?}", file.display()));
        let view: MaterializedView = serde_json::from_value(back.clone()).expect("the Rust types read what comes back");
        let spec = serde_yaml::to_string(&view.spec).expect("a spec is YAML");
        expect_file![file.with_extension("spec")].assert_eq(&spec);
        assert_without_nulls_equal(&serde_json::to_value(&view.spec).expect("a spec is JSON"), &back["spec"]);
    }
}

/// What the Rust types write is what the API server holds, but for numbers as amounts and fields that say nothing.
fn assert_without_nulls_equal(written: &Value, held: &Value) {
    assert_eq!(plain(written), plain(held));
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| {
                let amount = matches!(name.as_str(), "cpu" | "memory") && field.is_number();
                (name.clone(), if amount { json!(field.to_string()) } else { plain(field) })
            })
            .collect(),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn the_examples_are_accepted() {
    let server = api_server().await;
    let client = server.client();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in ["user-view", "department-stats"] {
        let documents = documents(&read(&examples.join(format!("{name}.yaml"))));
        let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(kinds, ["Namespace", "MaterializedView"], "{name}");
        assert_eq!(documents[0]["metadata"]["name"], "shop");
        let path = format!("{VIEWS}?fieldValidation=Strict");
        send(&client, "POST", &path, &documents[1]).await.unwrap_or_else(|refusal| panic!("{name}: {refusal:#?}"));
    }

    let replay = json!({"spec": {"replay": {"id": "after-bugfix", "from": {"earliest": {}}}}});
    let replayed = send(&client, "PATCH", &format!("{VIEWS}/user-view?fieldValidation=Strict"), &replay)
        .await
        .expect("the replay is accepted");
    assert_eq!(replayed["spec"]["replay"]["from"], replay["spec"]["replay"]["from"]);
    let short = json!({"spec": {"replay": {"id": "after-bugfix-42"}}});
    let replayed =
        send(&client, "PATCH", &format!("{VIEWS}/department-stats"), &short).await.expect("a replay by id alone");
    let whole =
        json!({"id": "after-bugfix-42", "from": {"earliest": {}}, "acceptTruncation": false, "discardHistory": false});
    assert_eq!(replayed["spec"]["replay"], whole);
    let grown = json!({"spec": {"workers": {"max": 8}}});
    let grown = send(&client, "PATCH", &format!("{VIEWS}/user-view"), &grown).await.expect("other fields may change");
    assert_eq!(grown["spec"]["workers"], json!({"mode": "Auto", "replicas": 1, "min": 1, "max": 8}));
}

#[tokio::test]
async fn the_view_can_be_scaled_listed_and_found_by_its_short_name() {
    let server = api_server().await;
    let client = server.client();
    let manifest = documents(&read(&folder().join("table.yaml"))).remove(0);
    send(&client, "POST", VIEWS, &manifest).await.expect("the view is created");

    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "RollingOut", "message": "리비전을 만들고 있습니다",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }],
        "liveRevision": "1a2b3c4d",
        "rollout": {"revision": "5e6f7a8b", "phase": "Building", "promote": "5e6f7a8b.2", "recordsDone": 42,
            "recordsTotal": 100, "percent": 42, "etaSeconds": 60, "waitingOn": "records",
            "forecast": {"records": 100, "workers": 6}},
        "replays": [{"id": "1", "revision": "5e6f7a8b", "acceptedAt": "2026-01-01T00:00:00Z"}],
        "requests": [{"verb": "promote", "id": "5e6f7a8b"}, {"verb": "abort", "id": "not-today",
            "nothingToDo": "no revision is being built"}],
        "lagRecords": 58, "freshnessMilliseconds": 120,
        "parallelism": {"max": 6, "reason": "user-events has 6 partitions"},
        "replicas": 6, "selector": "millrace.dev/view=user-view",
    }});
    let written = send(&client, "PATCH", &format!("{VIEWS}/user-view/status?fieldValidation=Strict"), &status)
        .await
        .expect("the status is accepted");
    let view: MaterializedView = serde_json::from_value(written.clone()).expect("the Rust types read the status");
    assert_eq!(serde_json::to_value(&view.status).expect("a status is JSON"), written["status"]);

    let scale = send(&client, "GET", &format!("{VIEWS}/user-view/scale"), &Value::Null).await.expect("a scale");
    assert_eq!(scale["spec"]["replicas"], 1);
    assert_eq!(scale["status"], json!({"replicas": 6, "selector": "millrace.dev/view=user-view"}));
    let three = json!({"spec": {"replicas": 3}});
    send(&client, "PATCH", &format!("{VIEWS}/user-view/scale"), &three).await.expect("the view is scaled");
    let scaled = send(&client, "GET", &format!("{VIEWS}/user-view"), &Value::Null).await.expect("the view");
    assert_eq!(scaled["spec"]["workers"]["replicas"], 3);
    let refusal = send(&client, "PATCH", &format!("{VIEWS}/user-view/scale"), &json!({"spec": {"replicas": 0}})).await;
    assert!(format!("{refusal:?}").contains("to stop all workers write suspend: true"), "{refusal:?}");

    let request = http::Request::get(VIEWS)
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .expect("a request");
    let table: Value = client.request(request).await.expect("a table");
    let names: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    let always = ["Name", "READY", "STATUS", "ROLLOUT", "PROGRESS", "ETA", "LAG", "FRESHNESS", "REPLICAS"];
    assert_eq!(names, [&always[..], &["PREVIOUS", "BEHIND", "AGE"]].concat());
    let cells = table["rows"][0]["cells"].as_array().expect("cells");
    assert_eq!(
        cells[..9],
        json!(["user-view", "False", "RollingOut", "Building", 42, 60, 58, 120, 6]).as_array().expect("a list")[..]
    );

    let resources =
        send(&client, "GET", "/apis/millrace.dev/v1alpha1", &Value::Null).await.expect("the group's resources");
    let resources = resources["resources"].as_array().expect("a list");
    let of = |kind: &str| resources.iter().find(|resource| resource["name"] == kind).expect("the kind is served");
    let view = of("materializedviews");
    assert_eq!((&view["shortNames"], &view["categories"]), (&json!(["mv"]), &json!(["millrace"])));
    assert_eq!(of("rolloutplans")["shortNames"], json!(["mvplan"]));
}

#[tokio::test]
async fn a_question_is_taken_with_the_defaults_of_a_view_and_so_is_its_answer() {
    let server = api_server().await;
    let client = server.client();
    let [question, view] =
        ["question", "table"].map(|name| documents(&read(&folder().join(format!("{name}.yaml")))).remove(0));
    let asked = send(&client, "POST", QUESTIONS, &question).await.expect("the question is taken");
    let view = send(&client, "POST", VIEWS, &view).await.expect("the view is taken");
    assert_eq!(asked["spec"]["spec"], view["spec"], "the same manifest has the same defaults");

    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [{
            "type": "Answered", "status": "True", "reason": "Rollout", "message": "a rollout",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }],
        "forecast": {
            "sentences": ["readers will see the columns id bigint, name text"], "records": 100, "bytes": 4_000, "seconds": 1,
            "bytesInPostgres": 8_192, "bytesInPostgresWithBoth": 16_384, "workers": 6,
            "partitions": [{"topic": "user-events", "partition": 0, "from": 0, "records": 100, "cutOff": false}],
            "morePartitions": 5,
        },
        "text": "shop/user-view: a rollout\n\n부서별 통계\n",
    }});
    let name = question["metadata"]["name"].as_str().expect("a name");
    let written = send(&client, "PATCH", &format!("{QUESTIONS}/{name}/status?fieldValidation=Strict"), &status)
        .await
        .expect("the answer is taken");
    let answered: RolloutPlan = serde_json::from_value(written.clone()).expect("the Rust types read the answer");
    assert_eq!(serde_json::to_value(&answered.status).expect("a status is JSON"), written["status"]);
    assert_eq!(answered.verdict(), Some(Verdict::Rollout));
}
