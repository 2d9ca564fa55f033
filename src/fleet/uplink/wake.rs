//! Waiting until the journal grows.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use tokio::sync::Notify;

/// Where the kernel does not say it, it is looked at so often.
const EACH: Duration = Duration::from_secs(1);
const STACK: usize = 64 << 10;

/// Knows when something was written to a directory.
#[derive(Debug)]
pub struct Wake(Option<Arc<Notify>>);

impl Wake {
    /// For the files of `directory`.
    pub fn on(directory: &Path) -> Self {
        let notify = Arc::new(Notify::new());
        let watch = || -> std::io::Result<()> {
            let queue = init(CreateFlags::CLOEXEC)?;
            add_watch(&queue, directory, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
            let notify = notify.clone();
            let thread = thread::Builder::new().name("wake".into()).stack_size(STACK);
            thread.spawn(move || tell(&queue, &notify)).map(drop)
        };
        Self(watch().is_ok().then_some(notify))
    }

    /// Return when it grew since the last time.
    pub async fn grown(&self) {
        match &self.0 {
            Some(notify) => notify.notified().await,
            None => tokio::time::sleep(EACH).await,
        }
    }
}

fn tell(queue: &OwnedFd, notify: &Notify) {
    let mut events = [0; 4096];
    loop {
        match rustix::io::read(queue, &mut events[..]) {
            Ok(_) | Err(rustix::io::Errno::INTR) => notify.notify_one(),
            Err(_) => {
                // It is looked at all the same.
                thread::sleep(EACH);
                notify.notify_one();
            }
        }
    }
}
