//! Geo commands. Their arithmetic has been compared with that of Redis 7.0.15 on random places.

use testkit::{check, check_effects, check_effects_within, check_resp3};

#[test]
fn places_are_added_and_read() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania 13.5833 37.3167 agrigento 2.349014 48.864716 paris -0.127758 51.507351 london
        < :5
        > GEOADD g 13.361389 38.115556 palermo
        < :0
        > GEOADD g CH 13.4 38.1 palermo 1 1 new
        < :2
        > GEOADD g NX 0 0 palermo 2 2 newer
        < :1
        > GEOADD g XX CH 13.361389 38.115556 palermo 3 3 newest
        < :1
        > GEOADD g xx nx 1 1 a
        < -ERR syntax error
        > GEOADD g CH NX CH
        < -ERR syntax error
        > GEOADD g 1 1 a 2 2
        < -ERR syntax error
        > GEOADD g x 1 a
        < -ERR value is not a valid float
        > GEOADD g 1 y a
        < -ERR value is not a valid float
        > GEOADD g 181 1 a
        < -ERR invalid longitude,latitude pair 181.000000,1.000000
        > GEOADD g 1 85.06 a
        < -ERR invalid longitude,latitude pair 1.000000,85.060000
        > GEOADD g -inf 1e30 a
        < -ERR invalid longitude,latitude pair -inf,1000000000000000019884624838656.000000
        > GEOADD g NX 180 85.05112878 corner
        < :1
        > ZSCORE g palermo
        < "3479099956230698"
        > ZSCORE g corner
        < "13510798882111488"
        > TYPE g
        < +zset
        > GEOPOS g palermo nobody corner
        < [["13.36138933897018433", "38.11555639549629859"], nil-array, ["180", "85.0511287799999991"]]
        > GEOPOS g
        < []
        > GEOPOS missing a b
        < [nil-array, nil-array]
        > GEOHASH g palermo catania nobody corner
        < ["sqc8b49rny0", "sqdtr74hyu0", nil, "bp05b5048p0"]
        > GEOHASH missing a
        < [nil]
        > GEOHASH g
        < []
        > GEODIST g palermo catania
        < "166274.1516"
        > GEODIST g palermo catania km
        < "166.2742"
        > GEODIST g palermo catania MI
        < "103.3182"
        > GEODIST g palermo catania ft
        < "545518.8700"
        > GEODIST g palermo palermo
        < "0.0000"
        > GEODIST g palermo nobody
        < nil
        > GEODIST missing a b
        < nil
        > GEODIST g palermo catania parsec
        < -ERR unsupported unit provided. please use M, KM, FT, MI
        > GEODIST g palermo catania km more
        < -ERR syntax error
        > SET s x
        < +OK
        > GEOADD s 1 1 a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOPOS s a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOHASH s a
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > GEODIST s a b
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}
#[test]
fn scores_of_any_kind_are_places() {
    check(
        r#"
        > ZADD g -1 negative 1e15 large 4503599627370495 last 1.5 fraction inf infinite -inf least
        < :6
        > GEOPOS g negative large last fraction infinite least
        < [["180", "85.0511287799999991"], ["-31.01234167814254761", "-32.19914967503108016"], ["179.99999731779098511", "85.05112751263942528"], ["-179.99999731779098511", "-85.05112497791824921"], ["-179.99999731779098511", "-85.05112751263942528"], ["180", "-85.05112751263942528"]]
        > GEOHASH g negative infinite
        < ["bp05b5048p0", "00bh0hbj200"]
        > GEODIST g negative last km
        < "0.0001"
        > GEORADIUS g 0 0 30000 km WITHHASH ASC
        < [["large", :1000000000000000], ["last", :4503599627370495], ["fraction", :1]]
        "#,
    );
}
#[test]
fn circles() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania 13.5833 37.3167 agrigento 2.349014 48.864716 paris -0.127758 51.507351 london
        < :5
        > GEORADIUS g 14 37.5 200 km
        < ["agrigento", "palermo", "catania"]
        > GEORADIUS g 14 37.5 200 km WITHDIST ASC
        < [["agrigento", "42.0836"], ["palermo", "88.5260"], ["catania", "95.9406"]]
        > GEORADIUS g 14 37.5 200 km DESC WITHCOORD WITHHASH WITHDIST
        < [["catania", "95.9406", :3479447370796909, ["15.08726745843887329", "37.50266842333162032"]], ["palermo", "88.5260", :3479099956230698, ["13.36138933897018433", "38.11555639549629859"]], ["agrigento", "42.0836", :3479030013248685, ["13.58329921960830688", "37.31670100131324119"]]]
        > GEORADIUS g 14 37.5 200 km COUNT 1
        < ["agrigento"]
        > GEORADIUS g 14 37.5 200 km COUNT 2 DESC
        < ["catania", "palermo"]
        > GEORADIUS g 14 37.5 2000000 m COUNT 2 ANY WITHDIST ASC
        < [["agrigento", "42083.6343"], ["palermo", "88525.9880"]]
        > GEORADIUS_RO g 14 37.5 100 mi WITHDIST ASC
        < [["agrigento", "26.1496"], ["palermo", "55.0076"], ["catania", "59.6149"]]
        > GEORADIUS g 14 37.5 inf m ASC
        < ["agrigento", "palermo", "catania", "paris", "london"]
        > GEORADIUS g 14 37.5 0 m
        < []
        > GEORADIUSBYMEMBER g palermo 100 km ASC
        < ["palermo", "agrigento"]
        > GEORADIUSBYMEMBER_RO g palermo 1500 km WITHDIST ASC COUNT 4
        < [["palermo", "0.0000"], ["agrigento", "90.9736"], ["catania", "166.2742"], ["paris", "1486.3914"]]
        > GEORADIUSBYMEMBER g nobody 100 km
        < -ERR could not decode requested zset member
        > GEORADIUSBYMEMBER missing a x y ASC
        < []
        > GEORADIUSBYMEMBER missing a x y STORE t
        < :0
        > GEORADIUS missing 1 2 3 m
        < []
        > GEORADIUS missing 1 2 3 m STORE g
        < :0
        > EXISTS g
        < :0
        > GEORADIUS missing 1 2 x m
        < -ERR need numeric radius
        > GEORADIUS missing 1 2 -1 m
        < -ERR radius cannot be negative
        > GEORADIUS missing 1 2 1 cm
        < -ERR unsupported unit provided. please use M, KM, FT, MI
        > GEORADIUS missing 1000 2 1 m
        < -ERR invalid longitude,latitude pair 1000.000000,2.000000
        > GEORADIUS missing 1 2 1 m COUNT 0
        < -ERR COUNT must be > 0
        > GEORADIUS missing 1 2 1 m COUNT x
        < -ERR value is not an integer or out of range
        > GEORADIUS missing 1 2 1 m COUNT
        < -ERR syntax error
        > GEORADIUS missing 1 2 1 m ANY
        < -ERR the ANY argument requires COUNT argument
        > GEORADIUS missing 1 2 1 m WITHDIST STORE t
        < -ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEORADIUS missing 1 2 1 m STORE
        < -ERR syntax error
        > GEORADIUS missing 1 2 1 m FROMMEMBER a
        < -ERR syntax error
        > GEORADIUS_RO missing 1 2 1 m STORE t
        < -ERR syntax error
        > GEORADIUSBYMEMBER_RO missing a 1 m STOREDIST t
        < -ERR syntax error
        > SET s x
        < +OK
        > GEORADIUS s x y z m
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > GEORADIUSBYMEMBER s x y z
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}
#[test]
fn shapes() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania 13.5833 37.3167 agrigento 2.349014 48.864716 paris -0.127758 51.507351 london
        < :5
        > GEOSEARCH g FROMLONLAT 14 37.5 BYRADIUS 200 km ASC
        < ["agrigento", "palermo", "catania"]
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS 120 km WITHDIST DESC
        < [["agrigento", "90.9736"], ["palermo", "0.0000"]]
        > GEOSEARCH g BYBOX 300 300 km FROMLONLAT 14 37.5 ASC WITHDIST WITHCOORD WITHHASH
        < [["agrigento", "42.0836", :3479030013248685, ["13.58329921960830688", "37.31670100131324119"]], ["palermo", "88.5260", :3479099956230698, ["13.36138933897018433", "38.11555639549629859"]], ["catania", "95.9406", :3479447370796909, ["15.08726745843887329", "37.50266842333162032"]]]
        > GEOSEARCH g FROMMEMBER paris FROMMEMBER catania BYBOX 1 1 m BYBOX 400 40 km ASC
        < ["catania"]
        > GEOSEARCH g FROMLONLAT 14 37.5 BYBOX 300 300 km COUNT 1 ANY
        < ["agrigento"]
        > GEOSEARCH g FROMLONLAT 14 37.5 FROMMEMBER palermo BYRADIUS 1 m
        < -ERR syntax error
        > GEOSEARCH g FROMMEMBER nobody BYRADIUS 1 m
        < -ERR could not decode requested zset member
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS 1 m BYBOX 1 1 m
        < -ERR syntax error
        > GEOSEARCH g FROMMEMBER palermo ASC COUNT 1
        < -ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH
        > geosearch g BYRADIUS 1 m ASC COUNT 1
        < -ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS x
        < -ERR wrong number of arguments for 'geosearch' command
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS x m
        < -ERR need numeric radius
        > GEOSEARCH g FROMMEMBER palermo BYBOX x 1 m
        < -ERR need numeric width
        > GEOSEARCH g FROMMEMBER palermo BYBOX 1 x m
        < -ERR need numeric height
        > GEOSEARCH g FROMMEMBER palermo BYBOX 1 -1 m
        < -ERR height or width cannot be negative
        > GEOSEARCH g FROMMEMBER palermo BYBOX 1 1 au
        < -ERR unsupported unit provided. please use M, KM, FT, MI
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS 1 m ANY
        < -ERR the ANY argument requires COUNT argument
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS 1 m STOREDIST
        < -ERR syntax error
        > GEOSEARCH g FROMMEMBER palermo BYRADIUS 1 m STORE t
        < -ERR syntax error
        > GEOSEARCH missing FROMMEMBER a BYRADIUS 1 m
        < []
        > GEOSEARCHSTORE t g FROMMEMBER palermo BYRADIUS 1 m WITHDIST
        < -ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > SET s x
        < +OK
        > GEOSEARCH s x y z m n
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOSEARCHSTORE t s x y z m n
        < -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}
