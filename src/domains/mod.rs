//! The nine business modules. A domain sees another only through its `port`.
