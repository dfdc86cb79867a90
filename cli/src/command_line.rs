//! What a person can type after `millrace`.

use crate::name::{parse_name, parse_view_or_app};
use crate::{
    cluster::{Cluster, ClusterOptions, Views},
    decision::{self, Decision},
    failure::Failure,
    output::say,
    plan::{PlanOptions, plan},
    replay::{self, parse_from},
    status::status,
    verdict::Awaited,
    wait::{WaitOptions, wait},
};
use clap::{Args, Parser, Subcommand};
use k8s_openapi::jiff::Timestamp;
use millrace_crds::{MaterializedView, Replay, ReplayFrom, Request, Verb, request::is_id};

/// Looks at MaterializedViews, and says what people decide of their rollouts.
///
/// It changes nothing that kubectl could not, and prints the command that does the same.
/// Exit codes: 0 done, 1 refused or failed, 2 wrongly typed, 3 not done in time.
#[derive(Parser)]
#[command(name = "millrace", bin_name = "millrace", version, max_term_width = 110)]
#[command(after_help = "Examples:
  millrace status -A                                  every view of the cluster
  millrace -n shop status user-view -w                the page of one, again at every change
  millrace plan -f user-view.yaml                     what applying this manifest would do
  millrace -n shop promote user-view --wait           lets what has caught up go live
  millrace -n shop replay user-view --id bugfix-42    reads everything again beside the live result")]
pub struct CommandLine {
    #[command(flatten)]
    cluster: ClusterOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the page of one view or app, or the table of all views.
    ///
    /// Once, and ends; with --watch again at every change until Ctrl-C, on a terminal in the same place.
    #[command(after_help = "Examples:
  millrace status                         the views of the namespace
  millrace status -A                      of every namespace
  millrace -n shop status user-view       one view: its rollout, what is wrong, replays, the last events
  millrace -n shop status user-view -w    the same, again at every change
  millrace -n shop status sapp/inventory  one app: its group, its lag, its replay, what is wrong")]
    Status {
        /// The view, or sapp/ and the app; all views of the namespace when left out.
        #[arg(value_parser = parse_view_or_app)]
        name: Option<String>,
        /// The views of every namespace.
        #[arg(short = 'A', long, conflicts_with = "name")]
        all_namespaces: bool,
        /// Show it again at every change, until Ctrl-C.
        #[arg(short, long)]
        watch: bool,
    },
    /// Says what a manifest would do if it were applied: changes, records, time, space, and what would be refused.
    ///
    /// Nothing is done. Exit code 1 when nothing would be built before a person acts.
    #[command(after_help = "Examples:
  millrace plan -f user-view.yaml
  millrace -n shop plan -f user-view.yaml --timeout 5m")]
    Plan(PlanOptions),
    /// Lets the revision that is built go live: now when it waits for that, otherwise once it has caught up.
    #[command(after_help = "Example:
  millrace -n shop promote user-view --wait --timeout 5m")]
    Promote {
        /// The view.
        #[arg(value_parser = parse_name)]
        name: String,
        #[command(flatten)]
        wait: WaitOptions,
    },
    /// Gives up the revision that is built. The live one stays.
    #[command(after_help = "Example:
  millrace -n shop abort user-view --id not-today --wait")]
    Abort(RequestOptions),
    /// Goes back to the revision before the live one, as long as rollout.retainPrevious keeps it.
    #[command(after_help = "Example:
  millrace -n shop rollback user-view --id it-was-slow --wait")]
    Rollback(RequestOptions),
    /// Goes on with a revision that was given up, or forward again after a rollback.
    #[command(after_help = "Example:
  millrace -n shop retry user-view --wait --timeout 1h")]
    Retry(RequestOptions),
    /// Builds the live result once more beside it, compares the two and drops what was built.
    #[command(after_help = "Example:
  millrace -n shop verify user-view --id before-the-audit --wait --timeout 1h")]
    Verify(RequestOptions),
    /// Stops the view's rollouts until `resume`. The live revision is kept up to date.
    #[command(after_help = "Example:
  millrace -n shop pause user-view")]
    Pause {
        /// The view.
        #[arg(value_parser = parse_name)]
        name: String,
    },
    /// Lets the view's rollouts go on.
    #[command(after_help = "Example:
  millrace -n shop resume user-view")]
    Resume {
        /// The view.
        #[arg(value_parser = parse_name)]
        name: String,
    },
    /// Computes the view once more, beside the live result, and swaps when the new one has caught up.
    ///
    /// An id acts once. A replay that the operator refuses has not acted: ask again with the same id, and say how to
    /// go on. To begin at offsets, write spec.replay.from.offsets into the manifest.
    #[command(after_help = "Examples:
  millrace -n shop replay user-view --id after-bugfix-42 --wait --timeout 1h
  millrace -n shop replay user-view --id last-day --from 24h --discard-history
  millrace -n shop replay user-view --id since-monday --from 2026-01-26T00:00:00+09:00 --discard-history")]
    Replay(ReplayOptions),
}

