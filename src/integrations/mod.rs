//! Adapters: what the domains' ports to the outside are plugged into. Only the composition root names them.

pub mod mock_gateway;
