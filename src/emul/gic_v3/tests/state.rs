//! Reset values, which register is where, and the state as a whole.

use super::*;

#[test]
fn reset_values_are_those_of_the_manual() {
    let mut b = Bench::new(Config::new(&[0, 1], 288, false));
    for (offset, value) in [
        (CTLR, 0x50), // DS, ARE
        (0x004, 0x0148_0008),
        (0x008, 0x43b),
        (0x00c, 0),
        (0x010, 0),
        (IGROUPR + 4, 0),
        (ISENABLER + 4, 0),
        (ISPENDR + 4, 0),
        (ISACTIVER + 4, 0),
        (IPRIORITYR + 32, 0),
        (0x800 + 32, 0), // GICD_ITARGETSR8
        (ICFGR + 8, 0),
        (IGRPMODR + 4, 0),
        (0xe00, 0),
        (0xf00, 0),
        (IROUTER + 32 * 8, 0),
        (0xffd0, 0x44),
        (0xffe0, 0x92),
        (0xffe4, 0xb4),
        (0xffe8, 0x3b),
        (0xffec, 0),
        (0xfff0, 0x0d),
        (0xfff4, 0xf0),
        (0xfff8, 0x05),
        (0xfffc, 0xb1),
    ] {
        assert_eq!(b.rd(offset), value, "GICD {offset:#x}");
    }
    for (offset, value) in [
        (0x00, 0),
        (0x04, 0x43b),
        (0x08, 0x000),
        (0x0c, 0),
        (WAKER, 6),
        (0x70, 0),
        (0xffe0, 0x93),
        (0xffe8, 0x3b),
        (NEXT + 0x08, 0x110), // processor 1, the last
        (NEXT + 0x0c, 1),
        (SGI + IGROUPR, 0),
        (SGI + ISENABLER, 0),
        (SGI + ISPENDR, 0),
        (SGI + ISACTIVER, 0),
        (SGI + IPRIORITYR, 0),
        (SGI + ICFGR, 0xaaaa_aaaa),
        (SGI + ICFGR + 4, 0),
        (SGI + IGRPMODR, 0),
    ] {
        assert_eq!(b.rr(offset), value, "GICR {offset:#x}");
    }
    for (register, value) in [
        (PMR, 0),
        (BPR0, 2),
        (BPR1, 3),
        (AP0R0, 0),
        (AP1R0, 0),
        (RPR, 0xff),
        (ICTLR, 0x8400),
        (SRE, 7),
        (IGRPEN0, 0),
        (IGRPEN1, 0),
        (IAR0, 1023),
        (IAR1, 1023),
        (HPPIR0, 1023),
        (HPPIR1, 1023),
    ] {
        assert_eq!(b.rs(register), value, "{register:#x}");
    }
}

#[test]
fn with_two_security_states_the_fixed_fields_say_so() {
    let mut b = Bench::new(Config::new(&[0], 64, true));
    assert_eq!(b.rd(CTLR), 0x30, "ARE_S, ARE_NS");
    assert_eq!(b.rd(0x004), 0x0148_0401);
    assert_eq!(b.rs(BPR1), 2, "the Secure copy's least is Group 0's");
    b.security = Security::NonSecure;
    assert_eq!(b.rd(CTLR), 0x10, "ARE_NS");
    assert_eq!(b.rr(WAKER), 0, "for Secure software only");
}

