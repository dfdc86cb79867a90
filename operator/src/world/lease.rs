//! Leadership: one operator acts, the others stand by; held as a Lease that is renewed every two seconds.

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use std::time::{Duration, Instant};

pub const NAME: &str = "millrace-operator";
/// A lease that nobody renewed for this long may be taken.
const DURATION: Duration = Duration::from_secs(10);
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// A leader that could not renew for this long stops acting, well before another may begin.
const GIVE_UP_AFTER: Duration = Duration::from_secs(6);

pub struct Leadership {
    leases: Api<Lease>,
    holder: String,
    /// The lease as it was written last.
    lease: Lease,
    renewed: Instant,
}

/// Waits until this process, known as `holder`, leads.
pub async fn lead(client: Client, namespace: &str, holder: &str) -> Leadership {
    let leases: Api<Lease> = Api::namespaced(client, namespace);
    // What was seen last of another's lease, and when by this clock: clocks of two machines are never compared.
    let mut seen: Option<(String, Instant)> = None;
    loop {
        match try_lead(&leases, holder, &mut seen).await {
            Ok(Some(lease)) => {
                return Leadership { leases, holder: holder.to_owned(), lease, renewed: Instant::now() };
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "lease not read or not taken"),
        }
        tokio::time::sleep(RENEW_EVERY).await;
    }
}

async fn try_lead(
    leases: &Api<Lease>,
    holder: &str,
    seen: &mut Option<(String, Instant)>,
) -> kube::Result<Option<Lease>> {
    let now = MicroTime(Timestamp::now());
    let Some(mut lease) = leases.get_opt(NAME).await? else {
        let lease = Lease {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            spec: Some(spec(holder, now.clone(), now, 0)),
        };
        return taken(leases.create(&PostParams::default(), &lease).await);
    };
    let old = lease.spec.clone().unwrap_or_default();
    let other = old.holder_identity.as_deref().filter(|other| !other.is_empty() && *other != holder);
    if other.is_some() {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match seen {
            Some((before, since)) if *before == version => {
                if since.elapsed() < DURATION {
                    return Ok(None);
                }
            }
            Some(_) | None => {
                *seen = Some((version, Instant::now()));
                return Ok(None);
            }
        }
    }
    lease.spec = Some(spec(holder, now.clone(), now, old.lease_transitions.unwrap_or(0) + 1));
    taken(leases.replace(NAME, &PostParams::default(), &lease).await)
}

fn spec(holder: &str, acquired: MicroTime, renewed: MicroTime, transitions: i32) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        acquire_time: Some(acquired),
        renew_time: Some(renewed),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    }
}

/// Another one may have been faster.
fn taken(answer: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

impl Leadership {
    /// Renews until it cannot, or until another leads; returns then.
    pub async fn keep(&mut self) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let Some(left) = GIVE_UP_AFTER.checked_sub(self.renewed.elapsed()) else { return };
            let begun = Instant::now();
            match tokio::time::timeout(left, self.renew()).await {
                Ok(Ok(true)) => self.renewed = begun,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(%error, "lease not renewed"),
                Err(_) => return,
            }
        }
    }

    async fn renew(&mut self) -> kube::Result<bool> {
        if let Some(spec) = &mut self.lease.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match self.leases.replace(NAME, &PostParams::default(), &self.lease).await {
            Ok(lease) => {
                self.lease = lease;
                Ok(true)
            }
            Err(kube::Error::Api(answer)) if answer.code == 409 || answer.code == 404 => self.look_again().await,
            Err(error) => Err(error),
        }
    }

    /// The lease was written by somebody: by this process, when the answer to a renewal was lost, or by a new leader.
    async fn look_again(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.leases.get_opt(NAME).await? else { return Ok(false) };
        let ours = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(self.holder.as_str());
        self.lease = lease;
        Ok(ours)
    }

    /// Lets another lead at once.
    pub async fn give_up(mut self) {
        if let Some(spec) = &mut self.lease.spec {
            spec.holder_identity = Some(String::new());
        }
        if let Err(error) = self.leases.replace(NAME, &PostParams::default(), &self.lease).await {
            tracing::warn!(%error, "lease not given back; the next leader waits for its end");
        }
    }
}
