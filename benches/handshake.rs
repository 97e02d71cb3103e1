//! TLS connect, PING and close: full and resumed, P-256 and RSA-2048, TLS 1.2 and 1.3.

#![allow(dead_code, reason = "each bench uses its part of `live`")]
#![allow(clippy::disallowed_methods, reason = "criterion measures time")]

mod live;

use criterion::{Criterion, criterion_group, criterion_main};
use live::{Key, Live, exchange};
use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;
use std::time::Duration;

fn handshakes(criterion: &mut Criterion) {
    for (key_name, key) in [("p256", Key::P256), ("rsa2048", Key::Rsa2048)] {
        let server = Live::start(key);
        let mut group = criterion.benchmark_group(format!("handshake/{key_name}"));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        for (version_name, version) in [("tls12", &TLS12), ("tls13", &TLS13)] {
            let mut full = server.client(version, None);
            full.resumption = Resumption::disabled();
            let full = Arc::new(full);
            group.bench_function(format!("{version_name}/full"), |bencher| {
                bencher.iter(|| ping(&server, &full))
            });
            let resumed = Arc::new(server.client(version, None));
            ping(&server, &resumed);
            group.bench_function(format!("{version_name}/resumed"), |bencher| {
                bencher.iter(|| ping(&server, &resumed))
            });
        }
        group.finish();
    }
}

fn ping(server: &Live, config: &Arc<rustls::ClientConfig>) {
    let mut stream = server.tls(config);
    exchange(&mut stream, b"PING\r\n", &mut [0; 7]);
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
