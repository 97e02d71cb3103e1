#!/bin/sh
# Makes every-type-7.0.rdb and streams-7.0.rdb with the redis-server 7.0 in PATH: every type in every encoding that it writes.
# The tests state what the files hold; after a change here run it in this directory and bring them up to date.
set -e
port=${1:-28731}
dir=$(mktemp -d)
redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --dbfilename made.rdb \
    --maxmemory-policy allkeys-lru --daemonize yes --logfile "$dir/log" --pidfile "$dir/pid" >/dev/null
c="redis-cli -p $port"
until $c ping >/dev/null 2>&1; do sleep 0.1; done
{
    echo SET text hello
    echo SET empty '""'
    for n in 7 -129 40000 2147483648 -9223372036854775808; do echo "SET int:$n $n"; done
    echo SETRANGE compressible 2999 x
    echo SET expires soon PXAT 4102444800123
    echo RPUSH list:packed 1 two 3000000000 -5 "$(printf '%070d' 1)"
    for n in $(seq 60); do echo "RPUSH list:nodes $n $(printf '%0300d' "$n")"; done
    echo SADD set:ints 5 -70000 5000000000
    echo SADD set:table a b c
    for n in $(seq 20); do echo "ZADD zset:packed $n m$n $n.5 h$n"; done
    echo ZADD zset:packed -inf low inf high
    for n in $(seq 200); do echo "ZADD zset:tree $n.25 member:$n"; done
    echo HSET hash:packed name value number 12 long "$(printf '%060d' 3)"
    for n in $(seq 600); do echo "HSET hash:table field:$n value:$n"; done
    echo SELECT 9
    echo SET other db
} | $c >/dev/null
printf '#!lua name=lib\nredis.register_function("f", function() return 1 end)' | $c -x FUNCTION LOAD >/dev/null
$c SAVE >/dev/null
mv "$dir/made.rdb" every-type-7.0.rdb
{
    echo FLUSHALL
    echo FUNCTION FLUSH
    echo XADD stream '1-1' a 1 b 2
    echo XADD stream '1-2' a 3 b 4
    echo XADD stream '5-0' other field
    echo XDEL stream '1-2'
    echo XGROUP CREATE stream group 0
    echo XREADGROUP GROUP group consumer COUNT 1 STREAMS stream '">"'
    echo XGROUP CREATECONSUMER stream group idle
    for n in $(seq 300); do echo "XADD long $n-1 field $n"; done
    echo SAVE
} | $c >/dev/null
mv "$dir/made.rdb" streams-7.0.rdb
$c shutdown nosave 2>/dev/null || true
rm -r "$dir"
