//! What must hold of every decoded operation, and what it may change: said again here, from the
//! architecture and not from the code that carries it out.

use reliquary::access::Width;
use reliquary::mmio::decode::State;
use reliquary::mmio::instruction::*;
use reliquary::vcpu::{Vcpu, bank, mode};

/// The most elements of one instruction but DC ZVA, as `mmio::execute` states it.
pub const ELEMENTS_MAX: u64 = 64;
/// The most doublewords of DC ZVA.
pub const ZERO_BLOCK_MAX: u64 = 256;

/// Panics if a field has a value that no instruction can give it.
pub fn check(state: State, op: &Operation) {
    let a64 = state == State::A64;
    let register = |n: u8| assert!(n <= if a64 { 31 } else { 15 }, "{op:?}");
    match op {
        Operation::General(g) => {
            address(a64, &g.address);
            register(g.first);
            g.second.into_iter().for_each(register);
            if let Class::StoreExclusive { status } = g.class {
                register(status);
                assert!(!g.load);
            }
            assert!(g.class != Class::LoadExclusive || g.load);
            assert!(g.extend == Extend::Zero || g.load && g.width != Width::Double);
            assert!(a64 || g.extend != Extend::Sign64);
            assert!(a64 || g.second.is_none() || g.width == Width::Word);
        }
        Operation::Multiple(m) => {
            // UNPREDICTABLE as the PC may be, it is a base that reads.
            assert!(!a64 && m.list != 0 && m.base < 16, "{op:?}");
            let returns = m.load && m.list & 1 << 15 != 0;
            assert!(m.bank != Bank::ExceptionReturn || returns);
            assert!(m.bank != Bank::User || !returns);
        }
        Operation::Simd(s) => {
            address(a64, &s.address);
            assert_eq!(s.view == View::V, a64, "{op:?}");
            match s.view {
                View::V => assert!(s.log2_bytes <= 4),
                View::D => assert_eq!(s.log2_bytes, 3),
                // A half of 16 bits, FEAT_FP16, is the low part of an S register.
                View::S => assert!(matches!(s.log2_bytes, 1 | 2)),
            }
            match s.registers {
                Registers::Run { first, count } => assert!(first < 32 && (1..=32).contains(&count)),
                Registers::Pair(first, second) => assert!(a64 && first < 32 && second < 32),
            }
        }
        Operation::Structures(s) => {
            address(a64, &s.address);
            assert_eq!(s.view == View::V, a64, "{op:?}");
            assert!(s.view != View::S && s.first < 32);
            assert!((1..=4).contains(&s.repeat) && (1..=4).contains(&s.structure));
            assert!((1..=2).contains(&s.spacing) && s.log2_element <= 3);
            assert!(s.align.is_power_of_two() && s.align <= 32);
            let bytes = if a64 { 16 } else { 8 };
            if let Lane::One(lane) = s.lane {
                assert!(lane < bytes >> s.log2_element, "{op:?}");
            }
            let behind = s.repeat - 1 + (s.structure - 1) * s.spacing;
            assert!(behind < 8, "within eight registers: {op:?}");
        }
        Operation::Atomic(a) => {
            base(a64, a.base);
            register(a.source);
            register(a.target);
        }
        Operation::CompareAndSwap(c) => {
            assert!(a64);
            base(a64, c.base);
            register(c.compare);
            register(c.new);
            assert!(!c.pair || c.compare & 1 == 0 && c.new & 1 == 0 && c.width >= Width::Word);
        }
        Operation::ReturnFromException(r) => assert!(!a64 && r.base < 16),
        Operation::StoreReturnState(r) => assert!(!a64 && r.base < 32),
        Operation::TableBranch(t) => assert!(state == State::T32 && t.base < 16 && t.index < 16),
        Operation::ZeroBlock { register: n } => {
            assert!(a64);
            register(*n);
        }
        Operation::Prefetch(a) => address(a64, a),
        Operation::Coprocessor(c) => {
            assert!(!a64 && c.number < 16 && c.register < 16);
            address(a64, &c.address);
        }
    }
    assert!(
        elements(op, 2048)
            <= if is_zero_block(op) {
                ZERO_BLOCK_MAX
            } else {
                ELEMENTS_MAX
            }
    );
}

fn base(a64: bool, base: Base) {
    match base {
        Base::Register(n) => assert!(n < if a64 { 31 } else { 15 }, "base {n}"),
        Base::StackPointer => assert!(a64),
        Base::Pc => {}
    }
}

fn address(a64: bool, address: &Address) {
    base(a64, address.base);
    if let Offset::Register {
        register,
        subtract,
        modify,
    } = address.offset
    {
        assert!(register <= if a64 { 31 } else { 15 });
        assert!(!(a64 && subtract));
        let (fits, of_a64) = match modify {
            Modify::Lsl(n) => (n < if a64 { 5 } else { 32 }, a64),
            Modify::Ror(n) => ((1..32).contains(&n), false),
            Modify::Lsr(n) | Modify::Asr(n) => ((1..33).contains(&n), false),
            Modify::Rrx => (true, false),
            Modify::Uxtw(n) | Modify::Sxtw(n) | Modify::Sxtx(n) => (n < 5, true),
        };
        assert!(fits && of_a64 == a64, "{address:?}");
    }
}

