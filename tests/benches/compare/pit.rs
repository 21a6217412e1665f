//! snakepit itself, through its facade, as a program would use it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use snakepit::{PoolConfig, ProfileKind, Receipt, Snakepit};
use tokio::runtime::Runtime;

use crate::job::{Fallible, Job, Metric, PAYLOAD, Readings, WARM_UP};
use crate::{place, stats};

/// Longer than any start on a machine that works.
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures echoes, with `in_flight` callers for each worker.
pub(crate) fn measure(job: &Job) -> Fallible<Readings> {
    // Before the runtime exists, so that it and all it starts inherit the place.
    if let Some(cpu) = job.host_cpu {
        place::stay_on(cpu)?;
    }
    runtime(job)?.block_on(async {
        let pit = Arc::new(start(job).await?);
        for receipt in call_every_worker(&pit, job).await? {
            if let Some(cpu) = job.worker_cpu {
                place::move_process(receipt.pid, cpu)?;
            }
        }
        callers(&pit, job, |pit| async move {
            for _ in 0..WARM_UP {
                call(&pit).await?;
            }
            Ok(Vec::new())
        })
        .await?;

        let begin = Instant::now();
        let end = begin + Duration::from_secs_f64(job.seconds);
        let latencies = callers(&pit, job, move |pit| async move {
            let mut latencies = Vec::new();
            let mut now = Instant::now();
            while now < end {
                call(&pit).await?;
                let later = Instant::now();
                latencies.push(later - now);
                now = later;
            }
            Ok(latencies)
        })
        .await?;
        let readings = stats::of_calls(latencies, begin.elapsed());
        shut_down(pit).await?;
        Ok(readings)
    })
}

/// Measures from nothing until every worker has answered a call, and what the workers weigh then.
pub(crate) fn measure_start(job: &Job) -> Fallible<Readings> {
    let runtime = runtime(job)?;
    runtime.block_on(async {
        let begin = Instant::now();
        builder(job).plan().await?;
        let planned = begin.elapsed();

        let begin = Instant::now();
        let pit = start(job).await?;
        let receipts = call_every_worker(&pit, job).await?;
        let started = begin.elapsed();

        let weights = receipts
            .iter()
            .map(|receipt| place::rss_anon_mb(receipt.pid))
            .collect::<Fallible<Vec<_>>>()?;
        pit.shutdown().await;
        Ok(Readings::from([
            (Metric::StartMs, started.as_secs_f64() * 1e3),
            // The search is part of `start`, so it is made once more by itself to be known.
            (
                Metric::WorkersMs,
                started.saturating_sub(planned).as_secs_f64() * 1e3,
            ),
            (Metric::RssAnonMb, stats::typical(&weights)),
        ]))
    })
}

/// What a worker has imported once it has answered, without what is snakepit's own.
pub(crate) fn imported_by_a_worker(python: &Path) -> Fallible<Vec<String>> {
    let job = Job {
        python: python.to_owned(),
        host_cpu: None,
        worker_cpu: None,
        workers: 1,
        threads: 1,
        in_flight: 1,
        seconds: 0.0,
    };
    runtime(&job)?.block_on(async {
        let pit = start(&job).await?;
        let mut modules: Vec<String> = pit.call("imported").await?;
        modules.retain(|module| module.split('.').next() != Some("snakepit_bridge"));
        pit.shutdown().await;
        Ok(modules)
    })
}

/// The interpreter that snakepit finds when nobody names one.
pub(crate) fn default_python() -> Fallible<PathBuf> {
    Ok(snakepit::pyenv::find(None)?.path)
}

/// Whoever pins a program to one core gives it a runtime of one thread; elsewhere the usual one.
fn runtime(job: &Job) -> Fallible<Runtime> {
    let mut builder = match job.host_cpu {
        Some(_) => tokio::runtime::Builder::new_current_thread(),
        None => tokio::runtime::Builder::new_multi_thread(),
    };
    Ok(builder.enable_all().build()?)
}

fn builder(job: &Job) -> snakepit::Builder {
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/adapter.py");
    let mut pool = PoolConfig::new("echo")
        .adapter(adapter)
        .pool_size(job.workers)
        .python(&job.python);
    if job.threads > 1 {
        pool = pool
            .worker_profile(ProfileKind::Thread)
            .threads_per_worker(job.threads);
    }
    // The figures must not depend on whose shell this is.
    Snakepit::builder().env(false).pool(pool)
}

async fn start(job: &Job) -> Fallible<Snakepit> {
    let pit = builder(job).start().await?;
    pit.await_started(PATIENCE).await?;
    Ok(pit)
}

async fn shut_down(pit: Arc<Snakepit>) -> Fallible<()> {
    Arc::into_inner(pit)
        .ok_or("a caller has not ended")?
        .shutdown()
        .await;
    Ok(())
}

/// One call on every worker, all at once; one receipt each.
async fn call_every_worker(pit: &Snakepit, job: &Job) -> Fallible<Vec<Receipt>> {
    // The least-loaded worker is chosen each time, so that as many calls as workers reach each of them.
    let answers = try_join_all((0..job.workers).map(|_| async {
        pit.call::<Vec<u8>>("echo")
            .arg("data", PAYLOAD.as_slice())
            .with_receipt()
            .await
    }))
    .await?;
    let receipts: Vec<_> = answers.into_iter().map(|(_, receipt)| receipt).collect();
    let pids: BTreeSet<_> = receipts.iter().map(|receipt| receipt.pid).collect();
    if pids.len() != job.workers as usize {
        return Err(format!(
            "{} calls at once reached {} workers only",
            job.workers,
            pids.len()
        )
        .into());
    }
    Ok(receipts)
}

/// Runs `body` once per caller, each in a task of its own as in a service, and puts their latencies together.
async fn callers<F, R>(pit: &Arc<Snakepit>, job: &Job, body: F) -> Fallible<Vec<Duration>>
where
    F: Fn(Arc<Snakepit>) -> R,
    R: Future<Output = Fallible<Vec<Duration>>> + Send + 'static,
{
    let tasks: Vec<_> = (0..job.workers * job.in_flight)
        .map(|_| tokio::spawn(body(Arc::clone(pit))))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

async fn call(pit: &Snakepit) -> Fallible<()> {
    let answer: Vec<u8> = pit.call("echo").arg("data", PAYLOAD.as_slice()).await?;
    if answer != PAYLOAD {
        return Err("a worker answered something else".into());
    }
    Ok(())
}
