//! Sequence numbers: arithmetic modulo 2³² (RFC 9293, section 3.4) that wraps and never panics.

/// Whether `a` comes before `b`.
#[inline(always)]
pub const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Whether `a` comes before `b` or is `b`.
#[inline(always)]
pub const fn before_or_at(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) <= 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        for (a, b) in [
            (0, 1),
            (u32::MAX, 0),
            (u32::MAX - 5, 10),
            (0x7fff_ffff, 0x8000_0000),
        ] {
            assert!(
                before(a, b) && before_or_at(a, b) && !before(b, a),
                "{a} before {b}"
            );
        }
        assert!(before_or_at(7, 7) && !before(7, 7));
    }
}
