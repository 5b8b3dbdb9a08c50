//! Structures that kernels read and write, with the layout that `kernels/device.cuh` gives them.

/// A row of a pass: one loop of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Row {
    pub token: u32,
    pub position: u32,
    pub r#loop: u32,
    pub reserved: u32,
}

/// What one loop of a sequence keeps; addresses are of device memory, 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Loop {
    /// f16, [layer, kv head, slot, head dimension]; the slot of a position is `position - base`.
    pub keys: u64,
    pub values: u64,
    /// float, [position, hidden], whatever the base; 0 for the last loop.
    pub carried: u64,
    pub base: u32,
    /// Slots.
    pub capacity: u32,
}

/// The most loops that a kernel knows.
pub const MAX_LOOPS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Sequence {
    pub loops: [Loop; MAX_LOOPS],
    /// Positions that `carried` has room for.
    pub capacity: u32,
    pub n_loops: u32,
    /// Keys before the own position that a later loop sees.
    pub window: u32,
    pub reserved: u32,
}

/// The addresses of an [`OperandBuffer`](crate::OperandBuffer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Operand {
    pub bf16: u64,
    pub integers: u64,
    pub scales: u64,
}

/// The addresses and the shape of a [`Matrix`](crate::Matrix).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Weights {
    pub numbers: u64,
    pub scales: u64,
    pub n_outputs: u32,
    pub n_inputs: u32,
    pub group: u32,
    pub scale_type: u32,
}

/// A token that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Choice {
    pub token: u32,
    pub log_probability: f32,
    /// 0 if no usable logit was finite.
    pub is_finite: u32,
    /// That of the row whose logits these were.
    pub position: u32,
}

// The kernels assert the same numbers.
const _: () = assert!(
    size_of::<Row>() == 16
        && size_of::<Loop>() == 32
        && size_of::<Sequence>() == 144
        && size_of::<Operand>() == 24
        && size_of::<Weights>() == 32
        && size_of::<Choice>() == 16
);
