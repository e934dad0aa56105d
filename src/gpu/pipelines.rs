//! Compiled pipelines on disk, where a program asks for that.

use crate::{adapter::AdapterInfo, store::Store};

/// The driver's compiled pipelines, kept between runs where it allows that.
#[derive(Clone, Debug)]
pub(super) struct StoredPipelines {
    pub(super) cache: wgpu::PipelineCache,
    store: Store,
    file: String,
}

/// What a file of this library's begins with: its kind and the revision of its format.
const MAGIC: &[u8; 16] = b"gpu-executor pc1";

/// Bytes before the driver's: [`MAGIC`], and the checksum of what follows.
const HEADER_BYTES: usize = MAGIC.len() + size_of::<u64>();

impl StoredPipelines {
    pub(super) fn new(device: &wgpu::Device, info: &AdapterInfo, store: &Store) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(&device.adapter_info())?;
        let file = format!("{key}{}", crate::store::place(info));
        let data = store.read(&file);
        #[expect(unsafe_code, reason = "wgpu cannot know where the data comes from")]
        // SAFETY: the data must be what `PipelineCache::get_data` returned.
        // `Options::keep_pipelines`, without which this is not reached, has its caller promise that
        // nothing but this library writes the folder, and `keep` below writes nothing else under
        // this name. What was cut short or damaged has another checksum and is not used.
        let cache = unsafe {
            device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                label: None,
                data: data.as_deref().and_then(opened),
                fallback: true,
            })
        };
        let store = store.clone();
        Some(Self { cache, store, file })
    }

    pub(super) fn keep(&self) {
        let Some(data) = self.cache.get_data() else { return };
        let file = sealed(&data);
        if self.store.read(&self.file).is_none_or(|kept| kept != file) {
            self.store.keep(&self.file, &file);
        }
    }
}

/// The driver's data behind a header.
fn sealed(data: &[u8]) -> Vec<u8> {
    [MAGIC, &checksum(data).to_le_bytes()[..], data].concat()
}

/// The driver's data of a file, if it is whole.
fn opened(file: &[u8]) -> Option<&[u8]> {
    let (header, data) = file.split_at_checked(HEADER_BYTES)?;
    (header == &sealed(data)[..HEADER_BYTES]).then_some(data)
}

/// FNV-1a over words of eight bytes, and the length.
///
/// Source: G. Fowler, L. C. Noll, K.-P. Vo and D. Eastlake, "The FNV Non-Cryptographic Hash
/// Algorithm".
fn checksum(data: &[u8]) -> u64 {
    let step = |hash: u64, word: &[u8]| {
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(0x0100_0000_01B3)
    };
    let hash = data.chunks(8).fold(0xCBF2_9CE4_8422_2325, step);
    step(hash, &(data.len() as u64).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_file_is_opened() {
        let data: Vec<u8> = (0..100).collect();
        let file = sealed(&data);
        assert_eq!(opened(&file), Some(&data[..]));
        assert_eq!(opened(&sealed(b"")), Some(&b""[..]));
        for end in 0..file.len() {
            assert_eq!(opened(&file[..end]), None, "{end} bytes of {}", file.len());
        }
        for byte in 0..file.len() {
            let mut damaged = file.clone();
            damaged[byte] ^= 0x10;
            assert_eq!(opened(&damaged), None, "byte {byte}");
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(opened(&longer), None);
        // As an earlier version wrote it, or anybody.
        assert_eq!(opened(&data), None);
    }
}
