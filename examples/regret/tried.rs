//! What the calibration tried: cases that are held against it must be others.

use std::collections::{BTreeMap, BTreeSet};

use gpu_executor::{Hybrid, hybrid::Table, testkit::OPERATORS};

/// The numbers of items that were measured, for each operator.
pub(crate) struct Tried(BTreeMap<String, BTreeSet<u64>>);

impl Tried {
    /// What the router's file says.
    ///
    /// # Errors
    /// If there is a file that cannot be read.
    pub(crate) fn read(hybrid: &Hybrid) -> Result<Self, Box<dyn std::error::Error>> {
        let Some(file) = hybrid.table_file().filter(|file| file.exists()) else {
            return Ok(Self(BTreeMap::new()));
        };
        let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let tables: BTreeMap<String, Table> = serde_json::from_value(kept["operators"].take())?;
        let sizes = |table: &Table| {
            let curves = table.times.iter().flat_map(|times| &times.curves);
            curves.flat_map(|curve| &curve.points).map(|point| point.0).collect()
        };
        Ok(Self(
            tables
                .iter()
                .map(|(name, table)| (name.clone(), sizes(table)))
                .collect(),
        ))
    }

    pub(crate) fn contains(&self, operator: &str, size: usize) -> bool {
        // A use of an operator is calibrated as that operator.
        let is_probed = OPERATORS.iter().any(|o| o.name == operator && o.calibration.is_some());
        let name = if is_probed { operator } else { "field_mul" };
        self.0.get(name).is_some_and(|sizes| sizes.contains(&(size as u64)))
    }
}