#[test]
fn results_are_stored() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania 13.5833 37.3167 agrigento 2.349014 48.864716 paris -0.127758 51.507351 london
        < :5
        > GEORADIUS g 14 37.5 200 km STORE t
        < :3
        > ZRANGE t 0 -1 WITHSCORES
        < ["agrigento", "3479030013248685", "palermo", "3479099956230698", "catania", "3479447370796909"]
        > GEORADIUSBYMEMBER g palermo 1 km STOREDIST t
        < :1
        > ZRANGE t 0 -1 WITHSCORES
        < ["palermo", "0"]
        > GEOSEARCHSTORE t g FROMLONLAT 14 37.5 BYBOX 300 300 km COUNT 2 ASC
        < :2
        > ZRANGE t 0 -1
        < ["agrigento", "palermo"]
        > GEOSEARCHSTORE t g FROMMEMBER palermo BYRADIUS 1 mi STOREDIST
        < :1
        > ZRANGE t 0 -1 WITHSCORES
        < ["palermo", "0"]
        > OBJECT ENCODING t
        < "listpack"
        > GEORADIUS g 14 37.5 200 km STORE other STORE g
        < :3
        > ZRANGE g 0 -1
        < ["agrigento", "palermo", "catania"]
        > EXISTS other
        < :0
        > GEOSEARCHSTORE g g FROMLONLAT 100 10 BYRADIUS 1 m
        < :0
        > EXISTS g
        < :0
        > GEOSEARCHSTORE t missing FROMLONLAT 100 10 BYRADIUS 1 m
        < :0
        > EXISTS t
        < :0
        "#,
    );
}
#[test]
fn replies_of_resp3() {
    check_resp3(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania 13.5833 37.3167 agrigento 2.349014 48.864716 paris -0.127758 51.507351 london
        < :5
        > GEOPOS g palermo nobody
        < [[,13.36138933897018433, ,38.11555639549629859], _]
        > GEOHASH g palermo nobody
        < ["sqc8b49rny0", _]
        > GEODIST g palermo catania
        < "166274.1516"
        > GEODIST g palermo nobody
        < _
        > GEOSEARCH g FROMLONLAT 14 37.5 BYRADIUS 200 km ASC WITHDIST WITHHASH WITHCOORD
        < [["agrigento", "42.0836", :3479030013248685, [,13.58329921960830688, ,37.31670100131324119]], ["palermo", "88.5260", :3479099956230698, [,13.36138933897018433, ,38.11555639549629859]], ["catania", "95.9406", :3479447370796909, [,15.08726745843887329, ,37.50266842333162032]]]
        > GEOSEARCH missing FROMLONLAT 14 37.5 BYRADIUS 200 km
        < []
        "#,
    );
}

