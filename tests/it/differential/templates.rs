//! The commands that are made up.
//!
//! ```text
//! SET <s> <v> -|NX|XX      words; `<s>` is filled in, of `a|b` one is taken, `-` is nothing
//! ZADD <z> <f>,<m>+        a comma joins words; `+` repeats one to four times, `++` fifty times and more
//! MULTI ; INCR <s> ; EXEC  several calls
//! ```

/// What is made up. A template that stands here twice comes twice as often.
pub(crate) const TEMPLATES: &[&str] = &[
    // Strings.
    "SET <s> <v>",
    "SET <s> <v> -|NX|XX -|GET -|KEEPTTL|EXAT,<future>|PXAT,<future_ms>|EX,1000",
    "SET <key> <v>",
    "SETNX <s> <v>",
    "SETEX <s> 1000|0 <v>",
    "PSETEX <s> 1000000|-1 <v>",
    "GET <s>",
    "GET <key>",
    "GETDEL <s>",
    "GETEX <s> -|PERSIST|EXAT,<future>",
    "GETSET <s> <v>",
    "GETRANGE <s> <i> <i>",
    "SUBSTR <s> <i> <i>",
    "SETRANGE <s> <offset> <v>",
    "APPEND <s> <v>",
    "STRLEN <s>",
    "INCR <s>",
    "DECR <s>",
    "INCRBY <s> <i>",
    "DECRBY <s> <i>",
    "INCRBYFLOAT <s> <f>",
    "MGET <key>+",
    "MSET <s>,<v>+",
    "MSETNX <s>,<v>+",
    "LCS <s> <s> -|LEN|IDX|IDX,WITHMATCHLEN,MINMATCHLEN,2",
    // Bitmaps.
    "SETBIT <s> <offset> 0|1",
    "GETBIT <s> <offset>",
    "BITCOUNT <s>",
    "BITCOUNT <s> <i> <i> -|BIT|BYTE",
    "BITPOS <s> 0|1 -|<i>|<i>,<i>|<i>,<i>,BIT",
    "BITOP AND|OR|XOR <s> <s>+",
    "BITOP NOT <s> <s>",
    "BITFIELD <s> -|OVERFLOW,SAT|OVERFLOW,FAIL GET,u4,<offset>|SET,i5,#<n>,<b>|INCRBY,u3,<offset>,<b>+",
    "BITFIELD_RO <s> GET,u4,<offset>+",
    // Hashes.
    "HSET <h> <m>,<v>+",
    "HSET <h> <m>,<i>+",
    "HSET <h> <m>,<v>++",
    "HMSET <h> <m>,<v>+",
    "HSETNX <h> <m> <v>",
    "HGET <h> <m>",
    "HMGET <h> <m>+",
    "HGETALL <h>",
    "HKEYS <h>",
    "HVALS <h>",
    "HLEN <h>",
    "HSTRLEN <h> <m>",
    "HEXISTS <h> <m>",
    "HDEL <h> <m>+",
    "HDEL <h> <m>++",
    "HINCRBY <h> <m> <i>",
    "HINCRBYFLOAT <h> <m> <f>",
    "HRANDFIELD <h> 1000 -|WITHVALUES",
    "HSCAN <h> 0 COUNT 1000 -|MATCH,*1*",
    // Lists.
    "LPUSH <l> <v>+",
    "RPUSH <l> <v>+",
    "RPUSH <l> <i>++",
    "LPUSHX <l> <v>+",
    "RPUSHX <l> <v>+",
    "LPOP <l> -|<n>",
    "RPOP <l> -|<n>",
    "LLEN <l>",
    "LINDEX <l> <i>",
    "LSET <l> <i> <v>",
    "LINSERT <l> BEFORE|AFTER <v> <v>",
    "LRANGE <l> <i> <i>",
    "LRANGE <l> 0 -1",
    "LREM <l> <i> <v>",
    "LTRIM <l> <i> <i>",
    "LTRIM <l> -20 -1",
    "LPOS <l> <v> -|RANK,<d> -|COUNT,<n> -|MAXLEN,<n>",
    "LMOVE <l> <l> LEFT|RIGHT LEFT|RIGHT",
    "RPOPLPUSH <l> <l>",
    "LMPOP 2 <l> <l> LEFT|RIGHT -|COUNT,<n>",
    "MULTI ; BLPOP <l> <l> 0 ; BRPOP <l> 0 ; EXEC",
    "MULTI ; BLMOVE <l> <l> LEFT|RIGHT LEFT|RIGHT 0 ; BRPOPLPUSH <l> <l> 0 ; BLMPOP 0 1 <l> LEFT ; EXEC",
    // Sets.
    "SADD <u> <m>+",
    "SADD <u> <i>+",
    "SADD <u> <m>++",
    "SADD <u> <i>++",
    "SREM <u> <m>+",
    "SREM <u> <i>+",
    "SCARD <u>",
    "SISMEMBER <u> <m>|<i>",
    "SMISMEMBER <u> <m>+",
    "SMEMBERS <u>",
    "SMOVE <u> <u> <m>",
    "SINTER <u>+",
    "SUNION <u>+",
    "SDIFF <u>+",
    "SINTERSTORE <u> <u>+",
    "SUNIONSTORE <u> <u>+",
    "SDIFFSTORE <u> <u>+",
    "SINTERCARD 2 <u> <u> -|LIMIT,<n>",
    "SRANDMEMBER <u> 1000",
    "SPOP <u> 1000",
    "SSCAN <u> 0 COUNT 1000 -|MATCH,*1*",
    // Sorted sets.
    "ZADD <z> <f>,<m>+",
    "ZADD <z> <f>,<m>++",
    "ZADD <z> -|NX|XX -|GT|LT -|CH <f>,<m>+",
    "ZADD <z> -|XX|NX INCR <f> <m>",
    "ZADD <y> 0,<m>+",
    "ZADD <y> 0,<m>++",
    "ZINCRBY <z> <f> <m>",
    "ZSCORE <z> <m>",
    "ZMSCORE <z> <m>+",
    "ZCARD <z>",
    "ZCOUNT <z> <score> <score>",
    "ZLEXCOUNT <y> <lex> <lex>",
    "ZRANK <z> <m>",
    "ZREVRANK <z> <m>",
    "ZRANGE <z> <i> <i> -|REV -|WITHSCORES",
    "ZRANGE <z> <score> <score> BYSCORE -|REV -|LIMIT,<i>,<i> -|WITHSCORES",
    "ZRANGE <y> <lex> <lex> BYLEX -|REV -|LIMIT,<n>,<i>",
    "ZRANGEBYSCORE <z> <score> <score> -|WITHSCORES -|LIMIT,<n>,<i>",
    "ZREVRANGEBYSCORE <z> <score> <score> -|WITHSCORES",
    "ZRANGEBYLEX <y> <lex> <lex>",
    "ZREVRANGEBYLEX <y> <lex> <lex>",
    "ZREVRANGE <z> <i> <i> -|WITHSCORES",
    "ZRANGESTORE <z> <z> <score> <score> BYSCORE -|LIMIT,<n>,<n>",
    "ZREM <z> <m>+",
    "ZREMRANGEBYRANK <z> <i> <i>",
    "ZREMRANGEBYSCORE <z> <score> <score>",
    "ZREMRANGEBYLEX <y> <lex> <lex>",
    "ZPOPMIN <z> -|<n>",
    "ZPOPMAX <z> -|<n>",
    "ZMPOP 2 <z> <z> MIN|MAX -|COUNT,<n>",
    "MULTI ; BZPOPMIN <z> 0 ; BZPOPMAX <z> <z> 0 ; BZMPOP 0 1 <z> MIN ; EXEC",
    "ZUNION 2 <z> <z>|<u> -|WEIGHTS,2,1|WEIGHTS,0,-1 -|AGGREGATE,MIN|AGGREGATE,MAX -|WITHSCORES",
    "ZINTER 2 <z> <z>|<u> -|WEIGHTS,2,1|WEIGHTS,0,-1 -|AGGREGATE,MIN|AGGREGATE,MAX -|WITHSCORES",
    "ZDIFF 2 <z> <z>|<u> -|WITHSCORES",
    "ZUNIONSTORE <z> 2 <z> <z>|<u> -|WEIGHTS,2,1|WEIGHTS,0,-1 -|AGGREGATE,MIN",
    "ZINTERSTORE <z> 2 <z> <z>|<u> -|WEIGHTS,2,1|WEIGHTS,0,-1 -|AGGREGATE,MAX",
    "ZDIFFSTORE <z> 2 <z> <z>|<u>",
    "ZINTERCARD 2 <z> <z> -|LIMIT,<n>",
    "ZRANDMEMBER <z> 1000 -|WITHSCORES",
    "ZSCAN <z> 0 COUNT 1000 -|MATCH,*1*",
    // Streams.
    "XADD <x> <id> <m>,<v>+",
    "XADD <x> <id> <m>,<v>+",
    "XADD <x> -|NOMKSTREAM MAXLEN|MAXLEN,= <n> <id> <m> <v>",
    "XADD <x> MINID <id> <id> <m> <v>",
    "XLEN <x>",
    "XRANGE <x> 0|<id> + -|COUNT,<n>",
    "XRANGE <x> <id>|(<id> <id>",
    "XREVRANGE <x> + <id> -|COUNT,<n>",
    "XDEL <x> <id>+",
    "XTRIM <x> MAXLEN|MINID <n>",
    "XSETID x2 40-<n>",
    "XREAD COUNT <n> STREAMS <x> <x> <id> <id>",
    "XGROUP CREATE <x> g <id>|$|0 -|MKSTREAM",
    "XGROUP CREATE <x> g 0 MKSTREAM",
    "XGROUP SETID <x> g <id>|$",
    "XGROUP DESTROY <x> g",
    "XGROUP CREATECONSUMER <x> g <consumer>",
    "XGROUP DELCONSUMER <x> g <consumer>",
    "XGROUP CREATECONSUMER x0 g c0 ; XREADGROUP GROUP g c0 COUNT <n> -|NOACK STREAMS x0 >",
    "XGROUP CREATECONSUMER x1 g c1 ; XREADGROUP GROUP g c1 STREAMS x1 <id>|>",
    "XACK <x> g <id>+",
    "XPENDING <x> g",
    "XGROUP CREATECONSUMER x0 g c1 ; XCLAIM x0 g c1 0 <id>+ -|JUSTID|FORCE",
    "XGROUP CREATECONSUMER x1 g c2 ; XAUTOCLAIM x1 g c2 0 <id> COUNT <n>,JUSTID|<n>",
    "XINFO GROUPS <x>",
    // Places.
    "GEOADD <g> -|NX|XX -|CH <point>,<m>+",
    "GEOADD <g> <point>,<m>++",
    "GEOPOS <g> <m>+",
    "GEOHASH <g> <m>+",
    "GEODIST <g> <m> <m> m|km|ft|mi",
    "GEOSEARCH <g> FROMLONLAT,<point>|FROMMEMBER,<m> BYRADIUS,<reach>|BYBOX,<n>000,<reach> ASC|DESC -|WITHDIST -|WITHHASH -|WITHCOORD",
    "GEOSEARCHSTORE <g> <g> FROMLONLAT,<point>|FROMMEMBER,<m> BYRADIUS,<reach>|BYBOX,<n>000,<reach> -|COUNT,<n>",
    "GEORADIUS <g> <point> <reach> ASC|DESC -|WITHDIST -|COUNT,<n>",
    "GEORADIUS <g> <point> <reach> STORE <g>",
    "GEORADIUS_RO <g> <point> <reach> ASC -|WITHCOORD",
    "GEORADIUSBYMEMBER <g> <m> <reach> ASC -|WITHHASH",
    "GEORADIUSBYMEMBER_RO <g> <m> <reach> DESC",
    // HyperLogLogs.
    "PFADD <p> <m>+",
    "PFADD <p> <v>++",
    "PFCOUNT <p>",
    "PFCOUNT <p>+",
    "PFMERGE <p> <p>+",
    "PFDEBUG ENCODING|DECODE|TODENSE <p>",
    "GET <p>",
    // Keys of any type.
    "DEL <key>+",
    "DEL <g>",
    "COPY <g> <g> REPLACE",
    "UNLINK <key>",
    "EXISTS <key>+",
    "TYPE <key>",
    "TOUCH <key>+",
    "RENAME <key> <key>",
    "RENAMENX <key> <key>",
    "COPY <key> <key> -|DB,1 -|REPLACE",
    "MOVE <key> 1",
    "KEYS *|*1|[hl]*",
    "SCAN 0 COUNT 1000 -|TYPE,hash",
    "EXPIRE <key> 1000|0",
    "PEXPIRE <key> 1000000 -|NX|XX",
    "EXPIREAT <key> <future> -|NX|XX|GT|LT",
    "PEXPIREAT <key> <future_ms>",
    "PERSIST <key>",
    "MULTI ; PEXPIREAT <key> <future_ms> ; PEXPIRETIME <key> ; EXPIRETIME <key> ; PERSIST <key> ; EXEC",
    "OBJECT ENCODING <s>|<h>|<z>|<x>|<p>",
    "OBJECT REFCOUNT <h>",
    "SORT <l>|<u>|<z> -|LIMIT,<n>,<n> ASC|DESC ALPHA",
    "SORT <l> GET # GET s* ALPHA",
    "SORT <y> BY nosort GET #",
    "SORT <l> ALPHA STORE <l>",
    "SORT_RO <l> -|DESC",
    "SELECT 0",
    "SELECT 1",
    "DBSIZE",
    // Transactions.
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH <key>",
    "UNWATCH",
];

