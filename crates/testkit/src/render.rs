//! Replies in one line, as transcripts write them.

use resp::Value;

/// A reply in one line.
///
/// `+OK`, `-ERR text`, `:5`, `"bulk\r\n"`, `nil` and `nil-array` (RESP2), `_` (RESP3), `[..]` for arrays, `{k: v}` for maps,
/// `~[..]` for sets, `>[..]` for pushes, `,3.14` for doubles, `#t`, `(123` for big numbers, `=txt:"text"` for verbatim strings,
/// `|{..} value` for attributes.
#[must_use]
pub fn render(value: &Value) -> String {
    match value {
        Value::Simple(text) => format!("+{}", text.escape_ascii()),
        Value::Error(text) | Value::BlobError(text) => {
            format!("-{}", String::from_utf8_lossy(text))
        }
        Value::Integer(value) => format!(":{value}"),
        Value::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Value::NullBulk => "nil".into(),
        Value::NullArray => "nil-array".into(),
        Value::Null => "_".into(),
        Value::Boolean(true) => "#t".into(),
        Value::Boolean(false) => "#f".into(),
        Value::Double(text) => format!(",{}", text.escape_ascii()),
        Value::BigNumber(text) => format!("({}", text.escape_ascii()),
        Value::Verbatim { format, text } => {
            format!("={}:\"{}\"", format.escape_ascii(), text.escape_ascii())
        }
        Value::Array(items) => list("[", items),
        Value::Set(items) => list("~[", items),
        Value::Push(items) => list(">[", items),
        Value::Map(pairs) => map(pairs),
        Value::Attributed { attributes, value } => {
            format!("|{} {}", map(attributes), render(value))
        }
    }
}

fn map(pairs: &[(Value, Value)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{}: {}", render(key), render(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn list(open: &str, items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(render).collect();
    format!("{open}{}]", items.join(", "))
}
