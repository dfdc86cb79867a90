//! The real world: Kafka, Postgres and the Kubernetes API.

use super::{Performed, Report, World, cluster, connections::Connections, postgres};
use crate::view::{
    action::Action,
    desired::{Desired, Identity},
    event::Event,
    known::Known,
    observed::{Catalog, Children, Kafka, KafkaAddress, Observed},
    trouble::Trouble,
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{EventType, Recorder},
};
use millrace_crds::{GROUP, VERSION};

pub struct RealWorld {
    client: Client,
    connections: Connections,
    recorder: Recorder,
}

impl RealWorld {
    pub fn new(client: Client, connections: Connections, recorder: Recorder) -> RealWorld {
        RealWorld { client, connections, recorder }
    }

    async fn kafka(&self, desired: &Desired) -> (Known<KafkaAddress>, Known<Kafka>) {
        match self.connections.kafka(&desired.identity).await {
            Ok((address, admin)) => (Known::Present(address), admin.observe(desired).await),
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

    async fn in_postgres(
        &self,
        desired: &Desired,
        action: &Action,
        password: Option<&str>,
    ) -> Result<Performed, Trouble> {
        let (_, pool) = self.connections.postgres(&desired.identity).await?;
        postgres::perform(&pool, desired, action, password).await
    }

    async fn publish(&self, view: &Identity, event: &Event) -> Result<(), kube::Error> {
        let reference = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some("MaterializedView".to_owned()),
            name: Some(view.name.name.clone()),
            namespace: Some(view.name.namespace.clone()),
            uid: Some(view.uid.clone()),
            ..ObjectReference::default()
        };
        let event = kube::runtime::events::Event {
            type_: if event.warning { EventType::Warning } else { EventType::Normal },
            reason: event.reason.to_owned(),
            // The API server refuses a note of more than a kilobyte.
            note: Some(event.message.chars().take(300).collect()),
            // Events of one reason and action are counted as one: those that say something else are others.
            action: event.message.chars().take(40).collect(),
            secondary: None,
        };
        self.recorder.publish(&event, &reference).await
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
            Action::CreateTopic { .. } | Action::GrowTopic { .. } | Action::ConfigureTopic { .. } => {
                let (_, admin) = self.connections.kafka(&desired.identity).await?;
                admin.perform(action).await
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
            Action::AddFinalizer => cluster::add_finalizer(&self.client, desired).await,
            Action::RemoveFinalizer { left_behind: _ } => cluster::remove_finalizer(&self.client, desired).await,
            Action::ApplyDeployment { name, revision: _, replicas: _, manifest } => {
                cluster::apply_deployment(&self.client, desired, name, manifest).await
            }
            Action::DeleteDeployment { name, uid, resource_version } => {
                cluster::delete_deployment(&self.client, desired, name, uid, resource_version).await
            }
        }
    }

    async fn report(&self, desired: &Desired, report: &Report) -> Result<(), Trouble> {
        for event in &report.events {
            if let Err(error) = self.publish(&desired.identity, event).await {
                // Events are for people's eyes; nothing depends on one.
                tracing::warn!(view = %desired.identity.name, reason = event.reason, %error, "event not published");
            }
        }
        match &report.status {
            Some(status) => cluster::write_status(&self.client, desired, status).await,
            None => Ok(()),
        }
    }
}