/// Commands whose replies have no order.
pub(super) const UNORDERED: &[&str] = &[
    "HGETALL",
    "HKEYS",
    "HVALS",
    "HRANDFIELD",
    "HSCAN",
    "SMEMBERS",
    "SINTER",
    "SUNION",
    "SDIFF",
    "SRANDMEMBER",
    "SPOP",
    "SSCAN",
    "ZRANDMEMBER",
    "ZSCAN",
    "KEYS",
    "SCAN",
];

/// What is not made up, and why.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    (
        "DUMP",
        "the payload names the version of the format, which Redis 7.2 raised",
    ),
    ("RESTORE", "as DUMP"),
    (
        "OBJECT ENCODING of collections",
        "Redis 7.2 keeps small lists and sets in listpacks, and Redis changes that of a sorted set for SORT",
    ),
    ("ZRANK WITHSCORE", "new in Redis 7.2"),
    (
        "scores that are no multiples of a quarter",
        "Redis 7.2 shows the shortest digits, 7.0 seventeen",
    ),
    ("GEOSEARCHSTORE STOREDIST", "its scores are such"),
    (
        "XREADGROUP, XCLAIM and XAUTOCLAIM by a consumer that is not there",
        "Redis 7.2 makes it even where it gets nothing",
    ),
    (
        "what OBJECT REFCOUNT counts",
        "in Redis a queued SET refers to its string, too, and the copy of a shared integer is not shared",
    ),
    ("LPOS RANK of the least integer", "refused since Redis 7.2"),
    (
        "BITFIELD with numbers at the ends of 64 bits",
        "Redis' check for overflows overflows itself",
    ),
    (
        "SORT BY a pattern",
        "the order of elements of the same weight is nowhere promised",
    ),
    (
        "XSETID below an entry that was deleted",
        "refused since Redis 7.2",
    ),
    ("EXPIRE GT and LT", "the time passes on; EXPIREAT has them"),
    (
        "XINFO CONSUMERS",
        "times of consumers are kept otherwise since Redis 7.2",
    ),
    (
        "XREAD with too few IDs",
        "the error names the command in another way since Redis 7.2",
    ),
    ("XINFO STREAM", "it shows the shape of the tree of nodes"),
    ("XPENDING with a range", "it shows how long ago"),
    ("TTL", "passes on while the two servers run"),
    ("PTTL", "as TTL"),
    ("RANDOMKEY", "picks at random"),
    ("MIGRATE", "needs another server"),
    ("PFSELFTEST", "takes a second on the real server"),
    ("WAIT", "is about replicas"),
    ("WAITAOF", "new in Redis 7.2"),
    ("DELIFEQ", "Valkey's"),
    ("MSETEX", "Valkey's"),
    ("HEXPIRE", "Valkey's"),
    ("HEXPIREAT", "Valkey's"),
    ("HEXPIRETIME", "Valkey's"),
    ("HGETDEL", "Valkey's"),
    ("HGETEX", "Valkey's"),
    ("HPERSIST", "Valkey's"),
    ("HPEXPIRE", "Valkey's"),
    ("HPEXPIREAT", "Valkey's"),
    ("HPEXPIRETIME", "Valkey's"),
    ("HPTTL", "Valkey's"),
    ("HSETEX", "Valkey's"),
    ("HTTL", "Valkey's"),
];

