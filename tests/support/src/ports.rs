//! Free ports on loopback, taken from below the range in which the kernel picks ports by itself.

use std::net::TcpListener;

use rand::RngExt;

/// Ports that nothing listens on at this moment. Another process may take one before the server does, so a
/// server that finds its port taken is started again with others.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until the last is found, so that no port is given twice.
    let mut held = Vec::with_capacity(N);
    while held.len() < N {
        let port = rand::rng().random_range(20_000..32_000);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    std::array::from_fn(|index| held[index].0)
}