pub fn is_zero_block(op: &Operation) -> bool {
    matches!(op, Operation::ZeroBlock { .. })
}

/// How many elements are accessed if nothing faults.
pub fn elements(op: &Operation, zero_block: u64) -> u64 {
    match op {
        Operation::General(g) => 1 + u64::from(g.second.is_some()),
        Operation::Multiple(m) => u64::from(m.list.count_ones()),
        Operation::Simd(s) => {
            let halves = match (s.view, s.log2_bytes) {
                (_, 4) | (View::D, 3) => 2,
                _ => 1,
            };
            halves
                * match s.registers {
                    Registers::Run { count, .. } => u64::from(count),
                    Registers::Pair(..) => 2,
                }
        }
        Operation::Structures(s) => {
            let bytes = if s.quad && s.view == View::V { 16 } else { 8 };
            u64::from(s.structure)
                * match s.lane {
                    Lane::All => u64::from(s.repeat) * (bytes >> s.log2_element),
                    Lane::One(_) | Lane::Replicate => 1,
                }
        }
        Operation::Atomic(_)
        | Operation::ReturnFromException(_)
        | Operation::StoreReturnState(_) => 2,
        Operation::CompareAndSwap(c) => 2 << u64::from(c.pair),
        Operation::TableBranch(_) => 1,
        Operation::ZeroBlock { .. } => zero_block / 8,
        Operation::Prefetch(_) | Operation::Coprocessor(_) => 0,
    }
}

/// Whether PC and the program status go where memory says.
pub fn branches(op: &Operation, regs: &Vcpu) -> bool {
    match op {
        Operation::General(g) => g.load && g.first == 15 && regs.is_aarch32(),
        Operation::Multiple(m) => m.load && m.list & 1 << 15 != 0,
        Operation::ReturnFromException(_) | Operation::TableBranch(_) => true,
        _ => false,
    }
}

/// Bit n: X n may change. Without a fault.
pub fn writes(op: &Operation, regs: &Vcpu) -> u32 {
    let bit = |x: Option<u8>| {
        x.map_or(0, |x| {
            1u32.checked_shl(u32::from(x)).unwrap_or(0) & !(1 << 31)
        })
    };
    let of = |n: u8| {
        if regs.is_aarch32() {
            bit(bank(regs.mode(), n))
        } else {
            bit(Some(n))
        }
    };
    let moved = |a: &Address| match a.base {
        Base::Register(n) if a.index != Index::Offset => of(n),
        _ => 0,
    };
    match op {
        Operation::General(g) => {
            let taken = match (g.load, g.class) {
                (true, _) => of(g.first) | g.second.map_or(0, of),
                (false, Class::StoreExclusive { status }) => of(status),
                (false, _) => 0,
            };
            taken | moved(&g.address)
        }
        Operation::Multiple(m) => {
            let m_of = if m.bank == Bank::User {
                mode::USR
            } else {
                regs.mode()
            };
            let list = (0..15).filter(|n| m.load && m.list & 1 << n != 0);
            let base = if m.write_back { of(m.base) } else { 0 };
            list.fold(base, |all, n| all | bit(bank(m_of, n)))
        }
        Operation::Simd(s) => moved(&s.address),
        Operation::Structures(s) => moved(&s.address),
        Operation::Atomic(a) => of(a.target),
        Operation::CompareAndSwap(c) => of(c.compare) | if c.pair { of(c.compare + 1) } else { 0 },
        Operation::ReturnFromException(r) if r.write_back => of(r.base),
        Operation::StoreReturnState(r) if r.write_back => {
            bit(bank(u64::from(r.base), 13).or(Some(13)))
        }
        _ => 0,
    }
}

/// Bit n: V n may change. Without a fault.
pub fn writes_simd(op: &Operation) -> u32 {
    let bit = |view: View, n: u32| match view {
        View::V => 1u32 << n,
        View::D => 1 << (n >> 1),
        View::S => 1 << (n >> 2),
    };
    match op {
        Operation::Simd(s) if s.load => match s.registers {
            Registers::Run { first, count } => {
                let first = u32::from(first);
                (first..32.min(first + u32::from(count))).fold(0, |all, n| all | bit(s.view, n))
            }
            Registers::Pair(one, two) => 1 << one | 1 << two,
        },
        Operation::Structures(s) if s.load => {
            let mut all = 0;
            for repeat in 0..u32::from(s.repeat) {
                for element in 0..u32::from(s.structure) {
                    let n = u32::from(s.first) + repeat + element * u32::from(s.spacing);
                    all |= bit(s.view, n & 31);
                }
            }
            all
        }
        _ => 0,
    }
}

/// Whether the stack pointer of A64 may change.
pub fn moves_stack_pointer(op: &Operation) -> bool {
    let address = match op {
        Operation::General(g) => &g.address,
        Operation::Simd(s) => &s.address,
        Operation::Structures(s) => &s.address,
        _ => return false,
    };
    address.base == Base::StackPointer && address.index != Index::Offset
}
