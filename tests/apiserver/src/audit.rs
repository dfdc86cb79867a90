//! Every write that an API server was asked for, read from its audit log.

use serde_json::Value;

/// The policy: one line in the log for each finished request that is not a read.
pub const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
";

/// One write request, accepted or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// create, update, patch, delete or deletecollection.
    pub verb: String,
    /// The user's name, `test` for clients of [`crate::ApiServer::client`].
    pub user: String,
    /// The API group, empty for the core group.
    pub group: String,
    /// The plural, such as `leases`.
    pub resource: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    /// The program that wrote, as it names itself.
    pub user_agent: String,
    /// The HTTP status of the answer.
    pub code: u64,
}

impl Write {
    /// Reads the log; a last line that is still being written is left for the next time.
    pub fn parse_log(log: &str) -> Vec<Write> {
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).map(|event| Write::parse(&event)).collect()
    }

    fn parse(event: &Value) -> Write {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string();
        Write {
            verb: text("/verb"),
            user: text("/user/username"),
            group: text("/objectRef/apiGroup"),
            resource: text("/objectRef/resource"),
            subresource: text("/objectRef/subresource"),
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            user_agent: text("/userAgent"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
        }
    }
}
