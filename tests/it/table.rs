//! The table of commands: every row equals the facts of Redis and Valkey, and docs/commands.md is what the table says.
//!
//! After a change of the table, `UPDATE_DOCS=1 cargo test --test it table` writes the page anew.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use commands::keys::{BeginSearch, FindKeys, KeyFlags, KeySpec};
use engine::{Handler, Registry, Row};

/// The table as the server builds it.
fn registry() -> Registry {
    let above = [engine::commands(), cuirass::rows::all()].concat();
    Registry::new(&commands::all(), &above)
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The facts by name, in the form of tests/data/commands.txt.
fn facts() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path("tests/data/commands.txt")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, rest) = line.split_once(" | ").unwrap();
            (name.to_owned(), rest.to_owned())
        })
        .collect()
}

/// A row in the form of the facts.
fn described(row: &Row) -> String {
    let (first, last, step) = row.legacy_range();
    let specs: Vec<String> = row.keys.iter().map(specification).collect();
    [
        row.arity.as_integer().to_string(),
        sorted(row.flags.names()),
        sorted(row.categories.names()),
        row.since.to_owned(),
        row.group.name().to_owned(),
        sorted(row.tips.iter().copied()),
        format!("{first}:{last}:{step}"),
        or_none(specs.join(" ; ")),
    ]
    .join(" | ")
}

fn specification(spec: &KeySpec) -> String {
    let flags: Vec<String> = spec.flags.names().map(str::to_lowercase).collect();
    let begin = match spec.begin {
        BeginSearch::Index(index) => format!("index:{index}"),
        BeginSearch::Keyword { word, from } => format!("keyword:{word}:{from}"),
        BeginSearch::Rule(_) => "unknown".to_owned(),
    };
    let find = match spec.find {
        FindKeys::Range { last, step, limit } => format!("range:{last}:{step}:{limit}"),
        FindKeys::KeyNum { count, first, step } => format!("keynum:{count}:{first}:{step}"),
        FindKeys::Unknown => "unknown".to_owned(),
    };
    format!("{} {begin} {find}", flags.join(","))
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    or_none(names.join(","))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "-".into() } else { text }
}

#[test]
fn every_row_equals_the_facts() {
    let facts = facts();
    let registry = registry();
    let mut wrong = String::new();
    for row in registry.rows() {
        let (name, described) = (&*row.name, described(row));
        match facts.get(name) {
            Some(fact) if *fact == described => {}
            Some(fact) => write!(wrong, "{name}\n  is     {described}\n  should {fact}\n").unwrap(),
            None => writeln!(wrong, "{name} is no command of Redis or Valkey").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn rows_are_whole() {
    let registry = registry();
    let mut names = HashSet::new();
    for row in registry.rows() {
        let name = &*row.name;
        assert!(names.insert(name), "{name} occurs twice");
        assert_eq!(name, name.to_lowercase());
        assert!(
            !row.summary.is_empty() && !row.complexity.is_empty(),
            "{name} is documented"
        );
        assert!(
            !row.summary.contains('\n'),
            "{name} is documented in one line"
        );
        let is_container = matches!(row.handler, Handler::Container);
        assert!(
            !is_container || !row.subcommands.is_empty(),
            "{name} contains something"
        );
        // A call of the least length reaches the first key of every fixed place.
        let least = row.arity.as_integer().unsigned_abs() as usize;
        for spec in row.keys {
            // PFMERGE's sources: a range to the end of the call, which begins there.
            let may_be_empty = matches!(
                (spec.begin, spec.find),
                (BeginSearch::Index(2..), FindKeys::Range { last: ..0, .. })
            );
            let may_be_left_out = spec.flags.contains(KeyFlags::NOT_KEY) || may_be_empty;
            if let (BeginSearch::Index(index), false) = (spec.begin, may_be_left_out) {
                assert!(
                    index < least,
                    "{name} has a key at {index} of {least} words"
                );
            }
        }
    }
}

/// docs/commands.md: a table for each group, in the order of names.
fn page(registry: &Registry) -> String {
    let mut page = "# Commands\n\nWritten from the table of commands; a test keeps it fresh. \"Since\" is the version of \
                    Redis, or of Valkey for what only that has, that introduced a command.\n"
        .to_owned();
    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in registry.rows() {
        if !matches!(row.handler, Handler::Container) {
            groups.entry(row.group.name()).or_default().push(row);
        }
    }
    for (group, mut rows) in groups {
        rows.sort_unstable_by_key(|row| &row.name);
        write!(
            page,
            "\n## {group}\n\n| command | since | what it does | time |\n|---|---|---|---|\n"
        )
        .unwrap();
        for row in rows {
            let name = row.name.to_uppercase().replace('|', " ");
            let Row {
                since,
                summary,
                complexity,
                ..
            } = row;
            let cell = |text: &str| text.replace('|', "\\|");
            writeln!(
                page,
                "| {name} | {since} | {} | {} |",
                cell(summary),
                cell(complexity)
            )
            .unwrap();
        }
    }
    page
}

#[test]
fn the_page_of_commands_is_fresh() {
    let (file, page) = (path("docs/commands.md"), page(&registry()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "docs/commands.md is old: run `UPDATE_DOCS=1 cargo test --test it table`"
    );
}

/// All text of tests: the files under tests/ and those of crates that have transcripts.
fn test_texts() -> String {
    let mut texts = String::new();
    let mut folders = vec![
        path("tests/it"),
        path("crates/commands/tests"),
        path("crates/engine/tests"),
        path("crates/testkit"),
    ];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.map(Result::unwrap) {
            let file = entry.path();
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|end| end == "rs") {
                texts.push_str(&std::fs::read_to_string(file).unwrap().to_uppercase());
            }
        }
    }
    texts
}

/// Whether these words occur, and not as part of longer ones.
fn called(texts: &str, call: &str) -> bool {
    let is_part =
        |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || next == '_');
    texts.match_indices(call).any(|(at, _)| {
        let (before, after) = (texts.get(..at), texts.get(at + call.len()..));
        !is_part(before.and_then(|text| text.chars().next_back()))
            && !is_part(after.and_then(|text| text.chars().next()))
    })
}

#[test]
fn every_command_occurs_in_a_transcript() {
    let texts = test_texts();
    let registry = registry();
    let missing: Vec<&str> = registry
        .rows()
        .iter()
        .filter(|row| !matches!(row.handler, Handler::Container))
        .map(|row| &*row.name)
        .filter(|name| {
            let call = name.to_uppercase().replace('|', " ");
            let words: Vec<String> = call.split(' ').map(|word| format!("\"{word}\"")).collect();
            !called(&texts, &call) && !texts.contains(&words.join(", "))
        })
        .collect();
    assert!(missing.is_empty(), "no transcript calls {missing:?}");
}
