//! A data abort of an instruction on a board: decoded, carried out, or refused.
//!
//! An input says which board and policies, the guest's state, where its registers point, what lies
//! there and in the page behind it, the instruction, what the trap tells of it (the truth, or
//! not), and the code that follows it. It is run twice: by `mmio::execute` against a memory that
//! counts and may fail at one access, and by `Vm::trap` against the board.
//!
//! | bytes | what they are |
//! |---|---|
//! | 0 | the variant of the board; 7 in the top bits: any syndrome, not only a data abort |
//! | 1 | mode, instruction set, data's order, vectors |
//! | 2 | what the trap's address is; alignment checks, memory type, whether the syndrome is valid |
//! | 3 | what lies where the registers point, and in the page behind |
//! | 4, 5 | where in the page; whether the page is where its address says |
//! | 6 to 9 | the instruction |
//! | 10 | what stage 1 refuses; which access fails |
//! | 11 | flags, IT state |
//! | 12 | where the instruction lies, its block of DC ZVA |
//! | 13, 14 | the rest of the syndrome |
//! | 15 to 18 | the seed of the registers |
//! | 19 on | the code behind the instruction |

use super::board::{self, Variant};
use super::core::{Bench, Page, bank_of};
use super::operation::{self, ELEMENTS_MAX, ZERO_BLOCK_MAX};
use super::record::{Bytes, Noise, Recorder};
use reliquary::access::Width;
use reliquary::board::plan::Exclusives;
use reliquary::mmio::decode::{State, decode};
use reliquary::mmio::execute::execute;
use reliquary::mmio::instruction::{Class, General, Operation};
use reliquary::mmio::transfer::is_big_endian;
use reliquary::units::Ipa;
use reliquary::vcpu::{Vcpu, mode, psr, with_it_state};
use reliquary::vm::inject::{self, vector};
use reliquary::vm::{Core, Next, SysReg, Trap, Vm};

/// The most bytes of an input that mean something: 16 instructions behind the first.
pub const BYTES: usize = 19 + 64;

const CODE: u64 = board::RAM + 0x2000;
/// What an exception leaves in its status registers is none of these.
const UNTOUCHED: u64 = 0x5ca1_ab1e;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The instruction was carried out.
    Done,
    /// The guest took an exception.
    Exception,
    /// The instruction was not fetched, and is tried again.
    Again,
    /// A load-exclusive's sequence was gone through.
    Sequence,
    /// The VM stopped.
    Stopped,
    /// Any trap but a data abort; only that it is answered was looked at.
    Other,
}

/// The boards, built once; each input finds them reset.
pub struct Boards(Vec<(Vm, Bench)>);

impl Boards {
    pub fn new() -> Self {
        Self(board::VARIANTS.iter().map(built).collect())
    }

    /// Runs one input.
    pub fn run(&mut self, input: &[u8]) -> Outcome {
        let mut input = Bytes(input);
        let first = input.byte();
        let which = usize::from(first & 0x1f) % self.0.len();
        let (vm, bench) = &mut self.0[which];
        bench.restore();
        vm.reset(bench);
        let variant = &board::VARIANTS[which];
        let case = Case::read(variant, vm.cpu().aarch64, bench, &mut input);
        if first >> 5 == 7 {
            return case.any_trap(vm, bench);
        }
        let operation = case.fetched(bench).map(|(state, word)| decode(state, word));
        let operation = operation.and_then(Result::ok);
        let seen = operation.map(|op| case.by_itself(&op, bench));
        let trap = case.trap(seen.as_ref(), bench);
        case.on_the_board(variant, vm, bench, operation, trap)
    }
}

fn built(variant: &Variant) -> (Vm, Bench) {
    let plan = board::plan(variant);
    let mut vm = Vm::new("fuzzed", &plan, 62_500_000).unwrap_or_else(|e| panic!("{e}"));
    let mut bench = Bench::new();
    let regs = Vcpu {
        pc: CODE,
        spsr: if vm.cpu().aarch64 {
            psr::EL1H
        } else {
            mode::SVC
        },
        ..Vcpu::default()
    };
    bench.apart = variant.hides_spsr.then_some((mode::SVC, 0));
    vm.enter(0, &regs, &mut bench);
    (vm, bench)
}

