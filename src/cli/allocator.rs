//! How the system's allocator treats large pieces of memory, which it reads from the environment as a process starts.
//! Knows glibc; other allocators are left as they are.

use std::convert::Infallible;
use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the service sets: <https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html>.
///
/// From the first number of bytes on a piece goes back to the system the moment that it is free. By itself glibc raises
/// that threshold as pieces are freed, up to 32 MiB, and then keeps several times what the memory limit allows.
///
/// Smaller pieces stay until so much of a heap's end is free. By itself glibc would keep 128 KiB, once the first number is
/// set: then the buffers of every request go back, and the next request is given new pages, one fault each.
pub const ALLOCATOR: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_TRIM_THRESHOLD_", "4194304")];

/// Starts this process again, with the same number and arguments, where large pieces would stay with it when they are free.
/// Returns where that is so already, or cannot be helped: then the memory limit holds less closely.
pub fn give_back_large_pieces() {
    let is_set = ALLOCATOR.iter().any(|(name, _)| env::var_os(name).is_some());
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || is_set {
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
    Err(command.args(arguments).envs(ALLOCATOR).exec())
}
