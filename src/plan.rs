//! How a batch is cut: tasks are joined end to end, and the whole is cut into chunks that fit the
//! adapter.

use std::ops::Range;

/// Threads per workgroup that every adapter must allow.
pub(crate) const MAX_WORKGROUP_SIZE: u32 = 256;

/// What a chunk has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Elements of the output.
    pub elements: usize,
    /// Words of all strings.
    pub words: usize,
    /// Words of the longest string.
    pub longest: usize,
    /// The tasks' parameters.
    pub parameters: [u32; 6],
    /// Workgroups whose threads take all elements.
    pub groups: u32,
}

/// A part of one task that lies in one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The task's place in the batch.
    pub(crate) task: usize,
    /// Elements of the task.
    pub(crate) elements: Range<usize>,
}

/// The work of one submission: a number of elements, from an element of a task on, over the tasks
/// behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The task its first element belongs to.
    pub(crate) task: usize,
    /// That element's place in the task.
    pub(crate) first: usize,
    /// Number of elements; never 0.
    pub(crate) elements: usize,
    /// Words of all its strings, where inputs are strings.
    pub(crate) words: usize,
    /// Words of the longest.
    pub(crate) longest: usize,
    /// The parameters of its tasks.
    pub(crate) parameters: [u32; 6],
}

impl Chunk {
    /// Its extent, if its elements take this number of workgroups.
    pub(crate) fn extent(&self, groups: u32) -> Extent {
        Extent {
            elements: self.elements,
            words: self.words,
            longest: self.longest,
            parameters: self.parameters,
            groups,
        }
    }

    /// Its pieces, end to end; `tasks` are the numbers of elements of all tasks. Empty tasks have
    /// none.
    pub(crate) fn pieces(self, tasks: &[usize]) -> impl Iterator<Item = Piece> {
        let mut left = self.elements;
        let mut first = self.first;
        let cut = move |(task, &elements): (usize, &usize)| {
            let start = std::mem::take(&mut first);
            let end = elements.min(start + left);
            left -= end - start;
            Piece {
                task,
                elements: start..end,
            }
        };
        let elements = self.elements;
        tasks
            .iter()
            .enumerate()
            .skip(self.task)
            .map(cut)
            .scan(0, move |seen, piece| {
                (*seen < elements).then(|| {
                    *seen += piece.elements.len();
                    piece
                })
            })
            .filter(|piece| !piece.elements.is_empty())
    }
}

impl Chunk {
    /// The same elements as chunks of at most `most`.
    pub(crate) fn cut(self, tasks: &[usize], most: usize) -> impl Iterator<Item = Self> {
        let mut cutter = Cutter {
            task: self.task,
            first: self.first,
            left: self.elements,
            most: Most::elements(most),
        };
        std::iter::from_fn(move || cutter.next(tasks))
    }
}

/// What a chunk may have at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Most {
    pub(crate) elements: usize,
    /// Words of all strings, unless one string alone has more.
    pub(crate) words: usize,
    /// Words of one string.
    pub(crate) longest: usize,
}

impl Most {
    /// A number of elements, at least one.
    pub(crate) const fn elements(elements: usize) -> Self {
        Self {
            elements,
            words: 0,
            longest: 0,
        }
    }
}

/// Cuts tasks into chunks.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// The task the next element belongs to.
    pub(crate) task: usize,
    /// That element's place in the task.
    pub(crate) first: usize,
    /// Elements that are left.
    pub(crate) left: usize,
    pub(crate) most: Most,
}

impl Cutter {
    /// For tasks of the given numbers of elements.
    pub(crate) fn new(tasks: &[usize], most: Most) -> Self {
        assert!(most.elements > 0, "a chunk holds at least one element");
        Self {
            // The first element's, as behind every chunk: it is what the chunk's parameter is taken
            // of.
            task: tasks.iter().take_while(|&&elements| elements == 0).count(),
            first: 0,
            left: tasks.iter().sum(),
            most,
        }
    }

    /// The chunk of as many elements as it may have that would come next.
    pub(crate) fn peek(&self) -> Option<Chunk> {
        (self.left > 0).then(|| Chunk {
            task: self.task,
            first: self.first,
            elements: self.left.min(self.most.elements),
            words: 0,
            longest: 0,
            parameters: [0; 6],
        })
    }

    /// The next chunk of the same tasks, of as many elements as it may have.
    pub(crate) fn next(&mut self, tasks: &[usize]) -> Option<Chunk> {
        self.next_of(tasks, self.most.elements)
    }

    /// The next chunk of the same tasks, of at most `most` elements.
    pub(crate) fn next_of(&mut self, tasks: &[usize], most: usize) -> Option<Chunk> {
        let next = self.peek()?;
        let chunk = Chunk {
            elements: next.elements.min(most),
            ..next
        };
        debug_assert!(chunk.elements > 0, "a chunk has elements");
        self.left -= chunk.elements;
        self.first += chunk.elements;
        while self.task < tasks.len() && self.first >= tasks[self.task] {
            self.first -= tasks[self.task];
            self.task += 1;
        }
        Some(chunk)
    }
}

/// The size class of a chunk: the smallest power of two, or three quarters of one, that holds it;
/// at least 256.
///
/// Chunks of one bucket share buffers and bind groups, and at most a third of a buffer is unused.
pub(crate) fn bucket(elements: usize) -> usize {
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

    /// Every chunk's number of elements and pieces.
    fn chunks(tasks: &[usize], most: usize) -> Vec<(usize, Vec<Piece>)> {
        let mut cutter = Cutter::new(tasks, Most::elements(most));
        std::iter::from_fn(|| cutter.next(tasks))
            .map(|chunk| (chunk.elements, chunk.pieces(tasks).collect()))
            .collect()
    }

    fn piece(task: usize, elements: Range<usize>) -> Piece {
        Piece { task, elements }
    }

    #[test]
    fn tasks_are_joined_and_cut_where_a_chunk_is_full() {
        let check = |tasks: &[usize], most, expected: &[&[Piece]]| {
            let pieces: Vec<_> = chunks(tasks, most).into_iter().map(|(_, pieces)| pieces).collect();
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
            for (index, (elements, pieces)) in chunks.iter().enumerate() {
                let inside: usize = pieces.iter().map(|p| p.elements.len()).sum();
                prop_assert_eq!(inside, *elements);
                prop_assert!(*elements == most || (index + 1 == chunks.len() && *elements > 0));
                for piece in pieces {
                    seen.extend(piece.elements.clone().map(|e| (piece.task, e)));
                }
            }
            let mut cutter = Cutter::new(&tasks, Most::elements(most));
            let again = std::iter::from_fn(|| cutter.next(&tasks))
                .flat_map(|chunk| chunk.cut(&tasks, 7))
                .flat_map(|part| part.pieces(&tasks).flat_map(|p| p.elements.map(move |e| (p.task, e))));
            prop_assert_eq!(again.collect::<Vec<_>>(), seen.clone(), "cut once more");
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
