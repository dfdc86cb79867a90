//! A Kafka and a Postgres that were there before: SASL and TLS, verify-full, and every word of it from Secrets.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    certificates::Authority,
    secured::{self, Logins, NAMESPACE, psql},
    shell::{apply, eventually},
    view::View,
};
use serde_json::json;
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);

const PAYMENTS: &str = "
apiVersion: millrace.dev/v1alpha1
kind: MaterializedView
metadata: {name: payments, namespace: secured}
spec:
  kafka: {secretRef: {name: kafka-login}}
  postgres: {secretRef: {name: postgres-login}}
  sources:
  - name: payments
    topic: payments
    as: Table
    format: Json
    keyFormat: Text
    key: [id]
    columns:
    - {name: id, type: text}
    - {name: amount, type: bigint}
    ensureTopic: {partitions: 1, replicas: 1}
  query: SELECT id, amount FROM payments
  target: {schema: secured, name: payments}
";

/// Payments 1 to `count` are what readers see.
fn readers_see(count: i64) -> Result<()> {
    eventually(&format!("{count} payments are there"), Duration::from_secs(30), || {
        let found = psql("select count(*), sum(amount) from secured.payments")?;
        ensure!(found == format!("{count}|{}", count * (count + 1) / 2), "found {found}");
        Ok(())
    })
}

/// Sends payment number `count` after those before it; the worker takes it to the readers.
fn pay(count: i64) -> Result<()> {
    let id = format!("결제-{count}");
    secured::produce("payments", &id, &json!({"id": id, "amount": count}))?;
    readers_see(count)
}

/// Has the operator look at once: a changed Secret is found at its next look at the view, which may be half a minute away.
fn look_now(view: &View) -> Result<()> {
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_millis().to_string();
    view.patch(&json!({"metadata": {"annotations": {"example.com/looked-at": now}}}).to_string())
}

/// Waits until the condition says `reason` in a sentence with each of `words`.
fn says(view: &View, condition: &str, reason: &str, words: &[&str]) -> Result<()> {
    eventually(&format!("{condition} is False for {reason} with {words:?}"), MINUTE, || {
        let (status, found, message) = view.condition(condition)?;
        let well = status == "False" && found == reason && words.iter().all(|word| message.contains(word));
        ensure!(well, "found {status} {found}: {message}");
        Ok(())
    })
}

/// The operator and the worker have sessions, and none without TLS.
fn sessions_are_encrypted() -> Result<()> {
    eventually("operator and worker talk TLS with Postgres", MINUTE, || {
        let sessions = psql(
            "select distinct split_part(application_name, ' ', 1) as client, ssl
             from pg_stat_activity join pg_stat_ssl using (pid) where application_name like 'millrace-%' order by 1, 2",
        )?;
        ensure!(sessions == "millrace-operator|t\nmillrace-worker|t", "found {sessions}");
        Ok(())
    })
}

#[test]
fn an_existing_kafka_and_postgres_are_used_by_tls_and_a_wrong_secret_is_named_and_heals() -> Result<()> {
    let right = secured::start()?;
    right.apply()?;
    apply(PAYMENTS)?;
    let view = View::new(NAMESPACE, "payments");
    view.wait_ready(2 * MINUTE)?;
    pay(1)?;
    sessions_are_encrypted()?;

    let wrong = "wrong".to_owned();
    let one_wrong = Logins { kafka_password: wrong.clone(), ..right.clone() };
    one_wrong.apply()?;
    says(&view, "SourcesReady", "KafkaAuthenticationFailed", &["kafka.secured.svc:9094", "correct the user"])?;
    ensure!(view.condition("Available")?.0 == "True", "Postgres is well, readers are served");
    pay(2)?;

    Logins { postgres_password: wrong, ..one_wrong }.apply()?;
    look_now(&view)?;
    says(&view, "SinkReady", "PostgresAuthenticationFailed", &["refused the login", "correct the user"])?;
    says(&view, "SourcesReady", "KafkaAuthenticationFailed", &["refused the login"])?;
    pay(3)?;

    right.apply()?;
    look_now(&view)?;
    view.wait_ready(MINUTE)?;
    pay(4)?;

    let stranger = Authority::new("another authority")?;
    Logins { ca: stranger.certificate(), ..right.clone() }.apply()?;
    look_now(&view)?;
    says(&view, "SinkReady", "PostgresUnreachable", &["UnknownIssuer", "ca.crt"])?;
    says(&view, "SourcesReady", "KafkaUnreachable", &["kafka.secured.svc:9094", "certificate", "ca.crt"])?;

    // The same servers by a name that their certificates do not have.
    let domain = "svc.cluster.local";
    Logins { domain: domain.into(), ..right.clone() }.apply()?;
    look_now(&view)?;
    says(&view, "SinkReady", "PostgresUnreachable", &["certificate", &format!("postgres.secured.{domain}")])?;
    says(&view, "SourcesReady", "KafkaUnreachable", &["certificate", &format!("kafka.secured.{domain}:9094")])?;
    readers_see(4)?;

    right.apply()?;
    look_now(&view)?;
    view.wait_ready(MINUTE)?;
    pay(5)?;
    view.delete()?;
    secured::delete()
}
