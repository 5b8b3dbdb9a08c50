//! Waits for the end of the process that an editor says it is (LSP 3.17, `InitializeParams.processId`).

/// Returns when that process has ended; never, where it cannot be seen (another machine's, or another user's).
pub(crate) async fn end_of(process_id: u32) {
    if watch(process_id).await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// A descriptor of the process becomes readable when it ends (pidfd_open(2)): nothing is polled.
#[cfg(target_os = "linux")]
async fn watch(process_id: u32) -> Option<()> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let pid = Pid::from_raw(i32::try_from(process_id).ok()?)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE).ok()?;
    descriptor.readable().await.ok().map(drop)
}

#[cfg(all(unix, not(target_os = "linux")))]
async fn watch(process_id: u32) -> Option<()> {
    use std::time::Duration;

    use rustix::process::{Pid, test_kill_process};

    const POLL: Duration = Duration::from_secs(5);

    let pid = Pid::from_raw(i32::try_from(process_id).ok()?)?;
    test_kill_process(pid).ok()?;
    while test_kill_process(pid).is_ok() {
        tokio::time::sleep(POLL).await;
    }
    Some(())
}

/// The end of an editor is seen by that of its pipe.
#[cfg(not(unix))]
async fn watch(_: u32) -> Option<()> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_seen() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let watching = tokio::spawn(end_of(child.id()));
        tokio::task::yield_now().await;
        assert!(!watching.is_finished());
        child.kill().unwrap();
        child.wait().unwrap();
        watching.await.unwrap();
    }

    #[tokio::test]
    async fn a_process_that_cannot_be_seen_never_ends() {
        for id in [0, u32::MAX, i32::MAX as u32] {
            assert_eq!(watch(id).await, None);
        }
    }
}
