//! A comparison of two revisions on one machine, as functions of what was recorded: `recording` → `compare` → `judge` → `report`.

pub(crate) mod compare;
pub(crate) mod judge;
pub(crate) mod overrule;
pub(crate) mod recording;
pub(crate) mod report;
pub(crate) mod validation;
