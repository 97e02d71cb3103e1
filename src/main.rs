//! The `redis-server` binary: command line, configuration, background, start.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use config::args::{self, Invocation, Run};
use config::source::FileSystem;
use config::{Config, Defaults, directive};
use cuirass::clock::Clock;
use cuirass::log::Log;
use cuirass::persistence::disk::SystemDisk;
use cuirass::process::{self, Environment, Supervision};
use cuirass::{Launch, Server, Signals, own_tls};
use tracing::{info, warn};

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().map(PathBuf::from).unwrap_or_default();
    if name
        .file_name()
        .is_some_and(|name| name == "redis-check-rdb")
    {
        return check_rdb(words);
    }
    if name
        .file_name()
        .is_some_and(|name| name == "redis-check-aof")
    {
        return check_aof();
    }
    let result = match args::parse(std::env::args_os()) {
        Invocation::Version => print(&version()),
        Invocation::Help => print(args::USAGE),
        Invocation::TestMemory(_) | Invocation::CheckSystem => {
            print("Not available: use the system's own tools, such as memtester and sysctl.\n")
        }
        Invocation::Run(run) => serve(&run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nowhere_else_to_say_it = writeln!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `redis-check-rdb FILE`: whether a snapshot file is sound, and what is wrong with it.
fn check_rdb(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(file), None) = (words.next(), words.next()) else {
        let _nowhere_else_to_say_it =
            writeln!(io::stderr(), "Usage: redis-check-rdb <rdb-file-name>");
        return ExitCode::FAILURE;
    };
    let now_ms = Clock::start().now().ms();
    match cuirass::persistence::check_file(Path::new(&file), now_ms, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// `redis-check-aof [--fix|--truncate-to-timestamp TIME] FILE`: whether an append-only file is sound, and what is wrong.
fn check_aof() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
    match cuirass::persistence::aof::check(&args, &mut input, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn version() -> String {
    format!(
        "Redis server v={} sha=00000000:0 malloc=mimalloc bits={} build=cuirass-{}\n",
        config::REDIS_VERSION,
        usize::BITS,
        env!("CARGO_PKG_VERSION"),
    )
}

fn serve(run: &Run) -> Result<()> {
    if run.sentinel {
        bail!(
            "Sentinel mode is not available: run a sentinel of Redis or Valkey beside this server"
        );
    }
    let (mut config, warnings) = load(run)?;
    let config_file = run.file.as_deref().map(absolute);
    let dir = config.read(directive::DIR).to_path_buf();
    std::env::set_current_dir(&dir)
        .with_context(|| format!("Can't chdir to '{}'", dir.display()))?;
    let log = Log::new(&config);
    log.install();
    for warning in warnings {
        warn!("{warning}");
    }
    let environment = Environment::read();
    let supervision = Supervision::find(&config, &environment);
    let background = config.read(directive::DAEMONIZE) && supervision == Supervision::None;
    if background {
        process::daemonize().context("Can't go into the background")?;
    }
    say_hello(run);
    process::disable_huge_pages(&config);
    process::adjust_open_files(&mut config).map_err(anyhow::Error::msg)?;
    let own = own_tls::prepare(&mut config)?;
    let pid_file = process::pid_file(&config, background);
    if let Some(file) = &pid_file {
        process::write_pid_file(file);
    }
    show_mode(&config, &log);
    process::check_backlog(&config);
    let launch = Launch {
        config_file,
        executable: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("redis-server")),
        log: Some(log),
        supervision: supervision.clone(),
        pid_file,
        clock: Arc::new(Clock::start()),
        disk: Arc::new(SystemDisk),
        sockets: Vec::new(),
        signals: Signals::Own,
        config: config.clone(),
    };
    let running = Server::start(launch).context("The server does not start")?;
    if running.is_ending() {
        running.wait();
        return Ok(());
    }
    for kind in running.kinds() {
        info!("Ready to accept connections {kind}");
    }
    if let Some(own) = own {
        own.explain();
    }
    supervision.notify("STATUS=Ready to accept connections\n");
    supervision.notify("READY=1\n");
    let limit = config.read(directive::MAXMEMORY);
    if (1..1 << 20).contains(&limit) {
        warn!(
            "WARNING: You specified a maxmemory value that is less than 1MB (current value is {limit} bytes). Are you sure this is what you really want?"
        );
    }
    if let Err(error) = process::adjust_oom_score(&config) {
        warn!("{error}");
    }
    running.wait();
    Ok(())
}

fn load(run: &Run) -> Result<(Config, Vec<config::Warning>)> {
    let defaults = Defaults {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        directory: std::env::current_dir().context("The current directory is gone")?,
    };
    let mut config = Config::new(&defaults);
    let mut stdin = Vec::new();
    if run.stdin {
        io::stdin()
            .read_to_end(&mut stdin)
            .context("Can't read the configuration from standard input")?;
    }
    let warnings = config.load_all(run, &stdin, &FileSystem)?;
    Ok((config, warnings))
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf())
}

fn say_hello(run: &Run) {
    info!(
        "Cuirass {} is starting: Redis {} with TLS first, bits={}, pid={}, just started",
        env!("CARGO_PKG_VERSION"),
        config::REDIS_VERSION,
        usize::BITS,
        std::process::id()
    );
    if run.is_bare() {
        info!("No configuration was given: every directive has its default");
    } else {
        info!("Configuration loaded");
    }
}

/// The mode, ports and process id, which tools look for; a picture of it when asked for.
fn show_mode(config: &Config, log: &Log) {
    let (port, tls_port) = (
        config.read(directive::PORT),
        config.read(directive::TLS_PORT),
    );
    let pid = std::process::id();
    let port = if port == 0 { tls_port } else { port };
    if config.read(directive::ALWAYS_SHOW_LOGO) {
        log.raw(&format!(
            "\n   .-\"\"-.   Cuirass {}, Redis {} compatible\n  ( |  | )  Running in standalone mode\n   \\|__|/   Port: {port}\n    \\__/    PID: {pid}\n\n",
            env!("CARGO_PKG_VERSION"),
            config::REDIS_VERSION
        ));
    }
    info!("Running mode=standalone, port={port}. PID: {pid}");
}
