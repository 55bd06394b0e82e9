//! Which segments may go.

use crate::options::Retention;

/// What the choice needs to know of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Records before it.
    pub(crate) first: u64,
    /// Its length in bytes.
    pub(crate) bytes: u64,
}

/// Which of the segments, given in order, may be removed when every snapshot that is kept stands for at least
/// `covered` records: the indices from 1 up to the result (1 means none).
pub(crate) fn removable(segments: &[Extent], covered: u64, retention: Retention) -> usize {
    // Those whose last record lies before `covered`, because the next begins no later.
    let old = segments.iter().skip(1).take_while(|next| next.first <= covered).count();
    // The first is kept whatever happens; of the old ones, `spare` are kept.
    let spare = match retention {
        Retention::All => old,
        Retention::Segments(count) => count,
        Retention::Bytes(most) => {
            let behind_first = segments.get(1..old).unwrap_or_default();
            let mut sum = 0_u64;
            let kept = |segment: &&Extent| {
                sum = sum.saturating_add(segment.bytes);
                sum <= most
            };
            behind_first.iter().rev().take_while(kept).count()
        }
    };
    old.saturating_sub(spare).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments with 10 records and 100 bytes each.
    fn six() -> Vec<Extent> {
        (0..6).map(|number| Extent { first: number * 10, bytes: 100 }).collect()
    }

    #[test]
    fn only_what_lies_before_all_snapshots_goes_and_never_the_first() {
        let nothing = Retention::Segments(0);
        for (covered, gone) in
            [(0, 1), (10, 1), (19, 1), (20, 2), (29, 2), (30, 3), (49, 4), (50, 5), (500, 5)]
        {
            assert_eq!(removable(&six(), covered, nothing), gone, "{covered}");
            assert_eq!(removable(&six(), covered, Retention::All), 1);
        }
        assert_eq!(removable(&six()[..1], 500, nothing), 1);
        assert_eq!(removable(&[], 500, nothing), 1);
    }

    #[test]
    fn the_policy_spares_the_youngest() {
        for (policy, gone) in [
            (Retention::Segments(0), 5),
            (Retention::Segments(1), 4),
            (Retention::Segments(3), 2),
            (Retention::Segments(9), 1),
            (Retention::Bytes(99), 5),
            (Retention::Bytes(100), 4),
            (Retention::Bytes(399), 2),
            (Retention::Bytes(u64::MAX), 1),
        ] {
            assert_eq!(removable(&six(), 500, policy), gone, "{policy:?}");
        }
    }
}
