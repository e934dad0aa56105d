//! Peers measured against each other, as functions of data: who does what, how ratios are told, and the table.

pub(crate) mod event;
pub(crate) mod ratio;
pub(crate) mod table;
