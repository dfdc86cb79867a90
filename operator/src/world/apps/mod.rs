//! The real world of apps: Kafka and the Kubernetes API.

mod children;
mod ledger;

use super::{
    Apps, Performed, Report, World,
    cluster::{self, Exactly},
    kafka::Admin,
    real::RealWorld,
};
use crate::{
    app::{
        action::Action,
        desired::{Desired, Identity},
        observed::{Group, Observed},
        spec::FINALIZER,
    },
    controller::now,
    view::{
        known::Known,
        observed::{Kafka, KafkaAddress},
        trouble::Trouble,
    },
};
use millrace_crds::{StreamApp, StreamAppStatus};
use std::{collections::BTreeSet, marker::PhantomData, sync::Arc};

impl RealWorld {
    async fn app_kafka(&self, app: &Identity) -> Result<(KafkaAddress, Arc<Admin>), Trouble> {
        self.connections.kafka(&app.name.namespace, app.kafka_secret.as_deref()).await
    }

    fn app<'a>(&'a self, desired: &'a Desired) -> Exactly<'a, StreamApp> {
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

    /// Topics first, then the group: one that keeps up is then seen at or past their ends.
    async fn look_at_kafka(
        &self,
        desired: &Desired,
        admin: Arc<Admin>,
    ) -> (Known<Kafka>, Known<Group>, Known<BTreeSet<String>>) {
        let new = desired.replay.as_ref();
        let new = new.filter(|replay| !desired.remembered.iter().any(|known| known.id == replay.id));
        let time = new.and_then(|replay| replay.from.time(now()));
        let kafka = admin.clone().observe(&desired.topics(), time, |_| false).await;
        let group = match &kafka {
            Known::Present(kafka) => {
                let until = desired.catches_up();
                admin.clone().group(&desired.group, kafka, |topic| desired.reads(topic), &until).await
            }
            Known::Unknown(trouble) => Known::Unknown(trouble.clone()),
            Known::Absent => Known::Absent,
        };
        let internal = match (&desired.internal, &kafka) {
            (None, _) | (_, Known::Absent) => Known::Absent,
            (Some(_), Known::Unknown(trouble)) => Known::Unknown(trouble.clone()),
            (Some(internal), Known::Present(_)) => {
                let internal = internal.clone();
                let found = admin.topics_with(move |topic| internal.has(topic)).await;
                found.map_or_else(Known::Unknown, Known::Present)
            }
        };
        (kafka, group, internal)
    }

    /// Whether the ledger is as it was seen.
    async fn ledger_is(&self, desired: &Desired, seen: Option<&String>) -> Result<bool, Trouble> {
        Ok(ledger::version(&self.client, desired).await?.as_ref() == seen)
    }
}

fn another_look() -> Performed {
    Performed::NotYet("another look: the ledger has changed".to_owned())
}

impl World<Apps> for RealWorld {
    /// The cluster first: an app that was seen to have no instance has committed all that it will when its group is
    /// looked at.
    async fn observe(&self, desired: &Desired) -> Observed {
        match self.app_kafka(&desired.identity).await {
            Ok((address, admin)) => {
                let children = children::observe(&self.client, desired, Some(&address)).await;
                let (kafka, group, internal) = self.look_at_kafka(desired, admin).await;
                Observed { kafka_address: Known::Present(address), kafka, group, internal, children }
            }
            Err(trouble) => Observed {
                children: children::observe(&self.client, desired, None).await,
                kafka_address: Known::Unknown(trouble.clone()),
                kafka: Known::Unknown(trouble.clone()),
                group: Known::Unknown(trouble.clone()),
                internal: desired.internal.as_ref().map_or(Known::Absent, |_| Known::Unknown(trouble)),
            },
        }
    }

    async fn perform(&self, desired: &Desired, action: &Action) -> Result<Performed, Trouble> {
        let client = &self.client;
        match action {
            Action::AddFinalizer => self.app(desired).add_finalizer().await,
            Action::RemoveFinalizer { left_behind: _ } => self.app(desired).remove_finalizer().await,
            Action::ChangeTopic(change) => self.app_kafka(&desired.identity).await?.1.perform(change).await,
            Action::ApplyDeployment { name, replicas: _, manifest, seen, ledger } => {
                if !self.ledger_is(desired, ledger.as_ref()).await? {
                    return Ok(another_look());
                }
                children::apply(client, desired, name, manifest, seen.as_deref()).await
            }
            Action::Scale { name, replicas, seen, ledger } => {
                if !self.ledger_is(desired, ledger.as_ref()).await? {
                    return Ok(another_look());
                }
                children::scale(client, desired, name, *replicas, seen).await
            }
            Action::DeleteDeployment { name, uid, resource_version } => {
                let namespace = &desired.identity.name.namespace;
                cluster::delete_deployment(client, namespace, name, uid, resource_version).await
            }
            Action::WriteLedger { replays, note: _, seen } => {
                ledger::write(client, desired, replays, seen.as_deref()).await
            }
            Action::DeleteInternalTopics { topics, ledger } => {
                if !self.ledger_is(desired, ledger.as_ref()).await? {
                    return Ok(another_look());
                }
                self.app_kafka(&desired.identity).await?.1.delete_topics(topics).await
            }
            Action::AlterOffsets { id: _, begin, ledger } => {
                if !self.ledger_is(desired, ledger.as_ref()).await? {
                    return Ok(another_look());
                }
                self.app_kafka(&desired.identity).await?.1.alter_offsets(&desired.group, begin).await
            }
            Action::DeleteGroup => self.app_kafka(&desired.identity).await?.1.delete_group(&desired.group).await,
            Action::DeleteLedger { resource_version } => ledger::delete(client, desired, resource_version).await,
        }
    }

    async fn report(&self, desired: &Desired, report: &Report<StreamAppStatus>) -> Result<(), Trouble> {
        let Identity { name, uid, .. } = &desired.identity;
        self.tell("StreamApp", &name.namespace, &name.name, uid, &report.events).await;
        match &report.status {
            Some(status) => self.app(desired).write_status(status).await,
            None => Ok(()),
        }
    }
}
