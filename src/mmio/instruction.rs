//! A load or store as the architecture's pseudocode has it after decode, one form for A64, A32
//! and T32.
//!
//! The decoders ([`super::decode`]) make an [`Operation`] of a word; [`super::execute`] carries it
//! out. DDI 0487: C6.2 and C7.2 (A64), F5.1 and F6.1 (A32 and T32).
//!
//! A register number is the instruction's: 0 to 30 for X0 to X30 with 31 for the zero register in
//! A64, 0 to 15 for R0 to R15 of the current mode in A32 and T32.
//!
//! Encodings that the architecture calls CONSTRAINED UNPREDICTABLE are decoded as the plain form
//! where one is plain (a write-back to the register that is loaded, say): the host's CPU has
//! executed the instruction as a load or store, otherwise it had not faulted. The outcome then
//! is one of those that the architecture allows.

use crate::access::Width;

/// One load, store, or what the architecture counts among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One or two general registers.
    General(General),
    /// LDM, STM, PUSH and POP.
    Multiple(Multiple),
    /// SIMD and floating-point registers, whole or their low part.
    Simd(Simd),
    /// LD1 to LD4 and ST1 to ST4, VLD1 to VLD4 and VST1 to VST4.
    Structures(Structures),
    /// A read, an operation and a write as one: LDADD to LDUMIN, SWP, and A32's SWP.
    Atomic(Atomic),
    /// CAS and CASP.
    CompareAndSwap(CompareAndSwap),
    /// RFE: PC and CPSR from memory.
    ReturnFromException(ReturnState),
    /// SRS: LR and SPSR of the current mode to the stack of another.
    StoreReturnState(ReturnState),
    /// TBB and TBH.
    TableBranch(TableBranch),
    /// DC ZVA of the address in this X register.
    ZeroBlock {
        /// The X register; 31 is address 0.
        register: u8,
    },
    /// PRFM, PLD, PLDW, PLI: never faults and moves nothing.
    Prefetch(Address),
    /// LDC and STC.
    Coprocessor(Coprocessor),
}

/// Where an access is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// What the address begins with.
    pub base: Base,
    /// What is added.
    pub offset: Offset,
    /// Whether the access is at the sum, and whether the base takes it.
    pub index: Index,
}

/// What an address begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// A general register: X0 to X30, or R0 to R14 of the current mode.
    Register(u8),
    /// A64's stack pointer, by PSTATE.SP.
    StackPointer,
    /// The PC: the instruction's address in A64; in A32 and T32 that plus 8 or 4, word-aligned.
    Pc,
}

/// What is added to the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// A number of bytes, negative where the instruction subtracts.
    Immediate(i64),
    /// A register's value.
    Register {
        /// Its number.
        register: u8,
        /// Subtracted (A32).
        subtract: bool,
        /// Changed before that.
        modify: Modify,
    },
}

/// What becomes of an offset register's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modify {
    /// LSL by 0 to 31.
    Lsl(u8),
    /// LSR by 1 to 32.
    Lsr(u8),
    /// ASR by 1 to 32.
    Asr(u8),
    /// ROR by 1 to 31.
    Ror(u8),
    /// RRX: by one, through the carry.
    Rrx,
    /// A64's UXTW, then left by 0 to 4.
    Uxtw(u8),
    /// A64's SXTW, then left by 0 to 4.
    Sxtw(u8),
    /// A64's SXTX, then left by 0 to 4.
    Sxtx(u8),
}

/// Whether the access is at the sum, and whether the base takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// At the sum; the base stays.
    Offset,
    /// At the sum; the base becomes it.
    Pre,
    /// At the base; the base becomes the sum.
    Post,
}

/// One or two general registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct General {
    /// Where.
    pub address: Address,
    /// Into the registers.
    pub load: bool,
    /// Of each register's part.
    pub width: Width,
    /// What fills the rest of a loaded register.
    pub extend: Extend,
    /// Rt.
    pub first: u8,
    /// Rt2 of a pair, right behind the first in memory.
    pub second: Option<u8>,
    /// What is special about it.
    pub class: Class,
}

/// What fills the rest of a loaded register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extend {
    /// Zeros.
    Zero,
    /// The sign, up to bit 31; zeros above it.
    Sign32,
    /// The sign, up to bit 63.
    Sign64,
}

/// What is special about a load or store of general registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing. LDNP and STNP are among these.
    Plain,
    /// LDTR, LDRT and such: with the rights of EL0.
    Unprivileged,
    /// LDAR, STLR, LDAPR, LDA, STL: acquire or release.
    Ordered,
    /// LDXR, LDAXR, LDREX, LDAEX.
    LoadExclusive,
    /// STXR, STLXR, STREX, STLEX.
    StoreExclusive {
        /// The register that tells whether the store was done: 0, or 1.
        status: u8,
    },
}

/// Several general registers of AArch32, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiple {
    /// Rn.
    pub base: u8,
    /// Bit n: Rn.
    pub list: u16,
    /// Into the registers.
    pub load: bool,
    /// Where the block lies.
    pub block: Block,
    /// The base becomes the address behind (or before) the block.
    pub write_back: bool,
    /// Which registers.
    pub bank: Bank,
}

