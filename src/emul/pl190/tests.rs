use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const IRQSTATUS: u64 = 0x000;
const FIQSTATUS: u64 = 0x004;
const RAWINTR: u64 = 0x008;
const INTSELECT: u64 = 0x00c;
const INTENABLE: u64 = 0x010;
const INTENCLEAR: u64 = 0x014;
const SOFTINT: u64 = 0x018;
const SOFTINTCLEAR: u64 = 0x01c;
const PROTECTION: u64 = 0x020;
const VECTADDR: u64 = 0x030;
const DEFVECTADDR: u64 = 0x034;
const SLOT_ADDR: u64 = 0x100;
const SLOT_CNTL: u64 = 0x200;
const ITCR: u64 = 0x300;
const ITIP1: u64 = 0x304;
const ITIP2: u64 = 0x308;
const ITOP1: u64 = 0x30c;
const ITOP2: u64 = 0x310;

fn cx() -> Cx<'static> {
    Cx::new(Instant::ZERO, &NoMemory, None)
}

fn read(vic: &mut Pl190, offset: u64) -> u64 {
    let access = Access::word(offset);
    let peeked = vic.peek(Instant::ZERO, access);
    let value = vic.read(&mut cx(), access).unwrap();
    assert_eq!(peeked, (offset != VECTADDR).then_some(value));
    value
}

fn write(vic: &mut Pl190, offset: u64, value: u64) {
    vic.write(&mut cx(), Access::word(offset), value).unwrap();
}

fn line(vic: &mut Pl190, n: u16, level: bool) {
    vic.input(&mut cx(), Line(n), level);
}

/// nVICIRQ, nVICFIQ.
fn outputs(vic: &Pl190) -> (bool, bool) {
    (vic.lines().is_high(0), vic.lines().is_high(1))
}

/// Slot `slot` has `source`, and vector 0x100 times the slot + 0x1000; the default vector is
/// 0xdef0.
fn vectored(slots: &[(u64, u64)]) -> Pl190 {
    let mut vic = Pl190::new();
    write(&mut vic, DEFVECTADDR, 0xdef0);
    for (slot, source) in slots {
        write(&mut vic, SLOT_ADDR + 4 * slot, 0x1000 + 0x100 * slot);
        write(&mut vic, SLOT_CNTL + 4 * slot, 0x20 | source);
    }
    vic
}

