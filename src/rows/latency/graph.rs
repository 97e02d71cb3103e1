//! LATENCY GRAPH: the spikes of an event as a drawing of characters.

use engine::observe::{Sample, Series};

/// Columns of a drawing.
const COLUMNS: usize = 80;
/// Lines of a drawing.
const ROWS: u64 = 4;
/// A line has room for as many heights as there are characters here.
const LEVELS: &[u8] = b"_o#";
/// What is below a height.
const FILL: u8 = b'|';

/// The drawing, with the age of each spike written downwards below it (latencyCommandGenSparkeline, Redis 7.2).
pub(super) fn draw(event: &str, series: &Series, now_s: i64) -> String {
    let (low, high) = series.bounds_ms();
    let mut text = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.longest_ms,
        "-".repeat(COLUMNS)
    );
    let samples: Vec<&Sample> = series.samples.iter().collect();
    for (at, part) in samples.chunks(COLUMNS).enumerate() {
        if at > 0 {
            text.push('\n');
        }
        draw_part(&mut text, part, low, high, now_s);
    }
    text
}

fn draw_part(text: &mut String, samples: &[&Sample], low: u64, high: u64, now_s: i64) {
    let levels = LEVELS.len() as u64;
    let steps = levels * ROWS;
    let height = |sample: &Sample| ((sample.ms - low) * steps / (high - low).max(1)).min(steps - 1);
    for row in (0..ROWS).rev() {
        push_line(text, samples, |sample| {
            let above = height(sample).checked_sub(row * levels);
            above.map_or(b' ', |level| {
                LEVELS.get(level as usize).copied().unwrap_or(FILL)
            })
        });
    }
    push_line(text, samples, |_| b' ');
    let age = |sample: &Sample| age(now_s - sample.at_s).into_bytes();
    let longest = samples.iter().map(|sample| age(sample).len()).max();
    for at in 0..longest.unwrap_or(0) {
        push_line(text, samples, |sample| {
            age(sample).get(at).copied().unwrap_or(b' ')
        });
    }
}

fn push_line(text: &mut String, samples: &[&Sample], character: impl Fn(&Sample) -> u8) {
    text.extend(samples.iter().map(|sample| char::from(character(sample))));
    text.push('\n');
}

/// How long ago something was, in the largest unit.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_are_drawn_with_their_age() {
        let sample = |at_s, ms| Sample { at_s, ms };
        let series = Series {
            samples: [sample(10, 0), sample(100_000, 50), sample(100_010, 100)].into(),
            longest_ms: 200,
        };
        let drawn = draw("command", &series, 100_012);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(
            lines[0],
            "command - high 100 ms, low 0 ms (all time high 200 ms)"
        );
        assert_eq!(lines[1], "-".repeat(80));
        let expected = ["  #", " _|", " ||", "_||", "   ", "112", "d2s", " s "];
        assert_eq!(&lines[2..], expected);
    }
}
