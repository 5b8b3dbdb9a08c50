//! NVRTC, the compiler of CUDA's toolkit, where its library is installed.
#![expect(unsafe_code, reason = "calls into a compiler's library")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use cudarc::nvrtc::result::{NvrtcError, compile_program, destroy_program, get_program_log};
use cudarc::nvrtc::sys;

use crate::image::parts::{Source, Target};

/// As `kernels/build.py` compiles them.
const OPTIONS: &[&str] = &["--std=c++17"];

pub(super) fn is_present() -> bool {
    // SAFETY: loads the compiler's library, whose initialisers do nothing to this program.
    unsafe { sys::is_culib_present() }
}

/// Machine code of one source, or why there is none, in one line.
pub(super) fn compile(
    source: &Source,
    headers: &[Source],
    target: Target,
) -> Result<Vec<u8>, String> {
    if !is_present() {
        return Err("libnvrtc, which could compile them, is not installed".to_owned());
    }
    let program = Program::new(source, headers).map_err(|error| describe(source, &error))?;
    let mut options: Vec<_> = OPTIONS.iter().map(|option| (*option).to_owned()).collect();
    options.push(format!("--gpu-architecture={target}"));
    program.compile(&options).map_err(|error| {
        // Its first line names the first mistake.
        let log = program.log();
        format!("{}: {}", describe(source, &error), log.lines().next().unwrap_or_default())
    })?;
    program.code().map_err(|error| describe(source, &error))
}

fn describe(source: &Source, error: &NvrtcError) -> String {
    format!("NVRTC of {}: {:?}", source.name, error.0)
}

struct Program {
    program: sys::nvrtcProgram,
    /// The program may refer to its texts.
    _texts: Vec<CString>,
}

impl Program {
    fn new(source: &Source, headers: &[Source]) -> Result<Self, NvrtcError> {
        let invalid = || NvrtcError(sys::nvrtcResult::NVRTC_ERROR_INVALID_INPUT);
        let mut texts = Vec::new();
        for Source { name, text } in [source].into_iter().chain(headers) {
            texts.push(CString::new(text.clone()).map_err(|_| invalid())?);
            texts.push(CString::new(name.clone()).map_err(|_| invalid())?);
        }
        let place = |text: &CString| text.as_ptr();
        let bodies: Vec<*const c_char> = texts.iter().skip(2).step_by(2).map(place).collect();
        let names: Vec<*const c_char> = texts.iter().skip(3).step_by(2).map(place).collect();
        let n_headers = c_int::try_from(headers.len()).map_err(|_| invalid())?;
        let mut program = ptr::null_mut();
        // SAFETY: all texts end with zero and live as long as the program; both lists have as many as is said.
        unsafe {
            sys::nvrtcCreateProgram(
                &raw mut program,
                place(&texts[0]),
                place(&texts[1]),
                n_headers,
                bodies.as_ptr(),
                names.as_ptr(),
            )
        }
        .result()?;
        Ok(Self { program, _texts: texts })
    }

    fn compile(&self, options: &[String]) -> Result<(), NvrtcError> {
        // SAFETY: the program was made and is destroyed on drop alone.
        unsafe { compile_program(self.program, options) }
    }

    fn log(&self) -> String {
        // SAFETY: as above.
        let log = unsafe { get_program_log(self.program) }.unwrap_or_default();
        let bytes: Vec<u8> = log.iter().map(|byte| byte.cast_unsigned()).collect();
        CStr::from_bytes_until_nul(&bytes)
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn code(&self) -> Result<Vec<u8>, NvrtcError> {
        let mut n_bytes = 0;
        // SAFETY: as above, and the place is valid.
        unsafe { sys::nvrtcGetCUBINSize(self.program, &raw mut n_bytes) }.result()?;
        let mut code = vec![0_u8; n_bytes];
        // SAFETY: the buffer has as many bytes as were said to come.
        unsafe { sys::nvrtcGetCUBIN(self.program, code.as_mut_ptr().cast()) }.result()?;
        Ok(code)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was made, and nobody uses it any more.
        let _ = unsafe { destroy_program(self.program) };
    }
}
