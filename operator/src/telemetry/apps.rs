//! Metrics of apps.

use crate::app::name::AppName;
use millrace_crds::{AppPhase, ConditionType, PartitionLag, StreamAppStatus};
use prometheus::{IntGaugeVec, Opts, Registry, core::Collector};
use std::collections::HashMap;

const PHASES: [AppPhase; 6] = [
    AppPhase::Stopping,
    AppPhase::Draining,
    AppPhase::Resetting,
    AppPhase::Starting,
    AppPhase::CatchingUp,
    AppPhase::Steady,
];
const CONDITIONS: [ConditionType; 3] = [ConditionType::Available, ConditionType::Ready, ConditionType::GroupReady];

/// What is shown of every app.
pub struct AppMetrics {
    lag: IntGaugeVec,
    partition_lag: IntGaugeVec,
    members: IntGaugeVec,
    idle: IntGaugeVec,
    state: IntGaugeVec,
    phase: IntGaugeVec,
    condition: IntGaugeVec,
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
            state: gauge("millrace_app_group_state", "1 for the state that the app's group is in", &["state"])?,
            phase: gauge("millrace_app_phase", "1 for the phase that the app's replay is in", &["phase"])?,
            condition: gauge(
                "millrace_app_condition",
                "1 when the condition is true, 0 when false, -1 when unknown",
                &["condition"],
            )?,
        })
    }

    /// Shows what a round found; `lag`: of every partition, when all could be seen.
    pub fn round(&self, app: &AppName, status: &StreamAppStatus, lag: Option<&[PartitionLag]>) {
        let AppName { namespace, name } = app;
        if let Some(lag) = lag {
            self.lag.with_label_values(&[namespace, name]).set(lag.iter().map(|part| part.lag).sum());
            let is = |labels: &HashMap<String, String>| {
                lag.iter()
                    .any(|part| labels["topic"] == part.topic && labels["partition"] == part.partition.to_string())
            };
            remove(&self.partition_lag, app, |labels| !is(labels));
            for PartitionLag { topic, partition, committed: _, end: _, lag } in lag {
                self.partition_lag.with_label_values(&[namespace, name, topic, &partition.to_string()]).set(*lag);
            }
        }
        if let Some(group) = &status.group {
            self.members.with_label_values(&[namespace, name]).set(i64::from(group.members));
            self.idle.with_label_values(&[namespace, name]).set(i64::from(group.idle_members));
            remove(&self.state, app, |labels| labels["state"] != group.state);
            self.state.with_label_values(&[namespace, name, &group.state]).set(1);
        }
        for phase in PHASES {
            let is = status.phase == Some(phase);
            self.phase.with_label_values(&[namespace, name, &format!("{phase:?}")]).set(i64::from(is));
        }
        for kind in CONDITIONS {
            let value = match status.condition(kind).map(|condition| condition.status.as_str()) {
                Some("True") => 1,
                Some("False") => 0,
                Some(_) | None => -1,
            };
            self.condition.with_label_values(&[namespace, name, kind.as_str()]).set(value);
        }
    }

    /// An app that is gone has no figures.
    pub fn forget(&self, app: &AppName) {
        let AppMetrics { lag, partition_lag, members, idle, state, phase, condition } = self;
        for gauge in [lag, partition_lag, members, idle, state, phase, condition] {
            remove(gauge, app, |_| true);
        }
    }
}

/// Takes back what the gauge shows of the app, if `is` so by its labels.
fn remove(gauge: &IntGaugeVec, app: &AppName, is: impl Fn(&HashMap<String, String>) -> bool) {
    for family in gauge.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().to_owned()));
            let labels: HashMap<String, String> = labels.collect();
            if labels["namespace"] == app.namespace && labels["app"] == app.name && is(&labels) {
                let labels: HashMap<&str, &str> =
                    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                // It was shown a moment ago; another round of the app is not going on.
                let _ = gauge.remove(&labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_crds::GroupStatus;
    use prometheus::TextEncoder;

    fn shown(registry: &Registry, name: &str) -> Vec<String> {
        let text = TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    fn lag(partitions: i32) -> Vec<PartitionLag> {
        let part = |partition| PartitionLag { topic: "주문".into(), partition, committed: None, end: 5, lag: 5 };
        (0..partitions).map(part).collect()
    }

    #[test]
    fn every_partition_is_shown_and_nothing_of_before() {
        let registry = Registry::new();
        let metrics = AppMetrics::new(&registry).expect("metrics");
        let app = AppName::new("shop", "inventory");
        let mut status = StreamAppStatus { phase: Some(AppPhase::Steady), ..StreamAppStatus::default() };
        for (state, partitions) in [("Stable", 200), ("Empty", 3)] {
            status.group = Some(GroupStatus { state: state.into(), ..GroupStatus::default() });
            metrics.round(&app, &status, Some(&lag(partitions)));
            assert_eq!(shown(&registry, "millrace_app_partition_lag_records").len(), partitions as usize);
            let expected =
                format!(r#"millrace_app_lag_records{{app="inventory",namespace="shop"}} {}"#, 5 * partitions);
            assert_eq!(shown(&registry, "millrace_app_lag_records"), [expected]);
            let expected = format!(r#"millrace_app_group_state{{app="inventory",namespace="shop",state="{state}"}} 1"#);
            assert_eq!(shown(&registry, "millrace_app_group_state"), [expected]);
        }
        // What could not be seen stays as it was shown last.
        metrics.round(&app, &status, None);
        assert_eq!(shown(&registry, "millrace_app_partition_lag_records").len(), 3);
        assert_eq!(shown(&registry, "millrace_app_condition").len(), 3);
        metrics.forget(&app);
        assert_eq!(shown(&registry, "millrace_app"), [] as [&str; 0]);
    }
}
