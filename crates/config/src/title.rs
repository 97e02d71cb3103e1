//! `proc-title-template`: text with `{variables}`, where `{{` is a brace.

/// Replaces the variables of a template and trims the blanks around the result. `None` where a brace does not close
/// or `variable` does not know a name.
pub fn expand(template: &[u8], variable: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut title = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.iter().position(|&byte| byte == b'{') {
        let (text, tail) = rest.split_at(open);
        title.extend(text);
        let tail = tail.get(1..)?;
        if let Some(tail) = tail.strip_prefix(b"{") {
            title.push(b'{');
            rest = tail;
            continue;
        }
        let close = tail.iter().position(|&byte| byte == b'}')?;
        title.extend(variable(tail.get(..close)?)?);
        rest = tail.get(close + 1..)?;
    }
    title.extend(rest);
    Some(title.trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let title = |template: &str| {
            expand(template.as_bytes(), |name| match name {
                b"port" => Some(b"6379".to_vec()),
                b"mode" => Some(Vec::new()),
                _ => None,
            })
            .map(|title| String::from_utf8(title).unwrap())
        };
        assert_eq!(title("redis:{port} {mode}").as_deref(), Some("redis:6379"));
        assert_eq!(title("{{port}").as_deref(), Some("{port}"));
        assert_eq!(title("{mode}").as_deref(), Some(""));
        for wrong in ["{", "{port", "{who}", "a {"] {
            assert_eq!(title(wrong), None, "{wrong}");
        }
    }
}
