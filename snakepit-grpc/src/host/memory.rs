//! How much memory a process group uses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use procfs::process::{Process, all_processes};

/// How old a list of processes may be when a group is measured by it. Reading all of `/proc` takes milliseconds on a
/// machine with many processes, and a pool measures all of its workers within moments.
const LIST_AGE_MAX: Duration = Duration::from_millis(500);

/// Measures process groups. One list of the machine's processes serves all that are measured at about the same time.
#[derive(Debug, Default)]
pub(super) struct Census(Mutex<Option<List>>);

/// Who is in which group.
#[derive(Debug)]
struct List {
    read_at: Instant,
    members: HashMap<i32, Vec<i32>>,
}

impl Census {
    /// Anonymous memory of a group, resident or swapped out, in bytes. `None` where its leader has ended or `/proc`
    /// does not say. A process that joined the group less than half a second ago may be left out.
    ///
    /// It blocks while `/proc` is read: for milliseconds.
    pub(super) fn memory(&self, group: i32) -> Option<u64> {
        let leader = measured(group, group)?;
        let others = self.members(group)?.into_iter().filter(|pid| *pid != group);
        // Those who have ended since the list was read use nothing any more.
        let others = others.filter_map(|pid| measured(pid, group));
        Some(others.fold(leader, u64::saturating_add))
    }

    fn members(&self, group: i32) -> Option<Vec<i32>> {
        // Held while the list is read: whoever else wants one waits for this one. A reader that panicked left the old.
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list
            .as_ref()
            .is_none_or(|list| list.read_at.elapsed() >= LIST_AGE_MAX)
        {
            *list = List::read();
        }
        let list = list.as_ref()?;
        Some(list.members.get(&group).cloned().unwrap_or_default())
    }
}

impl List {
    fn read() -> Option<Self> {
        let read_at = Instant::now();
        let mut members = HashMap::<_, Vec<_>>::new();
        for process in all_processes().ok()? {
            // An error is a process that has just ended, or one that is hidden from us and so is none of our workers.
            if let Ok(stat) = process.and_then(|process| process.stat()) {
                members.entry(stat.pgrp).or_default().push(stat.pid);
            }
        }
        Some(Self { read_at, members })
    }
}

/// Memory of one process, in bytes. `None`: it has ended, or is not in this group.
fn measured(pid: i32, group: i32) -> Option<u64> {
    // Once it has ended, reading from what was opened here fails, whoever has its number then.
    let process = Process::new(pid).ok()?;
    if process.stat().ok()?.pgrp != group {
        return None;
    }
    let status = process.status().ok()?;
    // In KiB. A zombie has no memory to speak of, and a kernel without swap says nothing of it.
    let kib = status.rssanon?.saturating_add(status.vmswap.unwrap_or(0));
    Some(kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_leads_no_group_is_not_measured() {
        // It shares the group of this program, so that its number is nobody's group.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(
            Process::new(pid).unwrap().status().unwrap().rssanon > Some(0),
            "it has memory"
        );
        assert_eq!(Census::default().memory(pid), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
