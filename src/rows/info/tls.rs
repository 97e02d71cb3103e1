//! INFO tls: certificates, in Valkey's fields, and handshakes.

use std::sync::atomic::Ordering::Relaxed;

use super::View;
use super::report::Report;

pub(super) fn tls(report: &mut Report, view: &View<'_>) {
    let active = view.server.tls.current();
    let certificates = &active.certificates;
    let now_s = view.now.unix_us.div_euclid(1_000_000);
    for (whose, certificate) in [
        ("server", &certificates.server),
        ("client", &certificates.client),
        ("ca", &certificates.ca),
    ] {
        let (serial, left_s) = match certificate {
            Some(certificate) => (&*certificate.serial, certificate.not_after_s - now_s),
            None => ("none", 0),
        };
        report.field(format_args!("tls_{whose}_cert_serial"), serial);
        report.field(
            format_args!("tls_{whose}_cert_expires_in_seconds"),
            left_s.max(0),
        );
    }
    let handshakes = &view.server.handshakes;
    report.field("tls_handshakes_done", handshakes.done.load(Relaxed));
    report.field("tls_handshakes_resumed", handshakes.resumed.load(Relaxed));
    report.field("tls_handshakes_failed", handshakes.failed.load(Relaxed));
    report.field(
        "tls_handshakes_in_flight",
        handshakes.in_flight.load(Relaxed),
    );
}
