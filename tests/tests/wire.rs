//! The tools that the pool's contract is checked with: served by workers without Python and by Python, they are the same.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use snakepit::{CallError, Exit, Host, Pool, PoolConfig, PoolError, ProfileKind, Settings};
use snakepit_grpc::values::{self, Fields, Limits};
use snakepit_pool::{Answer, PoolCall, Pools};
use snakepit_profile::WorkerProfile;
use snakepit_tests::{PATIENCE, Python, Wanted, WireProfile, adapter, ready_pit};

#[derive(Debug, Deserialize)]
struct WhoAmI {
    pid: u32,
    worker: String,
    thread: String,
}

fn with<T: Serialize>(name: &str, value: &T) -> Bytes {
    let mut fields = Fields::default();
    fields.insert(name, value).expect("it can be sent");
    fields.finish(&Limits::default()).expect("it fits")
}

fn nothing() -> Bytes {
    Fields::default().finish(&Limits::default()).expect("it fits")
}

async fn call(pool: &Pool, tool: &str, arguments: Bytes) -> Result<Answer, PoolError> {
    pool.call(PoolCall::new(tool, arguments)).await
}

fn read<T: for<'de> Deserialize<'de>>(answer: &Answer) -> T {
    values::decode(&answer.reply.value, &Limits::default()).expect("the value is of this type")
}

/// Two process workers without Python.
async fn wire() -> (Arc<Host>, Pools) {
    let pool = PoolConfig::new("wire")
        .adapter(adapter("conformance.py"))
        .worker_profile(ProfileKind::Process)
        .pool_size(2);
    let settings = Settings::builder()
        .env(false)
        .pool(pool)
        .build()
        .expect("valid settings");
    let host = Host::bind().expect("a host");
    let profile = |settings| {
        let profile = WireProfile::new(env!("CARGO_BIN_EXE_wire_worker"), &settings, &host);
        (settings, Arc::new(profile) as Arc<dyn WorkerProfile>)
    };
    let pools = Pools::start(settings.pools.into_iter().map(profile).collect());
    pools.await_ready(PATIENCE).await.expect("the pool becomes ready");
    (host, pools)
}

/// Calls every tool; the last call ends a worker.
async fn offers_the_tools(pool: &Pool) {
    let value = vec![Some(1.5), None];
    for tool in ["echo", "echo_idempotent"] {
        let answer = call(pool, tool, with("value", &value)).await.expect("an echo");
        assert_eq!(read::<Vec<Option<f64>>>(&answer), value);
    }
    let answer = call(pool, "pid", nothing()).await.expect("a pid");
    assert_eq!(read::<u32>(&answer), answer.receipt.pid);
    let answer = call(pool, "whoami", nothing()).await.expect("who it is");
    let told = read::<WhoAmI>(&answer);
    assert_eq!(told.pid, answer.receipt.pid);
    assert_eq!(told.worker, answer.receipt.worker.to_string());
    assert!(!told.thread.is_empty());
    for tool in ["sleep", "busy"] {
        let answer = call(pool, tool, with("ms", &20.0)).await.expect("an end");
        assert!(
            answer.reply.run_time >= Duration::from_millis(20),
            "{:?}",
            answer.receipt
        );
        read::<()>(&answer);
    }
    refuses(pool).await;
    stops_for_its_caller(pool).await;
    match call(pool, "die", with("code", &7)).await {
        Err(PoolError::Call(CallError::Lost(lost))) => assert_eq!(lost.exit, Exit::Code(7)),
        other => panic!("{other:?}"),
    }
}

async fn refuses(pool: &Pool) {
    match call(pool, "raise_error", with("message", &"no")).await {
        Err(PoolError::Call(CallError::Raised(error))) => {
            assert_eq!(error.to_string(), "ValueError: no");
            assert_eq!(
                error.mro,
                [
                    "builtins.ValueError",
                    "builtins.Exception",
                    "builtins.BaseException"
                ]
            );
        }
        other => panic!("{other:?}"),
    }
    for (tool, arguments) in [("echo", nothing()), ("pid", with("value", &1))] {
        let error = call(pool, tool, arguments).await.expect_err("it does not fit");
        assert!(
            matches!(&error, PoolError::Call(CallError::InvalidArguments { .. })),
            "{error:?}"
        );
    }
    let error = call(pool, "ehco", nothing()).await.expect_err("no such tool");
    assert!(
        matches!(&error, PoolError::Call(CallError::UnknownTool { .. })),
        "{error:?}"
    );
}

/// More calls than there are slots: each gets one only if the tool stops when its caller goes.
async fn stops_for_its_caller(pool: &Pool) {
    for (tool, arguments) in [
        ("hold", nothing()),
        ("sleep", with("ms", &1e9)),
        ("hold", nothing()),
    ] {
        let impatient = PoolCall {
            timeout: Some(Duration::from_millis(50)),
            ..PoolCall::new(tool, arguments)
        };
        pool.call(impatient).await.expect_err("the caller goes");
        call(pool, "pid", nothing())
            .await
            .expect("a slot is free, or becomes it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_without_python_serve_a_pool_over_the_wire() {
    let (host, pools) = wire().await;
    offers_the_tools(pools.default_pool().expect("a pool")).await;
    pools.shutdown().await;
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_offers_the_same_tools_with_the_same_marks() {
    let Some(python) = Python::find(Wanted::Default) else {
        return;
    };
    let pool = python
        .pool("python", "conformance.py")
        .worker_profile(ProfileKind::Process)
        .pool_size(2);
    let pit = ready_pit([pool]).await;
    let (host, pools) = wire().await;
    let tools = |pool: &Pool| {
        let workers = pool.worker_handles();
        let facts = workers
            .iter()
            .find_map(|worker| worker.facts.clone())
            .expect("a ready worker");
        let tools = facts.tools.iter();
        tools
            .map(|tool| (tool.name.clone(), tool.signature.clone(), tool.idempotent))
            .collect::<Vec<_>>()
    };
    let of_wire = tools(pools.default_pool().expect("a pool"));
    assert_eq!(of_wire, tools(pit.default_pool()));
    let idempotent = of_wire.iter().filter(|(_, _, idempotent)| *idempotent);
    assert_eq!(
        idempotent.map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
        ["echo_idempotent"]
    );

    offers_the_tools(pit.default_pool()).await;
    pit.shutdown().await;
    pools.shutdown().await;
    host.shutdown().await;
}
