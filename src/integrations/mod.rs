//! Adapters of the ports that reach outside: each speaks to one kind of system and knows nothing of the domains but the port.
//! Only the composition root names them.

pub mod esim;
pub mod mailbox;
pub mod mock_gateway;
pub mod network_http;
pub mod network_sim;
pub mod smtp;
