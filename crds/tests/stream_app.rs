//! StreamApp on a real API server: what comes back of it, its scale, and its columns.

mod support;

use millrace_crds::StreamApp;
use serde_json::{Value, json};
use support::{APPS, api_server, documents, folder, path_of, read, send};

#[tokio::test]
async fn an_app_comes_back_with_its_defaults_and_all_of_its_template() {
    let server = api_server().await;
    let client = server.client();
    let mut manifest = documents(&read(&folder().join("app.yaml"))).remove(0);
    // A field that no program here knows stays as it was written.
    manifest["spec"]["podTemplate"]["spec"]["newerThanAll"] = json!({"of": ["us"]});
    assert_eq!(path_of(&manifest), APPS);
    let back = send(&client, "POST", &format!("{APPS}?fieldValidation=Strict"), &manifest).await.expect("it is taken");
    assert_eq!(back["spec"]["podTemplate"], manifest["spec"]["podTemplate"]);
    assert_eq!(back["spec"]["workers"], json!({"mode": "Auto", "replicas": 1, "min": 1, "max": 6}));
    assert_eq!((&back["spec"]["suspend"], &back["spec"]["deletionPolicy"]), (&json!(false), &json!("Retain")));
    let app: StreamApp = serde_json::from_value(back.clone()).expect("the Rust types read it");
    assert_eq!(app.spec.pod_template, manifest["spec"]["podTemplate"]);
    assert_eq!(app.spec.consumer_group, "inventory");

    for from in [
        json!({"earliest": {}}),
        json!({"latest": {}}),
        json!({"timestamp": "2026-01-31T09:00:00+09:00"}),
        json!({"duration": "24h"}),
        json!({"offsets": {"order-events": {"0": 10}}}),
        json!({"shiftBy": -100}),
        json!({"saved": "before"}),
    ] {
        let replay = json!({"spec": {"replay": {"id": "again", "from": from}}});
        let cleared = json!({"spec": {"replay": null}});
        send(&client, "PATCH", &format!("{APPS}/inventory"), &cleared).await.expect("a replay is taken back");
        let replayed = send(&client, "PATCH", &format!("{APPS}/inventory?fieldValidation=Strict"), &replay).await;
        assert_eq!(replayed.expect("the replay is taken")["spec"]["replay"]["from"], from);
    }
}

#[tokio::test]
async fn an_app_can_be_scaled_listed_and_found_by_its_short_name() {
    let server = api_server().await;
    let client = server.client();
    let manifest = documents(&read(&folder().join("app.yaml"))).remove(0);
    send(&client, "POST", APPS, &manifest).await.expect("the app is created");
    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "Replaying", "message": "레코드를 다시 읽습니다",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }],
        "phase": "CatchingUp", "waitingOn": "58 records", "lagRecords": 58,
        "lag": [{"topic": "order-events", "partition": 0, "committed": 42, "end": 100, "lag": 58}],
        "group": {"state": "Stable", "members": 6, "idleMembers": 1, "foreignMembers": ["kcat at 10.0.0.9"]},
        "replays": [{
            "id": "again", "acceptedAt": "2026-01-01T00:00:00Z", "begunAt": "2026-01-01T00:00:00Z", "taken": true, "alteredAt": "2026-01-01T00:00:01Z",
            "resetAt": "2026-01-01T00:00:12Z", "saved": {"order-events": {"0": 90, "1": 80}},
            "begin": {"order-events": {"0": 0, "1": 0}}, "until": {"order-events": {"0": 100, "1": 80}},
        }],
        "replicas": 6, "selector": "millrace.dev/app=inventory",
    }});
    let written = send(&client, "PATCH", &format!("{APPS}/inventory/status?fieldValidation=Strict"), &status)
        .await
        .expect("the status is accepted");
    let app: StreamApp = serde_json::from_value(written.clone()).expect("the Rust types read the status");
    assert_eq!(serde_json::to_value(&app.status).expect("a status is JSON"), written["status"]);

    let scale = send(&client, "GET", &format!("{APPS}/inventory/scale"), &Value::Null).await.expect("a scale");
    assert_eq!(scale["status"], json!({"replicas": 6, "selector": "millrace.dev/app=inventory"}));
    let three = json!({"spec": {"replicas": 3}});
    send(&client, "PATCH", &format!("{APPS}/inventory/scale"), &three).await.expect("the app is scaled");
    let scaled = send(&client, "GET", &format!("{APPS}/inventory"), &Value::Null).await.expect("the app");
    assert_eq!(scaled["spec"]["workers"]["replicas"], 3);

    let request = http::Request::get(APPS)
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .expect("a request");
    let table: Value = client.request(request).await.expect("a table");
    let columns = table["columnDefinitions"].as_array().expect("columns");
    let names: Vec<&str> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(names, ["Name", "READY", "STATUS", "PHASE", "LAG", "MEMBERS", "IDLE", "REPLICAS", "AGE"]);
    let cells = table["rows"][0]["cells"].as_array().expect("cells");
    let expected = json!(["inventory", "False", "Replaying", "CatchingUp", 58, 6, 1, 6]);
    assert_eq!(cells[..8], expected.as_array().expect("a list")[..]);

    let resources = send(&client, "GET", "/apis/millrace.dev/v1alpha1", &Value::Null).await.expect("the resources");
    let resources = resources["resources"].as_array().expect("a list");
    let app = resources.iter().find(|resource| resource["name"] == "streamapps").expect("the kind is served");
    assert_eq!((&app["shortNames"], &app["categories"]), (&json!(["sapp"]), &json!(["millrace"])));
}