#[test]
fn registers_have_the_manuals_reset_values() {
    let mut vic = Pl190::new();
    for offset in (0..0xfe0).step_by(4) {
        assert_eq!(read(&mut vic, offset), 0, "{offset:#x}");
    }
    let identity: Vec<u64> = (0xfe0..0x1000)
        .step_by(4)
        .map(|offset| read(&mut vic, offset))
        .collect();
    assert_eq!(identity, [0x90, 0x11, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(outputs(&vic), (false, false));
}

#[test]
fn a_source_is_seen_raw_and_masked_by_enable_and_select() {
    let mut vic = Pl190::new();
    line(&mut vic, 4, true);
    line(&mut vic, 31, true);
    assert_eq!(read(&mut vic, RAWINTR), 1 << 31 | 1 << 4);
    assert_eq!(outputs(&vic), (false, false));
    write(&mut vic, INTENABLE, 1 << 4);
    assert_eq!((read(&mut vic, IRQSTATUS), outputs(&vic).0), (1 << 4, true));
    write(&mut vic, INTSELECT, 1 << 4);
    assert_eq!(read(&mut vic, IRQSTATUS), 0);
    assert_eq!(read(&mut vic, FIQSTATUS), 1 << 4);
    assert_eq!(outputs(&vic), (false, true));
    line(&mut vic, 4, false);
    assert_eq!(outputs(&vic), (false, false));
}

/// QEMU 7.2 asserts the FIQ; VICFIQSTATUS is masked by VICINTENABLE (DDI 0181E, 3.3.2).
#[test]
fn an_fiq_that_is_not_enabled_does_not_arrive() {
    let mut vic = Pl190::new();
    write(&mut vic, INTSELECT, 1 << 9);
    line(&mut vic, 9, true);
    assert_eq!(read(&mut vic, FIQSTATUS), 0);
    assert_eq!(outputs(&vic), (false, false));
    write(&mut vic, INTENABLE, 1 << 9);
    assert_eq!(outputs(&vic), (false, true));
}

#[test]
fn enables_and_software_interrupts_are_set_and_cleared_by_bit() {
    let mut vic = Pl190::new();
    for (set, clear) in [(INTENABLE, INTENCLEAR), (SOFTINT, SOFTINTCLEAR)] {
        write(&mut vic, set, 0xf0);
        write(&mut vic, set, 0x0f);
        write(&mut vic, clear, 0x81);
        assert_eq!((read(&mut vic, set), read(&mut vic, clear)), (0x7e, 0));
    }
    assert_eq!(read(&mut vic, RAWINTR), 0x7e);
    assert_eq!(outputs(&vic), (true, false));
}

#[test]
fn vector_control_keeps_enable_and_source_only() {
    let mut vic = Pl190::new();
    for slot in 0..16 {
        write(&mut vic, SLOT_CNTL + 4 * slot, 0xffff_ffff);
        assert_eq!(read(&mut vic, SLOT_CNTL + 4 * slot), 0x3f);
        write(&mut vic, SLOT_ADDR + 4 * slot, 0xffff_fff0 | slot);
        assert_eq!(read(&mut vic, SLOT_ADDR + 4 * slot), 0xffff_fff0 | slot);
    }
    assert_eq!(read(&mut vic, SLOT_ADDR + 0x40), 0);
    assert_eq!(read(&mut vic, SLOT_CNTL + 0x40), 0);
}

#[test]
fn the_lowest_slot_goes_first_whatever_its_source() {
    let mut vic = vectored(&[(2, 31), (5, 0)]);
    write(&mut vic, INTENABLE, 0xffff_ffff);
    line(&mut vic, 0, true);
    line(&mut vic, 31, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1200);
}

#[test]
fn an_interrupt_without_a_slot_has_the_default_vector_below_all_slots() {
    let mut vic = vectored(&[(15, 7)]);
    write(&mut vic, INTENABLE, 0xff);
    line(&mut vic, 1, true);
    assert_eq!(read(&mut vic, VECTADDR), 0xdef0);
    assert!(!outputs(&vic).0, "in service");
    line(&mut vic, 7, true);
    assert!(outputs(&vic).0, "a slot goes before");
    assert_eq!(read(&mut vic, VECTADDR), 0x1f00);
}

#[test]
fn a_slot_that_is_off_makes_its_interrupt_one_without_a_vector() {
    let mut vic = vectored(&[(0, 3)]);
    write(&mut vic, SLOT_CNTL, 3);
    write(&mut vic, INTENABLE, 1 << 3);
    line(&mut vic, 3, true);
    assert_eq!(read(&mut vic, VECTADDR), 0xdef0);
}

#[test]
fn an_interrupt_in_service_holds_back_its_own_level_and_those_below() {
    let mut vic = vectored(&[(3, 3), (4, 4)]);
    write(&mut vic, INTENABLE, 0xffff_ffff);
    line(&mut vic, 3, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1300);
    line(&mut vic, 4, true);
    line(&mut vic, 9, true);
    assert!(!outputs(&vic).0);
    assert_eq!(read(&mut vic, IRQSTATUS), 1 << 3 | 1 << 4 | 1 << 9);
    line(&mut vic, 3, false);
    assert!(!outputs(&vic).0, "the handler has not written VICVECTADDR");
    write(&mut vic, VECTADDR, 0);
    assert!(outputs(&vic).0);
    assert_eq!(read(&mut vic, VECTADDR), 0x1400);
}

#[test]
fn handlers_nest_and_end_in_the_order_of_a_stack() {
    let mut vic = vectored(&[(1, 1), (6, 6), (12, 12)]);
    write(&mut vic, INTENABLE, 0xffff_ffff);
    for (source, vector) in [(20, 0xdef0), (12, 0x1c00), (6, 0x1600), (1, 0x1100)] {
        line(&mut vic, source, true);
        assert!(outputs(&vic).0);
        assert_eq!(read(&mut vic, VECTADDR), vector);
        assert!(!outputs(&vic).0);
    }
    for (source, waits) in [(1, 6), (6, 12), (12, 20)] {
        line(&mut vic, source, false);
        write(&mut vic, VECTADDR, 0);
        assert!(!outputs(&vic).0, "{waits} is in service again");
    }
    line(&mut vic, 20, false);
    write(&mut vic, VECTADDR, 0);
    write(&mut vic, VECTADDR, 0);
    line(&mut vic, 12, true);
    assert!(outputs(&vic).0, "nothing is in service");
}

#[test]
fn a_level_that_is_still_asserted_interrupts_again_when_its_service_ends() {
    let mut vic = vectored(&[(0, 4)]);
    write(&mut vic, INTENABLE, 1 << 4);
    line(&mut vic, 4, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1000);
    write(&mut vic, VECTADDR, 0xffff_ffff);
    assert!(outputs(&vic).0);
}

#[test]
fn a_read_with_nothing_to_take_changes_nothing() {
    let mut vic = vectored(&[(2, 2), (0, 5)]);
    write(&mut vic, INTENABLE, 0xff);
    assert_eq!(read(&mut vic, VECTADDR), 0xdef0);
    line(&mut vic, 2, true);
    assert!(outputs(&vic).0);
    assert_eq!(read(&mut vic, VECTADDR), 0x1200);
    assert_eq!(read(&mut vic, VECTADDR), 0x1200, "the level in service");
    line(&mut vic, 5, true);
    assert!(outputs(&vic).0);
}

/// QEMU 7.2 gives the vector of slot 0.
#[test]
fn a_read_of_vectaddr_takes_no_interrupt_that_is_not_enabled() {
    let mut vic = vectored(&[(0, 4), (1, 5)]);
    write(&mut vic, INTENABLE, 1 << 5);
    write(&mut vic, SOFTINT, 1 << 4 | 1 << 5);
    assert_eq!(read(&mut vic, VECTADDR), 0x1100);
    assert_eq!(vic.in_service, 1 << 1);
}

#[test]
fn an_fiq_has_no_vector_and_is_not_held_back() {
    let mut vic = vectored(&[(0, 4), (1, 5)]);
    write(&mut vic, INTENABLE, 0x30);
    write(&mut vic, INTSELECT, 0x20);
    line(&mut vic, 4, true);
    assert_eq!(read(&mut vic, VECTADDR), 0x1000);
    line(&mut vic, 5, true);
    assert_eq!(outputs(&vic), (false, true));
}

#[test]
fn a_chained_controller_is_below_the_default_vector_and_its_fiq_goes_through() {
    let mut vic = Pl190::new();
    line(&mut vic, 32, true);
    assert_eq!(outputs(&vic), (true, false));
    line(&mut vic, 33, true);
    assert_eq!(outputs(&vic), (true, true));
    assert_eq!(read(&mut vic, IRQSTATUS), 0, "it is none of its sources");
    assert_eq!(read(&mut vic, VECTADDR), 0);
    assert_eq!(outputs(&vic), (false, true), "in service");
    write(&mut vic, INTENABLE, 1);
    line(&mut vic, 0, true);
    assert!(outputs(&vic).0, "a source of its own goes before");
}

#[test]
fn in_test_mode_the_test_inputs_stand_for_the_daisy_chain() {
    let mut vic = Pl190::new();
    line(&mut vic, 33, true);
    write(&mut vic, ITIP1, 0xffff_ff80);
    write(&mut vic, ITIP2, 0x8000_1234);
    assert_eq!(outputs(&vic), (false, true), "not in test mode");
    assert_eq!(read(&mut vic, ITIP1), 0x40);
    write(&mut vic, ITCR, 1);
    assert_eq!(outputs(&vic), (true, false));
    assert_eq!(read(&mut vic, ITIP1), 0x80);
    assert_eq!(read(&mut vic, ITOP1), 0x80);
    assert_eq!(read(&mut vic, ITOP2), 0x8000_1234);
    assert_eq!(read(&mut vic, VECTADDR), 0x8000_1234);
    assert_eq!(read(&mut vic, ITOP1), 0);
}

#[test]
fn protection_keeps_user_mode_out_and_always_guards_itself() {
    let user = |offset| Access {
        privileged: false,
        ..Access::word(offset)
    };
    let mut vic = Pl190::new();
    assert_eq!(vic.read(&mut cx(), user(IRQSTATUS)), Ok(0));
    let refused = Err(Refusal::Forbidden);
    assert_eq!(vic.read(&mut cx(), user(PROTECTION)), refused);
    assert_eq!(vic.peek(Instant::ZERO, user(PROTECTION)), None);
    write(&mut vic, PROTECTION, 0xffff_ffff);
    assert_eq!(read(&mut vic, PROTECTION), 1);
    for offset in [IRQSTATUS, VECTADDR, SLOT_ADDR, 0xfe0] {
        assert_eq!(vic.read(&mut cx(), user(offset)), refused);
        assert_eq!(vic.peek(Instant::ZERO, user(offset)), None);
    }
    let write = vic.write(&mut cx(), user(INTENABLE), 1);
    assert_eq!(write, Err(Refusal::Forbidden));
    assert_eq!(read(&mut vic, INTENABLE), 0);
}

#[test]
fn a_refused_read_of_vectaddr_takes_no_interrupt() {
    let mut vic = vectored(&[(0, 4)]);
    write(&mut vic, INTENABLE, 1 << 4);
    line(&mut vic, 4, true);
    let wide = Access::word(VECTADDR).sized(Width::Double);
    assert_eq!(vic.read(&mut cx(), wide), Err(Refusal::Width));
    assert!(outputs(&vic).0);
}

#[test]
fn a_reset_clears_the_registers_and_leaves_the_inputs() {
    let mut vic = vectored(&[(0, 4)]);
    write(&mut vic, INTENABLE, 1 << 4);
    line(&mut vic, 4, true);
    read(&mut vic, VECTADDR);
    vic.reset(Reset::Warm);
    assert_eq!(read(&mut vic, RAWINTR), 1 << 4);
    write(&mut vic, INTENABLE, 1 << 4);
    assert!(outputs(&vic).0, "nothing is in service");
    assert_eq!(read(&mut vic, VECTADDR), 0);
}

#[test]
fn saved_state_goes_on_where_it_was_and_damage_is_refused() {
    let mut vic = vectored(&[(3, 3), (4, 4)]);
    write(&mut vic, INTENABLE, 0x18);
    line(&mut vic, 4, true);
    read(&mut vic, VECTADDR);
    let mut out = Writer::default();
    vic.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = Pl190::new();
    let mut from = Reader::new(&bytes);
    other.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other, vic);
    line(&mut other, 3, true);
    assert_eq!(read(&mut other, VECTADDR), 0x1300);

    let controls = 4 + 2 + 12 + 1 + 4 + 64;
    for (at, value) in [(controls, 0x40), (controls + 18, 0x04), (controls + 21, 1)] {
        let mut damaged = bytes.clone();
        damaged[at] = value;
        let loaded = other.load(&mut Reader::new(&damaged));
        assert_eq!(loaded, Err(Refusal::BadState), "{at}");
        assert_eq!(other, Pl190::new());
    }
    let short = other.load(&mut Reader::new(&bytes[1..]));
    assert_eq!(short, Err(Refusal::BadState));
}

#[test]
fn random_accesses_keep_its_properties() {
    let offsets: Vec<u64> = (0..0x38)
        .chain(0x100..0x140)
        .chain(0x200..0x240)
        .chain(0x300..0x314)
        .filter(|offset| offset % 4 == 0)
        .collect();
    for seed in 1..=20 {
        random_walk::walk(Pl190::new, &offsets, seed, 2000);
    }
}
