//! A MaterializedView as a person sees it through kubectl.

use crate::resource::Resource;
use anyhow::Result;
use std::ops::Deref;

pub struct View(Resource);

impl Deref for View {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.0
    }
}

impl View {
    pub fn new(namespace: &str, name: &str) -> View {
        View(Resource::new("mv", "millrace.dev/view", namespace, name))
    }

    /// What readers query, where the target has the view's own name.
    pub fn table(&self) -> String {
        format!("{}.{}", self.namespace, self.name.replace('-', "_"))
    }

    pub fn live_revision(&self) -> Result<String> {
        self.get("{.status.liveRevision}")
    }

    /// Deletes the resource with its table, so that a later test may use the name. No resource is no error.
    pub fn delete_with_its_table(&self) -> Result<()> {
        if !self.exists()? {
            return Ok(());
        }
        self.patch(r#"{"spec":{"deletionPolicy":"Delete"}}"#)?;
        self.delete()
    }
}
