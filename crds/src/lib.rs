//! Millrace's Kubernetes resources: the Rust types, from which the YAML in `crds/yaml` and in the chart is generated.
//!
//! Texts such as durations are kept as they were written; each has a method that parses it, so that one wrong text in
//! one resource never makes a list of resources unreadable. The API server refuses wrong texts at apply.

pub mod app_replay;
pub mod app_status;
pub mod condition;
pub mod definition;
pub mod duration;
pub mod forecast;
pub mod gates;
pub mod materialized_view;
pub mod percentage;
pub mod replay;
pub mod request;
pub mod rollout;
pub mod rollout_plan;
pub mod source;
pub mod status;
pub mod stream_app;
pub mod stream_app_plan;
pub mod target;
pub mod verify;
pub mod workers;

mod named;
mod schema;
mod validation;

pub use app_replay::{AppReplay, AppReplayFrom};
pub use app_status::{AppPhase, AppReplayStatus, GroupStatus, OffsetsByTopic, PartitionLag, StreamAppStatus};
pub use condition::{ConditionType, Reason};
pub use forecast::{Forecast, PartitionForecast};
pub use gates::{ComparisonGate, Gates};
pub use materialized_view::{
    Connection, DeletionPolicy, ErrorPolicy, Errors, MaterializedView, MaterializedViewSpec, SecretReference,
};
pub use replay::{Earliest, Latest, Replay, ReplayFrom};
pub use request::{Request, Verb};
pub use rollout::{OnBreakingChange, Promotion, Rollout, Strategy};
pub use rollout_plan::{ANSWERED, RolloutPlan, RolloutPlanSpec, RolloutPlanStatus, Verdict};
pub use source::{Column, ColumnFrom, ColumnType, EnsureTopic, Format, KeyFormat, ReadAs, Source};
pub use status::{
    ComparisonStatus, MaterializedViewStatus, ParallelismStatus, PreviousRevisionStatus, ReplayStatus, RequestStatus,
    RolloutPhase, RolloutStatus, UnequalRow, VerificationResult, VerificationStatus,
};
pub use stream_app::{InternalTopics, StreamApp, StreamAppSpec, TopicUse};
pub use stream_app_plan::{AppVerdict, StreamAppPlan, StreamAppPlanSpec};
pub use target::Target;
pub use verify::Verify;
pub use workers::{ResourceAmounts, WorkerMode, WorkerResources, Workers};

/// The API group of every resource.
pub const GROUP: &str = "millrace.dev";
/// The version of every resource.
pub const VERSION: &str = "v1alpha1";