#[derive(Args)]
struct RequestOptions {
    /// The view.
    #[arg(value_parser = parse_name)]
    name: String,
    /// A name for this request, which acts once; a new one when left out.
    #[arg(long, value_parser = parse_id)]
    id: Option<String>,
    #[command(flatten)]
    wait: WaitOptions,
}

#[derive(Args)]
struct ReplayOptions {
    /// The view.
    #[arg(value_parser = parse_name)]
    name: String,
    /// A name for this replay, which acts once.
    #[arg(long, value_parser = parse_id)]
    id: String,
    /// Where it begins: earliest, latest, a time such as 2026-01-31T00:00:00Z, or how long ago, such as 24h.
    #[arg(long, value_name = "PLACE", default_value = "earliest", value_parser = parse_from)]
    from: ReplayFrom,
    /// Take what is left when retention has removed a part of what is asked for.
    #[arg(long)]
    accept_truncation: bool,
    /// Do without what the live result has from before the place where the replay begins.
    #[arg(long)]
    discard_history: bool,
    #[command(flatten)]
    wait: WaitOptions,
}

pub async fn run(CommandLine { cluster, command }: CommandLine) -> Result<(), Failure> {
    let cluster = Cluster::reach(&cluster).await?;
    match command {
        Command::Status { name, all_namespaces, watch } => {
            let views = match &name {
                Some(name) => match name.strip_prefix("sapp/") {
                    Some(app) => Views::App(app),
                    None => Views::Named(name),
                },
                None if all_namespaces => Views::Everywhere,
                None => Views::OfNamespace,
            };
            status(&cluster, views, watch).await
        }
        Command::Plan(options) => plan(&cluster, &options).await,
        Command::Promote { name, wait } => request(&cluster, &name, &wait, decision::promotion).await,
        Command::Abort(options) => decide(&cluster, Verb::Abort, options).await,
        Command::Rollback(options) => decide(&cluster, Verb::Rollback, options).await,
        Command::Retry(options) => decide(&cluster, Verb::Retry, options).await,
        Command::Verify(options) => decide(&cluster, Verb::Verify, options).await,
        Command::Pause { name } => {
            carry_out(&cluster, &name, &decision::pause(&name, true), "its rollouts stand still").await.map(drop)
        }
        Command::Resume { name } => {
            carry_out(&cluster, &name, &decision::pause(&name, false), "its rollouts go on").await.map(drop)
        }
        Command::Replay(options) => begin_again(&cluster, options).await,
    }
}

async fn decide(cluster: &Cluster, verb: Verb, options: RequestOptions) -> Result<(), Failure> {
    let RequestOptions { name, id, wait } = options;
    request(cluster, &name, &wait, |view| decision::request(view, verb, id, Timestamp::now())).await
}

/// Asks for what `choose` makes of the view.
async fn request(
    cluster: &Cluster,
    name: &str,
    options: &WaitOptions,
    choose: impl FnOnce(&MaterializedView) -> Result<Request, String>,
) -> Result<(), Failure> {
    let view = cluster.view(name).await?;
    let request = choose(&view).map_err(Failure::Refused)?;
    carry_out(cluster, name, &decision::annotate(name, &request), &format!("asked for: {request}")).await?;
    let live = view.status.and_then(|status| status.live_revision);
    wait(cluster, name, &Awaited::Request { request, live }, options).await
}

