//! What a worker knows of its revision in Postgres, and the statements of its tables.

use super::{
    catalog::{self, Loaded, Survey},
    epoch::{self, Committed, Epoch},
    error::{LoadError, StoreError},
    lease::{self, Claimed},
    prune, statement,
};
use millrace_contract::{Plan, Topics};
use millrace_dataflow::driver::Dataflow;
use sqlx::{Connection, PgConnection};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A transaction that takes longer than this is given up, with its connection: nobody knows what became of it. Its
/// statements end sooner, by `statement_timeout`.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which revision of which view, and under which name this worker holds tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionName {
    pub namespace: String,
    pub view: String,
    pub revision: String,
    pub holder: String,
}

/// One connection and everything that is asked over it. After an error other than `Row` or `Lost` it is dropped.
pub struct Store {
    pub(super) connection: PgConnection,
    pub(super) name: RevisionName,
    pub(super) loaded: Loaded,
    pub(super) topics: Topics,
    pub(super) dataflow: Arc<Dataflow>,
    pub(super) tables: Vec<TableStatements>,
}

/// The SQL of one table, made once.
pub(super) struct TableStatements {
    pub write: String,
    pub delete_empty: Option<String>,
    /// By what is looked up, and whether deleted keys are there.
    pub fetch: BTreeMap<(Vec<usize>, bool), String>,
    /// By which key columns are null.
    pub derive: BTreeMap<Vec<bool>, String>,
}

impl Store {
    /// The revision as the catalog has it.
    pub async fn load(connection: &mut PgConnection, name: &RevisionName) -> Result<Loaded, LoadError> {
        catalog::load(connection, name).await
    }

    pub fn new(connection: PgConnection, name: RevisionName, loaded: Loaded, dataflow: Arc<Dataflow>) -> Store {
        let tables = loaded
            .plan
            .tables
            .iter()
            .map(|table| TableStatements {
                write: statement::write(&loaded.schema, table),
                delete_empty: statement::deletes_empty(table).then(|| statement::delete_empty(&loaded.schema, table)),
                fetch: BTreeMap::new(),
                derive: BTreeMap::new(),
            })
            .collect();
        let topics = loaded.plan.topics();
        Store { connection, name, loaded, topics, dataflow, tables }
    }

    pub fn plan(&self) -> &Plan {
        &self.loaded.plan
    }

    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Commits an epoch: positions, state, rows and dead letters in one transaction.
    pub async fn commit(&mut self, epoch: &Epoch<'_>) -> Result<Committed, StoreError> {
        patiently(epoch::commit(self, epoch)).await
    }

    pub async fn survey(&mut self) -> Result<Survey, StoreError> {
        patiently(catalog::survey(&mut self.connection, &self.name, &self.topics)).await
    }

    pub async fn claim(&mut self, tasks: &[i32]) -> Result<Vec<Claimed>, StoreError> {
        let Store { connection, name, topics, .. } = self;
        patiently(lease::claim(connection, name, topics, tasks)).await
    }

    pub async fn renew(&mut self, held: &[(i32, i64, Option<i64>)]) -> Result<Vec<i32>, StoreError> {
        let Store { connection, name, topics, .. } = self;
        patiently(lease::renew(connection, name, topics, held)).await
    }

    pub async fn give_back(&mut self, held: &[(i32, i64)]) -> Result<(), StoreError> {
        let Store { connection, name, topics, .. } = self;
        patiently(lease::give_back(connection, name, topics, held)).await
    }

    pub async fn set_problem(&mut self, task: (i32, i64), problem: Option<&str>) -> Result<(), StoreError> {
        let Store { connection, name, topics, .. } = self;
        patiently(lease::set_problem(connection, name, topics, task, problem)).await
    }

    pub async fn mark_shared(&mut self) -> Result<(), StoreError> {
        patiently(lease::mark_shared(&mut self.connection, &self.name)).await
    }

    pub async fn prune(&mut self) -> Result<u64, StoreError> {
        let Store { connection, name, loaded, .. } = self;
        patiently(prune::prune(connection, name, &loaded.schema, &loaded.plan.tables)).await
    }

    /// Leaves in good order: what is held is free at once for the others.
    pub async fn leave(mut self, held: &[(i32, i64)]) -> Result<(), StoreError> {
        let Store { connection, name, topics, .. } = &mut self;
        patiently(lease::give_back(connection, name, topics, held)).await?;
        patiently(lease::leave(connection, name)).await?;
        self.connection.close().await.map_err(StoreError::from)
    }
}

/// Waits for Postgres, but not for ever: a network that drops packets says nothing.
async fn patiently<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(StoreError::Silent(PATIENCE.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::PATIENCE;
    use millrace_contract::catalog::ROLE_SETTINGS;

    #[test]
    fn a_statement_ends_before_its_worker_gives_it_up() {
        let (_, timeout) = ROLE_SETTINGS.iter().find(|(name, _)| *name == "statement_timeout").expect("it is set");
        let seconds: u64 = timeout.strip_suffix('s').and_then(|text| text.parse().ok()).expect("in seconds");
        assert!(seconds < PATIENCE.as_secs());
    }
}
