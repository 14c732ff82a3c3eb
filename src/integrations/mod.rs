//! Adapters of the ports that reach outside: each speaks to one kind of system and knows nothing of the domains but the port.

pub mod network_sim;
