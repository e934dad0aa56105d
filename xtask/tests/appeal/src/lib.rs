//! What an element takes.

pub const UPLOAD_NS: u64 = 40;
pub const DEVICE_NS: u64 = 60;