#[test]
fn each_cpu_has_its_redistributor_by_affinity_and_the_last_of_a_region_is_told() {
    let mut config = Config::new(&[0, 1, 0x100, 0x0200_0101], 64, false);
    config.redistributors = [3, 8, 0, 0, 0, 0, 0, 0];
    let mut b = Bench::new(config);
    let mut typer = |region, n: u64| b.read(region, NEXT * n + 8, Width::Double);
    assert_eq!(typer(1, 0), Ok(0));
    assert_eq!(typer(1, 1), Ok(1 << 32 | 1 << 8));
    assert_eq!(typer(1, 2), Ok(0x100 << 32 | 2 << 8 | 1 << 4));
    assert_eq!(typer(1, 3), Err(Refusal::NoRegister));
    assert_eq!(typer(2, 0), Ok(0x0200_0101 << 32 | 3 << 8 | 1 << 4));
    assert_eq!(typer(2, 1), Err(Refusal::NoRegister));
    assert_eq!(typer(3, 0), Err(Refusal::NoRegister));
}

#[test]
fn a_wider_stride_leaves_pages_between_the_redistributors() {
    let mut config = Config::new(&[0, 1], 64, false);
    config.stride = 0x4_0000;
    let mut b = Bench::new(config);
    assert_eq!(b.read(1, 0x4_0008, Width::Word), Ok(0x110));
    assert_eq!(b.read(1, 0x2_0008, Width::Word), Err(Refusal::NoRegister));
}

#[test]
fn registers_of_64_bits_take_halves_and_the_whole_and_others_only_words() {
    let mut b = Bench::plain();
    let at = IROUTER + 40 * 8;
    b.write(0, at, Width::Double, 0x12_8034_5678).unwrap();
    assert_eq!(b.read(0, at, Width::Double), Ok(0x12_8034_5678));
    assert_eq!((b.rd(at), b.rd(at + 4)), (0x8034_5678, 0x12));
    b.d(at + 4, 0xffff_ff9a);
    b.d(at, 0x7f00_0001);
    assert_eq!(
        b.read(0, at, Width::Double),
        Ok(0x9a_0000_0001),
        "RES0 bits"
    );
    for (offset, width) in [
        (CTLR, Width::Double),
        (CTLR, Width::Byte),
        (IPRIORITYR + 40, Width::Half),
        (at + 2, Width::Word),
        (at + 4, Width::Double),
    ] {
        assert_eq!(b.read(0, offset, width), Err(Refusal::Width), "{offset:#x}");
        assert_eq!(b.write(0, offset, width, 0), Err(Refusal::Width));
    }
    let word = b.read(SYSTEM_REGISTERS, PMR, Width::Word);
    assert_eq!(word, Err(Refusal::Width));
}

#[test]
fn interrupts_that_do_not_exist_read_as_zero() {
    let mut b = Bench::plain();
    for offset in [IGROUPR, ISENABLER, ISPENDR, ISACTIVER] {
        b.d(offset + 12, u64::from(u32::MAX));
        assert_eq!(b.rd(offset + 12), 0, "ID 96 and on");
        b.d(offset, u64::from(u32::MAX));
        assert_eq!(b.rd(offset), 0, "SGIs and PPIs are the redistributor's");
    }
    let mut b = Bench::ready(Config::new(&[0], 1020, false));
    b.d(ISENABLER + 124, u64::from(u32::MAX));
    assert_eq!(
        b.rd(ISENABLER + 124),
        0x0fff_ffff,
        "1020 to 1023 are special"
    );
    assert_eq!(b.rd(0x004) & 0x1f, 31);
}

#[test]
fn what_is_read_only_or_write_only_or_of_more_priorities_is_undefined() {
    let mut b = Bench::plain();
    let none = Err(Refusal::NoRegister);
    for register in [
        EOIR0,
        EOIR1,
        DIR,
        SGI0R,
        SGI1R,
        ASGI1R,
        AP0R0 + 8,
        AP1R0 + 24,
    ] {
        assert_eq!(b.read(SYSTEM_REGISTERS, register, Width::Double), none);
    }
    for register in [IAR0, IAR1, HPPIR0, HPPIR1, RPR, AP0R0 + 8] {
        let written = b.write(SYSTEM_REGISTERS, register, Width::Double, 0);
        assert_eq!(written, Err(Refusal::NoRegister));
    }
    // ICC_NMIAR1_EL1, ICC_SRE_EL3, ICC_IGRPEN1_EL3, and a place between two registers.
    for register in [
        icc(12, 9, 5),
        system_register(3, 6, 12, 12, 5),
        IGRPEN1 + 8,
        PMR + 4,
    ] {
        assert_eq!(b.read(SYSTEM_REGISTERS, register, Width::Double), none);
    }
}

