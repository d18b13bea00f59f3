//! The process that compiles: its limits, its end, and machines with little to give.

use super::*;

/// The child's end of the pipe, asked by hand, in a shell that may lower its own limits first.
fn child_in(shell: &str) -> std::process::Child {
    Command::new("sh")
        .args(["-c", shell, "sh", env!("CARGO_BIN_EXE_pp-host"), sandbox::COMPILE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The bounds that a parent sends.
fn header(cpu: u64, memory: u64) -> [u8; 24] {
    let mut header = [0; 24];
    header[..8].copy_from_slice(&cpu.to_be_bytes());
    header[8..16].copy_from_slice(&memory.to_be_bytes());
    header
}

#[test]
fn a_child_takes_the_lower_of_two_limits() {
    // A few pages of its own, and bounds on files, processes and output that it does not need anyway.
    let mut child = child_in("ulimit -c 0; ulimit -n 20; ulimit -f 1; ulimit -v 100000; exec \"$1\" \"$2\"");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&header(60, 2 << 30)).unwrap();
    // It may end before it has read all of this.
    let _ = stdin.write_all(&bomb());
    drop(stdin);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    // As the superuser it could have raised its limit, and then compiles; as another account it ended with 74.
    let out_of_memory = ended.status.code() == Some(71) || said.contains("memory allocation of");
    assert!(out_of_memory, "{:?} {said}", ended.status);
}

#[test]
fn a_compiler_ends_with_the_process_that_started_it() {
    // The shell prints the process that it started, which waits for its component as long as the pipe is open.
    let mut shell = child_in("exec 3<&0; \"$1\" \"$2\" <&3 & echo $!; exec 3<&-; wait");
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(&header(60, 2 << 30)).unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let compiler = PathBuf::from("/proc").join(line.trim());
    // It has come so far that it has set its limits.
    let confined = || {
        fs::read_to_string(compiler.join("limits")).is_ok_and(|limits| {
            limits.lines().any(|line| line.starts_with("Max open files") && line.contains(" 0 "))
        })
    };
    while !confined() {
        std::thread::yield_now();
    }
    shell.kill().unwrap();
    shell.wait().unwrap();
    let gone = || fs::read_to_string(compiler.join("stat")).map_or(true, |stat| stat.contains(") Z "));
    let ended = (0..2_000).any(|_| {
        gone() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }
    });
    assert!(ended, "an orphan compiles on");
    drop(stdin);
}

/// The limits that ordinary accounts commonly have are enough.
#[test]
fn the_main_job_is_done_under_low_limits_of_the_process() {
    for limits in [
        "ulimit -v 2000000",
        "ulimit -n 64",
        "ulimit -f 20000",
        "ulimit -s 200",
        "ulimit -c 0",
        "unset HOME TMPDIR",
        "mkdir gone; cd gone; rmdir ../gone",
    ] {
        let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let script = format!("cd \"$4\"; {limits}; exec \"$1\" --data \"$2\" run \"$3\"");
        let ran: cli::Ran = Command::new("sh")
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_pp-host")])
            .args([data.path(), &support::root().join(cli::GUEST), folder.path()])
            .output()
            .unwrap()
            .into();
        assert_eq!(ran.code, Some(0), "{limits}: {}", ran.stderr);
    }
}

/// Neither a panic with paths of the build nor a signal, wherever the limit is reached.
#[test]
fn a_limit_that_is_too_low_for_the_main_job_is_named() {
    let program = env!("CARGO_BIN_EXE_pp-host");
    let guest = support::guest_path("tenant-workflow").display().to_string();
    for files in [8, 16, 31] {
        let data = TempDir::new().unwrap();
        let script = format!("ulimit -n {files}; exec \"$0\" --data \"$1\" run \"$2\"");
        let mut shell = Command::new("sh");
        let ran: cli::Ran =
            shell.args(["-c", &script, program]).arg(data.path()).arg(&guest).output().unwrap().into();
        let advice = ::store::ulimit_hints::OPEN_FILES;
        let said = format!("pp-host: the limit of {files} open files is too low: 32 are needed; {advice}\n");
        assert_eq!((ran.code, ran.stderr), (Some(1), said));
    }
    // The superuser may start any number of threads, and the threads of all processes of an account count together.
    if !rustix::process::geteuid().is_root() || !support::installed(&["prlimit", "setpriv"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let ended: Vec<_> = (1..16)
        .chain([500])
        .map(|threads| {
            let (threads, data) = (threads.to_string(), folder.path().join(threads.to_string()));
            let mut limited = Command::new("prlimit");
            limited.arg(format!("--nproc={threads}")).args(["setpriv", "--reuid=61234", "--regid=61234"]);
            limited.args(["--clear-groups", program, "--data"]).arg(data).args(["run", &guest]);
            let ran: cli::Ran = limited.output().unwrap().into();
            let is_named = ran.code == Some(1) && ran.stderr.contains("ulimit -u");
            assert!(ran.code == Some(0) || is_named, "{threads}: {:?} {}", ran.code, ran.stderr);
            ran.code
        })
        .collect();
    assert_eq!((ended[0], ended[15]), (Some(1), Some(0)), "{ended:?}");
}

#[test]
fn the_main_job_is_done_on_one_processor_and_by_an_ordinary_account() {
    for limited in [support::child::on_one_processor, support::child::as_ordinary_account] {
        let data = TempDir::new().unwrap();
        let (program, data) = (env!("CARGO_BIN_EXE_pp-host"), data.path().display().to_string());
        let guest = support::guest_path("tenant-workflow").display().to_string();
        let ran: cli::Ran = limited(&[program, "--data", &data, "run", &guest]).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_in_words() {
    let data = TempDir::new().unwrap();
    let ran: cli::Ran = Command::new("sh")
        .current_dir(support::root())
        .args(["-c", r#"ulimit -f 10; exec "$0" "$@""#, env!("CARGO_BIN_EXE_pp-host"), "--data"])
        .arg(data.path())
        .args(["run", cli::GUEST])
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.starts_with("pp-host: "), "{}", ran.stderr);
}

#[test]
fn a_timeout_on_a_busy_machine_is_not_held_against_the_component() {
    let folder = TempDir::new().unwrap();
    let busy = folder.path().join("busy");
    fs::write(&busy, "").unwrap();
    let text = format!(
        "if [ -e {} ]; then sleep 1000; fi; exec {} \"$@\"",
        busy.display(),
        env!("CARGO_BIN_EXE_pp-host")
    );
    let wall = LoadLimits { compile_wall: Duration::from_secs(10), ..LoadLimits::default() };
    let program = script(&folder, &text);
    let sandbox = compiled_by(&program, wall);
    let refused = refusal(&sandbox, &with_entrypoint("(core module)"));
    assert!(matches!(refused, LoadError::CompileBound { limit: "compile-wall-seconds", .. }), "{refused}");
    assert!(refused.to_string().contains("on a busy machine try again"), "{refused}");
    fs::remove_file(&busy).unwrap();
    // It is compiled, and refused for its own fault.
    let again = refusal(&sandbox, &with_entrypoint("(core module)"));
    assert!(matches!(again, LoadError::OtherTypes(_)), "{again}");
}
