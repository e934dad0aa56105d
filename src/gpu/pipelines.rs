//! Compiled pipelines on disk.

use crate::store::Store;

/// The driver's compiled pipelines, kept between runs where it allows that.
#[derive(Debug)]
pub(super) struct StoredPipelines {
    pub(super) cache: wgpu::PipelineCache,
    store: Store,
    file: String,
}

impl StoredPipelines {
    pub(super) fn new(device: &wgpu::Device, adapter: &wgpu::Adapter, store: &Store) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let file = wgpu::util::pipeline_cache_key(&adapter.get_info())?;
        let data = store.read(&file);
        #[expect(unsafe_code, reason = "wgpu cannot know where the data comes from")]
        // SAFETY: the data must be what `PipelineCache::get_data` returned. Nothing but `keep` below writes that file, in
        // the user's cache folder or the one that options or environment name, and as a whole: it is renamed into place. wgpu checks the header it put before the
        // data (its version, adapter, driver, length) and drops data that does not fit, and so does the driver with its own.
        let cache = unsafe {
            device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                label: None,
                data: data.as_deref(),
                fallback: true,
            })
        };
        let store = store.clone();
        Some(Self { cache, store, file })
    }

    pub(super) fn keep(&self) {
        if let Some(data) = self.cache.get_data()
            && self.store.read(&self.file).is_none_or(|kept| kept != data)
        {
            self.store.keep(&self.file, &data);
        }
    }
}