#[test]
fn a_cpu_that_is_not_there_has_no_interface() {
    let mut b = Bench::plain();
    b.cpu = 2;
    let refused = Err(Refusal::Forbidden);
    assert_eq!(b.read(SYSTEM_REGISTERS, PMR, Width::Double), refused);
}

#[test]
fn every_offset_answers_or_refuses_in_every_state() {
    for security in [false, true] {
        let mut b = Bench::ready(Config::new(&[0, 1], 1020, security));
        for view in [Security::Secure, Security::NonSecure] {
            b.security = view;
            for region in [0, 1, 2, SYSTEM_REGISTERS] {
                for offset in (0..0x5_0000).chain(PMR..IGRPEN1 + 16) {
                    for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
                        let _ = b.read(region, offset, width);
                        let _ = b.write(region, offset, width, width.mask());
                    }
                }
            }
        }
    }
}

fn saved(gic: &GicV3) -> Vec<u8> {
    let mut out = Writer::default();
    gic.save(&mut out);
    out.into_bytes()
}

/// A controller with something of everything.
fn busy() -> Bench {
    let mut b = Bench::secure();
    b.spi(40, 0x40);
    b.d(IGRPMODR + 4, 0xf0);
    b.d(IGROUPR + 4, 0x0f);
    b.d(ISENABLER + 4, 0xff);
    b.pend(36);
    assert_eq!(b.rs(IAR1), 36);
    b.pend(37);
    b.write(0, IROUTER + 37 * 8, Width::Double, 1 << 31)
        .unwrap();
    b.line(34, true);
    b.s(BPR0, 5);
    b.s(ICTLR, 2);
    b.r(NEXT + WAKER, 2);
    b
}

#[test]
fn a_saved_controller_goes_on_where_it_was() {
    let mut b = busy();
    let state = saved(&b.gic);
    let mut copy = GicV3::new(*b.gic.config());
    let mut from = Reader::new(&state);
    copy.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(saved(&copy), state);
    assert_eq!(copy.lines(), b.gic.lines());
    b.gic = copy;
    assert_eq!(b.rs(RPR), 0);
    b.s(EOIR1, 36);
    b.s(DIR, 36);
    assert_eq!(b.rs(IAR1), 37);
}

#[test]
fn a_state_of_another_controller_or_cut_short_is_refused() {
    let state = saved(&busy().gic);
    let refused = |gic: &mut GicV3, bytes: &[u8]| {
        let loaded = gic.load(&mut Reader::new(bytes));
        loaded == Err(Refusal::BadState) && saved(gic) == saved(&GicV3::new(*gic.config()))
    };
    let mut gic = GicV3::new(Config::new(&[0, 1], 96, true));
    for end in (0..state.len()).step_by(97) {
        assert!(refused(&mut gic, &state[..end]), "{end}");
    }
    for config in [
        Config::new(&[0, 1], 96, false),
        Config::new(&[0], 96, true),
        Config::new(&[0, 1], 128, true),
    ] {
        assert!(refused(&mut GicV3::new(config), &state));
    }
}

#[test]
fn a_damaged_state_is_an_odd_one_at_worst() {
    let state = saved(&busy().gic);
    for n in 0..state.len() {
        let mut damaged = state.clone();
        damaged[n] ^= 0xff;
        let mut b = busy();
        if b.gic.load(&mut Reader::new(&damaged)).is_ok() {
            b.rs(IAR1);
            b.s(EOIR1, 36);
            assert_eq!(b.rs(ICTLR) & !3, 0x8400);
            assert_eq!(b.rd(IPRIORITYR + 36) & 0x0707_0707, 0);
        }
    }
}

