//! Workers that are well are renewed: when, and what is told about it.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::rig::{LONG, Rig, config, ms, patient, recycled, spawn, spawned, stop, worker};
use crate::core::{CoreConfig, Event, RecycleReason, Recycled, WorkerState};

const TTL: Duration = Duration::from_secs(10);

fn aging(size: u32, jitter: u32) -> CoreConfig {
    let mut config = patient(size, 1);
    config.startup_timeout = LONG;
    config.recycling.ttl = Some(TTL);
    config.recycling.jitter = jitter;
    config.recycling.surge_max = size;
    config
}

fn counting(requests: u64, jitter: u32) -> CoreConfig {
    let mut config = patient(1, 2);
    config.recycling.requests = NonZeroU64::new(requests);
    config.recycling.jitter = jitter;
    config
}

fn weighing(memory: u64) -> CoreConfig {
    let mut config = config();
    config.recycling.memory = Some(memory);
    config
}

fn sample(rig: &mut Rig, memory: u64) {
    let worker = worker(0, 1);
    rig.tell(Event::Sampled { worker, memory });
}

#[test]
fn workers_of_one_age_are_renewed_one_by_one_and_none_later_than_it_may_be() {
    let size = 50;
    let mut rig = Rig::ready(aging(size, 10));
    let begun = rig.now;
    let mut ages = Vec::new();
    while ages.len() < size as usize {
        let due = rig.core.next_deadline().expect("every worker ages");
        rig.pass(due.since(rig.now));
        ages.extend(spawned(&rig.take()).iter().map(|_| rig.now.since(begun)));
    }
    assert!(
        ages.iter().all(|age| (TTL * 9 / 10..=TTL).contains(age)),
        "{ages:?}"
    );
    ages.dedup();
    assert!(ages.len() > 40, "they would go together: {ages:?}");
}

#[test]
fn without_jitter_a_worker_is_renewed_at_its_age_and_its_successor_at_the_same() {
    let mut rig = Rig::ready(aging(1, 0));
    for generation in 1..=3 {
        rig.pass(TTL.checked_sub(ms(1)).unwrap());
        assert_eq!(spawned(&rig.take()), []);
        rig.pass(ms(1));
        assert_eq!(spawned(&rig.take()), [worker(0, generation + 1)]);
        rig.start(worker(0, generation + 1));
        rig.exit(worker(0, generation));
        rig.take();
    }
}

#[test]
fn age_begins_when_a_worker_is_ready() {
    let mut rig = Rig::new(aging(1, 0));
    rig.tell(Event::Opened);
    rig.launch(worker(0, 1));
    rig.pass(TTL * 3);
    rig.tell(Event::BecameReady { worker: worker(0, 1) });
    rig.take();
    rig.pass(TTL.checked_sub(ms(1)).unwrap());
    assert_eq!(rig.take(), []);
    rig.pass(ms(1));
    assert_eq!(spawned(&rig.take()), [worker(0, 2)]);
}

#[test]
fn a_worker_is_renewed_after_exactly_so_many_calls_however_they_ended() {
    let mut rig = Rig::ready(counting(3, 0));
    let served = rig.submit();
    rig.complete(served);
    let cancelled = rig.submit();
    rig.cancel(cancelled);
    rig.complete(cancelled);
    let late = rig.submit_for(ms(100));
    rig.pass(ms(100));
    assert_eq!(spawned(&rig.take()), [], "its code still runs");
    rig.complete(late);
    assert_eq!(spawned(&rig.take()), [worker(0, 2)]);
}

#[test]
fn a_successor_counts_its_calls_anew() {
    let mut rig = Rig::ready(counting(2, 0));
    for generation in 1..=3 {
        let calls = [rig.submit(), rig.submit()];
        rig.complete(calls[0]);
        assert_eq!(spawned(&rig.take()), []);
        rig.complete(calls[1]);
        assert_eq!(spawned(&rig.take()), [worker(0, generation + 1)]);
        rig.start(worker(0, generation + 1));
        rig.exit(worker(0, generation));
        rig.take();
    }
}

#[test]
fn jitter_takes_off_at_most_its_part_of_the_calls() {
    for (limit, jitter, least) in [(50, 10, 45), (10, 10, 9), (5, 10, 5), (1, 100, 1), (20, 100, 1)] {
        for seed in 0..20 {
            let mut config = counting(limit, jitter);
            config.seed = seed;
            let mut rig = Rig::ready(config);
            let served = (1..=limit).find(|_| {
                let call = rig.submit();
                rig.complete(call);
                !spawned(&rig.take()).is_empty()
            });
            let served = served.expect("never later than the limit");
            assert!(served >= least, "{served} of {limit}, jitter {jitter} %");
        }
    }
}

#[test]
fn a_worker_is_renewed_once_its_memory_was_too_much_three_times_in_a_row() {
    let mut rig = Rig::ready(weighing(1000));
    sample(&mut rig, 1001);
    sample(&mut rig, 5000);
    assert_eq!(rig.take(), []);
    sample(&mut rig, 1001);
    assert_eq!(spawned(&rig.take()), [worker(0, 2)]);
}

#[test]
fn a_peak_is_forgiven_and_the_limit_itself_is_none() {
    let mut rig = Rig::ready(weighing(1000));
    for memory in [9000, 9000, 1000, 9000, 9000, 0, 1000, 1000, 1000] {
        sample(&mut rig, memory);
    }
    assert_eq!(rig.take(), []);
}

