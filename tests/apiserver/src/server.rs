//! One running API server: etcd and kube-apiserver on free loopback ports, with a certificate and a token of their own.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::audit::{POLICY, Write};
use crate::programs::{Programs, ProgramsNotFound};
use crate::tethered::Tethered;

/// An API server that lives as long as this value.
pub struct ApiServer {
    // Fields are dropped in this order: the server before its store, the store before its folder.
    _kube_apiserver: Tethered,
    _etcd: Tethered,
    config: Config,
    client: Client,
    folder: tempfile::TempDir,
}

/// Why no API server runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    ProgramsNotFound(#[from] ProgramsNotFound),
    #[error("the API server's folder or processes could not be made")]
    Io(#[from] io::Error),
    #[error("the API server's certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the API server's kubeconfig was refused")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    #[error("the API server could not be asked")]
    Client(#[from] Box<kube::Error>),
    #[error("{program} ended with {status}; the end of what it printed: {log}")]
    Ended { program: &'static str, status: String, log: String },
    #[error("{0} was not ready within {READY_WITHIN:?}; its log ends: {1}")]
    NotReady(String, String),
}

const READY_WITHIN: Duration = Duration::from_secs(90);
const ATTEMPTS: usize = 3;

impl ApiServer {
    /// Starts an empty API server with RBAC; [`ApiServer::client`] is in the group `system:masters`.
    pub async fn start() -> Result<ApiServer, StartError> {
        ApiServer::start_with(&[]).await
    }

    /// As [`ApiServer::start`], with more arguments for kube-apiserver.
    pub async fn start_with(arguments: &[&str]) -> Result<ApiServer, StartError> {
        let programs = Programs::find()?;
        let mut attempt = 1;
        loop {
            // A port that was free may be taken before the program listens on it: then other ports are tried.
            match start_once(&programs, arguments).await {
                Err(StartError::Ended { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    /// A client with every right.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The configuration behind [`ApiServer::client`].
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// A kubeconfig file, for kubectl and for programs under test.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Creates a resource definition and waits until it is served.
    pub async fn create_definition(&self, definition: &CustomResourceDefinition) -> Result<(), StartError> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client());
        let created = definitions.create(&PostParams::default(), definition).await.map_err(Box::new)?;
        let name = created.metadata.name.unwrap_or_default();
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            let conditions =
                definitions.get(&name).await.map_err(Box::new)?.status.and_then(|status| status.conditions);
            if conditions
                .iter()
                .flatten()
                .any(|condition| condition.type_ == "Established" && condition.status == "True")
                && self.is_served(definition).await?
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(StartError::NotReady(name, tail(&self.folder.path().join(APISERVER_LOG))))
    }

    /// Established is said a moment before the path answers.
    async fn is_served(&self, definition: &CustomResourceDefinition) -> Result<bool, StartError> {
        let names = &definition.spec.names;
        let Some(version) = definition.spec.versions.first() else { return Ok(false) };
        let path = format!("/apis/{}/{}/{}?limit=1", definition.spec.group, version.name, names.plural);
        Ok(get(&self.client, &path).await.is_ok())
    }

    /// Every write that was asked for so far, the API server's own (user `system:apiserver`) among them, in the order
    /// in which they ended.
    pub fn writes(&self) -> Vec<Write> {
        // The file appears with the first write.
        Write::parse_log(&fs::read_to_string(self.folder.path().join(AUDIT_LOG)).unwrap_or_default())
    }
}

const ETCD_LOG: &str = "etcd.log";
const APISERVER_LOG: &str = "kube-apiserver.log";
const AUDIT_LOG: &str = "audit.log";

async fn start_once(programs: &Programs, more: &[&str]) -> Result<ApiServer, StartError> {
    let folder = tempfile::Builder::new().prefix("millrace-apiserver-").tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let [etcd_port, peer_port, port] = free_ports()?;
    let token = uuid::Uuid::new_v4().to_string();

    let certified = rcgen::generate_simple_self_signed(["localhost".to_string(), "127.0.0.1".to_string()])?;
    fs::write(file("server.crt"), certified.cert.pem())?;
    // The key of the certificate signs service account tokens as well: one key is enough for a test.
    fs::write(file("server.key"), certified.signing_key.serialize_pem())?;
    fs::write(file("server.pub"), certified.signing_key.public_key_pem())?;
    fs::write(file("tokens.csv"), format!("{token},test,test,\"system:masters\"\n"))?;
    fs::write(file("audit-policy.yaml"), POLICY)?;
    let url = format!("https://127.0.0.1:{port}");
    fs::write(file("kubeconfig"), kubeconfig(&url, &file("server.crt"), &token))?;

    let path = |name: &str| file(name).display().to_string();
    let etcd_url = format!("http://127.0.0.1:{etcd_port}");
    let peer_url = format!("http://127.0.0.1:{peer_port}");
    let mut etcd = Tethered::start(
        &programs.etcd,
        &[
            format!("--data-dir={}", path("etcd")),
            format!("--listen-client-urls={etcd_url}"),
            format!("--advertise-client-urls={etcd_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
            "--unsafe-no-fsync".to_string(),
            "--log-level=warn".to_string(),
        ],
        &file(ETCD_LOG),
    )?;
    let mut arguments = vec![
        format!("--etcd-servers={etcd_url}"),
        "--bind-address=127.0.0.1".to_string(),
        "--advertise-address=127.0.0.1".to_string(),
        "--endpoint-reconciler-type=none".to_string(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", path("server.crt")),
        format!("--tls-private-key-file={}", path("server.key")),
        format!("--token-auth-file={}", path("tokens.csv")),
        "--authorization-mode=RBAC".to_string(),
        "--service-account-issuer=https://kubernetes.default.svc".to_string(),
        format!("--service-account-key-file={}", path("server.pub")),
        format!("--service-account-signing-key-file={}", path("server.key")),
        "--service-cluster-ip-range=10.96.0.0/16".to_string(),
        // No controller makes service accounts here.
        "--disable-admission-plugins=ServiceAccount".to_string(),
        format!("--audit-policy-file={}", path("audit-policy.yaml")),
        format!("--audit-log-path={}", path(AUDIT_LOG)),
        format!("--cert-dir={}", path("certificates")),
    ];
    arguments.extend(more.iter().map(ToString::to_string));
    let mut kube_apiserver = Tethered::start(&programs.kube_apiserver, &arguments, &file(APISERVER_LOG))?;

    let kubeconfig = Kubeconfig::read_from(file("kubeconfig"))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config.clone()).map_err(Box::new)?;
    let deadline = Instant::now() + READY_WITHIN;
    while get(&client, "/readyz").await.is_err() {
        for (program, process, log) in
            [("etcd", &mut etcd, ETCD_LOG), ("kube-apiserver", &mut kube_apiserver, APISERVER_LOG)]
        {
            if let Some(status) = process.ended() {
                return Err(StartError::Ended { program, status, log: tail(&file(log)) });
            }
        }
        if Instant::now() > deadline {
            return Err(StartError::NotReady(url, tail(&file(APISERVER_LOG))));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(ApiServer { _kube_apiserver: kube_apiserver, _etcd: etcd, config, client, folder })
}

async fn get(client: &Client, path: &str) -> Result<String, kube::Error> {
    let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

fn free_ports<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    // All are held until the last is found, so that they differ.
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn kubeconfig(url: &str, certificate: &Path, token: &str) -> String {
    let certificate = certificate.display();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: \"{url}\", certificate-authority: \"{certificate}\"}}}}]\n\
         users: [{{name: test, user: {{token: \"{token}\"}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test, namespace: default}}}}]\n"
    )
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
