//! The names of modules' types, which are all that is read of modules.

/// The nine letters of a type's name, packed six bits each above ten bits of a version (RedisModule_CreateDataType).
pub(super) fn name(id: u64) -> [u8; 9] {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut name = [0; 9];
    for (index, letter) in name.iter_mut().enumerate() {
        let code = id >> (58 - 6 * index) & 0x3f;
        *letter = LETTERS.get(code as usize).copied().unwrap_or(b'?');
    }
    name
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_nine_letters() {
        let id = [0u64, 26, 52, 62, 63, 1, 2, 3, 4]
            .iter()
            .fold(0, |id, code| id << 6 | code)
            << 10
            | 5;
        assert_eq!(&super::name(id), b"Aa0-_BCDE");
    }
}
