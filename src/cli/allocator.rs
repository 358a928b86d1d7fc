//! How the system's allocator treats large pieces of memory, which it reads from the environment as a process starts.
//! Knows glibc; other allocators are left as they are.

use std::convert::Infallible;
use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// <https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html>
const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
/// From this size on a piece goes back to the system the moment that it is free. By itself glibc raises the threshold as
/// pieces are freed, up to 32 MiB, and then keeps several times what the memory limit allows.
const FROM_BYTES: &str = "1048576";

/// Starts this process again, with the same number and arguments, where large pieces would stay with it when they are free.
/// Returns where that is so already, or cannot be helped: then the memory limit holds less closely.
pub fn give_back_large_pieces() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || env::var_os(MMAP_THRESHOLD).is_some() {
        return;
    }
    // Once it has come back, nothing has changed.
    let _ = start_again();
}

fn start_again() -> io::Result<Infallible> {
    let mut arguments = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(command.args(arguments).env(MMAP_THRESHOLD, FROM_BYTES).exec())
}
