//! Metrics of apps.

use crate::app::{desired::Desired, name::AppName};
use millrace_crds::{AppPhase, PartitionLag, StreamAppStatus};
use prometheus::{IntGaugeVec, Opts, Registry};

const PHASES: [AppPhase; 6] = [
    AppPhase::Stopping,
    AppPhase::Draining,
    AppPhase::Resetting,
    AppPhase::Starting,
    AppPhase::CatchingUp,
    AppPhase::Steady,
];

/// What is shown of every app.
pub struct AppMetrics {
    lag: IntGaugeVec,
    partition_lag: IntGaugeVec,
    members: IntGaugeVec,
    idle: IntGaugeVec,
    phase: IntGaugeVec,
}

impl AppMetrics {
    pub fn new(registry: &Registry) -> prometheus::Result<AppMetrics> {
        let gauge = |name: &str, help: &str, more: &[&str]| {
            let labels: Vec<&str> = ["namespace", "app"].iter().chain(more).copied().collect();
            let gauge = IntGaugeVec::new(Opts::new(name, help), &labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(AppMetrics {
            lag: gauge("millrace_app_lag_records", "Records that the app's group has not read yet", &[])?,
            partition_lag: gauge(
                "millrace_app_partition_lag_records",
                "The same by partition",
                &["topic", "partition"],
            )?,
            members: gauge("millrace_app_members", "Members of the app's group", &[])?,
            idle: gauge("millrace_app_idle_members", "Members of the app's group without a partition", &[])?,
            phase: gauge("millrace_app_phase", "1 for the phase that the app's replay is in", &["phase"])?,
        })
    }

    /// Shows what a round found.
    pub fn round(&self, desired: &Desired, status: &StreamAppStatus) {
        let AppName { namespace, name } = &desired.identity.name;
        if let Some(lag) = status.lag_records {
            self.lag.with_label_values(&[namespace, name]).set(lag);
        }
        for PartitionLag { topic, partition, committed: _, end: _, lag } in &status.lag {
            self.partition_lag.with_label_values(&[namespace, name, topic, &partition.to_string()]).set(*lag);
        }
        if let Some(group) = &status.group {
            self.members.with_label_values(&[namespace, name]).set(i64::from(group.members));
            self.idle.with_label_values(&[namespace, name]).set(i64::from(group.idle_members));
        }
        for phase in PHASES {
            let is = status.phase == Some(phase);
            self.phase.with_label_values(&[namespace, name, &format!("{phase:?}")]).set(i64::from(is));
        }
    }

    /// An app that is gone has no figures.
    pub fn forget(&self, app: &AppName) {
        let AppName { namespace, name } = app;
        // What was never shown need not be taken back.
        for gauge in [&self.lag, &self.members, &self.idle] {
            let _ = gauge.remove_label_values(&[namespace, name]);
        }
        for phase in PHASES {
            let _ = self.phase.remove_label_values(&[namespace, name, &format!("{phase:?}")]);
        }
        for family in prometheus::core::Collector::collect(&self.partition_lag) {
            for metric in family.get_metric() {
                let label = |name: &str| {
                    metric.get_label().iter().find(|label| label.name() == name).map_or("", |label| label.value())
                };
                if label("namespace") == namespace && label("app") == name {
                    let labels = [namespace.as_str(), name.as_str(), label("topic"), label("partition")];
                    let _ = self.partition_lag.remove_label_values(&labels);
                }
            }
        }
    }
}
