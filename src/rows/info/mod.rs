//! INFO: what the server says of itself, section by section.

mod command_stats;
mod keysizes;
mod keyspace;
mod memory;
mod replication;
mod report;
mod server;
mod stats;
mod system;
mod tls;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Now, Reply};
use engine::{Engine, EngineCommand, Flow, Handler, SessionCtx};

use super::memory::figures::Figures;
use crate::Server;
use report::Report;
use system::System;

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[&INFO];

/// A section of INFO.
struct Section {
    /// What it is asked for by, in lower case.
    names: &'static [&'static str],
    /// Its heading.
    title: &'static str,
    shown: Shown,
    needs: Needs,
    write: fn(&mut Report, &View<'_>),
}

/// When a section is shown without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// By default, and with `all`.
    Always,
    /// With `all` and `everything`.
    WithAll,
    /// Never.
    Named,
}

/// What a section can be written from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Counters.
    Nothing,
    /// A look at all shards.
    Databases,
    /// A look at all keys, which takes long.
    Keys,
}

/// What sections are written from.
struct View<'a> {
    engine: &'a Engine,
    server: &'a Server,
    now: Now,
    figures: &'a Figures,
    system: &'a System,
}

/// All sections, in the order in which they are shown.
const SECTIONS: &[Section] = &[
    Section {
        names: &["server"],
        title: "Server",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: server::server,
    },
    Section {
        names: &["tls"],
        title: "TLS",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: tls::tls,
    },
    Section {
        names: &["clients"],
        title: "Clients",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: server::clients,
    },
    Section {
        names: &["memory"],
        title: "Memory",
        shown: Shown::Always,
        needs: Needs::Databases,
        write: memory::memory,
    },
    Section {
        names: &["persistence"],
        title: "Persistence",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: stats::persistence,
    },
    Section {
        names: &["stats"],
        title: "Stats",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: stats::stats,
    },
    Section {
        names: &["replication"],
        title: "Replication",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: replication::replication,
    },
    Section {
        names: &["cpu"],
        title: "CPU",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: system::cpu,
    },
    Section {
        names: &["modules", "module_list"],
        title: "Modules",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: |_, _| {},
    },
    Section {
        names: &["commandstats"],
        title: "Commandstats",
        shown: Shown::WithAll,
        needs: Needs::Nothing,
        write: command_stats::calls,
    },
    Section {
        names: &["errorstats"],
        title: "Errorstats",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: command_stats::errors,
    },
    Section {
        names: &["latencystats"],
        title: "Latencystats",
        shown: Shown::WithAll,
        needs: Needs::Nothing,
        write: command_stats::latencies,
    },
    Section {
        names: &["cluster"],
        title: "Cluster",
        shown: Shown::Always,
        needs: Needs::Nothing,
        write: |report, _| report.field("cluster_enabled", 0),
    },
    Section {
        names: &["keyspace"],
        title: "Keyspace",
        shown: Shown::Always,
        needs: Needs::Databases,
        write: keyspace::keyspace,
    },
    Section {
        names: &["keysizes"],
        title: "Keysizes",
        shown: Shown::Named,
        needs: Needs::Keys,
        write: |report, view| keysizes::keysizes(report, view.engine),
    },
    Section {
        names: &["debug"],
        title: "Debug",
        shown: Shown::Named,
        needs: Needs::Nothing,
        write: stats::debug,
    },
];

const INFO: EngineCommand = EngineCommand {
    name: "info",
    group: Group::Server,
    since: "1.0.0",
    summary: "Tells about the server.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::LOADING
        .union(Flags::STALE)
        .union(Flags::EVERYTHING)
        .union(Flags::SYSTEM),
    categories: Categories::DANGEROUS,
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    subcommands: &[],
    handler: Handler::Session(info),
};

