//! Postgres: the catalog, the revisions' schemas, the views' roles and the relation that readers query.

mod catalog;
mod comparison;
mod ending;
mod exposure;
mod facts;
mod gates;
mod index;
mod login;
mod readers;
mod refusal;
mod request;
mod revision;
mod scram;
mod session;
mod target;
mod verification;

pub use facts::observe;
pub use login::digest;
pub use session::open;

use super::Performed;
use crate::view::{action::Action, desired::Desired, trouble::Trouble};
use exposure::Replacement;
use refusal::Refusal;
use sqlx::PgPool;

/// Does the part of an action that is in Postgres. `password` is that of the view's role, for `ApplyLogin`.
pub async fn perform(
    pool: &PgPool,
    desired: &Desired,
    action: &Action,
    password: Option<&str>,
) -> Result<Performed, Trouble> {
    let view = &desired.identity;
    let answer = match action {
        Action::MigrateCatalog => catalog::migrate(pool).await,
        Action::ClaimView { target, from } => catalog::claim(pool, view, target, from).await,
        Action::ApplyLogin(_) => login::apply(pool, view, password.unwrap_or_default()).await,
        Action::CreateRevision(new) => revision::create(pool, view, new).await,
        Action::ReopenRevision { revision } => revision::reopen(pool, view, revision).await,
        Action::SetStandby { revision, standby } => request::set_standby(pool, view, revision, *standby).await,
        Action::SetErrors { revision, policy, stop_above } => {
            revision::set_errors(pool, view, revision, policy, *stop_above).await
        }
        Action::SetPace { revision, pace } => revision::set_pace(pool, view, revision, *pace).await,
        Action::AddPartitions { revision, starts } => revision::add_partitions(pool, view, revision, starts).await,
        Action::CreateIndex { revision, columns } => index::create(pool, view, revision, columns).await,
        Action::ShowFirst { revision, target, sql } => exposure::show_first(pool, view, revision, target, sql).await,
        Action::Show { live, expected, shown, sql } => {
            exposure::show(pool, view, &Replacement { sql, shown, live, expected }).await
        }
        Action::CutOver { live, next, unfinished } => exposure::cut_over(pool, view, live, next, *unfinished).await,
        Action::NoteFilled { live } => exposure::note_filled(pool, view, live).await,
        Action::FenceLive { live, next: _ } => exposure::fence(pool, view, live).await,
        Action::UnfenceLive { live } => exposure::unfence(pool, view, live).await,
        Action::Hold { live, next } => comparison::hold(pool, view, live, next).await,
        Action::ReleaseHolds => comparison::release(pool, view).await,
        Action::Compare { live, next, sql } => comparison::begin(pool, view, live, next, sql).await,
        Action::Verify(beginning) => verification::verify(pool, view, beginning).await,
        Action::EndVerification { copy, result, message } => {
            verification::end(pool, view, copy, *result, message).await
        }
        Action::GrantReaders { target, readers } => readers::grant(pool, view, target, readers).await,
        Action::RevokeReaders { target, readers } => readers::revoke(pool, view, target, readers).await,
        Action::Obey { request, deed } => request::obey(pool, view, request, deed).await,
        Action::NoteCaughtUp { revision } => request::note_caught_up(pool, view, revision).await,
        Action::RestartSoak { revision } => request::restart_soak(pool, view, revision).await,
        Action::RunGates { next, live, questions } => gates::run(pool, view, next, live.as_ref(), questions).await,
        Action::SetPaused { revision, paused } => request::set_paused(pool, view, revision, *paused).await,
        Action::Abandon { revision, trouble } => revision::abandon(pool, view, revision, &trouble.to_string()).await,
        Action::DropRevision { revision } => ending::drop_revision(pool, view, revision).await,
        Action::ReleaseView => ending::release(pool, view).await,
        Action::DeleteView => ending::delete(pool, view).await,
        Action::AddFinalizer
        | Action::ChangeTopic(_)
        | Action::ApplyDeployment { .. }
        | Action::DeleteDeployment { .. }
        | Action::RemoveFinalizer { .. } => return Ok(Performed::Done),
    };
    match answer {
        Ok(performed) => Ok(performed),
        Err(Refusal::Busy(what)) => Ok(Performed::NotYet(what)),
        Err(Refusal::Trouble(trouble)) => Err(trouble),
    }
}
