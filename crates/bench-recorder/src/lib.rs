//! Records every call of a criterion bench with exact counters of the bench's own, and measures one
//! case for a requested time over standard input and output.
//!
//! The types that travel between a bench process and whoever reads it are declared here, once.