/// Mode, instruction set, order of data, flags and IT state.
fn program_status(aarch64: bool, state: u8, status: u64) -> u64 {
    const MODES: [u64; 8] = [
        mode::SVC,
        mode::USR,
        mode::FIQ,
        mode::IRQ,
        mode::ABT,
        mode::UND,
        mode::SYS,
        mode::SVC,
    ];
    let flags = status << 28 & 0xf000_0000;
    if aarch64 {
        return match state & 7 {
            0..=2 => psr::EL1H | flags,
            3 => 4 | flags, // EL1t
            4 => flags,     // EL0t
            5 => mode::USR | flags,
            6 => mode::USR | psr::E,
            _ => with_it_state(mode::USR | psr::T, status),
        };
    }
    let m = MODES[usize::from(state & 7)] | if state & 0x10 != 0 { psr::E } else { 0 };
    if state & 8 == 0 {
        m | flags
    } else {
        with_it_state(m | psr::T, status)
    }
}

/// The page where the registers point, and the one behind it.
fn pages(what: u8, place: u64, refusals: u8, width: u64, noise: &mut Noise) -> [Page; 2] {
    let mut target = |n: u8| match n & 0xf {
        0..=3 => board::DEVICE,
        4 => board::DEVICE + board::DEVICE_BYTES - board::PAGE,
        5 | 6 => board::RAM,
        7 => board::UART,
        8 | 9 => board::TAPPED,
        10 => board::GIC,
        11 => board::GIC + board::PAGE,
        12 => board::ROM,
        13 => board::NOWHERE,
        14 => board::RAM + board::RAM_BYTES - board::PAGE,
        _ => noise.next() & 0xffff_f000,
    };
    let (here, behind) = (target(what), target(what >> 4));
    let va = width
        & match place >> 12 {
            0..=7 => here,
            8..=11 => 0x4000_0000,
            12 | 13 => noise.next() & 0x0000_ffff_ffff_f000,
            _ => !0xfff,
        };
    // PAR_EL1: a permission fault, a translation fault, or S: stage 2's.
    let par = match refusals & 0xc {
        0 | 4 => 0x0f << 1,
        8 => 0x07 << 1,
        _ => 1 << 9 | 0x07 << 1,
    };
    [
        Page {
            va,
            ipa: here,
            ..Page::default()
        },
        Page {
            va: va.wrapping_add(0x1000) & width,
            ipa: behind,
            par,
            refuses_reads: refusals & 1 != 0,
            refuses_writes: refusals & 2 != 0,
        },
    ]
}

/// Registers that point to `aim` or near it, that are small, or anything.
fn fill(regs: &mut Vcpu, bench: &mut Bench, aim: u64, width: u64, noise: &mut Noise) {
    let mut value = || {
        let n = noise.next();
        let near = (n >> 8 & 0x1f).wrapping_mul(1 << (n >> 16 & 3));
        width
            & match n & 7 {
                0..=2 => aim,
                3 => aim.wrapping_add(near),
                4 => aim.wrapping_sub(near),
                5 => near,
                _ => n >> 3,
            }
    };
    regs.x.fill_with(&mut value);
    bench.set(SysReg::SpEl0, value() & !0xf);
    bench.set(SysReg::SpEl1, value() & !0xf);
    for m in [mode::SVC, mode::ABT, mode::UND, mode::IRQ, mode::FIQ] {
        if let Some(bank) = bank_of(m) {
            bench.set(bank, noise.next() & 0xffff_ffff);
        }
    }
    bench
        .simd
        .fill_with(|| u128::from(noise.next()) << 64 | u128::from(noise.next()));
}

/// Where the link of an exception is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// ELR_EL1.
    Elr,
    /// The X register of LR_abt or LR_und.
    X(usize),
}

