//! From an interrupt's source to its end.

use super::*;

#[test]
fn an_spi_is_signalled_acknowledged_and_ended() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!((b.irq(0), b.fiq(0), b.irq(1)), (true, false, false));
    assert_eq!(b.rs(HPPIR1), 40);
    assert_eq!(b.rs(IAR0), 1023, "it is of Group 1");
    assert_eq!(b.rs(IAR1), 40);
    assert!(!b.irq(0));
    assert_eq!(b.rs(RPR), 0x80);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
    assert_eq!(b.rs(AP1R0), 1 << 16);
    b.line(40, false);
    b.s(EOIR1, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert_eq!(b.rs(RPR), 0xff);
    assert_eq!(b.rs(IAR1), 1023);
}

#[test]
fn a_level_that_stays_high_is_pending_again_after_its_end_and_an_edge_is_not() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.spi(41, 0x80);
    b.d(ICFGR + 8, 2 << 18); // 41 by edge
    for id in [40, 41] {
        b.line(id, true);
        assert_eq!(b.rs(IAR1), u64::from(id));
        b.s(EOIR1, u64::from(id));
        assert_eq!(b.irq(0), id == 40);
        b.line(40, false);
    }
    b.line(41, true);
    assert!(!b.irq(0), "no edge");
    b.line(41, false);
    b.line(41, true);
    assert!(b.irq(0));
    b.d(ICPENDR + 4, 1 << 9);
    assert!(!b.irq(0), "an edge is forgotten");
}

#[test]
fn what_software_pends_outlives_the_input_and_icpendr_leaves_the_input() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.pend(40);
    assert!(b.irq(0));
    b.line(40, true);
    b.d(ICPENDR + 4, 1 << 8);
    assert_eq!(b.rd(ISPENDR + 4), 1 << 8, "the line is high");
    b.pend(40);
    b.line(40, false);
    assert!(b.irq(0));
    assert_eq!(b.rs(IAR1), 40);
    assert_eq!(b.rd(ISPENDR + 4), 0);
}

#[test]
fn the_highest_priority_goes_first_and_then_the_lowest_number() {
    let mut b = Bench::plain();
    for (id, priority) in [(40, 0x80), (50, 0x40), (60, 0x40), (33, 0x90)] {
        b.spi(id, priority);
        b.pend(id);
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let id = b.rs(IAR1);
        b.s(EOIR1, id);
        order.push(id);
    }
    assert_eq!(order, [50, 60, 40, 33]);
}

#[test]
fn preemption_goes_by_group_priority_and_unwinds_in_order() {
    let mut b = Bench::plain();
    b.s(BPR1, 5); // group priority: bits 7 to 5, as Group 1's point is one higher
    for (id, priority) in [(40, 0x90), (41, 0x80), (42, 0x60)] {
        b.spi(id, priority);
    }
    b.pend(40);
    assert_eq!(b.rs(IAR1), 40);
    b.pend(41);
    assert!(!b.irq(0), "0x80 and 0x90 are of one group priority");
    b.pend(42);
    assert_eq!(b.rs(IAR1), 42);
    assert_eq!(b.rs(RPR), 0x60);
    assert_eq!(b.rs(AP1R0), 1 << 12 | 1 << 16);
    b.s(EOIR1, 42);
    assert_eq!(b.rs(RPR), 0x80, "the group priority of 40");
    assert_eq!(b.rs(IAR1), 1023);
    b.s(EOIR1, 40);
    assert_eq!(b.rs(IAR1), 41);
}

#[test]
fn the_mask_lets_only_higher_priorities_pass() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.pend(40);
    b.s(PMR, 0x80);
    assert!(!b.irq(0));
    assert_eq!(b.rs(HPPIR1), 40, "it is pending all the same");
    b.s(PMR, 0x8f);
    assert_eq!(b.rs(PMR), 0x88, "five bits");
    assert!(b.irq(0));
}

