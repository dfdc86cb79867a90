//! The cluster that views are in, as kubectl reaches it: the program's only way to the API server.

use crate::{
    failure::{Failure, Sought},
    name::parse_name,
};
use clap::Args;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::NamespaceResourceScope,
    runtime::{WatchStreamExt, watcher},
};
use millrace_crds::{MaterializedView, StreamApp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{fmt::Debug, path::PathBuf, time::Duration};

#[derive(Args)]
#[command(next_help_heading = "Which cluster")]
pub struct ClusterOptions {
    /// The namespace of the views; the context's own when left out.
    #[arg(short, long, global = true, value_parser = parse_name)]
    namespace: Option<String>,
    /// The context of the kubeconfig; its current one when left out.
    #[arg(long, global = true)]
    context: Option<String>,
    /// The kubeconfig; $KUBECONFIG or ~/.kube/config when left out.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

pub struct Cluster {
    client: Client,
    server: String,
    namespace: String,
    /// The namespace was typed, and is not the context's own.
    chosen: bool,
    /// What kubectl has to be told to ask the same cluster.
    kubectl: Vec<String>,
}

/// A view, and what happened to it.
pub struct Seen {
    pub view: MaterializedView,
    pub events: Vec<Event>,
}

/// Which views somebody looks at, or which app.
#[derive(Clone, Copy)]
pub enum Views<'a> {
    Named(&'a str),
    App(&'a str),
    OfNamespace,
    Everywhere,
}

/// Yields whenever something has changed.
pub type Changes = BoxStream<'static, ()>;

const VIEW: &str = "MaterializedView";
/// What has not changed for this long is looked at all the same: ages grow, and a change may have been missed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Changes that come together, as when a watch begins, are one.
const TOGETHER: usize = 1000;

impl Cluster {
    pub async fn reach(options: &ClusterOptions) -> Result<Cluster, Failure> {
        let config = configuration(options).await?;
        let server = config.cluster_url.to_string();
        let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let sought = Sought { server: &server, namespace: &namespace, kind: VIEW, name: "" };
        let client = Client::try_from(config).map_err(|error| Failure::of(error, &sought))?;
        let kubeconfig = options.kubeconfig.as_ref().map(|file| file.display().to_string());
        let named = [("--kubeconfig", kubeconfig), ("--context", options.context.clone())];
        let mut kubectl = vec!["kubectl".to_owned()];
        kubectl.extend(named.into_iter().flat_map(|(name, value)| Some([name.to_owned(), value?])).flatten());
        Ok(Cluster { client, server, namespace, chosen: options.namespace.is_some(), kubectl })
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A command of kubectl as a person would type it into a shell.
    pub fn kubectl<'a>(&'a self, words: impl IntoIterator<Item = &'a str>) -> String {
        self.kubectl_in(&self.namespace, words)
    }

    fn kubectl_in<'a>(&'a self, namespace: &'a str, words: impl IntoIterator<Item = &'a str>) -> String {
        let place = self.kubectl.iter().map(String::as_str).chain(["-n", namespace]);
        place.chain(words).map(quoted).collect::<Vec<_>>().join(" ")
    }

    pub async fn list(&self, everywhere: bool) -> Result<Vec<MaterializedView>, Failure> {
        let views = if everywhere { Api::all(self.client.clone()) } else { self.views() };
        let list = views.list(&ListParams::default()).await.map_err(|error| self.failure(error, ""))?;
        Ok(list.items)
    }

    pub async fn view(&self, name: &str) -> Result<MaterializedView, Failure> {
        self.views().get(name).await.map_err(|error| self.failure(error, name))
    }

    pub async fn look(&self, name: &str) -> Result<Seen, Failure> {
        let view = self.view(name).await?;
        let events = self.told(&view.uid().unwrap_or_default()).await;
        Ok(Seen { view, events })
    }

    /// An app, and what happened to it.
    pub async fn look_at_app(&self, name: &str) -> Result<(StreamApp, Vec<Event>), Failure> {
        let app = self.apps().get(name).await.map_err(|error| self.failure_of("StreamApp", error, name))?;
        let events = self.told(&app.uid().unwrap_or_default()).await;
        Ok((app, events))
    }

    /// Events are for people's eyes: whoever may not read them sees the resource without.
    async fn told(&self, uid: &str) -> Vec<Event> {
        let told = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
        self.events().list(&told).await.map_or_else(|_| Vec::new(), |list| list.items)
    }

    /// Merges `patch` into the view's resource.
    pub async fn patch(&self, name: &str, patch: &Value) -> Result<MaterializedView, Failure> {
        let params = PatchParams { field_manager: Some("millrace-cli".to_owned()), ..PatchParams::default() };
        self.views().patch(name, &params, &Patch::Merge(patch)).await.map_err(|error| self.failure(error, name))
    }

    /// A watch that breaks is begun again, and that too may be a change.
    pub fn changes(&self, of: Views<'_>) -> Changes {
        let config = watcher::Config::default();
        let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let views = |views, config| watcher::<MaterializedView>(views, config).default_backoff().map(|_| ()).boxed();
        let views = match of {
            Views::Everywhere => views(Api::all(self.client.clone()), config),
            Views::OfNamespace => views(self.views(), config),
            Views::Named(name) => views(self.views(), named(name)),
            Views::App(name) => watcher(self.apps(), named(name)).default_backoff().map(|_| ()).boxed(),
        };
        let changes = match of {
            Views::Everywhere | Views::OfNamespace => views,
            Views::Named(name) | Views::App(name) => {
                let told = watcher::Config::default().fields(&format!("involvedObject.name={name}"));
                stream::select(views, watcher(self.events(), told).default_backoff().map(|_| ())).boxed()
            }
        };
        changes.ready_chunks(TOGETHER).map(|_| ()).boxed()
    }

    /// The questions of a manifest's namespace; of the chosen one when it says none. As with kubectl apply, the two are
    /// the same where both are said.
    pub fn questions<Q>(&self, namespace: Option<&str>) -> Result<Questions<'_, Q>, Failure>
    where
        Q: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let namespace = namespace.unwrap_or(&self.namespace).to_owned();
        if self.chosen && namespace != self.namespace {
            return Err(Failure::Refused(format!(
                "the manifest says the namespace {namespace}, and -n says {}; leave one of them out",
                self.namespace
            )));
        }
        Ok(Questions { cluster: self, api: Api::namespaced(self.client.clone(), &namespace), namespace })
    }

    fn views(&self) -> Api<MaterializedView> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn apps(&self) -> Api<StreamApp> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn events(&self) -> Api<Event> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn failure(&self, error: kube::Error, name: &str) -> Failure {
        self.failure_of(VIEW, error, name)
    }

    fn failure_of(&self, kind: &str, error: kube::Error, name: &str) -> Failure {
        Failure::of(error, &Sought { server: &self.server, namespace: &self.namespace, kind, name })
    }
}

/// Questions about manifests, in one namespace.
pub struct Questions<'a, Q> {
    cluster: &'a Cluster,
    api: Api<Q>,
    namespace: String,
}

