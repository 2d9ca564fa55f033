//! The end of a service, asked for by a signal.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Becomes true when the process is to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// At SIGTERM and SIGINT.
    pub fn at_signals() -> io::Result<Self> {
        let (end, requested) = watch::channel(false);
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            let _ = end.send(true);
            // The receivers go by what is in there: it has to stay.
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        Ok(Self(requested))
    }

    /// Return when it is.
    pub async fn requested(&self) {
        let mut requested = self.0.clone();
        let _ = requested.wait_for(|end| *end).await;
    }
}