/// An input, read.
struct Case {
    regs: Vcpu,
    /// Where the registers point.
    aim: u64,
    /// Byte 2.
    flags: u8,
    /// Bytes 13 and 14.
    iss: [u8; 2],
    /// The access that fails when the instruction is run by itself.
    fails: Option<u64>,
    noise: Noise,
}

impl Case {
    fn read(variant: &Variant, aarch64: bool, bench: &mut Bench, input: &mut Bytes<'_>) -> Self {
        let state = input.byte();
        let flags = input.byte();
        let what = input.byte();
        let place = u64::from(input.byte()) | u64::from(input.byte()) << 8;
        let word = input.word();
        let refusals = input.byte();
        let status = u64::from(input.byte());
        let site = input.byte();
        let iss = [input.byte(), input.byte()];
        let mut noise = input.noise();

        let spsr = program_status(aarch64, state, status);
        let a32 = spsr & psr::AARCH32 != 0;
        let width = if a32 { 0xffff_ffff } else { u64::MAX };

        let sctlr = u64::from(flags >> 2 & 1) << 1 // A
            | u64::from(flags >> 3 & 1) // M
            | u64::from(state >> 5 & 1) << 13 // V
            | u64::from(state >> 6 & 1) << 30 // TE
            | (u64::from(state >> 7) * 3) << 24; // EE and E0E
        bench.set(SysReg::SctlrEl1, sctlr);
        bench.set(SysReg::VbarEl1, board::RAM + 0x800 * u64::from(site >> 7));
        bench.set(SysReg::EsrEl1, UNTOUCHED);
        bench.set(SysReg::ElrEl1, UNTOUCHED);
        bench.device = flags & 0x10 == 0;
        bench.cached = flags & 0x20 != 0;
        bench.zero_block = 8 << u32::from(site & 0xf).min(8);
        bench.stepping = false;

        bench.pages = pages(what, place, refusals, width, &mut noise);
        let aim = bench.pages[0].va | place & 0xfff;

        let mut regs = Vcpu {
            spsr,
            pc: match site >> 4 & 7 {
                0..=4 => CODE,
                5 if spsr & psr::T != 0 && a32 => CODE + 0xffe,
                5 => CODE + 0xffc,
                6 => board::ROM + 0x80,
                _ => board::NOWHERE + 0x100,
            },
            ..Vcpu::default()
        };
        fill(&mut regs, bench, aim, width, &mut noise);
        bench.apart = variant
            .hides_spsr
            .then(|| (regs.mode(), noise.next() & 0xffff_ffff));

        let halves = if regs.is_thumb() && word >> 27 >= 0b11101 {
            word.rotate_left(16)
        } else {
            word
        };
        let short = regs.is_thumb() && word >> 27 < 0b11101;
        let bytes = halves.to_le_bytes();
        let code = bench.page(regs.pc).ipa | regs.pc & 0xfff;
        let first = if short { &bytes[..2] } else { &bytes[..] };
        bench.put(code, first);
        let rest = input.0.get(..64).unwrap_or(input.0);
        bench.put(code + first.len() as u64, rest);
        Self {
            regs,
            aim,
            flags,
            iss,
            fails: (refusals >> 4).checked_sub(1).map(u64::from),
            noise,
        }
    }

    /// The instruction at PC, as the VM finds it.
    fn fetched(&self, bench: &mut Bench) -> Option<(State, u32)> {
        let regs = &self.regs;
        let mut half = |at: u64| {
            let mut bytes = [0; 2];
            bench
                .code(at, &mut bytes)
                .map(|()| u32::from(u16::from_le_bytes(bytes)))
        };
        let first = half(regs.pc)?;
        if !regs.is_aarch32() {
            return Some((State::A64, first | half(regs.pc + 2)? << 16));
        }
        if !regs.is_thumb() {
            return Some((State::A32, first | half(regs.pc + 2)? << 16));
        }
        if first >> 11 < 0b11101 {
            return Some((State::T32, first));
        }
        Some((State::T32, first << 16 | half(regs.pc + 2)?))
    }

