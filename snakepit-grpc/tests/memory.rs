//! How much memory a worker is said to use.

mod harness;

use std::time::Duration;

use harness::{PATIENCE, Subject, is_gone, number, spec};
use rustix::process::{Pid, Signal, kill_process};
use snakepit_grpc::host::Host;

/// What a tool that uses memory uses, in bytes.
const LARGE: u64 = 50 << 20;

/// More than an idle worker and the noise of its allocator come to, in bytes.
const SMALL: u64 = 10 << 20;

async fn memory(subject: &Subject) -> u64 {
    subject
        .worker
        .memory()
        .await
        .expect("a living worker can be measured")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_allocates_is_counted() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let before = memory(&subject).await;
    assert!((1..SMALL).contains(&before), "{before}");
    subject.call(1, "allocate", "").await.unwrap();
    let grown = memory(&subject).await - before;
    assert!((LARGE..LARGE + SMALL).contains(&grown), "{grown}");
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_mapping_is_not_counted() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.call(1, "map_shared", "").await.unwrap();
    let memory = memory(&subject).await;
    assert!((1..SMALL).contains(&memory), "{memory}");
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_counts_as_long_as_it_lives() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let child = number(&subject.call(1, "spawn_large", "").await.unwrap().value);
    let with_child = memory(&subject).await;
    assert!((LARGE..LARGE + SMALL).contains(&with_child), "{with_child}");

    kill_process(
        Pid::from_raw(i32::try_from(child).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    assert!(is_gone(child, PATIENCE));
    let alone = memory(&subject).await;
    assert!((1..SMALL).contains(&alone), "{alone}");
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_comes_later_is_found() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let before = memory(&subject).await;
    subject.call(1, "spawn_large", "").await.unwrap();
    let found = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while memory(&subject).await < before + LARGE {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("the child is found");
    subject.killed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_left_the_group_does_not_count() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    let apart = number(&subject.call(1, "spawn_large", "apart").await.unwrap().value);
    let memory = memory(&subject).await;
    assert!((1..SMALL).contains(&memory), "{memory}");
    subject.killed().await;
    assert!(is_gone(apart, PATIENCE), "it ends with its standard input");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_has_ended_is_not_measured() {
    let host = Host::bind().unwrap();
    let mut subject = Subject::ready(&host, spec("", 1)).await;
    subject.killed().await;
    assert_eq!(subject.worker.memory().await, None);
}
