//! Strings of bytes as they are sent to the device: a table of where each begins and how long it
//! is, and their words.

use super::{Inputs as _, Kernel, Load, Random, Strings, Task, TaskExt as _, source::Batch, word};
use crate::{
    error::Error,
    host::{Copier, Target as _, map_each},
    mapped::Mapped,
    plan::{Chunk, Cutter, Most},
};

/// Bytes for each string: where it begins, and how long it is.
pub(crate) const TABLE_STRIDE: usize = 8;

/// Strings longer than this on average are copied one after the other, each by all threads.
const LONG_BYTES: usize = 64 << 10;

/// Words of a digest.
const DIGEST_WORDS: usize = 8;

/// A string is filled up to multiples of this number of bytes, so that a kernel loads two words at
/// once.
const UNIT: usize = 8;

/// Words of a string on the device.
pub(crate) fn all_words(string: &[u8]) -> usize {
    string.len().div_ceil(UNIT) * (UNIT / 4)
}

/// Words that a string takes on the device, where one longer than `longest` bytes is digested by
/// the host.
fn words(string: &[u8], longest: usize) -> usize {
    if string.len() > longest {
        DIGEST_WORDS
    } else {
        all_words(string)
    }
}

/// What a part of a chunk has.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// Words on the device.
    words: usize,
    /// Words of the longest string, be it digested by the host or not.
    longest: usize,
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self {
            words: self.words + other.words,
            longest: self.longest.max(other.longest),
        }
    }
}

impl<T: Task> Batch<'_, T> {
    /// The strings of a part of a chunk.
    fn strings(&self, part: Chunk) -> impl Iterator<Item = &[u8]> {
        let pieces = part.pieces(self.lengths);
        pieces.flat_map(move |piece| {
            let inputs = self.tasks[piece.task].inputs();
            piece.elements.map(move |element| T::Inputs::bytes(inputs, element))
        })
    }

    fn sum(&self, part: Chunk, longest: usize) -> Sum {
        let add = |sum: Sum, string: &[u8]| {
            sum.and(Sum {
                words: words(string, longest),
                longest: all_words(string),
            })
        };
        self.strings(part).fold(Sum::default(), add)
    }

    /// The chunk's parts with what each has, and the threads that help with them; `None` if one
    /// thread is to do it all.
    fn parts(
        &self,
        chunk: Chunk,
        longest: usize,
        copier: Copier,
    ) -> Option<(&'static rayon::ThreadPool, Vec<ThreadShare>)> {
        let each = size_of::<&[u8]>() + TABLE_STRIDE + chunk.words / chunk.elements.max(1) * 4;
        let (helpers, share) = copier.shares(chunk.elements, each)?;
        let part = |chunk| ThreadShare {
            chunk,
            sum: Sum::default(),
        };
        let mut parts: Vec<_> = chunk.cut(self.lengths, share).map(part).collect();
        helpers.in_place_scope(|scope| {
            for part in &mut parts {
                scope.spawn(move |_| part.sum = self.sum(part.chunk, longest));
            }
        });
        Some((helpers, parts))
    }

    /// Has `write` called with each part, the number of its first word, and its memory, of `bytes`
    /// bytes, by several threads if the parts are several.
    fn share_out<'m>(
        &self,
        (chunk, longest, copier): (Chunk, usize, Copier),
        mut to: Mapped<'m, u8>,
        bytes: impl Fn(ThreadShare) -> usize,
        write: impl Fn(Chunk, usize, Mapped<'m, u8>) + Sync,
    ) {
        let Some((helpers, parts)) = self.parts(chunk, longest, copier) else {
            return write(chunk, 0, to);
        };
        let write = &write;
        let mut first = 0;
        helpers.in_place_scope(|scope| {
            for part in parts {
                let (mine, rest) = to.split_at(bytes(part));
                to = rest;
                let start = first;
                scope.spawn(move |_| write(part.chunk, start, mine));
                first += part.sum.words;
            }
        });
    }
}

/// A part of a chunk, and what it has.
#[derive(Clone, Copy, Debug)]
struct ThreadShare {
    chunk: Chunk,
    sum: Sum,
}

