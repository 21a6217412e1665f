//! Pools that refuse their calls because something is wrong.

use std::time::Duration;

use snakepit::{Executed, PoolError, PoolEventKind};
use snakepit_pool::PoolCall;

use crate::on_every_subject;
use crate::stage::{busy, die, echo, hold};
use crate::subject::Subject;

on_every_subject!(
    a_pool_whose_workers_die_too_often_refuses_at_once_and_recovers,
    a_pool_whose_calls_fail_in_a_row_refuses_until_one_succeeds,
);

/// Long enough for a call to come before the next try, on a busy machine too.
const PAUSE: Duration = Duration::from_secs(1);

async fn a_pool_whose_workers_die_too_often_refuses_at_once_and_recovers(subject: Subject) {
    let stage = subject
        .start(|pool| {
            pool.pool_size(1)
                .restart_max(1)
                // The one restart must be within the window when the second is due.
                .restart_window(PAUSE)
                .restart_backoff(Duration::from_millis(1))
        })
        .await;
    let mut watch = stage.watch();
    stage.call(die()).await.expect_err("it kills");
    watch.until_ready().await;
    let also_killed = stage.begin(die());
    let neighbour = stage.begin(hold());
    also_killed.end().await.expect_err("it kills");
    watch
        .until(|event| matches!(event.kind, PoolEventKind::Degraded { .. }).then_some(()))
        .await;
    let error = neighbour.end().await.expect_err("it ran there, or waits in vain");
    assert!(
        matches!(error, PoolError::Degraded { .. } | PoolError::Call(_)),
        "{error:?}"
    );
    let error = stage.begin(echo(1)).refusal();
    assert_eq!(error.executed(), Executed::No);
    assert!(matches!(error, PoolError::Degraded { .. }), "{error:?}");
    assert!(stage.stats().degraded);

    watch
        .until(|event| matches!(event.kind, PoolEventKind::Recovered).then_some(()))
        .await;
    stage.echoes(2).await;
    assert!(!stage.stats().degraded);
    stage.end().await;
}

async fn a_pool_whose_calls_fail_in_a_row_refuses_until_one_succeeds(subject: Subject) {
    let stage = subject
        .start(|pool| {
            pool.pool_size(2)
                .circuit_breaker(true)
                .circuit_breaker_failures(2)
                .circuit_breaker_pause(PAUSE)
        })
        .await;
    let mut watch = stage.watch();
    for _ in 0..2 {
        let impatient = PoolCall {
            timeout: Some(Duration::from_millis(20)),
            ..busy(Duration::from_millis(100))
        };
        stage.call(impatient).await.expect_err("its time was over");
    }
    watch
        .until(|event| matches!(event.kind, PoolEventKind::CircuitOpened).then_some(()))
        .await;
    let PoolError::CircuitOpen { retry_in, .. } = stage.begin(echo(1)).refusal() else {
        panic!("the circuit is open");
    };
    assert!(retry_in <= PAUSE, "{retry_in:?}");
    // Only time closes it, and then a call that succeeds.
    tokio::time::sleep(retry_in).await;
    stage.echoes(2).await;
    watch
        .until(|event| matches!(event.kind, PoolEventKind::CircuitClosed).then_some(()))
        .await;
    stage.echoes(3).await;
    stage.end().await;
}