    fn length(&self, bench: &mut Bench) -> u64 {
        match self.fetched(bench) {
            Some((State::T32, word)) if word >> 16 == 0 => 2,
            _ => 4,
        }
    }

    /// Runs the instruction against a memory that counts, without a fault and with one.
    fn by_itself(&self, op: &Operation, bench: &mut Bench) -> Recorder {
        let clean = Recorder {
            simd: bench.simd,
            stack_pointers: [bench.get(SysReg::SpEl0), bench.get(SysReg::SpEl1)],
            status: bench.get(SysReg::SpsrIrq),
            zero_block: bench.zero_block,
            count: 0,
            first: None,
            beyond: None,
            fails: None,
        };
        let length = self.length(bench);
        let big_endian = is_big_endian(&self.regs, bench.get(SysReg::SctlrEl1));
        let most = operation::elements(op, bench.zero_block);
        let mut whole = None;
        for fails in [None, self.fails] {
            let mut memory = Recorder {
                fails,
                ..clean.clone()
            };
            let mut regs = self.regs.clone();
            let ended = execute(op, length as u8, big_endian, &mut regs, &mut memory);
            assert!(memory.count <= most, "{} accesses: {op:?}", memory.count);
            if ended.is_ok() {
                let swaps = matches!(op, Operation::CompareAndSwap(_));
                assert!(
                    swaps || memory.count == most,
                    "{} accesses: {op:?}",
                    memory.count
                );
                assert_eq!(
                    fails.filter(|n| *n < memory.count),
                    None,
                    "a fault went unnoticed: {op:?}"
                );
                self.only_what_it_names(op, length, &regs);
                let named = operation::writes_simd(op);
                for (n, (before, after)) in clean.simd.iter().zip(&memory.simd).enumerate() {
                    assert!(before == after || named >> n & 1 != 0, "V{n}: {op:?}");
                }
                assert!(
                    clean.stack_pointers == memory.stack_pointers
                        || operation::moves_stack_pointer(op)
                );
            } else {
                assert_eq!(regs, self.regs, "{op:?}");
                assert_eq!(clean.simd, memory.simd, "{op:?}");
                assert_eq!(clean.stack_pointers, memory.stack_pointers, "{op:?}");
            }
            whole.get_or_insert(memory);
        }
        whole.unwrap_or(clean)
    }

    /// PC and IT state have moved on, and no other register than the operation's has changed.
    fn only_what_it_names(&self, op: &Operation, length: u64, after: &Vcpu) {
        let named = operation::writes(op, &self.regs);
        for (n, (b, a)) in self.regs.x.iter().zip(&after.x).enumerate() {
            assert!(b == a || named >> n & 1 != 0, "X{n} {b:#x} {a:#x}: {op:?}");
        }
        if self.regs.is_aarch32() {
            assert!(
                after.x.iter().all(|x| x >> 32 == 0) && after.pc >> 32 == 0,
                "{op:?}"
            );
        }
        if !operation::branches(op, &self.regs) {
            self.moved_on(length, after);
        }
    }

    fn moved_on(&self, length: u64, after: &Vcpu) {
        let mut next = self.regs.clone();
        next.advance(length);
        assert_eq!(
            (after.pc, after.spsr),
            (next.pc, next.spsr),
            "PC and status"
        );
    }

