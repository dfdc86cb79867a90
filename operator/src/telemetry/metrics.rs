//! Metrics for Prometheus.

use super::apps::AppMetrics;
use crate::view::{desired::Desired, name::ViewName, plan::Plan, status::Outcome, trouble::Trouble};
use millrace_crds::{ConditionType, MaterializedViewStatus, RolloutPhase};
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

const PHASES: [RolloutPhase; 7] = [
    RolloutPhase::Building,
    RolloutPhase::CatchingUp,
    RolloutPhase::Gating,
    RolloutPhase::AwaitingPromotion,
    RolloutPhase::CuttingOver,
    RolloutPhase::Retiring,
    RolloutPhase::Steady,
];
const CONDITIONS: [ConditionType; 2] = [ConditionType::Available, ConditionType::Ready];

pub struct Metrics {
    registry: Registry,
    pub leader: IntGauge,
    rounds: IntCounterVec,
    seconds: HistogramVec,
    errors: IntCounterVec,
    lag: IntGaugeVec,
    freshness: GaugeVec,
    phase: IntGaugeVec,
    condition: IntGaugeVec,
    pub apps: AppMetrics,
}

impl Metrics {
    pub fn new() -> prometheus::Result<Metrics> {
        let view = ["namespace", "view"];
        let with = |label: &'static str| [view[0], view[1], label];
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let registry = Registry::new();
        let metrics = Metrics {
            apps: AppMetrics::new(&registry)?,
            registry,
            leader: IntGauge::new("millrace_operator_leader", "1 while this process leads")?,
            rounds: IntCounterVec::new(
                Opts::new("millrace_operator_reconciles_total", "Rounds, by how they ended"),
                &["result"],
            )?,
            seconds: HistogramVec::new(
                HistogramOpts::new("millrace_operator_reconcile_seconds", "How long a round took").buckets(buckets),
                &[],
            )?,
            errors: IntCounterVec::new(
                Opts::new("millrace_operator_errors_total", "Rounds in which something was wrong, by its reason"),
                &["reason"],
            )?,
            lag: IntGaugeVec::new(
                Opts::new("millrace_view_lag_records", "Records that readers do not see yet"),
                &view,
            )?,
            freshness: GaugeVec::new(
                Opts::new("millrace_view_freshness_seconds", "Age of the newest record when readers could see it"),
                &view,
            )?,
            phase: IntGaugeVec::new(
                Opts::new("millrace_view_rollout_phase", "1 for the phase that the newest revision is in"),
                &with("phase"),
            )?,
            condition: IntGaugeVec::new(
                Opts::new("millrace_view_condition", "1 when the condition is true, 0 when false, -1 when unknown"),
                &with("condition"),
            )?,
        };
        metrics.registry.register(Box::new(metrics.leader.clone()))?;
        metrics.registry.register(Box::new(metrics.rounds.clone()))?;
        metrics.registry.register(Box::new(metrics.seconds.clone()))?;
        metrics.registry.register(Box::new(metrics.errors.clone()))?;
        metrics.registry.register(Box::new(metrics.lag.clone()))?;
        metrics.registry.register(Box::new(metrics.freshness.clone()))?;
        metrics.registry.register(Box::new(metrics.phase.clone()))?;
        metrics.registry.register(Box::new(metrics.condition.clone()))?;
        Ok(metrics)
    }

    /// Counts a round.
    pub fn count(&self, troubles: &[Trouble], outcome: &Outcome, took: Duration) {
        let result = match outcome {
            Outcome::Done => "done",
            Outcome::Waiting(_) => "waiting",
            Outcome::Failed(trouble) => {
                self.errors.with_label_values(&[trouble.reason.as_str()]).inc();
                "failed"
            }
        };
        self.rounds.with_label_values(&[result]).inc();
        self.seconds.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        for trouble in troubles {
            self.errors.with_label_values(&[trouble.reason.as_str()]).inc();
        }
    }

    /// Counts a round of a view, and shows what it found.
    pub fn round(
        &self,
        desired: &Desired,
        plan: &Plan,
        outcome: &Outcome,
        status: &MaterializedViewStatus,
        took: Duration,
    ) {
        self.count(&plan.troubles, outcome, took);
        let ViewName { namespace, name } = &desired.identity.name;
        if let Some(lag) = status.lag_records {
            self.lag.with_label_values(&[namespace, name]).set(lag);
        }
        if let Some(milliseconds) = status.freshness_milliseconds {
            self.freshness.with_label_values(&[namespace, name]).set(milliseconds as f64 / 1000.0);
        }
        for phase in PHASES {
            let is = status.rollout.as_ref().is_some_and(|rollout| rollout.phase == phase);
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

    /// A view that is gone has no figures.
    pub fn forget(&self, view: &ViewName) {
        let ViewName { namespace, name } = view;
        // What was never shown need not be taken back.
        let _ = self.lag.remove_label_values(&[namespace, name]);
        let _ = self.freshness.remove_label_values(&[namespace, name]);
        for phase in PHASES {
            let _ = self.phase.remove_label_values(&[namespace, name, &format!("{phase:?}")]);
        }
        for kind in CONDITIONS {
            let _ = self.condition.remove_label_values(&[namespace, name, kind.as_str()]);
        }
    }

    /// In Prometheus's text format.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}