#[test]
fn unimplemented_priority_bits_read_as_zero() {
    let mut b = Bench::plain();
    b.d(IPRIORITYR + 40, 0xffff_0712);
    assert_eq!(b.rd(IPRIORITYR + 40), 0xf8f8_0010);
    assert_eq!(b.read(0, IPRIORITYR + 42, Width::Byte), Ok(0xf8));
    b.s(BPR0, 0);
    b.s(BPR1, 0);
    assert_eq!((b.rs(BPR0), b.rs(BPR1)), (2, 3));
}

#[test]
fn an_interface_of_more_priority_bits_has_more_active_registers() {
    let mut config = Config::new(&[0], 64, false);
    config.priority_bits = 8;
    let mut b = Bench::ready(config);
    assert_eq!((b.rs(BPR0), b.rs(BPR1)), (0, 1));
    assert_eq!(b.rs(ICTLR) >> 8 & 7, 7);
    b.spi(40, 0xf0);
    b.pend(40);
    assert_eq!(b.rs(IAR1), 40);
    assert_eq!(b.rs(AP1R0 + 24), 1 << 24, "level 120");
    b.s(AP1R0 + 24, 0);
    assert_eq!(b.rs(RPR), 0xff);
}

#[test]
fn each_enable_on_the_way_takes_the_line_away() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.line(40, true);
    assert!(b.irq(0));
    b.d(CTLR, 1);
    assert!(!b.irq(0), "EnableGrp1");
    b.d(CTLR, 3);
    b.s(IGRPEN1, 0);
    assert!(!b.irq(0), "ICC_IGRPEN1_EL1");
    assert_eq!(b.rs(HPPIR1), 1023);
    b.s(IGRPEN1, 1);
    b.r(WAKER, 2);
    assert!(!b.irq(0), "ProcessorSleep");
    assert_eq!(b.rr(WAKER), 6, "ChildrenAsleep follows");
    b.r(WAKER, 0);
    b.d(ICENABLER + 4, 1 << 8);
    assert!(!b.irq(0), "GICD_ICENABLER");
    b.d(ISENABLER + 4, 1 << 8);
    assert!(b.irq(0));
}

#[test]
fn group_0_is_fiq_and_group_1_is_irq() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.d(IGROUPR + 4, 0);
    b.pend(40);
    assert_eq!((b.irq(0), b.fiq(0)), (false, true));
    assert_eq!((b.rs(HPPIR1), b.rs(IAR1)), (1023, 1023));
    assert_eq!((b.rs(HPPIR0), b.rs(IAR0)), (40, 40));
    assert_eq!((b.rs(AP0R0), b.rs(AP1R0)), (1 << 16, 0));
    b.s(EOIR1, 40);
    assert_eq!(
        b.rs(RPR),
        0x80,
        "the other group's register does not end it"
    );
    b.s(EOIR0, 40);
    assert_eq!(b.rs(RPR), 0xff);
}

#[test]
fn a_disabled_group_hides_behind_it_no_interrupt_of_the_other() {
    let mut b = Bench::plain();
    b.spi(40, 0x20);
    b.d(IGROUPR + 4, 0);
    b.spi(41, 0x80);
    b.s(IGRPEN0, 0);
    b.pend(40);
    b.pend(41);
    assert_eq!(b.rs(IAR1), 41);
}

#[test]
fn cbpr_gives_group_1_the_binary_point_of_group_0() {
    let mut b = Bench::plain();
    b.s(BPR0, 4);
    b.s(BPR1, 7);
    b.s(ICTLR, 1);
    assert_eq!(b.rs(BPR1), 5, "one more, for the same split");
    b.s(BPR1, 3);
    assert_eq!(b.rs(BPR1), 5, "and it takes no write");
    b.spi(40, 0x90);
    b.spi(41, 0x60);
    b.pend(40);
    b.rs(IAR1);
    b.pend(41);
    assert!(b.irq(0), "with a point of 7 it would not preempt");
    b.s(BPR0, 7);
    assert_eq!(b.rs(BPR1), 7, "at most");
    assert!(!b.irq(0));
    b.s(ICTLR, 0);
    assert_eq!(b.rs(BPR1), 7, "its own again");
}

