//! A worker from its start to its end: sessions one after the other, until it is told to stop.

use crate::{
    commit::MOST_RECORDS,
    configuration::Configuration,
    ending::Ending,
    prepared::{Prepared, Preparer},
    reader::{Command, Connect, Event, Reader, Shared},
    session::Session,
    telemetry::{health::Health, metrics::Metrics, server},
};
use anyhow::Context;
use millrace_connectors::{
    kafka::{ClientName, KafkaSource},
    postgres::{LoadError, Loaded, RevisionName, Store, StoreError, connect},
};
use millrace_contract::{
    connection::{KafkaConnection, PostgresConnection},
    ident::consumer_group,
    source::Origin,
};
use sqlx::PgConnection;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc as blocking,
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a worker that ends waits for Postgres.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(200);

/// What outlives a session.
pub struct Worker {
    pub name: RevisionName,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub preparer: Arc<Preparer>,
    pub shared: Arc<Shared>,
    /// The catalog that this process first met.
    pub catalog_id: String,
    /// Positions kept in memory: used by one sabotage, and by nothing else.
    pub remembered: BTreeMap<i32, i64>,
    commands: blocking::Sender<Command>,
}

/// What comes from the reader.
struct Lines {
    prepared: mpsc::Receiver<Prepared>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Worker {
    pub fn tell(&self, command: Command) {
        // Where the reader has ended, /healthz says so.
        let _ = self.commands.send(command);
    }
}

pub async fn run(configuration: Configuration) -> anyhow::Result<()> {
    let name = configuration.revision_name();
    let (kafka, postgres) = (configuration.kafka()?, configuration.postgres()?);
    let health = Arc::new(Health::new());
    let metrics = Arc::new(Metrics::new(&name)?);
    server::start(configuration.listen, health.clone(), metrics.clone()).await?;
    let mut ending = Ending::listen()?;
    tracing::info!(
        namespace = name.namespace,
        view = name.view,
        revision = name.revision,
        holder = name.holder,
        "worker started"
    );

    let mut started: Option<(Worker, Lines)> = None;
    let mut pause = Pause::default();
    loop {
        health.turn();
        let failed = tokio::select! {
            biased;
            () = ending.wait() => break,
            opened = open(&postgres, &name) => match opened {
                Ok((connection, loaded)) => {
                    if started.is_none() {
                        started = Some(start(&name, &kafka, &loaded, &health, &metrics)?);
                    }
                    let Some((worker, lines)) = &mut started else { continue };
                    health.postgres.store(true, Ordering::Relaxed);
                    let store = Store::new(connection, name.clone(), loaded, worker.preparer.dataflow.clone());
                    match work(worker, lines, store, &mut ending, &mut pause).await {
                        Ok(()) => break,
                        Err(error) => error.into(),
                    }
                }
                Err(error) => error,
            },
        };
        health.postgres.store(false, Ordering::Relaxed);
        if let Some(error @ LoadError::Plan(_)) = failed.downcast_ref() {
            // Another program must be run: waiting mends nothing.
            tracing::error!(%error, "the plan cannot be run");
            return Err(failed);
        }
        metrics.restarts.with_label_values(&[cause(&failed)]).inc();
        tracing::warn!(error = format!("{failed:#}"), "everything is read again from the store");
        let wait = pause.next();
        let mut waited = Duration::ZERO;
        while waited < wait {
            health.turn();
            tokio::select! {
                biased;
                () = ending.wait() => return Ok(()),
                () = sleep(TICK.min(wait)) => waited += TICK.min(wait),
            }
        }
    }
    tracing::info!("worker ended");
    Ok(())
}

/// Opens a connection and reads the revision.
async fn open(postgres: &PostgresConnection, name: &RevisionName) -> anyhow::Result<(PgConnection, Loaded)> {
    let application = format!("millrace-worker {}", name.holder);
    let mut connection = timeout(CONNECT_WITHIN, connect(postgres, &application))
        .await
        .with_context(|| format!("postgres at {}:{} did not answer in time", postgres.host, postgres.port))?
        .with_context(|| format!("no connection to postgres at {}:{}", postgres.host, postgres.port))?;
    let loaded = timeout(CONNECT_WITHIN, Store::load(&mut connection, name))
        .await
        .context("postgres did not give the plan in time")??;
    Ok((connection, loaded))
}

/// Starts the reader, once the plan is known.
fn start(
    name: &RevisionName,
    kafka: &KafkaConnection,
    loaded: &Loaded,
    health: &Arc<Health>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Worker, Lines)> {
    let plan = Arc::new(loaded.plan.clone());
    let mut columns = plan.sources.iter().flat_map(|source| &source.columns);
    let headers = columns.any(|column| matches!(column.origin, Origin::Header(_)));
    let group = consumer_group(&name.namespace, &name.view, Some(&name.revision));
    let (connection, holder, topics) = (kafka.clone(), name.holder.clone(), plan.topics());
    let connect: Connect = Box::new(move |group: &str| {
        KafkaSource::new(&connection, &ClientName { client_id: &holder, group_id: group }, topics.clone(), headers)
    });
    let kafka_source = connect(&group).context("the settings of the Kafka client are not valid")?;
    let preparer = Arc::new(Preparer::new(plan.clone())?);
    let shared = Arc::new(Shared {
        epoch_records: AtomicUsize::new(MOST_RECORDS / 4),
        limit: Mutex::new(None),
        stable: Mutex::new(BTreeMap::new()),
    });
    let (commands, commands_of_reader) = blocking::channel();
    let (prepared_of_reader, prepared) = mpsc::channel(1);
    let (events_of_reader, events) = mpsc::unbounded_channel();
    let reader = Reader {
        source: kafka_source,
        connect,
        group,
        preparer: preparer.clone(),
        commands: commands_of_reader,
        prepared: prepared_of_reader,
        events: events_of_reader,
        shared: shared.clone(),
        health: health.clone(),
    };
    std::thread::Builder::new().name("reader".into()).spawn(move || reader.run())?;
    let worker = Worker {
        name: name.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
        preparer,
        shared,
        catalog_id: loaded.catalog_id.clone(),
        remembered: BTreeMap::new(),
        commands,
    };
    Ok((worker, Lines { prepared, events }))
}

/// The loop. It ends well when the worker is told to stop, badly when the store must be read again.
async fn work(
    worker: &mut Worker,
    lines: &mut Lines,
    store: Store,
    ending: &mut Ending,
    pause: &mut Pause,
) -> Result<(), StoreError> {
    let health = worker.health.clone();
    let mut session = Session::new(worker, store);
    loop {
        health.turn();
        session.look().await?;
        tokio::select! {
            biased;
            () = ending.wait() => {
                let left = timeout(LEAVE_WITHIN, session.leave()).await;
                if !matches!(left, Ok(Ok(()))) {
                    tracing::warn!("tasks not given back: they are free when their lease ends");
                }
                return Ok(());
            }
            Some(event) = lines.events.recv() => session.hear(event).await?,
            Some(prepared) = lines.prepared.recv() => {
                session.commit(prepared, ending).await?;
                pause.reset();
            }
            () = sleep(TICK) => {}
        }
    }
}

fn cause(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Lost(_)) => "lost",
        Some(StoreError::Held(_)) => "held",
        Some(StoreError::Silent(_)) => "silent",
        Some(StoreError::Row { .. }) => "refused",
        Some(StoreError::Postgres(_)) | None => "postgres",
    }
}

/// The wait before the next session: 100 ms, doubled up to 3 s.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 + 1).min(6);
        Duration::from_millis(50 << self.0)
    }

    fn reset(&mut self) {
        self.0 = 0;
    }
}
