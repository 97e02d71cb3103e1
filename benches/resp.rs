//! What parsing a pipeline and encoding replies cost, and what the same grammar costs in nom.

#![allow(missing_docs, reason = "criterion generates the items")]
#![expect(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nom::bytes::streaming::{tag, take};
use nom::character::streaming::u32 as decimal;
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser as _};
use resp::number::{LongDouble, format_double};
use resp::{Aggregate, Limits, Output, Parse, Parser, Proto, Trust, Writer};

const LIMITS: Limits = Limits {
    bulk_max: 512 * 1024 * 1024,
    trust: Trust::Authenticated,
};

/// A request as a client library sends it.
fn multibulk(args: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        request.extend(format!("${}\r\n", arg.len()).bytes());
        request.extend(*arg);
        request.extend(b"\r\n");
    }
    request
}

/// Parses all requests of `input`; returns the bytes of all arguments, so that nothing is optimised away.
fn parse_all(parser: &mut Parser, input: &[u8]) -> usize {
    let (mut rest, mut bytes) = (input, 0);
    while let Ok(Parse::Frame(len)) = parser.parse(rest, &LIMITS) {
        bytes += parser.request(rest).iter().map(<[u8]>::len).sum::<usize>();
        rest = &rest[len..];
    }
    bytes
}

/// One request in nom's combinators, into the same kind of reused vector.
fn nom_request<'a>(input: &'a [u8], args: &mut Vec<&'a [u8]>) -> IResult<&'a [u8], ()> {
    args.clear();
    let (mut rest, count) = delimited(tag("*"), decimal, tag("\r\n")).parse(input)?;
    for _ in 0..count {
        let (after, len) = delimited(tag("$"), decimal, tag("\r\n")).parse(rest)?;
        let (after, arg) = terminated(take(len), tag("\r\n")).parse(after)?;
        args.push(arg);
        rest = after;
    }
    Ok((rest, ()))
}

fn parse(criterion: &mut Criterion) {
    let get = multibulk(&[b"GET", b"key:000000012345"]);
    let set = multibulk(&[b"SET", b"key:000000012345", &[b'x'; 64]]);
    let hset: Vec<&[u8]> = std::iter::once(&b"HSET"[..])
        .chain(std::iter::repeat_n(&b"field:12"[..], 21))
        .collect();
    let mixed = [set.clone(), get.repeat(10)].concat();
    let cases = [
        ("get p1", get.clone(), 1),
        ("set p1", set.clone(), 1),
        ("get p16", get.repeat(16), 16),
        ("set p16", set.repeat(16), 16),
        ("1:10 set:get p11", mixed, 11),
        ("hset of 10 fields", multibulk(&hset), 1),
        ("inline get p16", b"GET key:000000012345\r\n".repeat(16), 16),
    ];
    let mut group = criterion.benchmark_group("parse");
    for (name, input, requests) in &cases {
        group.throughput(Throughput::Elements(*requests));
        let mut parser = Parser::default();
        group.bench_function(*name, |bencher| {
            bencher.iter(|| parse_all(&mut parser, black_box(input)))
        });
    }
    for (name, input, requests) in &cases[..6] {
        group.throughput(Throughput::Elements(*requests));
        let mut args = Vec::new();
        group.bench_function(format!("{name}, nom"), |bencher| {
            bencher.iter(|| {
                let (mut rest, mut bytes) = (&input[..], 0);
                while let Ok((after, ())) = nom_request(black_box(rest), &mut args) {
                    bytes += args.iter().map(|arg| arg.len()).sum::<usize>();
                    rest = after;
                }
                bytes
            });
        });
    }
    group.finish();
}

fn large(criterion: &mut Criterion) {
    let input = multibulk(&[b"SET", b"key", &vec![b'x'; 16 * 1024 * 1024]]);
    let mut group = criterion.benchmark_group("parse 16 MB");
    for step in [1460, 16 * 1024] {
        group.bench_function(format!("in pieces of {step}"), |bencher| {
            let mut parser = Parser::default();
            bencher.iter(|| {
                let mut ends = (step..input.len()).step_by(step).chain([input.len()]);
                ends.find_map(|end| match parser.parse(&input[..end], &LIMITS) {
                    Ok(Parse::Frame(len)) => Some(len),
                    _ => None,
                })
            });
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let value = [b'x'; 64];
    let shared = Bytes::from(vec![b'x'; 16 * 1024]);
    let mut output = Output::default();
    let mut bench = |name: &str, write: &dyn Fn(&mut Writer<'_>)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                write(&mut Writer::new(&mut output, Proto::Resp2));
                let len = output.len();
                output.consume(len);
                len
            });
        });
    };
    bench("ok x16", &|writer| (0..16).for_each(|_| writer.ok()));
    bench("integer x16", &|writer| {
        (0..16).for_each(|number| writer.integer(black_box(number * 77)))
    });
    bench("bulk 64 x16", &|writer| {
        (0..16).for_each(|_| writer.bulk(black_box(&value)))
    });
    bench("bulk 16 kB by reference", &|writer| {
        writer.bulk_bytes(black_box(&shared))
    });
    bench("array of 100 bulks", &|writer| {
        writer.array(100);
        (0..100).for_each(|_| writer.bulk(black_box(&value[..15])));
    });
    bench("array of 100 bulks, length last", &|writer| {
        let deferred = writer.begin();
        (0..100).for_each(|_| writer.bulk(black_box(&value[..15])));
        writer.finish(deferred, Aggregate::Array, 100);
    });
    group.finish();
}

fn number(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("number");
    group.bench_function("double, whole", |bencher| {
        bencher.iter(|| format_double(black_box(12_345.0)))
    });
    group.bench_function("double, 17 digits", |bencher| {
        bencher.iter(|| format_double(black_box(0.1 + 0.2)))
    });
    group.bench_function("long double: parse, add, write", |bencher| {
        bencher.iter(|| {
            let read = |text: &[u8]| LongDouble::parse(black_box(text)).unwrap();
            read(b"10.5").checked_add(read(b"0.1")).unwrap().to_text()
        });
    });
    group.finish();
}

criterion_group!(benches, parse, large, encode, number);
criterion_main!(benches);