#[test]
fn polygons() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 palermo 14.733333 36.933333 ragusa 15.087269 37.502669 catania 15.287602 37.070104 siracusa 13.588412 37.311348 agrigento
        < :5
        > GEOSEARCH g BYPOLYGON 6 13.268550 38.354626 15.379554 37.143270 14.7 36.6 14.193438 37.334376 12.972021 38.138380 13.3 38.2
        ! polygons are from Valkey 9
        < ["palermo", "ragusa", "siracusa"]
        > GEOSEARCH g BYPOLYGON 3 13 38.5 16 38.5 13 37 ASC WITHDIST
        ! polygons are from Valkey 9
        < 
        > GEOSEARCHSTORE t g BYPOLYGON 4 12 36 16 36 16 39 12 39 COUNT 2 DESC STOREDIST
        ! polygons are from Valkey 9
        < :2
        > GEOSEARCH g BYPOLYGON 4 -170 -80 170 -80 170 80 -170 80 COUNT 2 ANY
        ! polygons are from Valkey 9
        < 
        > GEOSEARCH g BYPOLYGON 3 0 85 120 85 -120 85
        ! polygons are from Valkey 9
        < []
        > GEOSEARCH g BYPOLYGON 2 0 0 1 1
        ! polygons are from Valkey 9
        < -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        > GEOSEARCH g BYPOLYGON 4 0 0 1 1 2 2 ASC
        ! polygons are from Valkey 9
        < -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        > GEOSEARCH g BYPOLYGON x 0 0 1 1 2 2
        ! polygons are from Valkey 9
        < -ERR invalid number of vertices
        > GEOSEARCH g BYPOLYGON 3 0 0 1 1 200 2
        ! polygons are from Valkey 9
        < -ERR invalid longitude,latitude pair 200.000000,2.000000
        > GEOSEARCH g FROMLONLAT 1 1 BYPOLYGON 3 0 0 1 1 2 0
        < -ERR syntax error
        > GEOSEARCH g BYPOLYGON 3 0 0 1 1 2 0 FROMMEMBER palermo
        < -ERR syntax error
        > GEOSEARCH g BYPOLYGON 3 0 0 1 1 2 0 BYRADIUS 1 m
        < -ERR syntax error
        > GEOSEARCH g ASC DESC ASC WITHDIST BYPOLYGON
        < -ERR syntax error
        "#,
    );
}