    /// The trap of the access that was seen first, or of one that was not.
    fn trap(&self, seen: Option<&Recorder>, bench: &Bench) -> Trap {
        let first = seen.and_then(|seen| seen.first);
        let beyond = seen.and_then(|seen| seen.beyond);
        let far = match self.flags & 3 {
            0 => first.map_or(self.aim, |(at, ..)| at),
            1 => beyond.map_or(self.aim, |at| at),
            2 => self.aim,
            _ => self.noise.clone().next(),
        };
        let ipa = bench.page(far).ipa | far & 0xfff;
        let write = first.map_or(self.iss[0] & 1 != 0, |(.., write)| write);
        let (low, register) = (u64::from(self.iss[0]), u64::from(self.iss[1] & 31));
        let mut iss = u64::from(write) << 6;
        if self.flags >> 6 == 3 {
            let width = match first {
                Some((_, width, _)) if low & 2 == 0 => match width {
                    Width::Byte => 0,
                    Width::Half => 1,
                    Width::Word => 2,
                    Width::Double => 3,
                },
                _ => low >> 2 & 3,
            };
            iss |= 1 << 24
                | width << 22
                | (low >> 4 & 1) << 21
                | register << 16
                | (low >> 5 & 1) << 15;
        }
        // Translation faults; else cache maintenance, a walk, or any status.
        iss |= match self.iss[1] >> 5 {
            0..=4 => 7,
            5 => 1 << 8 | 7,
            6 => 1 << 7 | 7,
            _ => low >> 2,
        };
        let long = if self.length_of_il() { 1 << 25 } else { 0 };
        Trap {
            esr: 0x24 << 26 | long | iss,
            far,
            ipa: Ipa(ipa),
        }
    }

    /// ESR_EL2.IL of a valid syndrome is the instruction's length; of others it is 1.
    fn length_of_il(&self) -> bool {
        self.flags >> 6 != 3 || !self.regs.is_thumb() || self.iss[0] & 0x80 != 0
    }

    fn any_trap(mut self, vm: &mut Vm, bench: &mut Bench) -> Outcome {
        let esr = self.noise.next() & 0xffff_ffff;
        let trap = Trap {
            esr,
            far: self.aim,
            ipa: Ipa(bench.page(self.aim).ipa | self.aim & 0xfff),
        };
        if vm.trap(0, &mut self.regs, bench, trap) == Next::Stop {
            assert!(vm.report().is_some());
        }
        Outcome::Other
    }

    /// Runs the trap, and looks at everything that it left.
    fn on_the_board(
        &self,
        variant: &Variant,
        vm: &mut Vm,
        bench: &mut Bench,
        op: Option<Operation>,
        trap: Trap,
    ) -> Outcome {
        let length = self.length(bench);
        let (simd, system) = (bench.simd, bench.registers);
        let vectors = inject::vectors(bench);
        let mut regs = self.regs.clone();
        let next = vm.trap(0, &mut regs, bench, trap);
        let accesses = bench.memory.count.get() + bench.host;
        let most = if op.as_ref().is_some_and(operation::is_zero_block) {
            ZERO_BLOCK_MAX
        } else {
            ELEMENTS_MAX
        };
        assert!(accesses <= most, "{accesses} accesses: {op:?}");
        self.system_registers(&system, bench, op.as_ref());
        let before = &self.regs;
        if next == Next::Stop {
            assert!(vm.report().is_some());
            assert_eq!(
                (&regs, bench.simd),
                (before, simd),
                "the report shows what was"
            );
            return Outcome::Stopped;
        }
        assert_eq!(next, Next::Resume, "no device here asks for anything");

        let sequence = matches!(
            op,
            Some(Operation::General(General {
                class: Class::LoadExclusive,
                ..
            }))
        ) && variant.exclusives == Exclusives::CarryOut;
        if let Some(link) = self.exception(vm.cpu().aarch64, vectors, &regs, bench) {
            for (n, (b, a)) in before.x.iter().zip(&regs.x).enumerate() {
                assert!(b == a || Link::X(n) == link, "X{n} at an exception: {op:?}");
            }
            assert_eq!(bench.simd, simd, "{op:?}");
            return Outcome::Exception;
        }
        if regs == *before && self.fetched(bench).is_none() {
            return Outcome::Again;
        }
        if sequence {
            assert_eq!(bench.simd, simd, "{op:?}");
            return Outcome::Sequence;
        }
        self.carried_out(op.as_ref(), trap, length, &regs);
        let named = op.as_ref().map_or(0, operation::writes_simd);
        for (n, (before, after)) in simd.iter().zip(&bench.simd).enumerate() {
            assert!(before == after || named >> n & 1 != 0, "V{n}: {op:?}");
        }
        Outcome::Done
    }

