//! The process: reads its configuration, waits to lead, runs the controller, and ends with the lease.

use anyhow::Context;
use clap::Parser;
use kube::{
    Client,
    runtime::events::{Recorder, Reporter},
};
use millrace_operator::{
    config::Config,
    controller::{self, Reconciler},
    telemetry,
    view::rhythm::Rhythm,
    world::{connections::Connections, lease, real::RealWorld},
};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    telemetry::start_logs(&config.log)?;
    let metrics = Arc::new(telemetry::Metrics::new()?);
    telemetry::serve(config.listen, metrics.clone())
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let client = Client::try_default().await.context("no way to the Kubernetes API")?;
    let reconciler = Reconciler {
        world: world(&config, client.clone()),
        settings: config.settings()?,
        rhythm: Rhythm { resync: config.resync() },
        metrics: metrics.clone(),
        memories: Default::default(),
        app_memories: Default::default(),
    };
    let mut ended = signal(SignalKind::terminate())?;
    let mut leadership = tokio::select! {
        leadership = lease::lead(client.clone(), &config.pod_namespace, &config.pod_name) => leadership,
        _ = ended.recv() => return Ok(()),
    };
    tracing::info!(holder = config.pod_name, "leading");
    metrics.leader.set(1);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut running = tokio::spawn(controller::run(client, reconciler, async move {
        // Stopped by the word, or by whoever would have said it being gone.
        let _ = stopped.await;
    }));
    tokio::select! {
        () = leadership.keep() => anyhow::bail!("the lease was lost: another may lead, so this process ends"),
        end = &mut running => anyhow::bail!("the controller ended: {end:?}"),
        _ = ended.recv() => {}
    }
    tracing::info!("ending");
    let _ = stop.send(());
    tokio::select! {
        () = leadership.keep() => {}
        _ = running => {}
    }
    leadership.give_up().await;
    Ok(())
}

fn world(config: &Config, client: Client) -> RealWorld {
    let connections = Connections::new(client.clone(), config.kafka(), config.postgres());
    let reporter = Reporter { controller: "millrace-operator".into(), instance: Some(config.pod_name.clone()) };
    RealWorld::new(client.clone(), connections, Recorder::new(client, reporter))
}