#[test]
fn a_successor_is_not_blamed_for_the_memory_of_the_worker_before() {
    let mut rig = Rig::ready(weighing(1000));
    sample(&mut rig, 1001);
    sample(&mut rig, 1001);
    rig.exit(worker(0, 1));
    assert_eq!(rig.await_spawn(), worker(0, 2));
    rig.start(worker(0, 2));
    sample(&mut rig, 1001);
    for _ in 0..2 {
        let worker = worker(0, 2);
        rig.tell(Event::Sampled { worker, memory: 1001 });
    }
    assert_eq!(rig.take(), []);
}

#[test]
fn without_limits_nothing_is_renewed() {
    let mut rig = Rig::ready(config());
    for _ in 0..100 {
        sample(&mut rig, u64::MAX);
        let call = rig.submit();
        rig.complete(call);
    }
    rig.take();
    rig.pass(LONG * 100);
    assert_eq!(rig.take(), []);
}

#[test]
fn a_worker_is_renewed_on_demand_and_only_once_at_a_time() {
    let mut rig = Rig::ready(config());
    rig.recycle(worker(0, 1));
    rig.recycle(worker(0, 1));
    assert_eq!(rig.take(), [spawn(worker(0, 2))]);
    rig.start(worker(0, 2));
    rig.recycle(worker(0, 1));
    assert_eq!(rig.take(), [stop(worker(0, 1))]);
}

#[test]
fn only_a_ready_worker_can_be_renewed() {
    let mut rig = Rig::ready(config());
    rig.exit(worker(0, 1));
    rig.take();
    for absent in [worker(0, 1), worker(0, 2), worker(7, 1)] {
        rig.recycle(absent);
    }
    assert_eq!(rig.take(), []);
    assert_eq!(rig.await_spawn(), worker(0, 2));
    rig.recycle(worker(0, 2));
    rig.start(worker(0, 2));
    assert_eq!(rig.take(), [], "it was new anyway");
}

#[test]
fn whoever_watches_is_told_who_was_renewed_and_why() {
    let mut rig = Rig::ready(counting(2, 0));
    let calls = [rig.submit(), rig.submit(), rig.submit()];
    rig.pass(ms(700));
    rig.complete(calls[0]);
    rig.complete(calls[1]);
    rig.pass(ms(300));
    assert_eq!(recycled(&rig.notices()), [], "it still serves");
    rig.start(worker(0, 2));
    let expected = Recycled {
        worker: worker(0, 1),
        successor: Some(worker(0, 2)),
        reason: RecycleReason::Requests,
        uptime: ms(1000),
        requests: 2,
    };
    assert_eq!(recycled(&rig.notices()), [expected]);
    rig.complete(calls[2]);
    rig.exit(worker(0, 1));
    assert_eq!(recycled(&rig.notices()), [], "it is told once");
}

#[test]
fn each_reason_is_told_and_counted_as_what_it_was() {
    let mut config = aging(4, 0);
    config.recycling.requests = NonZeroU64::new(1);
    config.recycling.memory = Some(10);
    let mut rig = Rig::ready(config);
    let call = rig.submit();
    rig.complete(call);
    for _ in 0..3 {
        let worker = worker(1, 1);
        rig.tell(Event::Sampled { worker, memory: 11 });
    }
    rig.recycle(worker(2, 1));
    rig.pass(TTL);
    for slot in 0..4 {
        rig.start(worker(slot, 2));
    }
    let reasons: Vec<_> = recycled(&rig.notices()).iter().map(|it| it.reason).collect();
    assert_eq!(
        reasons,
        [
            RecycleReason::Requests,
            RecycleReason::Memory,
            RecycleReason::Requested,
            RecycleReason::Age
        ]
    );
    assert_eq!(rig.core.snapshot().counters.recycled, [1; 4]);
}

#[test]
fn renewal_is_no_restart_and_spends_none() {
    let mut config = patient(1, 1);
    config.restarts.slot_max = NonZeroU32::MIN;
    config.restarts.pool_max = NonZeroU32::MIN;
    let mut rig = Rig::ready(config);
    for generation in 1..=5 {
        rig.recycle(worker(0, generation));
        rig.start(worker(0, generation + 1));
        rig.exit(worker(0, generation));
    }
    assert_eq!(rig.state(worker(0, 6)), Some(WorkerState::Ready));
    rig.exit(worker(0, 6));
    rig.take();
    assert_eq!(
        rig.await_spawn(),
        worker(0, 7),
        "the one restart is still to be had"
    );
}

#[test]
fn whoever_asks_for_a_renewal_has_starts_tried_again_that_were_given_up() {
    let mut rig = Rig::ready(patient(2, 1));
    rig.recycle(worker(0, 1));
    for generation in 2..6 {
        rig.launch(worker(0, generation));
        rig.tell(Event::Exited {
            worker: worker(0, generation),
            permanent: true,
        });
        rig.pass(ms(60_000));
    }
    rig.take();
    rig.pass(LONG);
    assert_eq!(rig.take(), [], "nothing is tried any more");
    rig.recycle(worker(1, 1));
    assert_eq!(
        rig.await_spawn(),
        worker(0, 6),
        "the one that could not be started"
    );
    rig.start(worker(0, 6));
    rig.exit(worker(0, 1));
    assert_eq!(rig.await_spawn(), worker(1, 2));
}
