//! Strings of bytes on their way to the device: a table of where each begins and how long it is, and their words.

use crate::{
    error::Error,
    gpu::{Chunk, Cutter, TABLE_STRIDE},
    host::{Copier, Target as _, map_each},
    mapped::Mapped,
    op::{Digest, Shape, Task, word},
    work::Inputs,
};

/// Strings longer than this on average are copied one after the other, each by all threads.
const LONG_BYTES: usize = 64 << 10;

/// Words of a digest.
const DIGEST_WORDS: usize = 8;

/// A string is filled up to multiples of so many bytes, so that a kernel loads two words at once.
const UNIT: usize = 8;

/// Words of a string on the device.
pub(crate) fn all_words(string: &[u8]) -> usize {
    string.len().div_ceil(UNIT) * (UNIT / 4)
}

/// Words that a string takes on the device, where one longer than `longest` bytes is digested by the host.
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

impl<T: Task> Inputs<'_, T> {
    /// The strings of a part of a chunk.
    fn strings(&self, part: Chunk) -> impl Iterator<Item = &[u8]> {
        let pieces = part.pieces(self.lengths);
        pieces.flat_map(move |piece| piece.elements.map(move |element| self.tasks[piece.task].input(element)))
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

    /// The chunk's parts with what each has, and the threads that help with them; `None` if one thread is to do it all.
    fn parts(&self, chunk: Chunk, longest: usize, copier: Copier) -> Option<(&'static rayon::ThreadPool, Vec<Part>)> {
        let each = size_of::<&[u8]>() + TABLE_STRIDE + chunk.words / chunk.elements.max(1) * 4;
        let (helpers, share) = copier.shares(chunk.elements, each)?;
        let part = |chunk| Part {
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

    /// Has `write` called with each part, the number of its first word, and its memory, of `bytes` bytes, by several threads
    /// if the parts are several.
    fn share_out<'m>(
        &self,
        (chunk, longest, copier): (Chunk, usize, Copier),
        mut to: Mapped<'m, u8>,
        bytes: impl Fn(Part) -> usize,
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
struct Part {
    chunk: Chunk,
    sum: Sum,
}

/// Cuts off as many strings as a chunk may have.
pub(crate) fn next<T: Task>(
    inputs: &Inputs<'_, T>,
    cutter: &mut Cutter,
    longest: usize,
    copier: Copier,
) -> Result<Option<Chunk>, Error> {
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
                    operator: T::SPEC.operator,
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
pub(crate) fn write_table<T: Task>(
    inputs: &Inputs<'_, T>,
    chunk: Chunk,
    to: Mapped<'_, u8>,
    longest: usize,
    copier: Copier,
) {
    let bytes = |part: Part| part.chunk.elements * TABLE_STRIDE;
    inputs.share_out((chunk, longest, copier), to, bytes, |part, mut first, to| {
        to.cast::<[u32; 2]>().write_iter(inputs.strings(part).map(|string| {
            let length = if string.len() > longest {
                Shape::DIGESTED
            } else {
                word(string.len())
            };
            let entry = [word(first), length];
            first += words(string, longest);
            // The kernel reads as far as the table says, whatever a type's `AsRef` answers when it is asked again.
            assert!(
                first <= chunk.words,
                "a message is as long whenever it is asked for its bytes"
            );
            entry
        }));
    });
}

/// Writes each string, filled up with zeros; in place of one that is too long, its digest.
pub(crate) fn write_words<T: Task>(
    inputs: &Inputs<'_, T>,
    chunk: Chunk,
    mut to: Mapped<'_, u8>,
    (longest, digest): (usize, Digest),
    copier: Copier,
) {
    let some_are_too_long = chunk.longest * 4 > longest;
    if !some_are_too_long && chunk.words / chunk.elements * 4 < LONG_BYTES {
        let bytes = |part: Part| part.sum.words * 4;
        return inputs.share_out((chunk, longest, copier), to, bytes, |part, _, mut to| {
            for string in inputs.strings(part) {
                to = put(to, string, Copier::ALONE);
            }
        });
    }
    let mut digests = if some_are_too_long {
        let too_long: Vec<_> = inputs.strings(chunk).filter(|string| string.len() > longest).collect();
        map_each(&too_long, |string| digest(string))
    } else {
        Vec::new()
    }
    .into_iter();
    for string in inputs.strings(chunk) {
        to = if string.len() > longest {
            put(to, &digests.next().expect("one for each"), copier)
        } else {
            put(to, string, copier)
        };
    }
}

/// Writes a string, filled up with zeros, and returns what is behind it.
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
