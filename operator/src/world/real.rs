//! The real world: Kafka, Postgres and the Kubernetes API.

use super::{
    Performed, Report, World,
    cluster::{self, Exactly},
    connections::Connections,
    postgres,
};
use crate::{
    controller::now,
    view::{
        action::Action,
        desired::{Desired, Identity},
        event::Event,
        known::Known,
        observed::{Catalog, Children, Kafka, KafkaAddress, Observed},
        replay::asked_time,
        spec::FINALIZER,
        trouble::Trouble,
    },
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{EventType, Recorder},
};
use millrace_crds::{GROUP, MaterializedView, VERSION};
use std::marker::PhantomData;

pub struct RealWorld {
    pub(super) client: Client,
    pub(super) connections: Connections,
    recorder: Recorder,
}

impl RealWorld {
    pub fn new(client: Client, connections: Connections, recorder: Recorder) -> RealWorld {
        RealWorld { client, connections, recorder }
    }

    async fn kafka(&self, desired: &Desired) -> (Known<KafkaAddress>, Known<Kafka>) {
        let time = asked_time(desired, now());
        let table = |topic: &str| desired.query.as_ref().is_ok_and(|query| query.plan.reads_table(topic));
        match self.connections.kafka(&desired.identity.name.namespace, desired.identity.kafka_secret.as_deref()).await {
            Ok((address, admin)) => (Known::Present(address), admin.observe(&desired.topics, time, table).await),
            Err(trouble) => (Known::Unknown(trouble.clone()), Known::Unknown(trouble)),
        }
    }

    async fn catalog(&self, desired: &Desired) -> Known<Catalog> {
        match self.connections.postgres(&desired.identity).await {
            Ok((address, pool)) => postgres::observe(&pool, &address, desired).await,
            Err(trouble) => Known::Unknown(trouble),
        }
    }

    async fn children(&self, desired: &Desired) -> Known<Children> {
        cluster::observe(&self.client, desired).await
    }

    fn view<'a>(&'a self, desired: &'a Desired) -> Exactly<'a, MaterializedView> {
        let Identity { name, uid, .. } = &desired.identity;
        Exactly {
            client: &self.client,
            namespace: &name.namespace,
            name: &name.name,
            uid,
            finalizer: FINALIZER,
            kind: PhantomData,
        }
    }

    async fn in_postgres(
        &self,
        desired: &Desired,
        action: &Action,
        password: Option<&str>,
    ) -> Result<Performed, Trouble> {
        let (_, pool) = self.connections.postgres(&desired.identity).await?;
        postgres::perform(&pool, desired, action, password).await
    }

    /// Tells people what was done of a resource. Events are for their eyes: nothing depends on one.
    pub(super) async fn tell(&self, kind: &str, namespace: &str, name: &str, uid: &str, events: &[Event]) {
        let reference = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(kind.to_owned()),
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        for event in events {
            if let Err(error) = self.publish(&reference, event).await {
                tracing::warn!(kind, namespace, name, reason = event.reason, %error, "event not published");
            }
        }
    }

    async fn publish(&self, reference: &ObjectReference, event: &Event) -> Result<(), kube::Error> {
        let event = kube::runtime::events::Event {
            type_: if event.warning { EventType::Warning } else { EventType::Normal },
            reason: event.reason.to_owned(),
            // The API server refuses a note of more than a kilobyte.
            note: Some(event.message.chars().take(300).collect()),
            // Events of one reason and action are counted as one: those that say something else are others.
            action: event.message.chars().take(40).collect(),
            secondary: None,
        };
        self.recorder.publish(&event, reference).await
    }
}

impl World for RealWorld {
    /// Kafka's ends are read before Postgres's positions: a revision that keeps up is then seen at or past them.
    async fn observe(&self, desired: &Desired) -> Observed {
        let (kafka_address, kafka) = self.kafka(desired).await;
        let (catalog, children) = tokio::join!(self.catalog(desired), self.children(desired));
        Observed { kafka_address, kafka, catalog, children }
    }

    async fn perform(&self, desired: &Desired, action: &Action) -> Result<Performed, Trouble> {
        match action {
            Action::ChangeTopic(change) => {
                let Identity { name, kafka_secret, .. } = &desired.identity;
                let (_, admin) = self.connections.kafka(&name.namespace, kafka_secret.as_deref()).await?;
                admin.perform(change).await
            }
            Action::MigrateCatalog
            | Action::ClaimView { .. }
            | Action::CreateRevision(_)
            | Action::ReopenRevision { .. }
            | Action::SetStandby { .. }
            | Action::SetErrors { .. }
            | Action::SetPace { .. }
            | Action::AddPartitions { .. }
            | Action::CreateIndex { .. }
            | Action::ShowFirst { .. }
            | Action::Show { .. }
            | Action::CutOver { .. }
            | Action::NoteFilled { .. }
            | Action::FenceLive { .. }
            | Action::UnfenceLive { .. }
            | Action::Hold { .. }
            | Action::ReleaseHolds
            | Action::Compare { .. }
            | Action::Verify(_)
            | Action::EndVerification { .. }
            | Action::GrantReaders { .. }
            | Action::RevokeReaders { .. }
            | Action::Obey { .. }
            | Action::NoteCaughtUp { .. }
            | Action::RestartSoak { .. }
            | Action::RunGates { .. }
            | Action::SetPaused { .. }
            | Action::Abandon { .. }
            | Action::DropRevision { .. }
            | Action::ReleaseView
            | Action::DeleteView => self.in_postgres(desired, action, None).await,
            Action::ApplyLogin(login) => {
                let password = cluster::apply_login(&self.client, desired, login).await?;
                self.in_postgres(desired, action, Some(&password)).await
            }
            Action::AddFinalizer => self.view(desired).add_finalizer().await,
            Action::RemoveFinalizer { left_behind: _ } => self.view(desired).remove_finalizer().await,
            Action::ApplyDeployment { name, revision: _, replicas: _, manifest } => {
                cluster::apply_deployment(&self.client, desired, name, manifest).await
            }
            Action::DeleteDeployment { name, uid, resource_version } => {
                let namespace = &desired.identity.name.namespace;
                cluster::delete_deployment(&self.client, namespace, name, uid, resource_version).await
            }
        }
    }

    async fn report(&self, desired: &Desired, report: &Report) -> Result<(), Trouble> {
        let Identity { name, uid, .. } = &desired.identity;
        self.tell("MaterializedView", &name.namespace, &name.name, uid, &report.events).await;
        match &report.status {
            Some(status) => self.view(desired).write_status(status).await,
            None => Ok(()),
        }
    }
}
