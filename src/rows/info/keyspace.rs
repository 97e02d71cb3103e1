//! INFO keyspace.

use super::View;
use super::report::Report;

/// A line for each database that has keys.
pub(super) fn keyspace(report: &mut Report, view: &View<'_>) {
    for db in &view.figures.databases {
        report.field(
            format_args!("db{}", db.number),
            format_args!(
                "keys={},expires={},avg_ttl={},keys_with_volatile_items={}",
                db.keys, db.volatile, db.ttl_ms, db.volatile_hashes
            ),
        );
    }
}
