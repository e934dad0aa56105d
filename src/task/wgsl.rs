//! Checks a kernel's WGSL before a device sees it, and reads from it what the executor need not be
//! told.

use naga::{
    AddressSpace, GlobalVariable, Module, ShaderStage, StorageAccess, TypeInner,
    proc::Layouter,
    valid::{Capabilities, ValidationFlags, Validator},
};

use super::{
    Shape,
    kernel::{Source, Spec, Step},
};
use crate::{error::Error, plan::MAX_WORKGROUP_SIZE};

/// What a kernel's text says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reflected {
    /// The text with all that is read before it.
    pub(crate) wgsl: String,
    /// Threads per workgroup.
    pub(crate) workgroup_size: u32,
    /// Words of immediates.
    pub(crate) immediates: usize,
}

/// Where something is wrong, as an offset into the whole text.
type At = Option<usize>;

/// The kernel's text for an adapter, found to be as the operator says.
pub(crate) fn checked(spec: &Spec, has_int64: bool) -> Result<Reflected, Error> {
    let source = spec.kernel.source(has_int64);
    let wgsl = whole(source);
    let wrong = |(at, message): (At, String)| located(spec.operator(), source, at, message);
    let module = naga::front::wgsl::parse_str(&wgsl).map_err(|error| {
        let at = error.labels().next().and_then(|(span, _)| span.to_range());
        wrong((at.map(|range| range.start), error.message().to_owned()))
    })?;
    // What was reviewed is validated by wgpu alone.
    if !spec.is_trusted() {
        validate(&module).map_err(wrong)?;
    }
    let (workgroup_size, immediates) = reflect(spec, &module).map_err(wrong)?;
    Ok(Reflected {
        wgsl,
        workgroup_size,
        immediates,
    })
}

fn whole(source: Source) -> String {
    let mut wgsl = source.prelude.join("\n");
    if !wgsl.is_empty() {
        wgsl.push('\n');
    }
    wgsl.push_str(source.text);
    wgsl
}

/// The error with its line and column, counted in the text that it is in.
fn located(operator: &'static str, source: Source, at: At, message: String) -> Error {
    let mut texts = source.prelude.iter().copied().chain([source.text]).enumerate();
    let mut left = at.unwrap_or(0);
    let found = loop {
        match texts.next() {
            Some((_, text)) if left > text.len() => left -= text.len() + 1,
            found => break found,
        }
    };
    let (number, text) = found.unwrap_or((0, ""));
    let before = text.get(..left).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    let is_before = number < source.prelude.len();
    Error::Kernel {
        operator,
        line: at.map_or(0, |_| line),
        column: at.map_or(0, |_| column),
        message: if is_before && at.is_some() {
            format!("in text {} of those read before it: {message}", number + 1)
        } else {
            message
        },
        source: None,
    }
}

fn validate(module: &Module) -> Result<(), (At, String)> {
    // What the device at hand lacks of these is told by wgpu.
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let Err(error) = validator.validate(module) else {
        return Ok(());
    };
    let at = error.spans().next().and_then(|(span, _)| span.to_range());
    let mut message = error.as_inner().to_string();
    let mut cause = std::error::Error::source(error.as_inner());
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    Err((at.map(|range| range.start), message))
}

/// Threads per workgroup, and words of immediates.
fn reflect(spec: &Spec, module: &Module) -> Result<(u32, usize), (At, String)> {
    let main = module
        .entry_points
        .iter()
        .find(|entry| entry.name == "main" && entry.stage == ShaderStage::Compute)
        .ok_or((None, "it has no `@compute fn main`".to_owned()))?;
    let [size, 1, 1] = main.workgroup_size else {
        let [x, y, z] = main.workgroup_size;
        return Err((
            None,
            format!("workgroups are lines of threads: @workgroup_size({x}, {y}, {z}) is none"),
        ));
    };
    if main.workgroup_size_overrides.is_some() || !(1..=MAX_WORKGROUP_SIZE).contains(&size) {
        return Err((
            None,
            format!("a workgroup has a constant number of threads, 1 to {MAX_WORKGROUP_SIZE}"),
        ));
    }
    let mut layouter = Layouter::default();
    layouter
        .update(module.to_ctx())
        .map_err(|error| (None, error.to_string()))?;
    let inputs = match spec.inputs {
        Shape::Numbers(strides) => strides.len(),
        Shape::Strings => 2,
    };
    let mut is_bound = vec![false; inputs + 1];
    let mut immediates = 0;
    for (handle, global) in module.global_variables.iter() {
        let at = module
            .global_variables
            .get_span(handle)
            .to_range()
            .map(|range| range.start);
        let wrong = |message: String| Err((at, message));
        if global.space == AddressSpace::Immediate {
            immediates = layouter[global.ty].size.div_ceil(4) as usize;
            let max = match spec.kernel.dispatches {
                Some(_) => Step::MAX_IMMEDIATES,
                None => 2 + spec.parameter_words,
            };
            if immediates > max {
                return wrong(format!(
                    "these immediates have {immediates} words, there are {max}: the number of elements, the threads of a \
                     row, and the parameters"
                ));
            }
        }
        let Some(binding) = &global.binding else { continue };
        let index = binding.binding as usize;
        if binding.group != 0 || index > inputs {
            return wrong(format!(
                "the bindings are those of group 0 from 0 to {inputs}: the inputs, then the output"
            ));
        }
        let is_output = index == inputs;
        match global.space {
            AddressSpace::Storage { access } if is_output && access.contains(StorageAccess::STORE) => {}
            AddressSpace::Storage { access } if !is_output && !access.contains(StorageAccess::STORE) => {}
            _ if is_output => return wrong("the output is `var<storage, read_write>`".to_owned()),
            _ => return wrong("an input is `var<storage, read>`".to_owned()),
        }
        if let Some((array, element)) = strides(spec, module, global, index) {
            let of_thread = element * spec.kernel.elements_per_thread;
            if !of_thread.is_multiple_of(array) {
                return wrong(format!(
                    "an element of this array has {array} bytes, one of the operator's has {element}"
                ));
            }
        }
        is_bound[index] = true;
    }
    if let Some(index) = is_bound.iter().position(|is_bound| !is_bound) {
        return Err((
            None,
            format!("binding {index} is missing: the operator's are 0 to {inputs}, the inputs and then the output"),
        ));
    }
    Ok((size, immediates))
}

/// Bytes of an element of a bound array, and of the operator's; nothing for anything but a plain
/// array or words of strings.
fn strides(spec: &Spec, module: &Module, global: &GlobalVariable, index: usize) -> Option<(usize, usize)> {
    let TypeInner::Array { stride, .. } = module.types[global.ty].inner else {
        return None;
    };
    let element = match spec.inputs {
        Shape::Numbers(strides) => strides.get(index).copied().unwrap_or(spec.output_stride),
        Shape::Strings => match index {
            0 => super::TABLE_STRIDE,
            1 => return None,
            _ => spec.output_stride,
        },
    };
    Some((stride as usize, element))
}

#[cfg(test)]
mod tests;
