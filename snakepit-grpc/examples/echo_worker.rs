//! A worker end without Python, which the tests start in place of an interpreter. It ignores its command line; the first
//! of `adapter_args` says how it (mis)behaves before it serves, the name of a tool what a call does.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use snakepit_grpc::PROTOCOL;
use snakepit_grpc::proto::completed::Outcome;
use snakepit_grpc::proto::worker_host_client::WorkerHostClient;
use snakepit_grpc::proto::{
    Aborted, Boot, Completed, Hello, Interpreter, PythonError, Ready, Rung, StartFailed, Tool, UnknownTool,
    WorkerMessage, start_failed::Stage,
};
use snakepit_grpc::worker::{IncomingCall, Next, WorkerEnd, read_boot};
use tonic::transport::Endpoint;

const TOOLS: [&str; 11] = [
    "abort",
    "allocate",
    "echo",
    "exit",
    "grow",
    "hang_up",
    "map_shared",
    "pid",
    "spawn",
    "spawn_large",
    "wait",
];

/// What the tools that use memory use, in bytes.
const LARGE: usize = 50 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let ["stranger", parent, socket, token] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return stranger(parent, socket, token);
    }
    if arguments == ["large"] {
        return large();
    }
    let boot = read_boot(std::io::stdin())?;
    let mode = boot.adapter_args.first().map_or("", String::as_str);
    match mode {
        "mute" => park(),
        "silent" => {
            let mut stream = UnixStream::connect(&boot.socket)?;
            // The server's greeting comes, and then nothing until the host cuts the connection.
            let _ = stream.read_to_end(&mut Vec::new());
            println!("cut off");
            return Ok(());
        }
        "garbage" => {
            let mut stream = UnixStream::connect(&boot.socket)?;
            stream.write_all(&[0xff; 4096])?;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            println!("the host hung up");
            return Ok(());
        }
        "old_version" => println!("refused: {}", raw(&boot, hello(&boot, PROTOCOL + 1), Vec::new())),
        "wrong_token_first" => {
            let wrong = Hello {
                token: Bytes::from_static(&[7; 32]),
                ..hello(&boot, PROTOCOL)
            };
            println!("refused: {}", raw(&boot, wrong, Vec::new()));
            serve(&boot)?;
        }
        "stranger_first" => {
            println!("refused: {}", stranger_elsewhere(&boot)?);
            serve(&boot)?;
        }
        "stray_answer" => {
            let stray = Completed {
                request: 99,
                outcome: Some(Outcome::Value(Bytes::new())),
                ..Completed::default()
            };
            println!(
                "ended: {}",
                raw(&boot, hello(&boot, PROTOCOL), vec![Ready {}.into(), stray.into()])
            );
            park();
        }
        "cannot_start" => {
            let end = WorkerEnd::connect(
                &boot,
                Hello {
                    tools: Vec::new(),
                    ..hello(&boot, PROTOCOL)
                },
                None,
            )?;
            end.start_failed(StartFailed {
                stage: Stage::Import.into(),
                error: Some(PythonError {
                    r#type: "ImportError".into(),
                    message: "no".into(),
                    ..PythonError::default()
                }),
            });
        }
        _ => serve(&boot)?,
    }
    Ok(())
}

fn hello(boot: &Boot, protocol: u32) -> Hello {
    Hello {
        token: boot.token.clone(),
        protocol,
        bridge_version: "0.0.1-test".to_owned(),
        pid: std::process::id(),
        interpreter: Some(Interpreter {
            version: "3.13.0".into(),
            implementation: "none".into(),
            ..Interpreter::default()
        }),
        tools: TOOLS
            .map(|name| Tool {
                name: name.into(),
                idempotent: name == "echo",
                ..Tool::default()
            })
            .into(),
        thread_safe: Some(true),
    }
}

fn serve(boot: &Boot) -> Result<(), Box<dyn Error>> {
    let mode = boot.adapter_args.first().map_or("", String::as_str);
    let lifeline = std::io::stdin().as_fd().try_clone_to_owned()?;
    let end = WorkerEnd::connect(boot, hello(boot, PROTOCOL), Some(lifeline))?;
    if mode == "token_twice" {
        println!("refused: {}", raw(boot, hello(boot, PROTOCOL), Vec::new()));
    }
    if mode == "talkative" {
        for line in 0..100 {
            eprintln!("line {line}");
        }
    }
    end.ready();
    std::thread::scope(|scope| {
        for _ in 0..boot.slots {
            scope.spawn(|| {
                loop {
                    match end.next_call(Duration::from_mins(1)) {
                        Next::Call(call) => run(&end, call),
                        Next::Nothing => {}
                        Next::Drained => break,
                    }
                }
            });
        }
    });
    end.close();
    Ok(())
}

