//! A view over two topics of two services: a post is shown with its author as the author is now.

use anyhow::{Context, Result, ensure};
use millrace_cluster_tests::{
    database,
    rest::{POSTS, USERS, curl},
    shell::{eventually, kubectl},
    view::View,
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

fn wait_for(post: i64, expected: &str) -> Result<()> {
    let shown = format!("SELECT author, department, title FROM shop.post_view WHERE id = {post}");
    eventually(&format!("post {post} is shown as {expected:?}"), Duration::from_secs(30), || {
        let found = database::psql(&shown)?;
        ensure!(found.trim() == expected, "found {found:?}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_shown_with_its_author_as_he_is_now_and_goes_with_him() -> Result<()> {
    kubectl(&["apply", "-f", "examples/post-view.yaml"])?;
    let view = View::new("shop", "post-view");
    view.wait_ready(LIMIT)?;
    let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let mut author = json!({
        "name": "홍길동", "email": format!("author-{stamp}@example.com"), "department": "개발팀", "status": "ACTIVE"
    });
    let made = curl("POST", USERS, Some(&author))?;
    let user = made["id"].as_i64().with_context(|| format!("a created user has an id: {made}"))?;
    let post = |title: &str| {
        let made = curl("POST", POSTS, Some(&json!({"user_id": user, "title": title, "content": "안녕하세요"})))?;
        made["id"].as_i64().with_context(|| format!("a created post has an id: {made}"))
    };
    let (first, second) = (post("공지")?, post("news")?);
    wait_for(first, "홍길동|개발팀|공지")?;
    wait_for(second, "홍길동|개발팀|news")?;

    author["name"] = "김철수".into();
    author["department"] = "영업팀".into();
    curl("PUT", &format!("{USERS}/{user}"), Some(&author))?;
    wait_for(first, "김철수|영업팀|공지")?;
    wait_for(second, "김철수|영업팀|news")?;

    // A replay joins everything anew.
    view.patch(&json!({"spec": {"replay": {"id": format!("joined-{stamp}")}}}).to_string())?;
    view.wait_ready(LIMIT)?;
    wait_for(first, "김철수|영업팀|공지")?;

    curl("DELETE", &format!("{USERS}/{user}"), None)?;
    wait_for(first, "")?;
    wait_for(second, "")?;
    view.delete_with_its_table()
}