/// How a block of words lies about its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// IA: from the base on.
    IncrementAfter,
    /// IB: from the word above it on.
    IncrementBefore,
    /// DA: up to and with the word at the base.
    DecrementAfter,
    /// DB: up to the word below it.
    DecrementBefore,
}

/// Which registers a multiple moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// The current mode's.
    Current,
    /// User mode's: `^` without PC in a load's list.
    User,
    /// The current mode's, and CPSR from SPSR: a load with `^` and PC.
    ExceptionReturn,
}

/// SIMD and floating-point registers, whole or their low part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simd {
    /// Where. Of VLDM and VSTM: [`Index::Post`] is IA with write-back, [`Index::Pre`] DB, and the
    /// offset is what the base moves by, which of FLDMX is a word more than the registers take.
    pub address: Address,
    /// Into the registers.
    pub load: bool,
    /// What the numbers name.
    pub view: View,
    /// Bytes of each as a power of two: 0 to 4.
    pub log2_bytes: u8,
    /// Which registers.
    pub registers: Registers,
}

/// What SIMD register numbers name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A64's V0 to V31; a load clears what it does not fill.
    V,
    /// AArch32's D0 to D31, two in each V.
    D,
    /// AArch32's S0 to S31, four in each of V0 to V7.
    S,
}

/// Which SIMD registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// Successive ones.
    Run {
        /// The first.
        first: u8,
        /// How many, 1 to 32. Numbers beyond 31 are no registers: AArch32 calls that
        /// UNPREDICTABLE.
        count: u8,
    },
    /// LDP, STP: any two.
    Pair(u8, u8),
}

/// Structures of one to four elements, over as many registers.
///
/// For each repeat r, each lane, and each element s of the structure, in this order: the
/// element's register is `first + r + s * spacing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structures {
    /// Where. With write-back it is [`Index::Post`].
    pub address: Address,
    /// Into the registers.
    pub load: bool,
    /// V or D.
    pub view: View,
    /// Of V: the registers are 128 bits wide; otherwise 64.
    pub quad: bool,
    /// Rt or Vd.
    pub first: u8,
    /// How often with the next registers: 1 to 4. Of [`Lane::Replicate`] in VLD1: how many
    /// registers take the one element, 1 or 2.
    pub repeat: u8,
    /// Elements of a structure, 1 to 4.
    pub structure: u8,
    /// Between the registers of a structure, 1 or 2.
    pub spacing: u8,
    /// Bytes of an element as a power of two, 0 to 3.
    pub log2_element: u8,
    /// Which lanes.
    pub lane: Lane,
    /// The alignment in bytes that the instruction itself asks for; 1 is none.
    pub align: u8,
}

/// Which lanes of the registers take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// All of them.
    All,
    /// One; the others keep what they have.
    One(u8),
    /// One structure goes to all of them.
    Replicate,
}

/// A read, an operation and a write as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Atomic {
    /// The address.
    pub base: Base,
    /// What is done with the value in memory.
    pub change: Change,
    /// Bytes moved.
    pub width: Width,
    /// Rs: the other operand.
    pub source: u8,
    /// Rt: takes what was in memory.
    pub target: u8,
}

/// What an atomic does with the value in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// LDADD.
    Add,
    /// LDCLR: AND NOT.
    Clear,
    /// LDEOR.
    Eor,
    /// LDSET: OR.
    Set,
    /// LDSMAX.
    SignedMax,
    /// LDSMIN.
    SignedMin,
    /// LDUMAX.
    UnsignedMax,
    /// LDUMIN.
    UnsignedMin,
    /// SWP.
    Swap,
}

/// CAS, or CASP of the register pairs that begin with `compare` and `new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareAndSwap {
    /// The address.
    pub base: Base,
    /// Of each register's part.
    pub width: Width,
    /// Rs: what memory must hold, and takes what it held.
    pub compare: u8,
    /// Rt: what memory then gets.
    pub new: u8,
    /// CASP.
    pub pair: bool,
}

/// RFE and SRS: two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnState {
    /// RFE: Rn. SRS: the mode whose SP is the base.
    pub base: u8,
    /// Where the two words lie.
    pub block: Block,
    /// The base moves by 8.
    pub write_back: bool,
}

/// TBB and TBH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableBranch {
    /// Rn; 15 is the PC.
    pub base: u8,
    /// Rm.
    pub index: u8,
    /// TBH: entries of two bytes, and the index counts those.
    pub half: bool,
}

/// LDC and STC. ARMv8 has only those of CP14's DTR, which trap to EL2 before they access memory;
/// all others are UNDEFINED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coprocessor {
    /// Where. [`Index::Offset`] with an offset of 0 is the unindexed form's.
    pub address: Address,
    /// From memory.
    pub load: bool,
    /// The coprocessor's number.
    pub number: u8,
    /// CRd.
    pub register: u8,
    /// LDCL, STCL.
    pub long: bool,
}