/// Cuts off as many strings as a chunk may have.
pub(crate) fn next<T: Task>(
    inputs: &Batch<'_, T>,
    cutter: &mut Cutter,
    copier: Copier,
) -> Result<Option<Chunk>, Error> {
    let longest = T::SPEC.longest();
    let most = cutter.most;
    let Some(next) = cutter.peek() else {
        return Ok(None);
    };
    let mut elements = next.elements;
    let mut sum = match inputs.parts(next, longest, copier) {
        None => inputs.sum(next, longest),
        Some((_, parts)) => parts.iter().fold(Sum::default(), |sum, part| sum.and(part.sum)),
    };
    if sum.words > most.words {
        elements = 0;
        sum = Sum::default();
        for string in inputs.strings(next) {
            let words = words(string, longest);
            if words > most.longest {
                return Err(Error::TooLong {
                    operator: T::SPEC.operator(),
                    bytes: string.len(),
                    most: most.longest * 4,
                });
            }
            if elements > 0 && sum.words + words > most.words {
                break;
            }
            elements += 1;
            sum = sum.and(Sum {
                words,
                longest: all_words(string),
            });
        }
    }
    Ok(cutter.next_of(inputs.lengths, elements).map(|chunk| Chunk {
        words: sum.words,
        longest: sum.longest,
        ..chunk
    }))
}

/// Writes where each string begins, in words, and its length in bytes.
pub(crate) fn write_table<T: Task>(inputs: &Batch<'_, T>, chunk: Chunk, to: Mapped<'_, u8>, copier: Copier) {
    let longest = T::SPEC.longest();
    let bytes = |part: ThreadShare| part.chunk.elements * TABLE_STRIDE;
    inputs.share_out((chunk, longest, copier), to, bytes, |part, mut first, to| {
        to.cast::<[u32; 2]>().write_iter(inputs.strings(part).map(|string| {
            let length = if string.len() > longest {
                Kernel::DIGESTED
            } else {
                word(string.len())
            };
            let entry = [word(first), length];
            first += words(string, longest);
            // The kernel reads as far as the table says, whatever a type's `AsRef` answers when it
            // is asked again.
            assert!(
                first <= chunk.words,
                "a message is as long whenever it is asked for its bytes"
            );
            entry
        }));
    });
}

/// Writes each string, filled up with zeros; in place of one that is too long, its digest.
pub(crate) fn write_words<T: Task>(inputs: &Batch<'_, T>, chunk: Chunk, mut to: Mapped<'_, u8>, copier: Copier) {
    let longest = T::SPEC.longest();
    let too_long = T::KERNEL.longest.filter(|_| chunk.longest * 4 > longest);
    if too_long.is_none() && chunk.words / chunk.elements * 4 < LONG_BYTES {
        let bytes = |part: ThreadShare| part.sum.words * 4;
        return inputs.share_out((chunk, longest, copier), to, bytes, |part, _, mut to| {
            for string in inputs.strings(part) {
                to = put(to, string, Copier::ALONE);
            }
        });
    }
    let digests = too_long.map_or_else(Vec::new, |(_, digest)| {
        let too_long: Vec<_> = inputs.strings(chunk).filter(|string| string.len() > longest).collect();
        map_each(&too_long, |string| digest(string))
    });
    let mut digests = digests.into_iter();
    for string in inputs.strings(chunk) {
        to = if string.len() > longest {
            put(to, &digests.next().expect("one for each"), copier)
        } else {
            put(to, string, copier)
        };
    }
}

/// Writes a string, filled up with zeros, and returns the memory behind it.
fn put<'m>(to: Mapped<'m, u8>, string: &[u8], copier: Copier) -> Mapped<'m, u8> {
    let (whole, tail) = string.split_at(string.len() / UNIT * UNIT);
    let (to_whole, rest) = to.split_at(whole.len());
    copier.copy(to_whole, whole);
    if tail.is_empty() {
        return rest;
    }
    let mut last = [0; UNIT];
    last[..tail.len()].copy_from_slice(tail);
    let (to_last, rest) = rest.split_at(UNIT);
    to_last.write(&last);
    rest
}

/// Strings that go to the device for whatever operator.
#[derive(Debug)]
pub(crate) struct Uploaded<'a, M>(pub(crate) &'a [M]);

impl<M> Clone for Uploaded<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Uploaded<'_, M> {}

impl<M: AsRef<[u8]> + Sync> Task for Uploaded<'_, M> {
    const KERNEL: Kernel = Kernel::new("strings", "");
    type Inputs = Strings<M>;
    type Parameters = ();
    type Item = u32;

    fn inputs(&self) -> &[M] {
        self.0
    }

    fn compute(_: &[M], (): (), _: &mut [u32]) {}
}

