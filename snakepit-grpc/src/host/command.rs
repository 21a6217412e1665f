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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::PathBuf;
    use std::time::Duration;

    use snakepit_profile::{Adapter, Limits, PoolName, WorkerId, WorkerName};

    use super::*;

    fn spec(inherit_env: InheritEnv, set: &[(&str, &str)]) -> LaunchSpec {
        LaunchSpec {
            worker: WorkerName {
                pool: PoolName::new("p").unwrap(),
                id: WorkerId {
                    slot: 2,
                    generation: 1,
                },
            },
            kind: ProfileKind::Process,
            slots: NonZeroU32::MIN,
            python: PathBuf::from("venv/bin/python"),
            bridge: Some(PathBuf::from("/bridge")),
            adapter: Adapter {
                source: AdapterSource::Module("m".to_owned()),
                class: None,
            },
            adapter_args: vec!["--fast".to_owned()],
            inherit_env,
            environment: set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            handshake_timeout: Duration::from_secs(1),
            limits: Limits {
                message_max: 10,
                depth_max: 3,
            },
            require_free_threading: false,
        }
    }

    fn environment_of(spec: &LaunchSpec) -> Vec<(String, String)> {
        let host = [
            ("PATH", "/bin"),
            ("HOME", "/home"),
            ("SNAKEPIT_PYTHON", "x"),
            ("PYTHONPATH", "/mine"),
        ];
        environment(spec, host.map(|(name, value)| (name.into(), value.into())))
            .into_iter()
            .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn everything_is_inherited_but_what_is_ours_and_the_bridge_goes_first() {
        assert_eq!(
            environment_of(&spec(InheritEnv::All, &[])),
            pairs(&[
                ("HOME", "/home"),
                ("PATH", "/bin"),
                ("PYTHONPATH", "/bridge:/mine")
            ])
        );
    }

    #[test]
    fn only_named_variables_are_inherited_and_ours_not_even_by_name() {
        let only = InheritEnv::Only(vec!["HOME".to_owned(), "SNAKEPIT_PYTHON".to_owned()]);
        assert_eq!(
            environment_of(&spec(only, &[])),
            pairs(&[("HOME", "/home"), ("PYTHONPATH", "/bridge")])
        );
        assert_eq!(
            environment_of(&spec(InheritEnv::Nothing, &[])),
            pairs(&[("PYTHONPATH", "/bridge")])
        );
    }

    #[test]
    fn what_the_user_sets_wins_and_keeps_the_bridge_in_front() {
        let set = [
            ("PATH", "/opt"),
            ("PYTHONPATH", "/theirs"),
            ("SNAKEPIT_LIKE", "kept"),
        ];
        assert_eq!(
            environment_of(&spec(InheritEnv::All, &set)),
            pairs(&[
                ("HOME", "/home"),
                ("PATH", "/opt"),
                ("PYTHONPATH", "/bridge:/theirs"),
                ("SNAKEPIT_LIKE", "kept")
            ])
        );
    }

    #[test]
    fn the_command_line_names_the_worker_and_nothing_secret() {
        let command = command(&spec(InheritEnv::All, &[]));
        assert_eq!(command.get_program(), "venv/bin/python");
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["-c", WORKER_CODE, "snakepit-worker", "p/2"]);
    }

    #[test]
    fn the_boot_message_is_what_a_worker_end_reads() {
        let message = boot_message(
            &spec(InheritEnv::All, &[]),
            Bytes::from_static(b"sesame"),
            Path::new("/s"),
        );
        let boot = crate::worker::read_boot(message.as_slice()).unwrap();
        assert_eq!(
            (boot.token.as_ref(), boot.socket.as_str()),
            (&b"sesame"[..], "/s")
        );
        assert_eq!(
            (boot.worker.as_str(), boot.slots, boot.threads),
            ("p/2#1", 1, false)
        );
        assert_eq!(boot.adapter_args, ["--fast"]);
    }
}
