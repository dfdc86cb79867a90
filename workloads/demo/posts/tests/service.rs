//! The post service on a real Postgres: posts beside the users that a view shows.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request};
use millrace_demo_kit::{connections::for_service, service::Core};
use millrace_demo_posts::{api, service::SCHEMA};
use millrace_test_support::TemporaryPostgres;
use serde_json::Value;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::sync::Notify;
use tower::ServiceExt;

async fn ask(router: &Router, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn posts_are_written_with_their_event_and_read_beside_their_users_of_the_view() {
    let uri = TemporaryPostgres::owned_database().await.uri;
    let options = for_service(uri.parse::<PgConnectOptions>().unwrap(), SCHEMA.name);
    let pool = PgPool::connect_with(options).await.unwrap();
    SCHEMA.migrate(&pool).await.unwrap();
    let router = api::routes(Core { pool: pool.clone(), bell: Arc::new(Notify::new()) });

    let (status, answer) = ask(&router, "GET", "/api/posts/users", "").await;
    assert_eq!((status, answer["error"]["field"].as_str()), (503, Some("shop.user_view")));

    sqlx::raw_sql(
        "CREATE SCHEMA shop; CREATE TABLE shop.user_view (id bigint, name text, department text);
         INSERT INTO shop.user_view VALUES (3, '홍길동', '개발팀'), (4, 'Ada', 'Research')",
    )
    .execute(&pool)
    .await
    .unwrap();
    for (user, title) in [(3, "공지"), (4, "Notes"), (99, "누구?")] {
        let body = serde_json::json!({"user_id": user, "title": title, "content": "첫 줄\n둘째 줄"}).to_string();
        let (status, post) = ask(&router, "POST", "/api/posts", &body).await;
        assert_eq!((status, post["title"].as_str()), (201, Some(title)), "{post}");
    }
    let events: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM outbox ORDER BY id").fetch_all(&pool).await.unwrap();
    assert_eq!(events.len(), 3);
    assert!(events[0].0 == "1" && events[0].1.contains("POST_CREATED"), "{events:?}");

    let (_, all) = ask(&router, "GET", "/api/posts/users", "").await;
    let shown = |post: &Value| (post["title"].clone(), post["name"].clone(), post["department"].clone());
    let posts: Vec<_> = all["posts"].as_array().unwrap().iter().map(shown).collect();
    assert_eq!(posts[0], ("공지".into(), "홍길동".into(), "개발팀".into()));
    assert_eq!(posts[2], ("누구?".into(), Value::Null, Value::Null));

    let path = "/api/posts/by-department/%EA%B0%9C%EB%B0%9C%ED%8C%80";
    let (_, found) = ask(&router, "GET", path, "").await;
    assert_eq!(found["posts"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>(), posts[..1]);
    let (status, page) = ask(&router, "GET", "/api/posts/users?limit=1&after=1", "").await;
    assert_eq!((status, &page["posts"][0]["title"], &page["next"]), (200, &"Notes".into(), &2.into()));

    for (body, field) in
        [("{\"user_id\":3,\"title\":\"t\"}", "content"), ("{\"user_id\":0}", "user_id"), ("홍", "body")]
    {
        let (status, answer) = ask(&router, "POST", "/api/posts", body).await;
        assert_eq!((status, answer["error"]["field"].as_str()), (400, Some(field)), "{answer}");
    }
}