    fn carried_out(&self, op: Option<&Operation>, trap: Trap, length: u64, regs: &Vcpu) {
        let (valid, cache) = (trap.esr >> 24 & 1 != 0, trap.esr >> 8 & 1 != 0);
        // r15 is in no valid syndrome of AArch32.
        let named = !self.regs.is_aarch32() || !matches!(trap.esr >> 16 & 31, 15 | 31);
        if cache || valid && named && trap.ipa.0 & 0xfff != 0 {
            // By the syndrome alone, whatever the instruction is.
            let long = if cache || trap.esr >> 25 & 1 != 0 {
                4
            } else {
                2
            };
            if cache || trap.ipa.0.trailing_zeros() >= 3 {
                self.moved_on(long, regs);
                let changed = self
                    .regs
                    .x
                    .iter()
                    .zip(&regs.x)
                    .filter(|(b, a)| b != a)
                    .count();
                assert!(changed <= 1);
                return;
            }
        }
        match op {
            Some(op) if !valid => self.only_what_it_names(op, length, regs),
            None if !valid => panic!("carried out, but no load or store"),
            // Either way is open: the syndrome, or the instruction.
            _ => {}
        }
    }

    /// None but those of an exception, and the stack pointer of a write-back.
    fn system_registers(&self, before: &[u64], bench: &Bench, op: Option<&Operation>) {
        let mut free = of_exceptions();
        if op.is_some_and(operation::moves_stack_pointer) {
            free |= 1 << SysReg::SpEl0 as u32 | 1 << SysReg::SpEl1 as u32;
        }
        for (n, (b, a)) in before.iter().zip(&bench.registers).enumerate() {
            assert!(b == a || free >> n & 1 != 0, "system register {n}: {op:?}");
        }
        // A64 at EL0 has SP_EL0 alone.
        if self.regs.mode() == 0 {
            let sp = SysReg::SpEl1 as usize;
            assert_eq!(before[sp], bench.registers[sp]);
        }
    }

    /// Whether the guest took an exception of this instruction, and where its link is. One of the
    /// store at a sequence's end is another's: what came before it is done.
    fn exception(&self, aarch64: bool, vectors: u64, regs: &Vcpu, bench: &Bench) -> Option<Link> {
        if aarch64 {
            let base = bench.get(SysReg::VbarEl1) & !0x7ff;
            return (bench.get(SysReg::ElrEl1) == self.regs.pc).then(|| {
                assert!(matches!(
                    regs.pc.wrapping_sub(base),
                    0 | 0x200 | 0x400 | 0x600
                ));
                assert_eq!(regs.spsr & psr::MODE, psr::EL1H);
                Link::Elr
            });
        }
        let at = |m, offset| regs.mode() == m && regs.pc == vectors.wrapping_add(offset);
        let link = |x: usize, back: u64| {
            (regs.x[x] == self.regs.pc.wrapping_add(back) & 0xffff_ffff).then_some(Link::X(x))
        };
        if at(mode::ABT, vector::DATA_ABORT) {
            link(20, 8)
        } else if at(mode::UND, vector::UNDEFINED) {
            link(22, if self.regs.is_thumb() { 2 } else { 4 })
        } else {
            None
        }
    }
}

/// Bit n: the n-th of [`SysReg`] changes when an exception is taken.
fn of_exceptions() -> u64 {
    [
        SysReg::EsrEl1,
        SysReg::FarEl1,
        SysReg::ElrEl1,
        SysReg::Ifsr32,
        SysReg::SpsrEl1,
        SysReg::SpsrAbt,
        SysReg::SpsrUnd,
        SysReg::SpsrIrq,
        SysReg::SpsrFiq,
    ]
    .into_iter()
    .fold(0, |all, register| all | 1 << register as u32)
}