fn info(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let chosen = choose(args.rest());
    // In a transaction it is on a lane, and holds nothing.
    let waits_for_lane = !ctx.on_lane && !ctx.in_exec;
    if waits_for_lane && chosen.iter().any(|section| section.needs == Needs::Keys) {
        return Ok(Flow::Elsewhere);
    }
    let mut figures = Figures::of_process(ctx.engine);
    let system = System::look();
    let server = super::server(ctx);
    let view = View {
        engine: ctx.engine,
        server,
        now: ctx.now,
        figures: &figures,
        system: &system,
    };
    let mut written: Vec<(&Section, Option<String>)> = chosen
        .into_iter()
        .map(|section| match section.needs {
            Needs::Nothing | Needs::Keys => (section, Some(section.text(&view))),
            Needs::Databases => (section, None),
        })
        .collect();
    if written.iter().all(|(_, text)| text.is_some()) {
        let text = join(&written);
        ctx.out().verbatim(*b"txt", text.as_bytes());
        return ctx.written();
    }
    Ok(Flow::everything(move |held| {
        figures.look_at_databases(held);
        let view = View {
            engine: held.engine,
            server: super::host(held.engine),
            now: held.now,
            figures: &figures,
            system: &system,
        };
        for (section, text) in &mut written {
            text.get_or_insert_with(|| section.text(&view));
        }
        held.out().verbatim(*b"txt", join(&written).as_bytes());
        Ok(Reply::Written)
    }))
}

/// What INFO tells without a look at the shards: for the report of a crash.
pub(crate) fn report(engine: &Engine) -> String {
    let (server, system) = (super::host(engine), System::look());
    let view = View {
        engine,
        server,
        now: server.clock.now(),
        figures: &Figures::of_process(engine),
        system: &system,
    };
    let chosen = choose(&[b"everything"]).into_iter();
    let free = chosen.filter(|section| section.needs == Needs::Nothing);
    let written = free.map(|section| (section, Some(section.text(&view))));
    join(&written.collect::<Vec<_>>())
}

/// The sections that the arguments of INFO ask for; unknown names ask for none.
fn choose(words: &[&[u8]]) -> Vec<&'static Section> {
    let asked = |name: &str| {
        let matches = |word: &&[u8]| word.eq_ignore_ascii_case(name.as_bytes());
        words.iter().any(matches)
    };
    let by_default = words.is_empty() || asked("default");
    let all = asked("all") || asked("everything");
    let wanted = |section: &&Section| {
        let unnamed = match section.shown {
            Shown::Always => by_default || all,
            Shown::WithAll => all,
            Shown::Named => false,
        };
        unnamed || section.names.iter().any(|name| asked(name))
    };
    SECTIONS.iter().filter(wanted).collect()
}

fn join(written: &[(&Section, Option<String>)]) -> String {
    let texts: Vec<&str> = written
        .iter()
        .filter_map(|(_, text)| text.as_deref())
        .collect();
    texts.join("\r\n")
}

impl Section {
    fn text(&self, view: &View<'_>) -> String {
        let mut report = Report::new(self.title);
        (self.write)(&mut report, view);
        report.into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[track_caller]
    fn titles(words: &[&str], expected: &str) {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let chosen: Vec<&str> = choose(&words).iter().map(|section| section.title).collect();
        assert_eq!(chosen.join(" "), expected);
    }

    #[test]
    fn sections_are_chosen_by_name_or_together() {
        let default = "Server TLS Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
        titles(&[], default);
        titles(&["DEFAULT"], default);
        titles(&["cpu", "keyspace", "cpu"], "CPU Keyspace");
        titles(&["module_list"], "Modules");
        titles(&["nothing"], "");
        titles(
            &["default", "commandstats"],
            &default.replace(" Errorstats", " Commandstats Errorstats"),
        );
        let all = "Server TLS Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats \
                   Latencystats Cluster Keyspace";
        titles(&["all"], all);
        titles(&["everything"], all);
        titles(&["debug"], "Debug");
        titles(&["keysizes"], "Keysizes");
    }
}
