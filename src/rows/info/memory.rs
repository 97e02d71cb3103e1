//! INFO memory.

use config::directive;

use super::View;
use super::report::Report;
use crate::rows::memory::ALLOCATOR;

pub(super) fn memory(report: &mut Report, view: &View<'_>) {
    let figures = view.figures;
    report.bytes("used_memory", figures.used);
    report.bytes("used_memory_rss", figures.resident);
    report.bytes("used_memory_peak", figures.peak);
    report.field(
        "used_memory_peak_perc",
        format_args!("{:.2}%", figures.peak_percent()),
    );
    report.field("used_memory_overhead", figures.overhead());
    report.field("used_memory_startup", figures.startup);
    report.field("used_memory_dataset", figures.dataset());
    report.field(
        "used_memory_dataset_perc",
        format_args!("{:.2}%", figures.dataset_percent()),
    );
    report.field("allocator_allocated", figures.used);
    report.field("allocator_active", figures.committed);
    report.field("allocator_resident", figures.committed);
    report.bytes("total_system_memory", view.system.memory);
    scripts(report);
    limits(report, view);
    ratios(report, view);
    report.field("mem_not_counted_for_evict", figures.beyond_backlog);
    let extent = view.engine.log.extent();
    report.field("mem_replication_backlog", extent.backlog);
    report.field("mem_total_replication_buffers", extent.memory);
    report.field("mem_clients_slaves", figures.replicas);
    report.field("mem_clients_normal", figures.clients);
    report.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    report.field("mem_allocator", ALLOCATOR);
    report.field("active_defrag_running", 0);
    let (pending, freed) = view.server.lazy_freeing();
    report.field("lazyfree_pending_objects", pending);
    report.field("lazyfreed_objects", freed);
}

/// There are no scripts.
fn scripts(report: &mut Report) {
    report.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    report.field("used_memory_lua_human", "0B");
    report.zeros(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
    ]);
    report.bytes("used_memory_vm_total", 0);
    report.field("used_memory_functions", 0);
    report.bytes("used_memory_scripts", 0);
}

fn limits(report: &mut Report, view: &View<'_>) {
    let config = view.server.config.read();
    report.bytes("maxmemory", config.read(directive::MAXMEMORY));
    let policy = config.text(directive::MAXMEMORY_POLICY);
    report.field("maxmemory_policy", String::from_utf8_lossy(&policy));
}

fn ratios(report: &mut Report, view: &View<'_>) {
    let figures = view.figures;
    let ratios = [
        ("allocator_frag", figures.allocator_fragmentation()),
        ("allocator_rss", (1.0, 0)),
        ("rss_overhead", figures.resident_overhead()),
        ("mem_fragmentation", figures.fragmentation()),
    ];
    for (name, (times, bytes)) in ratios {
        report.field(format_args!("{name}_ratio"), format_args!("{times:.2}"));
        report.field(format_args!("{name}_bytes"), bytes);
    }
}
