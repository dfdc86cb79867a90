//! A temporary Kafka: three KRaft nodes, each broker and controller, as plain JVMs on loopback.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};

use crate::{
    guard::Guard,
    jars,
    ports::free_ports,
    server::{Server, run},
};

pub const NODES: usize = 3;
/// A formatted log directory names its cluster; every temporary one may bear the same name.
const CLUSTER_ID: &str = "MillraceTestKafka00000";
/// Names the folder of a run of many test programs, which share their brokers; without it each program has its own.
const RUN: &str = "MILLRACE_TEST_RUN";
const JVM_FLAGS: [&str; 5] =
    ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dlog4j2.level=WARN"];

pub struct TemporaryKafka {
    brokers: [u16; NODES],
    class_path: String,
    nodes: [Option<Server>; NODES],
    guard: Guard,
}

impl TemporaryKafka {
    /// The brokers that all tests of this process share, and all programs of a run; started when they are first asked
    /// for.
    pub async fn shared() -> &'static TemporaryKafka {
        static SHARED: OnceLock<TemporaryKafka> = OnceLock::new();
        let start = || match std::env::var_os(RUN) {
            None => TemporaryKafka::start(),
            Some(run) => TemporaryKafka::of_run(Path::new(&run)).unwrap_or_else(|failure| panic!("{failure}")),
        };
        tokio::task::spawn_blocking(move || SHARED.get_or_init(start)).await.expect("the shared Kafka starts")
    }

    /// Those that another program of the run has started, or else new ones that outlive this process.
    fn of_run(run: &Path) -> Result<TemporaryKafka, String> {
        let explain = |error: io::Error| format!("{}: {error}", run.display());
        let lock = File::create(run.join("kafka.lock")).map_err(explain)?;
        lock.lock().map_err(explain)?;
        let started = run.join("kafka");
        match fs::read_to_string(&started) {
            Ok(ports) => {
                let ports: Vec<u16> = ports.split_whitespace().filter_map(|port| port.parse().ok()).collect();
                let brokers = ports.try_into().map_err(|_| format!("{} holds no ports", started.display()))?;
                let (nodes, guard) = ([None, None, None], Guard::of_others(run));
                Ok(TemporaryKafka { brokers, class_path: jars::class_path("kafka")?, nodes, guard })
            }
            Err(_) => {
                let kafka = TemporaryKafka::start_with(|| Guard::of_run("kafka", run));
                fs::write(&started, kafka.brokers.map(|port| port.to_string()).join(" ")).map_err(explain)?;
                Ok(kafka)
            }
        }
    }

    /// Brokers of the caller's own, for tests that kill or stop them; ended when dropped. Blocks for about 6 s.
    pub fn start() -> TemporaryKafka {
        TemporaryKafka::start_with(|| Guard::start("kafka"))
    }

    fn start_with(guard: impl Fn() -> io::Result<Guard>) -> TemporaryKafka {
        let mut failures = Vec::new();
        for _ in 0..3 {
            match TemporaryKafka::try_start(&guard) {
                Ok(kafka) => return kafka,
                Err(failure) => failures.push(failure),
            }
        }
        panic!("a temporary Kafka cannot be started:\n{}", failures.join("\n"));
    }

    fn try_start(guard: impl Fn() -> io::Result<Guard>) -> Result<TemporaryKafka, String> {
        let class_path = jars::class_path("kafka")?;
        let guard = guard().map_err(|error| format!("a temporary directory cannot be made: {error}"))?;
        let brokers = free_ports::<NODES>();
        let controllers = free_ports::<NODES>();
        let mut kafka = TemporaryKafka { brokers, class_path, nodes: [None, None, None], guard };
        std::thread::scope(|scope| {
            let formatting: Vec<_> = (0..NODES)
                .map(|node| {
                    let properties = kafka.properties_file(node);
                    let text = properties_of(node, &brokers, &controllers, kafka.guard.directory());
                    let mut format = kafka.java();
                    format.args(["kafka.tools.StorageTool", "format", "--ignore-formatted"]);
                    format.args(["--cluster-id", CLUSTER_ID, "--config"]).arg(&properties);
                    scope.spawn(move || {
                        fs::write(&properties, text).map_err(|error| format!("{}: {error}", properties.display()))?;
                        run(format)
                    })
                })
                .collect();
            formatting.into_iter().try_for_each(|task| task.join().expect("formatting does not panic"))
        })?;
        for node in 0..NODES {
            kafka.launch(node)?;
        }
        kafka.wait_for(NODES, Duration::from_secs(90))?;
        Ok(kafka)
    }

    /// For `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.brokers.map(|port| format!("127.0.0.1:{port}")).join(",")
    }

    /// A new topic whose name starts with `prefix` and is used by nobody else; replicated to all three nodes.
    pub async fn topic(&self, prefix: &str, partitions: i32) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.create_topic(&name, partitions, &[]).await;
        name
    }

    /// A topic of the given name; `config` as in `("cleanup.policy", "compact")`.
    pub async fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(NODES as i32));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let results = self
            .admin()
            .create_topics([&topic], &AdminOptions::new().operation_timeout(Some(Duration::from_secs(30))))
            .await
            .unwrap_or_else(|error| panic!("topic {name} cannot be created: {error}"));
        for result in results {
            result.unwrap_or_else(|(name, error)| panic!("topic {name} cannot be created: {error}"));
        }
        self.wait_for_leaders(name, partitions as usize).await;
    }

    /// Brokers hear of a topic one after the other; until they have, a client may be told it does not exist.
    async fn wait_for_leaders(&self, name: &str, partitions: usize) {
        for port in self.brokers {
            let server = format!("127.0.0.1:{port}");
            let name = name.to_owned();
            tokio::task::spawn_blocking(move || {
                let start = Instant::now();
                loop {
                    let client: BaseConsumer = client(&server).create().expect("the client's settings are valid");
                    let known = client.fetch_metadata(Some(&name), Duration::from_secs(5)).is_ok_and(|metadata| {
                        metadata.topics().iter().any(|topic| {
                            topic.partitions().len() == partitions
                                && topic.partitions().iter().all(|partition| partition.leader() >= 0)
                        })
                    });
                    // A broker that a test has killed is not waited for.
                    if known || start.elapsed() > Duration::from_secs(10) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
            .await
            .expect("waiting for leaders does not panic");
        }
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        client(&self.bootstrap_servers()).create().expect("the client's settings are valid")
    }

    /// Process id of a node (0 to 2); none while it is down.
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.nodes[node].as_ref().map(Server::pid)
    }

    /// Kills one node with −9.
    pub fn kill_node(&mut self, node: usize) {
        if let Some(server) = self.nodes[node].take() {
            server.end(&self.guard, libc::SIGKILL, Duration::from_secs(5));
        }
    }

    /// Starts a killed node again, with its data, and waits until all that run are known to each other.
    pub fn start_node(&mut self, node: usize) {
        if self.nodes[node].is_none() {
            self.launch(node).expect("a node that ran before starts again");
        }
        let running = self.nodes.iter().flatten().count();
        self.wait_for(running, Duration::from_secs(90)).expect("the nodes that run find each other");
    }

    /// Stops a node where it stands (SIGSTOP), as a machine that hangs.
    pub fn stop_node(&self, node: usize) {
        self.nodes[node].as_ref().expect("only a running node can be stopped").signal(libc::SIGSTOP);
    }

    /// Lets a stopped node go on.
    pub fn continue_node(&self, node: usize) {
        self.nodes[node].as_ref().expect("only a running node can be continued").signal(libc::SIGCONT);
    }

    fn launch(&mut self, node: usize) -> Result<(), String> {
        let mut java = self.java();
        java.arg("kafka.Kafka").arg(self.properties_file(node));
        let server = Server::start(&self.guard, &format!("node-{node}"), "KILL", java)
            .map_err(|error| format!("java cannot be run: {error}; expected JDK 17 or newer"))?;
        self.nodes[node] = Some(server);
        Ok(())
    }

    /// Waits until every running node knows `wanted` brokers.
    fn wait_for(&mut self, wanted: usize, patience: Duration) -> Result<(), String> {
        let start = Instant::now();
        for node in 0..NODES {
            let Some(server) = self.nodes[node].as_mut() else { continue };
            let address = format!("127.0.0.1:{}", self.brokers[node]);
            loop {
                if let Some(ending) = server.ended() {
                    return Err(format!("Kafka node {node} {ending}"));
                }
                let consumer: BaseConsumer = client(&address).create().map_err(|error| error.to_string())?;
                let known = consumer
                    .fetch_metadata(None, Duration::from_secs(2))
                    .map_or(0, |metadata| metadata.brokers().len());
                if known >= wanted {
                    break;
                }
                if start.elapsed() > patience {
                    let tail = server.log_tail();
                    return Err(format!(
                        "Kafka node {node} knows {known} brokers after {patience:?}, expected {wanted}; its log ends with:\n{tail}"
                    ));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.args(JVM_FLAGS).args(["-cp", &self.class_path]);
        java
    }

    fn properties_file(&self, node: usize) -> PathBuf {
        self.guard.directory().join(format!("node-{node}.properties"))
    }
}

impl Drop for TemporaryKafka {
    fn drop(&mut self) {
        for node in 0..NODES {
            self.kill_node(node);
        }
    }
}

fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    config
}

fn properties_of(node: usize, brokers: &[u16; NODES], controllers: &[u16; NODES], directory: &Path) -> String {
    let voters: Vec<String> =
        controllers.iter().enumerate().map(|(node, port)| format!("{}@127.0.0.1:{port}", node + 1)).collect();
    let (id, broker, controller) = (node + 1, brokers[node], controllers[node]);
    let (voters, logs) = (voters.join(","), directory.join(format!("node-{node}")));
    let logs = logs.display();
    // Records of tests may be as old as they like: they stay until somebody removes them.
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.num.partitions=3
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
broker.session.timeout.ms=6000
num.network.threads=2
num.io.threads=4
"
    )
}