/// The calls of a template. Now and then a call is damaged, for the sake of what is refused and in which order.
pub(crate) fn expand(template: &str, seed: u64) -> Vec<Vec<Vec<u8>>> {
    let mut draw = Draw(seed);
    let mut calls: Vec<Vec<Vec<u8>>> = template
        .split(" ; ")
        .map(|call| {
            let mut words = Vec::new();
            for part in call.split(' ') {
                let (part, times) = match part.strip_suffix("++") {
                    Some(part) => (part, 50 + draw.below(100)),
                    None => match part.strip_suffix('+') {
                        Some(part) if !part.is_empty() => (part, 1 + draw.below(4)),
                        _ => (part, 1),
                    },
                };
                for _ in 0..times {
                    draw.part(part, &mut words);
                }
            }
            words
        })
        .collect();
    if let [call] = calls.as_mut_slice()
        && !WHOLE.iter().any(|name| template.starts_with(name))
        && draw.below(25) == 0
    {
        draw.damage(call);
    }
    calls
}

/// Calls that are not damaged: what they would come to is up to chance.
const WHOLE: &[&str] = &[
    "HRANDFIELD",
    "HSCAN",
    "SCAN",
    "SPOP",
    "SRANDMEMBER",
    "SSCAN",
    "ZRANDMEMBER",
    "ZSCAN",
    "ZADD <y>",
    "ZRANK",
    "ZREVRANK",
];

