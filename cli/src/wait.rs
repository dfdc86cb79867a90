//! `--wait`: follows a view until what was decided has come about, was refused, or took too long.

use crate::{
    cluster::{Cluster, Views, next},
    failure::Failure,
    figures::duration,
    output::say,
    verdict::{Awaited, Verdict, judge},
};
use clap::Args;
use millrace_crds::duration::parse_duration;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

#[derive(Args)]
pub struct WaitOptions {
    /// Follow until it has come about (exit code 0) or was refused (1).
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this (exit code 3).
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,
}

/// What is refused for less than this was a moment of the operator's between two steps.
const STANDS_AFTER: Duration = Duration::from_secs(3);

pub async fn wait(cluster: &Cluster, name: &str, awaited: &Awaited, options: &WaitOptions) -> Result<(), Failure> {
    if !options.wait {
        return Ok(());
    }
    let mut said = "the API server has not answered yet".to_owned();
    let ended = timeout(options.timeout, end(cluster, name, awaited, &mut said)).await;
    ended.unwrap_or_else(|_| {
        Err(Failure::TimedOut(format!(
            "not done after {}: {said}; it stays asked for, and `millrace -n {} status {name}` shows how it goes on",
            duration(options.timeout),
            cluster.namespace()
        )))
    })
}

async fn end(cluster: &Cluster, name: &str, awaited: &Awaited, said: &mut String) -> Result<(), Failure> {
    let mut changes = cluster.changes(Views::Named(name));
    let mut refused_since = None;
    loop {
        let verdict = match cluster.view(name).await {
            Ok(view) => judge(awaited, &view),
            Err(failure) if failure.passes() => Verdict::StillGoing(failure.to_string()),
            Err(failure) => return Err(failure),
        };
        match verdict {
            Verdict::Done(sentence) => return say(&sentence),
            Verdict::Refused(why) => {
                if refused_since.get_or_insert_with(Instant::now).elapsed() >= STANDS_AFTER {
                    return Err(Failure::Refused(why));
                }
                *said = why;
                sleep(Duration::from_secs(1)).await;
            }
            Verdict::StillGoing(sentence) => {
                refused_since = None;
                if sentence != *said {
                    say(&sentence)?;
                    *said = sentence;
                }
                next(&mut changes).await;
            }
        }
    }
}