/// All strings as one chunk, and the chunk cut into pieces of roughly `bytes`.
pub(crate) fn pieces<T: Task>(inputs: &Batch<'_, T>, bytes: usize, copier: Copier) -> Option<(Chunk, Vec<Chunk>)> {
    let whole = Cutter::new(inputs.lengths, Most::elements(usize::MAX)).peek()?;
    let looked_at = inputs.strings(whole).take(64);
    let (sum, count) = looked_at.fold((0, 0), |(sum, count), string| (sum + all_words(string) * 4, count + 1));
    let each = sum / count;
    let part = |chunk| ThreadShare {
        chunk,
        sum: Sum::default(),
    };
    let mut parts: Vec<ThreadShare> = whole
        .cut(inputs.lengths, (bytes / each.max(8)).max(1))
        .map(part)
        .collect();
    let longest = T::SPEC.longest();
    let count = |part: &mut ThreadShare| part.sum = inputs.sum(part.chunk, longest);
    match copier.shares(whole.elements, size_of::<&[u8]>()) {
        None => parts.iter_mut().for_each(count),
        Some((helpers, _)) => helpers.in_place_scope(|scope| {
            for part in &mut parts {
                scope.spawn(move |_| count(part));
            }
        }),
    }
    let all = parts.iter().fold(Sum::default(), |sum, part| sum.and(part.sum));
    let with = |chunk, sum: Sum| Chunk {
        words: sum.words,
        longest: sum.longest,
        ..chunk
    };
    let parts = parts.into_iter().map(|part| with(part.chunk, part.sum));
    Some((with(whole, all), parts.collect()))
}

/// The work of strings, estimated from a sample of limited size: a random one of every two or
/// three, as lengths may alternate. Compiled for each operator, whose steps may be a number to
/// divide by.
#[inline(always)]
pub(crate) fn load<M: AsRef<[u8]>>(strings: &[M], samples: usize, steps: impl Fn(usize) -> usize) -> Load {
    let steps_of = |string: &M| steps(string.as_ref().len());
    let is_itself = |string: &&M| {
        let bytes = string.as_ref();
        bytes.as_ptr() == std::ptr::from_ref(*string).cast() && bytes.len() == size_of::<M>()
    };
    // Arrays are all of one length.
    if let Some(first) = strings.first().filter(is_itself) {
        return Load::deep(strings.len(), steps_of(first));
    }
    let step = strings.len().div_ceil(samples.max(1)).max(1);
    let mut random = Random::new(0);
    let (mut all, mut longest) = (0_u64, 0);
    for some in strings.chunks(step) {
        let any = if some.len() > 1 { random.below(some.len()) } else { 0 };
        let steps = steps_of(&some[any]) as u64;
        all += steps * some.len() as u64;
        longest = longest.max(steps);
    }
    Load {
        items: strings.len() as u64,
        steps: all,
        longest,
        tasks: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of ten bytes, with one of padding at least.
    fn blocks(bytes: usize) -> usize {
        (bytes + 1).div_ceil(10)
    }

    #[test]
    fn a_load_is_that_of_the_blocks() {
        let check = |lengths: &[usize], expected: (u64, u64, u64)| {
            let messages: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let load = load(&messages, Load::MAX_SAMPLES, blocks);
            assert_eq!(
                (load.items, load.steps, load.longest),
                expected,
                "{} messages",
                lengths.len()
            );
        };
        check(&[], (0, 0, 0));
        check(&[0], (1, 1, 1));
        check(&[0, 9, 10, 95], (4, 14, 10));
        // Of 10,000 one of eighty is looked at.
        check(&[25; 10_000], (10_000, 30_000, 3));
        // Of arrays, one.
        assert_eq!(load(&[[0; 25]; 700], 1, blocks), Load::deep(700, 3));
        assert_eq!(load::<[u8; 25]>(&[], 9, blocks), load::<Vec<u8>>(&[], 9, blocks));
        assert_eq!(load(&[[0; 0]; 7], 9, blocks), Load::deep(7, 1));
        // At least one string is sampled.
        assert_eq!(load(&[vec![0; 25], vec![0; 25]], 0, blocks), Load::deep(2, 3));
    }

    #[test]
    fn a_load_does_not_depend_on_where_long_messages_are() {
        let long = vec![0; 995];
        for period in 2..=12 {
            for first in 0..period {
                let messages: Vec<&[u8]> = (0..24_000)
                    .map(|i| if i % period == first { &long[..] } else { &[] })
                    .collect();
                let load = load(&messages, Load::MAX_SAMPLES, blocks);
                // A long one has 100 blocks, any other one.
                let exact = (24_000 / period * 99 + 24_000) as u64;
                assert_eq!((load.items, load.longest), (24_000, 100));
                assert!(
                    (exact / 3..exact * 3).contains(&load.steps),
                    "{} steps for {exact}, one of {period} long, from {first} on",
                    load.steps
                );
            }
        }
    }
}
