//! How a batch is cut: tasks are joined end to end, and the whole is cut into chunks that fit the adapter.

use std::ops::Range;

/// A part of one task that lies in one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The task's place in the batch.
    pub(super) task: usize,
    /// Elements of the task.
    pub(super) elements: Range<usize>,
}

/// What one dispatch computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Number of elements, the sum over its pieces; never 0.
    pub(super) elements: usize,
    /// The pieces, end to end.
    pub(super) pieces: Vec<Piece>,
}

/// Cuts tasks of the given numbers of elements into chunks of at most `most` elements. Empty tasks have no piece.
pub(super) fn chunks(tasks: &[usize], most: usize) -> Vec<Chunk> {
    assert!(most > 0, "a chunk holds at least one element");
    let mut chunks = Vec::new();
    let mut open = Chunk {
        elements: 0,
        pieces: Vec::with_capacity(tasks.len()),
    };
    for (task, &elements) in tasks.iter().enumerate() {
        let mut start = 0;
        while start < elements {
            let end = elements.min(start + (most - open.elements));
            open.elements += end - start;
            open.pieces.push(Piece {
                task,
                elements: start..end,
            });
            start = end;
            if open.elements == most {
                let full = Chunk {
                    elements: 0,
                    pieces: Vec::new(),
                };
                chunks.push(std::mem::replace(&mut open, full));
            }
        }
    }
    if open.elements > 0 {
        chunks.push(open);
    }
    chunks
}

/// The size class of a chunk: the smallest power of two, or three quarters of one, that holds it; at least 256.
///
/// Chunks of one bucket share buffers and bind groups, and at most a third of a buffer is unused.
pub(super) fn bucket(elements: usize) -> usize {
    let power = elements.next_power_of_two().max(256);
    let midpoint = power / 4 * 3;
    if elements <= midpoint && power > 256 {
        midpoint
    } else {
        power
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(task: usize, elements: Range<usize>) -> Piece {
        Piece { task, elements }
    }

    #[test]
    fn tasks_are_joined_and_cut_where_a_chunk_is_full() {
        let check = |tasks: &[usize], most, expected: &[&[Piece]]| {
            let pieces: Vec<_> = chunks(tasks, most).into_iter().map(|c| c.pieces).collect();
            assert_eq!(pieces, expected, "{tasks:?} in chunks of {most}");
        };
        check(&[], 4, &[]);
        check(&[0, 0], 4, &[]);
        check(&[4], 4, &[&[piece(0, 0..4)]]);
        check(&[5], 4, &[&[piece(0, 0..4)], &[piece(0, 4..5)]]);
        check(&[3, 0, 2], 4, &[&[piece(0, 0..3), piece(2, 0..1)], &[piece(2, 1..2)]]);
    }

    #[test]
    fn buckets_are_powers_of_two_and_their_midpoints() {
        let check = |elements, expected| assert_eq!(bucket(elements), expected, "{elements}");
        check(1, 256);
        check(256, 256);
        check(257, 384);
        check(384, 384);
        check(385, 512);
        check(1_000_000, 1 << 20);
        check((1 << 20) + 1, 3 << 19);
    }

    proptest! {
        #[test]
        fn every_element_is_in_exactly_one_chunk_in_order(
            tasks in prop::collection::vec(0_usize..50, 0..20),
            most in 1_usize..60,
        ) {
            let chunks = chunks(&tasks, most);
            let mut seen = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                let inside: usize = chunk.pieces.iter().map(|p| p.elements.len()).sum();
                prop_assert_eq!(inside, chunk.elements);
                prop_assert!(chunk.elements == most || (index + 1 == chunks.len() && chunk.elements > 0));
                for piece in &chunk.pieces {
                    seen.extend(piece.elements.clone().map(|e| (piece.task, e)));
                }
            }
            let expected: Vec<_> =
                tasks.iter().enumerate().flat_map(|(t, &n)| (0..n).map(move |e| (t, e))).collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn a_bucket_holds_its_chunk_and_wastes_at_most_a_third(elements in 256_usize..1 << 40) {
            let bucket = bucket(elements);
            prop_assert!(bucket >= elements && (bucket - elements) * 3 <= bucket);
        }
    }
}
