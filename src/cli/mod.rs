//! The command line: thin HTTP clients of a running server, one file per command group.
