//! A Kubernetes API server alone, for tests: etcd and kube-apiserver on loopback, without kubelet, scheduler or
//! controllers, so that what is written is what the test and the code under test wrote.
//!
//! ```no_run
//! # async fn example() -> Result<(), millrace_apiserver::StartError> {
//! let server = millrace_apiserver::ApiServer::start().await?;
//! let client = server.client();
//! # let _ = client;
//! # Ok(())
//! # }
//! ```
//! Both programs end with the `ApiServer`, and also with a test process that is killed.

mod audit;
mod programs;
mod server;
mod tethered;

pub use audit::Write;
pub use programs::{Programs, ProgramsNotFound};
pub use server::{ApiServer, StartError};