fn run(end: &WorkerEnd, call: IncomingCall) {
    let outcome = match call.tool.as_str() {
        "echo" => Outcome::Value(call.arguments),
        "pid" => Outcome::Value(number(std::process::id())),
        "spawn" => match std::process::Command::new("sleep").arg("1000").spawn() {
            Ok(child) => Outcome::Value(number(child.id())),
            Err(error) => Outcome::InvalidArguments(error.to_string()),
        },
        "spawn_large" => match spawn_large(&call.arguments) {
            Ok(pid) => Outcome::Value(number(pid)),
            Err(error) => Outcome::InvalidArguments(error.to_string()),
        },
        "allocate" => {
            std::mem::forget(std::hint::black_box(vec![1_u8; LARGE]));
            Outcome::Value(Bytes::new())
        }
        "map_shared" => match map_shared() {
            Ok(()) => Outcome::Value(Bytes::new()),
            Err(error) => Outcome::InvalidArguments(error.to_string()),
        },
        "grow" => Outcome::Value(vec![0xc0; 1 << 20].into()),
        "wait" => {
            println!("waiting");
            while !call.abort.is_set() {
                std::thread::yield_now();
            }
            Outcome::Aborted(Aborted {
                started: true,
                stopped_by: Rung::Cooperative.into(),
            })
        }
        "exit" => {
            eprintln!("leaving with 3");
            std::process::exit(3)
        }
        "abort" => std::process::abort(),
        "hang_up" => {
            end.close();
            park()
        }
        _ => Outcome::UnknownTool(UnknownTool {
            available: TOOLS.map(str::to_owned).into(),
        }),
    };
    end.complete(Completed {
        request: call.request,
        outcome: Some(outcome),
        run_time_ns: 1,
        ..Completed::default()
    });
}

/// Starts a process that uses memory, and returns once it does. With `apart` as the argument it leaves the group.
fn spawn_large(argument: &[u8]) -> std::io::Result<u32> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command
        .arg("large")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    if argument == b"apart" {
        command.process_group(0);
    }
    let mut child = command.spawn()?;
    if let Some(output) = &mut child.stdout {
        output.read_exact(&mut [0])?;
    }
    let pid = child.id();
    // Its standard input stays open, and with it the process lives, as long as this one.
    std::mem::forget(child);
    Ok(pid)
}

/// Runs as that process.
fn large() -> Result<(), Box<dyn Error>> {
    let memory = std::hint::black_box(vec![1_u8; LARGE]);
    std::io::stdout().write_all(&memory[..1])?;
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Maps a file of memory as others could too, and reads and writes all of it.
#[expect(unsafe_code, reason = "mapping a file and using what is mapped")]
fn map_shared() -> std::io::Result<()> {
    let file = rustix::fs::memfd_create("shared", rustix::fs::MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&file, LARGE as u64)?;
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a mapping at an address of the kernel's choice, which nothing else in this process uses.
    let mapped = unsafe { mmap(std::ptr::null_mut(), LARGE, protection, flags, &file, 0)? };
    // SAFETY: it is LARGE bytes, writable, and never unmapped.
    unsafe { mapped.cast::<u8>().write_bytes(1, LARGE) };
    Ok(())
}

/// Lets a process that is no descendant of the worker present the worker's token.
fn stranger_elsewhere(boot: &Boot) -> Result<String, Box<dyn Error>> {
    let token: Vec<_> = boot.token.iter().map(u8::to_string).collect();
    let shell = std::process::Command::new("sh")
        .args(["-c", r#""$0" stranger $$ "$1" "$2" & "#])
        .arg(std::env::current_exe()?)
        .args([&boot.socket, &token.join(",")])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    // The shell ends at once; its output ends with the stranger.
    Ok(String::from_utf8(shell.wait_with_output()?.stdout)?)
}

/// Runs as that process: a session of its own, and no parent but the system.
fn stranger(parent: &str, socket: &str, token: &str) -> Result<(), Box<dyn Error>> {
    rustix::process::setsid()?;
    let shell = rustix::process::Pid::from_raw(parent.parse()?);
    while rustix::process::getppid() == shell {
        std::thread::yield_now();
    }
    let token = token.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
    let boot = Boot {
        socket: socket.to_owned(),
        token: token.into(),
        ..Boot::default()
    };
    print!("{}", raw(&boot, hello(&boot, PROTOCOL), Vec::new()));
    Ok(())
}

fn number(number: u32) -> Bytes {
    number.to_be_bytes().to_vec().into()
}

fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// A connection without the worker end's manners. Returns how the host ended it.
fn raw(boot: &Boot, hello: Hello, more: Vec<WorkerMessage>) -> String {
    let talk = async {
        let socket = boot.socket.clone();
        let channel = Endpoint::from_static("http://test.invalid")
            .connect_with_connector(tower::service_fn(move |_| {
                let socket = socket.clone();
                async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
            }))
            .await?;
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        sender.send(WorkerMessage::from(hello)).await?;
        for message in more {
            sender.send(message).await?;
        }
        let outgoing = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let mut incoming = WorkerHostClient::new(channel)
            .attach(outgoing)
            .await?
            .into_inner();
        while incoming.message().await?.is_some() {}
        Ok::<_, Box<dyn Error>>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(talk)) {
        Ok(Ok(())) => "ended".to_owned(),
        Ok(Err(error)) => match error.downcast::<tonic::Status>() {
            Ok(status) => format!("{:?} {}", status.code(), status.message()),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}
