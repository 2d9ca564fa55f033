//! The passes that deliver, in a thread of their own: what was recorded is alerted of at once, and a receiver that hangs
//! holds up no member.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use authalert::deliver::{Context, Request, Serve, deliver};

use crate::place::Place;

/// Set when this hub is not the one any more.
static LET_GO: AtomicBool = AtomicBool::new(false);

/// Starts passes.
#[derive(Clone, Debug)]
pub struct Alerts(SyncSender<()>);

impl Alerts {
    /// Start the thread.
    pub fn start(place: &Place) -> io::Result<Self> {
        let (sender, wakes) = sync_channel(1);
        let mut request = Request::new(&place.state, place.config.as_deref(), Context::Command);
        // A receiver that starts a program has a unit of its own.
        request.serve = Serve::WithoutCommands;
        request.let_go = Some(&LET_GO);
        thread::Builder::new().name("alerts".into()).spawn(move || serve(&wakes, &request))?;
        Ok(Self(sender))
    }

    /// Something was recorded. Waits for nothing.
    pub fn wake(&self) {
        // Where one is waiting already, that one will see it.
        let _ = self.0.try_send(());
    }

    /// Begin nothing more: another hub alerts.
    pub fn let_go() {
        LET_GO.store(true, Ordering::Release);
    }
}

fn serve(wakes: &Receiver<()>, request: &Request) {
    while wakes.recv().is_ok() && !LET_GO.load(Ordering::Acquire) {
        // What is wrong with configuration or state it has said itself; the timer's pass comes by too.
        let _ = deliver(request);
    }
}
