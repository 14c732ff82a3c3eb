//! How many files and connections this process may have open at once.
//!
//! Linux starts a process with a soft limit of 1,024 for the sake of programs that still use `select`, which this one does
//! not; a server that stays there takes no connection beyond the thousandth. It raises itself to the hard limit, which is
//! the administrator's word and is never touched. Children (the private database cluster) inherit the raised limit.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Where that is refused the process goes on with what it has: fewer
/// connections at once is no reason not to start.
pub fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Refused, for instance by a sandbox: see above.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_limit();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
