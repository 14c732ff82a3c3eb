//! The composition root: configuration, pools, domains, workers, listeners.