#[test]
fn what_commands_do_beside_their_replies() {
    check_effects(
        "
        > GEOADD g 13.361389 38.115556 palermo 15.087269 37.502669 catania
        = 2; new g, zadd g; zadd g 3479099956230698 palermo 3479447370796909 catania
        > GEOADD g NX 13.361389 38.115556 palermo
        = 0; -; nothing
        > GEOADD g CH xx 13 38 palermo
        = 1; zadd g; zadd g CH xx 3479065152021743 palermo
        > GEORADIUS g 15 37 200 km
        = 0; -; nothing
        > GEORADIUS g 15 37 300 km STORE t
        = 2; new t, georadiusstore t; own
        > GEOSEARCHSTORE t g FROMLONLAT 15 37 BYRADIUS 100 km
        = 1; geosearchstore t; own
        > GEOSEARCHSTORE t missing FROMLONLAT 15 37 BYRADIUS 100 km
        = 1; keymiss missing, del t; own
        > GEOSEARCHSTORE t g FROMLONLAT 0 0 BYRADIUS 100 km
        = 0; -; nothing
        > PEXPIRE g 1
        = 1; expire g; PEXPIREAT g 1710000000001
        @ 10
        > GEORADIUSBYMEMBER g palermo 1 m STORE t
        = 0; expired g, keymiss g; (DEL g) nothing
        ",
    );
}

#[test]
fn long_searches_leave_the_worker() {
    check_effects_within(
        2,
        "
        > GEOADD g 1 1 a 1.1 1.1 b 1.2 1.2 c 50 50 d
        = 4; new g, zadd g; zadd g 3377822707026402 a 3377829799899064 b 3377833632314112 c 3805376991787279 d
        > GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 100 km
        = elsewhere: 0; -; nothing
        > GEORADIUS g 1 1 100 km STORE t
        = elsewhere: 0; -; nothing
        > GEOSEARCH g FROMLONLAT 50 50 BYRADIUS 100 km
        = 0; -; nothing
        ",
    );
}