#[test]
fn split_end_drops_the_priority_and_leaves_the_interrupt_active() {
    let mut b = Bench::plain();
    b.s(ICTLR, 2);
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!(b.rs(IAR1), 40);
    b.s(EOIR1, 40);
    assert_eq!(b.rs(RPR), 0xff);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
    assert!(!b.irq(0), "active and pending waits");
    b.s(DIR, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert!(b.irq(0));
}

#[test]
fn dir_without_split_end_does_nothing() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.pend(40);
    b.rs(IAR1);
    b.s(DIR, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
}

#[test]
fn ending_what_is_not_an_interrupt_changes_nothing() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.pend(40);
    b.rs(IAR1);
    for id in [96, 1020, 1023, 0xff_ffff] {
        b.s(EOIR1, id);
        assert_eq!(b.rs(RPR), 0x80, "{id}");
    }
}

#[test]
fn isactiver_makes_active_and_icactiver_ends() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.d(ISACTIVER + 4, 1 << 8);
    b.line(40, true);
    assert!(!b.irq(0));
    b.d(ICACTIVER + 4, 1 << 8);
    assert!(b.irq(0));
}

#[test]
fn an_spi_goes_to_the_cpu_of_its_affinity_or_to_nobody() {
    let mut b = Bench::ready(Config::new(&[0, 0x0300_0101], 96, false));
    b.spi(40, 0x80);
    b.line(40, true);
    for (route, to) in [
        (0x03_0000_0101, (false, true)),
        (5, (false, false)),
        (0, (true, false)),
    ] {
        b.write(0, IROUTER + 320, Width::Double, route).unwrap();
        assert_eq!((b.irq(0), b.irq(1)), to, "{route:#x}");
    }
}

#[test]
fn one_of_n_goes_to_the_lowest_cpu_that_is_awake_and_takes_its_group() {
    let mut b = Bench::plain();
    b.spi(40, 0x80);
    b.write(0, IROUTER + 320, Width::Double, 1 << 31 | 1)
        .unwrap();
    b.line(40, true);
    assert_eq!((b.irq(0), b.irq(1)), (true, false));
    b.s(IGRPEN1, 0);
    assert_eq!((b.irq(0), b.irq(1)), (false, true));
    b.s(IGRPEN1, 1);
    b.r(WAKER, 2);
    assert_eq!((b.irq(0), b.irq(1)), (false, true));
    b.cpu = 1;
    assert_eq!(b.rs(IAR1), 40);
    b.r(WAKER, 0);
    assert_eq!((b.irq(0), b.irq(1)), (false, false), "one takes it");
}

#[test]
fn a_ppi_belongs_to_one_cpu() {
    let mut b = Bench::plain();
    b.private(1, 27, 0x40);
    b.private(0, 27, 0x40);
    b.line(1024 + 16 + 11, true);
    assert_eq!((b.irq(0), b.irq(1)), (false, true));
    assert_eq!(b.rr(NEXT + SGI + ISPENDR), 1 << 27);
    assert_eq!(b.rr(SGI + ISPENDR), 0);
    b.cpu = 1;
    assert_eq!(b.rs(IAR1), 27);
}

#[test]
fn a_ppi_can_be_made_edge_triggered_and_an_sgi_is_for_good() {
    let mut b = Bench::plain();
    b.r(SGI + ICFGR, 0);
    assert_eq!(b.rr(SGI + ICFGR), 0xaaaa_aaaa);
    b.r(SGI + ICFGR + 4, 2 << 22);
    assert_eq!(b.rr(SGI + ICFGR + 4), 2 << 22);
    b.private(0, 27, 0x40);
    b.line(1024 + 11, true);
    b.line(1024 + 11, false);
    assert!(b.irq(0), "the edge is remembered");
}

