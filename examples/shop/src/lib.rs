//! Prices of a small shop, in cents.

/// One line of an order.
pub struct Line {
    pub name: String,
    pub cents: u64,
    pub count: u64,
}

/// Sum of all lines.
pub fn total(lines: &[Line]) -> u64 {
    lines.iter().map(|line| line.cents * line.count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cents: u64, count: u64) -> Line {
        Line { name: "pencil".to_owned(), cents, count }
    }

    #[test]
    fn an_empty_order_costs_nothing() {
        assert_eq!(total(&[]), 0);
    }

    #[test]
    fn counts_are_multiplied() {
        assert_eq!(total(&[line(150, 2), line(20, 1)]), 320);
    }
}