impl<Q> Questions<'_, Q>
where
    Q: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    /// Fields that nobody knows are refused, not left out.
    pub async fn ask(&self, question: &Value) -> Result<(), Failure> {
        let name = question["metadata"]["name"].as_str().unwrap_or_default();
        let params = PatchParams::apply("millrace-cli").validation_strict();
        self.api.patch(name, &params, &Patch::Apply(question)).await.map_err(|error| self.failure(error, name))?;
        Ok(())
    }

    pub async fn look(&self, name: &str) -> Result<Q, Failure> {
        self.api.get(name).await.map_err(|error| self.failure(error, name))
    }

    /// A command of kubectl in the namespace of these questions.
    pub fn kubectl<'a>(&'a self, words: impl IntoIterator<Item = &'a str>) -> String {
        self.cluster.kubectl_in(&self.namespace, words)
    }

    pub async fn forget(&self, name: &str) -> Result<(), Failure> {
        self.api.delete(name, &DeleteParams::default()).await.map_err(|error| self.failure(error, name))?;
        Ok(())
    }

    fn failure(&self, error: kube::Error, name: &str) -> Failure {
        let server = &self.cluster.server;
        Failure::of(error, &Sought { server, namespace: &self.namespace, kind: &Q::kind(&()), name })
    }
}

/// Waits for the next change, and never for long.
pub async fn next(changes: &mut Changes) {
    // Either way it is time to look.
    let _ = tokio::time::timeout(LOOK_AGAIN, changes.next()).await;
}

async fn configuration(options: &ClusterOptions) -> Result<Config, Failure> {
    let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let configuration = match &options.kubeconfig {
        Some(file) => match Kubeconfig::read_from(file) {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &chosen).await,
            Err(error) => Err(error),
        },
        None => Config::from_kubeconfig(&chosen).await,
    };
    let named = options.kubeconfig.is_some() || options.context.is_some();
    match configuration {
        Ok(configuration) => Ok(configuration),
        // In a pod there is no kubeconfig, and need not be.
        Err(error) if named => Err(Failure::NoCluster(error.to_string())),
        Err(error) => Config::incluster().map_err(|_| Failure::NoCluster(error.to_string())),
    }
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_for_something_else() {
        for (word, typed) in [
            ("millrace.dev/abort=not-today", "millrace.dev/abort=not-today"),
            (r#"{"spec":{}}"#, r#"'{"spec":{}}'"#),
            ("/home/홍 길동/config", "'/home/홍 길동/config'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), typed);
        }
    }
}