#[test]
fn an_sgi_reaches_the_listed_cpus_of_one_cluster() {
    let mut b = Bench::ready(Config::new(&[0, 1, 0x100, 0x1_0101], 64, false));
    for cpu in 0..4 {
        b.private(cpu, 5, 0x40);
    }
    let sent = |b: &mut Bench, value| {
        b.s(SGI1R, value);
        let to = [0, 1, 2, 3].map(|cpu| b.irq(cpu));
        for cpu in 0..4 {
            b.r(NEXT * cpu + SGI + ICPENDR, 1 << 5);
        }
        to
    };
    assert_eq!(sent(&mut b, 5 << 24 | 3), [true, true, false, false]);
    assert_eq!(sent(&mut b, 5 << 24 | 0xfffc), [false; 4]);
    assert_eq!(
        sent(&mut b, 5 << 24 | 1 << 16 | 1),
        [false, false, true, false]
    );
    let far = 1 << 32 | 5 << 24 | 1 << 16 | 2;
    assert_eq!(sent(&mut b, far), [false, false, false, true]);
    b.cpu = 1;
    let others = 1 << 40 | 5 << 24;
    assert_eq!(
        sent(&mut b, others),
        [true, false, true, true],
        "all but self"
    );
    assert_eq!(sent(&mut b, 6 << 24 | 3), [false; 4], "6 is not enabled");
}

#[test]
fn with_one_security_state_an_sgi_is_of_the_group_that_its_target_has() {
    let mut b = Bench::plain();
    b.private(0, 5, 0x40);
    let pending = |b: &mut Bench| {
        let p = b.rr(SGI + ISPENDR);
        b.r(SGI + ICPENDR, p);
        p != 0
    };
    for (register, group1, due) in [
        (SGI1R, true, true),
        (SGI1R, false, false),
        (SGI0R, true, false),
        (SGI0R, false, true),
        (ASGI1R, true, false),
        (ASGI1R, false, true),
    ] {
        b.r(SGI + IGROUPR, u64::from(group1) << 5);
        b.s(register, 5 << 24 | 1);
        assert_eq!(pending(&mut b), due, "{register:#x} {group1}");
    }
}

#[test]
fn with_two_security_states_sgis_keep_to_their_side() {
    let mut b = Bench::secure();
    for (register, group, modifier, due) in [
        (SGI1R, 0, 1, true),
        (SGI1R, 0, 0, true),
        (SGI1R, 1, 0, false),
        (SGI0R, 0, 0, true),
        (SGI0R, 0, 1, false),
        (ASGI1R, 1, 0, true),
        (ASGI1R, 0, 1, false),
    ] {
        b.r(SGI + IGROUPR, group);
        b.r(SGI + IGRPMODR, modifier);
        b.s(register, 1);
        assert_eq!(b.rr(SGI + ISPENDR), u64::from(due), "{register:#x}");
        b.r(SGI + ICPENDR, 1);
    }
}

#[test]
fn an_sgi_to_oneself_is_taken_once() {
    let mut b = Bench::plain();
    b.private(0, 3, 0x40);
    b.s(SGI1R, 3 << 24 | 1);
    b.s(SGI1R, 3 << 24 | 1);
    assert_eq!(b.rs(IAR1), 3, "no sender in it");
    b.s(EOIR1, 3);
    assert_eq!(b.rs(IAR1), 1023);
}

#[test]
fn secure_group_1_is_irq_and_non_secure_group_1_is_not_signalled() {
    let mut b = Bench::secure();
    b.spi(40, 0x40);
    b.pend(40);
    assert_eq!((b.irq(0), b.fiq(0)), (false, false), "Non-secure Group 1");
    b.d(IGROUPR + 4, 0);
    assert_eq!((b.irq(0), b.fiq(0)), (false, true), "Group 0");
    b.d(IGRPMODR + 4, 1 << 8);
    assert_eq!((b.irq(0), b.fiq(0)), (true, false), "Secure Group 1");
    b.d(CTLR, 3);
    assert!(!b.irq(0), "EnableGrp1S");
    b.d(CTLR, 7);
    assert_eq!(b.rs(IAR1), 40);
}

