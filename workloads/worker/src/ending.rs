//! Told to end: by Kubernetes, or at a terminal.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Whether this process was told to end. Once told, it stays so.
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    pub fn listen() -> io::Result<Ending> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tell.send_replace(true);
        });
        Ok(Ending(told))
    }

    pub fn told(&self) -> bool {
        *self.0.borrow()
    }

    pub async fn wait(&mut self) {
        // The sender goes only after it has told.
        let _ = self.0.wait_for(|told| *told).await;
    }
}
