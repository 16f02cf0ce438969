//! The virtual machine: a board with a vCPU in it.
//!
//! The metal catches an exception from the guest, hands it to [`Vm::trap`], and does what the
//! [`Next`] says. Everything in between is here, tested on the host with a fake [`Core`].

use crate::units::Ipa;

/// The general state of a vCPU as the metal saves it on every exit.
///
/// An AArch32 guest's registers lie in it as the architecture maps them to X registers
/// (DDI 0487, D1.20.1): r0 to r12 in x0 to x12, SP_usr in x13, and so on to x30.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Vcpu {
    /// X0 to X30.
    pub x: [u64; 31],
    /// ELR_EL2: where the guest goes on.
    pub pc: u64,
    /// SPSR_EL2: the guest's PSTATE or CPSR.
    pub spsr: u64,
}

/// A synchronous exception from the guest, as EL2's syndrome registers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2: the virtual address, for an abort.
    pub far: u64,
    /// From HPFAR_EL2 and FAR_EL2's page offset: where a stage-2 abort was, to the byte.
    pub ipa: Ipa,
}

/// Registers of the guest that the hardware holds while the VM runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SysReg {
    SctlrEl1,
    VbarEl1,
    CpacrEl1,
    ActlrEl1,
    Ttbr0El1,
    Ttbr1El1,
    TcrEl1,
    MairEl1,
    EsrEl1,
    FarEl1,
    ElrEl1,
    SpsrEl1,
    SpEl0,
    SpEl1,
    Ifsr32,
    Dacr32,
    SpsrAbt,
    SpsrUnd,
    SpsrIrq,
    SpsrFiq,
    ContextidrEl1,
    TpidrEl0,
    TpidrroEl0,
    TpidrEl1,
    ParEl1,
    CntvCtl,
    CntvCval,
    Csselr,
    /// CCSIDR_EL1 as CSSELR_EL1 selects it.
    Ccsidr,
    Clidr,
}
