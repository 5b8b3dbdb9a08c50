//! Waits for the end of the process that an editor says it is (LSP 3.17, `InitializeParams.processId`).

use std::time::Duration;

/// The end of an editor is nearly always seen by that of its pipe, at once; this is for when another process has kept it.
const POLL: Duration = Duration::from_secs(3);

/// Returns when that process has ended; never, where it cannot be seen (another machine's, or no `/proc`).
pub(crate) async fn end_of(process_id: u32) {
    end_within(process_id, POLL).await;
}

async fn end_within(process_id: u32, poll: Duration) {
    let Some(first) = start_of(process_id) else {
        return std::future::pending().await;
    };
    // A number is given to another process some time after, which has another start.
    while start_of(process_id).as_ref() == Some(&first) {
        tokio::time::sleep(poll).await;
    }
}

/// When a process started, in ticks since the machine did; `None` for one that is not there, or has ended and is not
/// waited for (proc(5), `/proc/pid/stat`: state is the first field behind the name, start the twentieth).
fn start_of(process_id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| start.to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_seen() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let watching = end_within(child.id(), Duration::from_millis(1));
        tokio::pin!(watching);
        assert!((&mut watching).now_or_never().is_none());
        child.kill().unwrap();
        watching.await;
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_cannot_be_seen_never_ends() {
        assert!(end_of(u32::MAX).now_or_never().is_none());
    }

    #[test]
    fn a_process_keeps_its_start() {
        let own = start_of(std::process::id());
        assert!(own.as_ref().is_some_and(|start| start.parse::<u64>().is_ok()), "{own:?}");
        assert_eq!(start_of(std::process::id()), own);
    }
}
