//! Who may attach, and as whom.

use rustix::process::{Pid, getsid};
use snakepit_profile::StartError;
use tonic::Status;

use crate::PROTOCOL;
use crate::host::accept::Peer;
use crate::host::facts::facts;
use crate::host::link::{Link, ToWorker};
use crate::host::registry::{Expected, Registry};
use crate::outbox::Outgoing;
use crate::proto::Hello;

/// Everything that was refused says no more than it must: no path, no token, and not which of the two was wrong.
const STRANGER: &str = "this token opens no connection";

/// Checks token, process and version, in this order and before anything else is read.
///
/// Only the worker itself is stopped for what it says; a stranger changes nothing for the worker he pretends to be.
pub(super) async fn admit(
    registry: &Registry,
    peer: &Peer,
    hello: Hello,
) -> Result<(Expected, Outgoing<ToWorker>), Status> {
    let Some((token, place)) = registry.claim(&hello.token) else {
        tracing::warn!(pid = peer.pid(), "a handshake was refused: unknown or used token");
        return Err(Status::unauthenticated(STRANGER));
    };
    // Resolves as soon as the host has noted the process that it has just created.
    let Ok(expected) = place.expected.await else {
        return Err(Status::unauthenticated(STRANGER));
    };
    let link = &expected.link;
    match standing(peer, link) {
        Standing::Ours => {}
        Standing::Unseen => tracing::warn!(
            worker = %link.spec().worker,
            pid = peer.pid(),
            "the process behind a connection cannot be told: it runs under a wrapper or in another pid namespace, and its token alone decides"
        ),
        Standing::Stranger => {
            tracing::warn!(worker = %link.spec().worker, pid = peer.pid(), "a handshake was refused: a process that is not the worker has its token");
            registry.give_back(token, expected);
            return Err(Status::permission_denied(STRANGER));
        }
    }
    if hello.protocol != PROTOCOL {
        let reason = format!(
            "the host speaks protocol {PROTOCOL}, and bridge {} speaks protocol {}: use the bridge that was made with this host (`snakepit bridge build`)",
            if hello.bridge_version.is_empty() {
                "(unnamed)"
            } else {
                &hello.bridge_version
            },
            hello.protocol
        );
        return Err(refuse(
            link,
            StartError::Refused {
                reason: reason.clone(),
            },
            reason,
        ));
    }
    let facts = facts(hello, link.group().pid());
    match link.spec().accept(&facts) {
        Ok(()) => {}
        // A worker whose adapter could not be imported has no tools either, and says why in a moment.
        Err(error @ StartError::NoTools { .. }) => link.lock().start_error = Some(error),
        Err(error) => {
            let reason = error.to_string();
            return Err(refuse(link, error, reason));
        }
    }
    let Some(outgoing) = link.welcome(facts) else {
        return Err(Status::unauthenticated(STRANGER));
    };
    peer.greeted();
    Ok((expected, outgoing))
}

/// Dropping what was expected ends the worker's conversation, and with it the worker.
fn refuse(link: &Link, error: StartError, reason: String) -> Status {
    tracing::warn!(worker = %link.spec().worker, reason, "a worker was refused");
    link.lock().start_error = Some(error);
    Status::failed_precondition(reason)
}

/// What a peer's process is to the worker.
enum Standing {
    /// The child, or a member of the session it leads.
    Ours,
    /// A descendant with a session of its own, or a process that this one cannot see.
    Unseen,
    /// Another process of the same user.
    Stranger,
}

fn standing(peer: &Peer, link: &Link) -> Standing {
    let Some(pid) = peer.pid().and_then(Pid::from_raw) else {
        return Standing::Unseen;
    };
    let leader = link.group().leader();
    match getsid(Some(pid)) {
        Ok(session) if session == leader => Standing::Ours,
        Ok(_) if descends(pid, leader) => Standing::Unseen,
        Ok(_) => Standing::Stranger,
        Err(_) => Standing::Unseen,
    }
}

/// Longest line of descent that is followed.
const GENERATIONS_MAX: usize = 32;

fn descends(pid: Pid, ancestor: Pid) -> bool {
    std::iter::successors(Some(pid), |pid| parent(*pid))
        .take(GENERATIONS_MAX)
        .any(|pid| pid == ancestor)
}

/// The fourth field of `/proc/<pid>/stat`. The second is a name in brackets that may hold anything.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_ascii_whitespace().nth(1)?.parse().ok()?)
}