#[test]
fn with_one_security_state_there_is_no_group_modifier() {
    let mut b = Bench::plain();
    b.d(IGRPMODR + 4, u64::from(u32::MAX));
    b.r(SGI + IGRPMODR, u64::from(u32::MAX));
    assert_eq!((b.rd(IGRPMODR + 4), b.rr(SGI + IGRPMODR)), (0, 0));
    b.security = Security::NonSecure;
    b.d(IGROUPR + 4, 5);
    assert_eq!(b.rd(IGROUPR + 4), 5, "the bus's state does not matter");
}

#[test]
fn non_secure_software_sees_and_changes_its_own_interrupts_only() {
    let mut b = Bench::secure();
    b.d(IGROUPR + 4, 0xff);
    b.d(IPRIORITYR + 32, 0xc0);
    b.d(IPRIORITYR + 40, 0xc0);
    b.security = Security::NonSecure;
    for (set, clear) in [
        (ISENABLER, ICENABLER),
        (ISPENDR, ICPENDR),
        (ISACTIVER, ICACTIVER),
    ] {
        b.d(set + 4, 0xffff);
        assert_eq!(b.rd(set + 4), 0xff);
        b.d(clear + 4, 0x0f);
        assert_eq!(b.rd(set + 4), 0xf0);
    }
    assert_eq!((b.rd(IGROUPR + 4), b.rd(IGRPMODR + 4)), (0, 0));
    b.d(IGROUPR + 4, 0);
    assert_eq!(
        b.rd(IPRIORITYR + 32),
        0x80,
        "its half of the range is the whole"
    );
    assert_eq!(b.rd(IPRIORITYR + 40), 0, "Secure");
    b.d(IPRIORITYR + 32, 0x20);
    b.write(0, IROUTER + 40 * 8, Width::Double, 1).unwrap();
    b.security = Security::Secure;
    assert_eq!(b.rd(IPRIORITYR + 32), 0x8080_8090);
    assert_eq!(b.rd(IGROUPR + 4), 0xff);
    assert_eq!(b.rd(IROUTER + 40 * 8), 0);
}

#[test]
fn each_security_state_enables_its_own_groups() {
    let mut b = Bench::new(Config::new(&[0], 64, true));
    b.security = Security::NonSecure;
    b.d(CTLR, 7);
    assert_eq!(b.rd(CTLR), 0x12, "EnableGrp1A");
    b.security = Security::Secure;
    assert_eq!(b.rd(CTLR), 0x32);
    b.d(CTLR, 0xffff_fffd);
    assert_eq!(b.rd(CTLR), 0x35, "DS is not to be had");
    let mut b = Bench::new(Config::new(&[0], 64, false));
    b.d(CTLR, 0xffff_ffff);
    assert_eq!(b.rd(CTLR), 0x53);
    b.d(CTLR, 0);
    assert_eq!(b.rd(CTLR), 0x50);
}

#[test]
fn cbpr_is_el3s_with_two_security_states() {
    let mut b = Bench::secure();
    b.s(ICTLR, 3);
    assert_eq!(b.rs(ICTLR), 0x8402);
    b.s(SRE, 0);
    assert_eq!(b.rs(SRE), 7);
}

#[test]
fn secure_group_1_splits_priorities_as_group_0_does() {
    let mut b = Bench::secure();
    b.s(BPR1, 4); // bits 7 to 5
    for (id, priority) in [(40, 0x90), (41, 0x80), (42, 0x60)] {
        b.spi(id, priority);
    }
    b.d(IGROUPR + 4, 0);
    b.d(IGRPMODR + 4, u64::from(u32::MAX));
    b.pend(40);
    b.rs(IAR1);
    b.pend(41);
    assert!(!b.irq(0));
    b.pend(42);
    assert!(b.irq(0));
}
