//! Projections y = x W^T and embedding tables.

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::kernels::{self, Instructions};
use crate::layout::{Layout, Packing};
use crate::matrix::Matrix;
use crate::operand::Operand;
use crate::panel::{PANEL, Stripes};
use crate::pool;
use crate::product;

/// Most rows for which integers are read where they lie; of more, it pays to bring them into another order.
const FEW_ROWS: usize = 16;

/// Parts of the work for each thread: enough that none waits long for another, few enough that each reads on.
const PARTS_PER_THREAD: usize = 4;

/// A matrix [out, in]: for the reference converted and in double precision, else as it is stored.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    Dense(Tensor),
    Matrix(Matrix),
}

/// Activations in the forms that the parts of a projection ask for.
#[derive(Debug, Default)]
pub(crate) struct Operands {
    /// One for each of [`crate::layout::Activations`].
    forms: [Operand; 4],
    /// The same for products of many rows, in pairs and in fours.
    stripes: [[Stripes; 2]; 4],
}

impl Operands {
    /// Which stripes a layout is multiplied with; none if its weights are floats.
    fn place(layout: Layout) -> Option<(usize, usize)> {
        let in_pairs = layout.packing()? == Packing::Pairs;
        Some((layout.activations() as usize, in_pairs.into()))
    }

    /// Takes over `x` for a part; where its stripes are asked for, these too.
    fn fill(&mut self, layout: Layout, x: &[f32], n_inputs: usize, with_stripes: bool) {
        let activations = layout.activations();
        let form = &mut self.forms[activations as usize];
        form.fill(activations, x, n_inputs);
        if with_stripes
            && let (Some((i, j)), Some(packing)) = (Self::place(layout), layout.packing())
        {
            self.stripes[i][j].fill(activations, packing, form);
        }
    }
}

/// y = x W^T, with W stored [out, in] in one part or several, one below the other.
#[derive(Debug)]
pub(crate) struct Linear {
    dense: Option<Tensor>,
    parts: Vec<Matrix>,
    n_outputs: usize,
}

impl Linear {
    pub(crate) fn new(weight: Stored) -> Result<Self, Error> {
        Self::stacked(vec![weight])
    }

    /// Several projections of the same input, whose outputs stand side by side in this order.
    pub(crate) fn stacked(weights: Vec<Stored>) -> Result<Self, Error> {
        let mut linear = Self { dense: None, parts: Vec::new(), n_outputs: 0 };
        let mut tensors = Vec::new();
        for weight in weights {
            match weight {
                Stored::Dense(tensor) => tensors.push(tensor),
                Stored::Matrix(matrix) => {
                    linear.n_outputs += matrix.n_outputs();
                    linear.parts.push(matrix);
                }
            }
        }
        if !tensors.is_empty() {
            // Transposed once, so that products need not do it.
            linear.dense = Some(Tensor::cat(&tensors, 0)?.t()?);
        }
        Ok(linear)
    }

    /// Of weights that are not dense tensors.
    pub(crate) fn n_inputs(&self) -> usize {
        self.parts.first().map_or(0, Matrix::n_inputs)
    }

    /// [rows, in] to [rows, out].
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        if let Some(dense) = &self.dense {
            return Ok(x.matmul(dense)?);
        }
        let n_rows = x.dim(0)?;
        let rows = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let mut out = Vec::new();
        self.apply(&rows, &mut Operands::default(), &mut out);
        Ok(Tensor::from_vec(out, (n_rows, self.n_outputs), &Device::Cpu)?.to_dtype(x.dtype())?)
    }

    /// `x` of [rows, in] to `out` of [rows, out], for weights that are not dense tensors.
    pub(crate) fn apply(&self, x: &[f32], operands: &mut Operands, out: &mut Vec<f32>) {
        let n_inputs = self.n_inputs();
        let n_rows = x.len().checked_div(n_inputs).unwrap_or(0);
        out.resize(n_rows * self.n_outputs, 0.0);
        let of_part = |part: &Matrix| (part.layout().activations(), Operands::place(part.layout()));
        for (i, part) in self.parts.iter().enumerate() {
            if !self.parts[..i].iter().any(|other| of_part(other) == of_part(part)) {
                operands.fill(part.layout(), x, n_inputs, FEW_ROWS < n_rows);
            }
        }
        let operands = &*operands;
        let instructions = Instructions::best();
        let step = self.n_outputs.div_ceil(pool::n_threads() * PARTS_PER_THREAD);
        let step = step.next_multiple_of(PANEL);
        pool::for_each_columns(out, self.n_outputs, step, |mut columns| {
            let range = columns.range();
            let mut above = 0;
            for part in &self.parts {
                let start = range.start.clamp(above, above + part.n_outputs());
                let end = range.end.clamp(above, above + part.n_outputs());
                let outputs = start - above..end - above;
                above += part.n_outputs();
                if outputs.is_empty() {
                    continue;
                }
                let (view, skipped) = (part.view(), start - range.start);
                match Operands::place(part.layout()) {
                    Some((i, j)) if FEW_ROWS < n_rows => {
                        let x = (&operands.stripes[i][j], n_rows);
                        product::multiply(instructions, &view, outputs, x, &mut columns, skipped);
                    }
                    _ => {
                        let x = &operands.forms[part.layout().activations() as usize];
                        kernels::multiply(instructions, &view, outputs, x, &mut columns, skipped);
                    }
                }
            }
        });
    }
}

/// A vector per token, [vocab, hidden].
#[derive(Debug)]
pub(crate) struct Table {
    rows: Stored,
}

impl Table {
    pub(crate) fn new(rows: Stored) -> Self {
        Self { rows }
    }

    /// [tokens, hidden]; every token lies within the table.
    pub(crate) fn look_up(&self, tokens: &[u32]) -> Result<Tensor, Error> {
        match &self.rows {
            Stored::Dense(rows) => Ok(rows.index_select(&Tensor::new(tokens, rows.device())?, 0)?),
            Stored::Matrix(matrix) => {
                let mut values = vec![0.0; tokens.len() * matrix.n_inputs()];
                self.read(tokens, &mut values);
                Ok(Tensor::from_vec(values, (tokens.len(), matrix.n_inputs()), &Device::Cpu)?)
            }
        }
    }

    /// The same into `out`, for a table that is no dense tensor.
    pub(crate) fn read(&self, tokens: &[u32], out: &mut [f32]) {
        let Stored::Matrix(matrix) = &self.rows else { return };
        let view = matrix.view();
        for (token, out) in tokens.iter().zip(out.chunks_exact_mut(matrix.n_inputs())) {
            view.row(*token as usize).dequantise(out);
        }
    }
}
