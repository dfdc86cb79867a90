//! The API server itself: it starts, remembers, counts writes and stops.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use millrace_apiserver::ApiServer;

#[tokio::test]
async fn an_api_server_remembers_what_is_written_and_counts_it() {
    let server = ApiServer::start().await.unwrap_or_else(|error| panic!("{error}"));
    let namespaces: Api<Namespace> = Api::all(server.client());
    let names: Vec<String> =
        namespaces.list(&ListParams::default()).await.expect("namespaces").iter().map(ResourceExt::name_any).collect();
    assert!(names.contains(&"default".to_string()), "{names:?}");

    let maps: Api<ConfigMap> = Api::namespaced(server.client(), "default");
    let map = ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some("greeting".into()), ..Default::default() },
        data: Some([("greeting".to_string(), "안녕하세요".to_string())].into()),
        ..Default::default()
    };
    maps.create(&PostParams::default(), &map).await.expect("the map is created");
    let back = maps.get("greeting").await.expect("the map is there");
    assert_eq!(back.data.expect("data")["greeting"], "안녕하세요");

    let ours: Vec<_> = server.writes().into_iter().filter(|write| write.user == "test").collect();
    let [write] = ours.as_slice() else { panic!("one write was made, the log has {ours:?}") };
    assert_eq!(
        (write.verb.as_str(), write.resource.as_str(), write.namespace.as_str(), write.name.as_str(), write.code),
        ("create", "configmaps", "default", "greeting", 201)
    );
}
