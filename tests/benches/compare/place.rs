//! Where code runs, and what it keeps: the few questions to the kernel.

use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::job::Fallible;

/// The CPUs this process may use, in order.
pub(crate) fn cpus() -> Fallible<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect())
}

/// Keeps the calling thread, and every thread and process it starts from now on, on this CPU.
pub(crate) fn stay_on(cpu: usize) -> Fallible<()> {
    Ok(sched_setaffinity(None, &only(cpu))?)
}

/// Moves every thread of a process to this CPU.
pub(crate) fn move_process(pid: u32, cpu: usize) -> Fallible<()> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?
            .file_name()
            .to_string_lossy()
            .parse()
            .ok()
            .and_then(Pid::from_raw);
        sched_setaffinity(thread, &only(cpu))?;
    }
    Ok(())
}

/// Memory of its own that a process keeps resident, in MB: what it would not share with a second one like it.
pub(crate) fn rss_anon_mb(pid: u32) -> Fallible<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("the kernel does not report RssAnon")?
        .trim()
        .parse()?;
    Ok(kb / 1024.0)
}

fn only(cpu: usize) -> CpuSet {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    cpus
}