async fn begin_again(cluster: &Cluster, options: ReplayOptions) -> Result<(), Failure> {
    let ReplayOptions { name, id, from, accept_truncation, discard_history, wait: options } = options;
    let view = cluster.view(&name).await?;
    let wanted = Replay { id: id.clone(), from, accept_truncation, discard_history };
    let decision = replay::ask(&view, &wanted).map_err(Failure::Refused)?;
    let view = carry_out(cluster, &name, &decision, &format!("asked for: replay {id}")).await?;
    wait(cluster, &name, &Awaited::Replay { id, generation: view.metadata.generation }, &options).await
}

/// Does it, and says what was done and how kubectl does the same.
async fn carry_out(
    cluster: &Cluster,
    name: &str,
    decision: &Decision,
    done: &str,
) -> Result<MaterializedView, Failure> {
    let view = cluster.patch(name, &decision.patch).await?;
    say(&format!("{name}: {done}\nthe same: {}", cluster.kubectl(decision.kubectl.iter().map(String::as_str))))?;
    Ok(view)
}

fn parse_id(text: &str) -> Result<String, String> {
    if is_id(text) {
        return Ok(text.to_owned());
    }
    Err("write letters a to z, digits, dots, _ and - only, at most 63, with a letter or a digit at both ends".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};
    use std::{fs, path::Path};

    #[test]
    fn the_commands_and_the_examples_of_their_help_can_be_typed() {
        CommandLine::command().debug_assert();
        let mut help = vec![CommandLine::command()];
        help.extend(CommandLine::command().get_subcommands().cloned());
        let texts = help.iter().filter_map(|command| command.get_after_help());
        let examples: usize = texts.map(|text| assert_typed(&text.to_string())).sum();
        assert!(examples >= 14, "only {examples} examples");
    }

    #[test]
    fn what_the_documentation_shows_can_be_typed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pages = ["README.md", "docs/operations.md", "docs/replay.md"];
        let texts = pages.map(|page| fs::read_to_string(root.join(page)).expect(page));
        let shown: usize = texts.iter().map(|text| assert_typed(text)).sum();
        assert!(shown >= 6, "only {shown} commands");
    }

    /// Every line that is a command can be typed; what stands behind two spaces is about it. Gives how many there were.
    fn assert_typed(text: &str) -> usize {
        let mut commands = 0;
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("millrace ")) {
            let typed = line.split("  ").next().unwrap_or_default();
            if let Err(refused) = CommandLine::try_parse_from(typed.split_whitespace()) {
                panic!("{typed}: {refused}");
            }
            commands += 1;
        }
        commands
    }

    #[test]
    fn what_is_wrongly_typed_is_refused_before_anybody_is_asked() {
        for (typed, kind) in [
            ("millrace status user-view -A", ErrorKind::ArgumentConflict),
            ("millrace abort user-view --id a/b", ErrorKind::ValueValidation),
            ("millrace replay user-view", ErrorKind::MissingRequiredArgument),
            ("millrace replay user-view --id 1 --from yesterday", ErrorKind::ValueValidation),
            ("millrace promote user-view --wait --timeout 10", ErrorKind::ValueValidation),
            ("millrace promote", ErrorKind::MissingRequiredArgument),
            // Whoever forgets --wait would be told nothing of how it ended.
            ("millrace promote user-view --timeout 10m", ErrorKind::MissingRequiredArgument),
            ("millrace status mv/user-view", ErrorKind::ValueValidation),
            ("millrace status sapp/재고", ErrorKind::ValueValidation),
            ("millrace -n shop/x status", ErrorKind::ValueValidation),
            ("millrace pause 사용자", ErrorKind::ValueValidation),
            ("millrace demote user-view", ErrorKind::InvalidSubcommand),
        ] {
            let refused = CommandLine::try_parse_from(typed.split_whitespace()).err().map(|error| error.kind());
            assert_eq!(refused, Some(kind), "{typed}");
        }
    }
}
