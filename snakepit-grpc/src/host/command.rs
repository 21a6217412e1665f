//! What a worker's process is started with: command line, environment, boot message.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use prost::Message as _;
use snakepit_profile::{AdapterSource, InheritEnv, LaunchSpec, ProfileKind};

use crate::PROTOCOL;
use crate::proto::{Boot, boot};

/// What the interpreter runs. The current folder, which `-c` puts first on `sys.path`, goes before anything of ours is
/// looked for.
pub const WORKER_CODE: &str = "import sys; sys.path[:] = [p for p in sys.path if p != '']; from snakepit_bridge._worker import main; main()";

/// Names that belong to snakepit: never inherited.
const OUR_PREFIX: &[u8] = b"SNAKEPIT_";
const PYTHONPATH: &str = "PYTHONPATH";

/// Everything but standard input and what happens between fork and exec.
pub(super) fn command(spec: &LaunchSpec) -> Command {
    let mut command = Command::new(&spec.python);
    let label = format!("{}/{}", spec.worker.pool, spec.worker.id.slot);
    command
        .args(["-c", WORKER_CODE, "snakepit-worker", &label])
        .env_clear()
        .envs(environment(spec, std::env::vars_os()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What the specification lets through of `inherited`, what it sets on top, and the bridge in front of the modules.
fn environment(
    spec: &LaunchSpec,
    inherited: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    let is_let_through = |name: &OsStr| match &spec.inherit_env {
        InheritEnv::All => true,
        InheritEnv::Nothing => false,
        InheritEnv::Only(names) => names.iter().any(|only| OsStr::new(only) == name),
    };
    let mut environment: BTreeMap<OsString, OsString> = inherited
        .into_iter()
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(OUR_PREFIX) && is_let_through(name))
        .collect();
    environment.extend(
        spec.environment
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    if let Some(bridge) = &spec.bridge {
        let rest = environment.remove(OsStr::new(PYTHONPATH));
        environment.insert(PYTHONPATH.into(), in_front(bridge, rest));
    }
    environment
}

fn in_front(bridge: &Path, rest: Option<OsString>) -> OsString {
    let mut path = bridge.as_os_str().to_owned();
    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
        path.push(":");
        path.push(rest);
    }
    path
}

/// The message on a worker's standard input, with its length in front.
pub(super) fn boot_message(spec: &LaunchSpec, token: Bytes, socket: &Path) -> Vec<u8> {
    let adapter = match &spec.adapter.source {
        AdapterSource::File(path) => boot::Adapter::AdapterFile(path.to_string_lossy().into_owned()),
        AdapterSource::Module(module) => boot::Adapter::AdapterModule(module.clone()),
    };
    let boot = Boot {
        protocol: PROTOCOL,
        token,
        socket: socket.to_string_lossy().into_owned(),
        worker: spec.worker.to_string(),
        adapter: Some(adapter),
        adapter_class: spec.adapter.class.clone().unwrap_or_default(),
        adapter_args: spec.adapter_args.clone(),
        threads: spec.kind == ProfileKind::Thread,
        slots: spec.slots.get(),
        message_max: spec.limits.message_max,
        depth_max: spec.limits.depth_max,
    };
    let length = u32::try_from(boot.encoded_len()).unwrap_or(u32::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend(boot.encode_to_vec());
    message
}