fn is_long_number(word: &[u8]) -> bool {
    word.len() >= 4 && word.iter().all(u8::is_ascii_digit)
}

/// Draws what is filled in (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Takes one of the choices of a part, and fills its words in.
    fn part(&mut self, part: &str, words: &mut Vec<Vec<u8>>) {
        let choices: Vec<&str> = part.split('|').collect();
        let choice = self.one_of(&choices);
        if choice == "-" {
            return;
        }
        for word in choice.split(',') {
            match word.split_once('<').zip(word.rsplit_once('>')) {
                Some(((before, _), (_, after))) => {
                    let name = &word[before.len() + 1..word.len() - after.len() - 1];
                    for filled in self.fill(name) {
                        let filled = [before.as_bytes(), &filled, after.as_bytes()];
                        words.push(filled.concat());
                    }
                }
                None => words.push(word.into()),
            }
        }
    }

    /// Leaves out, repeats or replaces one of the words behind the command's name.
    fn damage(&mut self, words: &mut Vec<Vec<u8>>) {
        let Some(behind) = words.len().checked_sub(1).filter(|behind| *behind > 0) else {
            return;
        };
        let at = 1 + self.below(behind as u64) as usize;
        match self.below(4) {
            0 => {
                words.remove(at);
            }
            1 => words.insert(at, words[at].clone()),
            // A deadline stays where it is: what takes its place may lie so near that it passes on one server only.
            2 if ![at, behind].iter().any(|at| is_long_number(&words[*at])) => {
                words.swap(at, behind);
            }
            _ => words[at] = self.one_of(&["x", "", "-1", "0", "1.5"]).into(),
        }
    }

    /// What stands for a name: one word, or two for places.
    fn fill(&mut self, name: &str) -> Vec<Vec<u8>> {
        let text = match name {
            "key" => {
                // Geohashes stay among themselves: sums of them have too many digits.
                let kind = self.one_of(&["s", "h", "l", "u", "z", "x", "p"]);
                return self.fill(kind);
            }
            // Now and then a key of another type.
            "g" => match self.below(60) {
                0 => "s0".to_owned(),
                _ => format!("g{}", self.below(3)),
            },
            "s" | "h" | "l" | "u" | "z" | "x" | "p" => match self.below(60) {
                0 => return self.fill("key"),
                1 => "missing".to_owned(),
                _ => format!("{name}{}", self.below(3)),
            },
            // Sorted sets whose scores are all the same, without which ranges of members have no meaning.
            "y" => format!("y{}", self.below(2)),
            "m" => {
                let many = 12 + 150 * self.below(2);
                format!("m{}", self.below(many))
            }
            "v" => return vec![self.value()],
            "i" => self.integer(),
            "d" => self.one_of(&["-2", "-1", "1", "2", "0", "x"]).to_owned(),
            "b" => self
                .one_of(&["0", "1", "-1", "9", "-20", "40", "-9999999999", "x"])
                .to_owned(),
            "n" => self.below(6).to_string(),
            "offset" => {
                // LCS of two strings takes a step for every pair of their bytes.
                let far = if self.below(20) == 0 { 6000 } else { 40 };
                self.below(far).to_string()
            }
            "f" => self.quarter(),
            "score" => match self.below(6) {
                0 => self.one_of(&["-inf", "+inf", "(1", "x"]).to_owned(),
                _ => format!("{}{}", self.one_of(&["", "("]), self.quarter()),
            },
            "lex" => match self.below(4) {
                0 => self.one_of(&["-", "+", "m"]).to_owned(),
                _ => format!("{}m{}", self.one_of(&["[", "("]), self.below(40)),
            },
            "id" => format!("{}-{}", self.below(30), self.below(3)),
            "consumer" => format!("c{}", self.below(3)),
            "future" => format!("{}", 33_000_000_000_u64 + self.below(10)),
            "future_ms" => format!("{}", 33_000_000_000_000_u64 + self.below(10)),
            "point" => {
                let mut degrees = |range: u64| {
                    let digits = self.below(2 * range * 1_000_000) as f64 / 1e6;
                    format!("{:.6}", digits - range as f64)
                };
                return vec![degrees(180).into(), degrees(85).into()];
            }
            "reach" => {
                let far = (1 + self.below(9)) * 10_u64.pow(1 + self.below(3) as u32);
                return vec![far.to_string().into(), self.one_of(&["km", "mi"]).into()];
            }
            other => panic!("`<{other}>` stands for nothing"),
        };
        vec![text.into()]
    }

    fn integer(&mut self) -> String {
        let small = i64::try_from(self.below(24)).unwrap_or(0) - 8;
        match self.below(30) {
            0 => self
                .one_of(&[
                    "9223372036854775807",
                    "-9223372036854775808",
                    "70000",
                    "",
                    "1.5",
                ])
                .to_owned(),
            _ => small.to_string(),
        }
    }

    /// A number whose digits are the same however they are found.
    fn quarter(&mut self) -> String {
        let number = self.below(400) as f64 / 4.0 - 30.0;
        match self.below(40) {
            0 => self.one_of(&["inf", "-inf", "nan", "one"]).to_owned(),
            _ => number.to_string(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.below(8) {
            0 => self.integer().into(),
            1 => self.quarter().into(),
            2 => vec![b'a' + self.below(26) as u8; self.below(100) as usize],
            3 => (0..self.below(12)).map(|_| self.below(256) as u8).collect(),
            _ => format!("v{}", self.below(30)).into(),
        }
    }
}