#[test]
fn a_reset_forgets_all_but_the_wires() {
    let mut b = busy();
    b.gic.reset(Reset::Warm);
    assert_eq!(b.rd(CTLR), 0x30);
    assert_eq!(b.rd(ISENABLER + 4), 0);
    assert_eq!(b.rd(ISPENDR + 4), 4, "line 34 is high");
    assert_eq!(b.rs(RPR), 0xff);
    assert_eq!((b.irq(0), b.fiq(0)), (false, false));
}

#[test]
fn random_accesses_keep_lines_and_state_whole() {
    let offsets = [
        CTLR, 0x84, 0x104, 0x184, 0x204, 0x284, 0x304, 0x384, 0x420, 0x424, 0xc08, 0xd04, 0x6100,
        0x6108, 0xffe8, 0x1_0000,
    ];
    let make = || Bench::ready(Config::new(&[0, 1], 64, true)).gic;
    random_walk::walk(make, &offsets, 3, 20_000);
}

/// As [`random_walk`], over all blocks, and the choice that is kept up to date is the choice made
/// afresh.
#[test]
fn the_choice_kept_up_to_date_is_the_choice_made_afresh() {
    for security in [false, true] {
        let mut b = Bench::ready(Config::new(&[0, 1, 2], 64, security));
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |n: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 20) % n
        };
        let arrays = [
            0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0xc00, 0xd00,
        ];
        let system = [
            PMR, IAR0, EOIR0, BPR0, AP0R0, AP1R0, DIR, SGI1R, ASGI1R, SGI0R, IAR1, EOIR1, BPR1,
            ICTLR, IGRPEN0, IGRPEN1,
        ];
        for _ in 0..20_000 {
            b.cpu = random(3) as u8;
            b.security = [Security::Secure, Security::NonSecure][random(4) as usize / 3];
            let array = arrays[random(10) as usize];
            let value = random(1 << 32) & random(1 << 32);
            match random(8) {
                0 | 1 => b.d(array + 4 * random(16), value),
                2 => b.r(NEXT * random(3) + SGI + array + 4 * random(2), value),
                3 => b.line(32 + random(32) as u16, random(2) == 0),
                4 => {
                    let route = [0, 1, 2, 1 << 31, 5][random(5) as usize];
                    let at = IROUTER + 8 * (32 + random(32));
                    b.write(0, at, Width::Double, route).unwrap();
                }
                5 => match random(3) {
                    0 => b.d(CTLR, value),
                    _ => b.r(NEXT * random(3) + WAKER, value & 0xff),
                },
                _ => {
                    let register = system[random(16) as usize];
                    let _ = b.read(SYSTEM_REGISTERS, register, Width::Double);
                    let value = if register == EOIR1 { random(64) } else { value };
                    let _ = b.write(SYSTEM_REGISTERS, register, Width::Double, value);
                }
            }
            let lines = b.gic.lines();
            let state = saved(&b.gic);
            let mut fresh = GicV3::new(*b.gic.config());
            fresh.load(&mut Reader::new(&state)).unwrap();
            assert_eq!(fresh.lines(), lines);
            assert_eq!(saved(&fresh), state);
        }
    }
}

#[test]
fn every_named_register_answers_at_its_offset() {
    let mut b = Bench::plain();
    for register in DESCRIPTION.registers {
        let width = Width::from_bytes(register.bytes).unwrap();
        let read = b.read(register.region, register.offset, width);
        let write_only = [EOIR0, EOIR1, DIR, SGI0R, SGI1R, ASGI1R];
        let due = register.region != SYSTEM_REGISTERS || !write_only.contains(&register.offset);
        assert_eq!(read.is_ok(), due, "{}", register.name);
    }
}
