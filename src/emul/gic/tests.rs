//! Behaviour of the controller, by the manuals' rules.

use super::*;
use crate::access::{Initiator, Width};
use crate::memory::NoMemory;
use crate::units::Instant;

const CTLR: u64 = 0x000;
const IGROUPR: u64 = 0x080;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const ISPENDR: u64 = 0x200;
const ICPENDR: u64 = 0x280;
const ISACTIVER: u64 = 0x300;
const ICACTIVER: u64 = 0x380;
const IPRIORITYR: u64 = 0x400;
const ITARGETSR: u64 = 0x800;
const ICFGR: u64 = 0xc00;
const SGIR: u64 = 0xf00;

const C_CTLR: u64 = 0x00;
const PMR: u64 = 0x04;
const BPR: u64 = 0x08;
const IAR: u64 = 0x0c;
const EOIR: u64 = 0x10;
const RPR: u64 = 0x14;
const HPPIR: u64 = 0x18;
const ABPR: u64 = 0x1c;
const AIAR: u64 = 0x20;
const AEOIR: u64 = 0x24;
const AHPPIR: u64 = 0x28;
const APR: u64 = 0xd0;
const NSAPR: u64 = 0xe0;
const DIR: u64 = 0x1000;

/// A controller and who speaks to it.
struct Bench {
    gic: Gic,
    cpu: u8,
    security: Security,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            gic: Gic::new(config),
            cpu: 0,
            security: Security::Secure,
        }
    }

    /// One where everything is on: both groups, all priorities unmasked.
    fn ready(config: Config) -> Self {
        let mut b = Self::new(config);
        b.d(CTLR, 3);
        for cpu in 0..config.cpus {
            b.cpu = cpu;
            b.c(C_CTLR, 3);
            b.c(PMR, 0xff);
        }
        b.cpu = 0;
        b
    }

    fn access(&self, region: u8, offset: u64, width: Width) -> Access {
        let initiator = Initiator::Cpu(self.cpu);
        let word = Access::word(offset);
        Access {
            region,
            width,
            initiator,
            security: self.security,
            ..word
        }
    }

    fn read(&mut self, region: u8, offset: u64, width: Width) -> Result<u64, Refusal> {
        let access = self.access(region, offset, width);
        self.gic
            .read(&mut Cx::new(Instant::ZERO, &NoMemory, None), access)
    }

    fn write(&mut self, region: u8, offset: u64, width: Width, v: u64) -> Result<(), Refusal> {
        let access = self.access(region, offset, width);
        self.gic
            .write(&mut Cx::new(Instant::ZERO, &NoMemory, None), access, v)
    }

    fn rd(&mut self, offset: u64) -> u64 {
        self.read(0, offset, Width::Word).unwrap()
    }
    fn d(&mut self, offset: u64, value: u64) {
        self.write(0, offset, Width::Word, value).unwrap();
    }
    fn db(&mut self, offset: u64, value: u64) {
        self.write(0, offset, Width::Byte, value).unwrap();
    }
    fn rc(&mut self, offset: u64) -> u64 {
        self.read(1, offset, Width::Word).unwrap()
    }
    fn c(&mut self, offset: u64, value: u64) {
        self.write(1, offset, Width::Word, value).unwrap();
    }

    fn line(&mut self, line: u16, level: bool) {
        self.gic.input(
            &mut Cx::new(Instant::ZERO, &NoMemory, None),
            Line(line),
            level,
        );
    }
    fn irq(&self, cpu: u16) -> bool {
        self.gic.lines().is_high(2 * cpu)
    }
    fn fiq(&self, cpu: u16) -> bool {
        self.gic.lines().is_high(2 * cpu + 1)
    }

    /// Enables an SPI with a priority, for CPU 0.
    fn spi(&mut self, id: u64, priority: u64) {
        self.db(IPRIORITYR + id, priority);
        self.db(ITARGETSR + id, 1);
        self.d(ISENABLER + id / 32 * 4, 1 << (id % 32));
    }
    /// Makes an interrupt edge-triggered.
    fn edge(&mut self, id: u64) {
        let at = ICFGR + id / 16 * 4;
        let v = self.rd(at) | 2 << (id % 16 * 2);
        self.d(at, v);
    }
    fn group1(&mut self, id: u64) {
        let at = IGROUPR + id / 32 * 4;
        let v = self.rd(at) | 1 << (id % 32);
        self.d(at, v);
    }
}

fn a9() -> Bench {
    Bench::ready(Config::cortex_a9(2, 96))
}
fn a15() -> Bench {
    Bench::ready(Config::cortex_a15(2, 160, true))
}
fn plain() -> Bench {
    Bench::ready(Config::plain_v2(1, 288))
}

#[test]
fn reset_values_of_a_cortex_a9_are_those_of_its_manual() {
    let mut b = Bench::new(Config::cortex_a9(4, 256));
    let table = [
        (0x000, 0),           // ICDDCR
        (0x004, 0x0000_fc67), // ICDICTR
        (0x008, 0x0102_043b), // ICDIIDR
        (0x080, 0),           // ICDISR
        (0x100, 0x0000_ffff), // ICDISER: SGIs are always enabled
        (0x180, 0x0000_ffff), // ICDICER
        (0x104, 0),
        (0x200, 0),           // ICDISPR
        (0x300, 0),           // ICDABR
        (0x400, 0),           // ICDIPR
        (0x800, 0x0101_0101), // ICDIPTR of the CPU that asks
        (0x820, 0),
        (0xc00, 0xaaaa_aaaa), // ICDICFR
        (0xc04, 0x7dc0_0000),
        (0xc08, 0x5555_5555),
        (0xd00, 0), // PPI status
        (0xfd0, 0x04),
        (0xfe0, 0x90),
        (0xfe4, 0xb3),
        (0xfe8, 0x1b),
        (0xff0, 0x0d),
        (0xffc, 0xb1),
    ];
    for (offset, value) in table {
        assert_eq!(b.rd(offset), value, "distributor {offset:#x}");
    }
    let table = [
        (0x00, 0),
        (0x04, 0),
        (0x08, 2),           // ICCBPR
        (0x0c, 0x3ff),       // ICCIAR
        (0x14, 0xff),        // ICCRPR
        (0x18, 0x3ff),       // ICCHPIR
        (0x1c, 3),           // ICCABPR
        (0xfc, 0x3901_243b), // ICCIIDR
    ];
    for (offset, value) in table {
        assert_eq!(b.rc(offset), value, "CPU interface {offset:#x}");
    }
}

#[test]
fn reset_values_of_a_cortex_a15_are_those_of_its_manual() {
    let mut b = Bench::new(Config::cortex_a15(2, 160, true));
    let table = [
        (0x004, 0x0000_fc24),
        (0x008, 0x0000_043b),
        (0x100, 0x0000_ffff),
        (0xc00, 0xaaaa_aaaa),
        (0xc04, 0x5554_0000),
        (0xc08, 0x5555_5555),
        (0xfe4, 0xb4),
        (0xfe8, 0x2b),
    ];
    for (offset, value) in table {
        assert_eq!(b.rd(offset), value, "distributor {offset:#x}");
    }
    let table = [
        (0x08, 2),
        (0x0c, 0x3ff),
        (0x14, 0xff),
        (0x1c, 3),
        (0x20, 0x3ff),
        (0x28, 0x3ff),
    ];
    for (offset, value) in table {
        assert_eq!(b.rc(offset), value, "CPU interface {offset:#x}");
    }
    assert_eq!(b.rc(0xfc), 0x0002_043b);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(BPR), 3);
}

#[test]
fn typer_without_security_extensions_counts_no_lockable_spis() {
    assert_eq!(Bench::new(Config::plain_v2(1, 288)).rd(4), 8);
    assert_eq!(Bench::new(Config::plain_v2(8, 1020)).rd(4), 0xff);
}

#[test]
fn an_spi_is_signalled_acknowledged_and_ended() {
    let mut b = plain();
    b.spi(34, 0xa0);
    b.line(34, true);
    assert!(b.irq(0));
    assert!(!b.fiq(0));
    assert_eq!(b.rd(ISPENDR + 4), 4);
    assert_eq!(b.rc(HPPIR), 34);
    assert_eq!(b.rc(IAR), 34);
    assert!(!b.irq(0));
    assert_eq!(b.rd(ISACTIVER + 4), 4);
    assert_eq!(b.rc(RPR), 0xa0);
    assert_eq!(b.rc(IAR), 1023);
    b.line(34, false);
    b.c(EOIR, 34);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert_eq!(b.rc(RPR), 0xff);
    assert!(!b.irq(0));
}

#[test]
fn a_level_that_stays_high_is_pending_again_after_its_end() {
    let mut b = plain();
    b.spi(34, 0xa0);
    b.line(34, true);
    assert_eq!(b.rc(IAR), 34);
    // Active and pending: not forwarded.
    assert_eq!(b.rd(ISPENDR + 4), 4);
    assert_eq!(b.rc(HPPIR), 1023);
    b.c(EOIR, 34);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 34);
}

#[test]
fn a_level_that_goes_low_before_the_acknowledge_is_spurious() {
    let mut b = plain();
    b.spi(34, 0xa0);
    b.line(34, true);
    b.line(34, false);
    assert!(!b.irq(0));
    assert_eq!(b.rc(IAR), 1023);
}

#[test]
fn an_edge_is_remembered_once_until_acknowledged() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.edge(40);
    b.line(40, true);
    b.line(40, false);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 40);
    assert_eq!(b.rd(ISPENDR + 4), 0);
    // A second edge while active makes it active and pending.
    b.line(40, true);
    assert_eq!(b.rd(ISPENDR + 4), 1 << 8);
    assert!(!b.irq(0));
    b.c(EOIR, 40);
    assert_eq!(b.rc(IAR), 40);
    b.c(EOIR, 40);
    // The line is still high, and that is no edge.
    assert!(!b.irq(0));
}

#[test]
fn an_edge_while_disabled_waits_for_the_enable() {
    let mut b = plain();
    b.edge(41);
    b.line(41, true);
    b.line(41, false);
    assert!(!b.irq(0));
    b.spi(41, 0);
    assert!(b.irq(0));
    b.d(ICENABLER + 4, 1 << 9);
    assert!(!b.irq(0));
    assert_eq!(b.rd(ISPENDR + 4), 1 << 9);
}

#[test]
fn icpendr_clears_an_edge_and_what_software_pended_but_not_an_input() {
    let mut b = plain();
    b.spi(34, 0);
    b.spi(40, 0);
    b.edge(40);
    b.line(40, true);
    b.line(34, true);
    b.d(ISPENDR + 4, 1 << 2 | 1 << 9);
    assert_eq!(b.rd(ISPENDR + 4), 1 << 2 | 1 << 8 | 1 << 9);
    b.d(ICPENDR + 4, !0);
    assert_eq!(b.rd(ICPENDR + 4), 1 << 2);
    b.line(34, false);
    assert_eq!(b.rd(ISPENDR + 4), 0);
    assert!(!b.irq(0));
}

#[test]
fn what_software_pends_outlives_the_input_and_ends_with_the_acknowledge() {
    let mut b = plain();
    b.spi(34, 0);
    b.line(34, true);
    b.d(ISPENDR + 4, 4);
    b.line(34, false);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 34);
    b.c(EOIR, 34);
    assert!(!b.irq(0));
}

#[test]
fn the_highest_priority_goes_first_and_then_the_lowest_number() {
    let mut b = plain();
    for (id, priority) in [(50, 0x80), (45, 0x80), (60, 0x40)] {
        b.spi(id, priority);
        b.line(id as u16, true);
    }
    for id in [60, 45, 50] {
        assert_eq!(b.rc(HPPIR), id);
        assert_eq!(b.rc(IAR), id);
        b.line(id as u16, false);
        b.c(EOIR, id);
    }
    assert_eq!(b.rc(IAR), 1023);
}

#[test]
fn a_priority_change_chooses_again() {
    let mut b = plain();
    b.spi(45, 0x80);
    b.spi(50, 0x90);
    b.line(45, true);
    b.line(50, true);
    assert_eq!(b.rc(HPPIR), 45);
    b.db(IPRIORITYR + 50, 0x70);
    assert_eq!(b.rc(HPPIR), 50);
}

#[test]
fn preemption_goes_by_group_priority_and_unwinds_in_order() {
    let mut b = plain();
    b.c(BPR, 3); // groups of 16
    b.spi(40, 0x88);
    b.spi(41, 0x80);
    b.spi(42, 0x7f);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.line(41, true); // the same group: waits
    assert!(!b.irq(0));
    assert_eq!(b.rc(IAR), 1023);
    b.line(42, true);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 42);
    assert_eq!(b.rc(RPR), 0x70);
    assert_eq!(b.rc(APR + 4), 1 << (0x70 / 2 - 32));
    b.line(42, false);
    b.c(EOIR, 42);
    assert_eq!(b.rc(RPR), 0x80);
    assert!(!b.irq(0));
    b.line(40, false);
    b.c(EOIR, 40);
    assert_eq!(b.rc(IAR), 41);
}

#[test]
fn the_mask_lets_only_higher_priorities_pass() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.line(40, true);
    b.c(PMR, 0x80);
    assert!(!b.irq(0));
    assert_eq!(b.rc(IAR), 1023);
    assert_eq!(b.rc(HPPIR), 40);
    b.c(PMR, 0x81);
    assert!(b.irq(0));
}

#[test]
fn unimplemented_priority_bits_read_as_zero() {
    let mut b = Bench::ready(Config::cortex_a15(1, 64, false));
    b.d(IPRIORITYR + 32, 0xffff_ffff);
    assert_eq!(b.rd(IPRIORITYR + 32), 0xf8f8_f8f8);
    b.c(PMR, 0xff);
    assert_eq!(b.rc(PMR), 0xf8);
    // The lowest priority of all is never signalled.
    b.d(ISENABLER + 4, 1);
    b.line(32, true);
    assert!(!b.irq(0));
    b.c(BPR, 0);
    assert_eq!(b.rc(BPR), 2);
}

#[test]
fn disabling_the_distributor_or_the_interface_takes_the_line_away() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.line(40, true);
    b.d(CTLR, 0);
    assert!(!b.irq(0));
    assert_eq!(b.rc(HPPIR), 1023);
    b.d(CTLR, 1);
    assert!(b.irq(0));
    b.c(C_CTLR, 0);
    assert!(!b.irq(0));
    assert_eq!(b.rc(IAR), 1023);
}

#[test]
fn an_sgi_reaches_the_listed_cpus_and_names_its_sender() {
    let mut b = a15();
    b.cpu = 1;
    b.d(SGIR, 1 << 16 | 5);
    assert!(b.irq(0));
    assert!(!b.irq(1));
    b.cpu = 0;
    assert_eq!(b.rd(ISPENDR), 1 << 5);
    assert_eq!(b.rc(HPPIR), 1 << 10 | 5);
    assert_eq!(b.rc(IAR), 1 << 10 | 5);
    b.c(EOIR, 1 << 10 | 5);
    assert_eq!(b.rd(ISPENDR), 0);
    assert_eq!(b.rc(RPR), 0xff);
}

#[test]
fn an_sgi_of_two_senders_arrives_twice() {
    let mut b = a15();
    b.d(SGIR, 1 << 16 | 3);
    b.cpu = 1;
    b.d(SGIR, 1 << 16 | 3);
    b.cpu = 0;
    assert_eq!(b.rd(0xf20) >> 24, 3);
    assert_eq!(b.rc(IAR), 3);
    assert!(!b.irq(0));
    b.c(EOIR, 3);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 1 << 10 | 3);
    b.c(EOIR, 1 << 10 | 3);
    assert!(!b.irq(0));
}

#[test]
fn target_list_filters_mean_all_others_and_self() {
    let mut b = Bench::ready(Config::cortex_a15(4, 64, true));
    b.cpu = 2;
    b.d(SGIR, 1 << 24 | 1);
    assert_eq!(
        [b.irq(0), b.irq(1), b.irq(2), b.irq(3)],
        [true, true, false, true]
    );
    b.d(SGIR, 2 << 24 | 1);
    assert!(b.irq(2));
    let mut b = Bench::ready(Config::cortex_a15(4, 64, true));
    b.d(SGIR, 3 << 24 | 0xff << 16 | 1);
    assert_eq!(b.gic.lines(), Lines(0));
    // CPUs that are not there.
    b.d(SGIR, 0xf0 << 16 | 1);
    assert_eq!(b.gic.lines(), Lines(0));
}

#[test]
fn sgi_pending_bits_change_by_their_own_registers_only() {
    let mut b = a15();
    b.d(ISPENDR, 0xffff);
    assert_eq!(b.rd(ISPENDR), 0);
    b.db(0xf20 + 7, 0xff); // only the two CPUs that exist
    assert_eq!(b.rd(0xf24), 3 << 24);
    assert_eq!(b.rd(ISPENDR), 1 << 7);
    b.d(ICPENDR, 0xffff);
    assert_eq!(b.rd(ISPENDR), 1 << 7);
    b.db(0xf10 + 7, 1);
    assert!(b.irq(0));
    b.db(0xf10 + 7, 2);
    assert!(!b.irq(0));
}

#[test]
fn sgis_cannot_be_disabled_or_reconfigured() {
    let mut b = a9();
    b.d(ICENABLER, 0xffff_ffff);
    assert_eq!(b.rd(ISENABLER), 0xffff);
    b.d(ICFGR, 0);
    b.d(ICFGR + 4, 0);
    assert_eq!(b.rd(ICFGR), 0xaaaa_aaaa);
    assert_eq!(b.rd(ICFGR + 4), 0x7dc0_0000);
}

#[test]
fn a_ppi_belongs_to_one_cpu() {
    let mut b = a15();
    b.cpu = 1;
    b.d(ISENABLER, 1 << 27);
    b.line(1024 + 11, true);
    assert!(!b.irq(0) && !b.irq(1));
    b.line(1024 + 16 + 11, true);
    assert!(!b.irq(0) && b.irq(1));
    assert_eq!(b.rc(IAR), 27);
    assert_eq!(b.rd(0xd00), 1 << 11);
    b.cpu = 0;
    assert_eq!(b.rc(IAR), 1023);
    assert_eq!(b.rd(ISACTIVER), 0);
}

#[test]
fn an_spi_for_two_cpus_is_taken_by_one() {
    let mut b = a9();
    b.d(ISENABLER + 4, 1);
    b.db(ITARGETSR + 32, 0xff);
    assert_eq!(b.rd(ITARGETSR + 32), 3);
    b.line(32, true);
    assert!(b.irq(0) && b.irq(1));
    b.cpu = 1;
    assert_eq!(b.rc(IAR), 32);
    assert!(!b.irq(0) && !b.irq(1));
    b.cpu = 0;
    assert_eq!(b.rc(IAR), 1023);
    b.db(ITARGETSR + 32, 1);
    b.cpu = 1;
    b.c(EOIR, 32);
    assert!(b.irq(0) && !b.irq(1));
}

#[test]
fn with_one_cpu_the_targets_are_zero_and_everything_goes_to_it() {
    let mut b = plain();
    b.d(ITARGETSR + 32, 0xffff_ffff);
    assert_eq!(b.rd(ITARGETSR), 0);
    assert_eq!(b.rd(ITARGETSR + 32), 0);
    b.d(ISENABLER + 4, 1);
    b.line(32, true);
    assert!(b.irq(0));
}

#[test]
fn each_cpu_reads_itself_as_the_target_of_its_private_interrupts() {
    let mut b = a9();
    b.cpu = 1;
    b.d(ITARGETSR, 0);
    assert_eq!(b.rd(ITARGETSR), 0x0202_0202);
    assert_eq!(b.rd(ITARGETSR + 28), 0x0202_0202);
}

#[test]
fn group_0_is_a_fiq_when_fiqen_says_so_and_group_1_never() {
    let mut b = a9();
    b.spi(40, 0x80);
    b.spi(41, 0x90);
    b.group1(41);
    b.c(C_CTLR, 0xb);
    b.line(41, true);
    assert!(b.irq(0) && !b.fiq(0));
    b.line(40, true);
    assert!(!b.irq(0) && b.fiq(0));
    assert_eq!(b.rc(IAR), 40);
    assert!(!b.irq(0) && !b.fiq(0));
    b.line(40, false);
    b.c(EOIR, 40);
    assert!(b.irq(0) && !b.fiq(0));
}

#[test]
fn secure_iar_answers_1022_for_group_1_unless_ackctl() {
    let mut b = a15();
    b.spi(41, 0x90);
    b.group1(41);
    b.line(41, true);
    assert_eq!(b.rc(HPPIR), 1022);
    assert_eq!(b.rc(IAR), 1022);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert_eq!(b.rc(AHPPIR), 41);
    b.c(C_CTLR, 7);
    assert_eq!(b.rc(HPPIR), 41);
    assert_eq!(b.rc(IAR), 41);
    assert_eq!(b.rc(NSAPR), 1 << (0x90 >> 3));
    assert_eq!(b.rc(APR), 0);
}

#[test]
fn the_aliased_registers_serve_group_1_only() {
    let mut b = a15();
    b.spi(40, 0x20);
    b.spi(41, 0x90);
    b.group1(41);
    b.line(41, true);
    assert_eq!(b.rc(AIAR), 41);
    b.line(40, true);
    assert_eq!(b.rc(AIAR), 1023);
    assert_eq!(b.rc(AHPPIR), 1023);
    assert_eq!(b.rc(IAR), 40);
    b.c(AEOIR, 40); // not its group
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8 | 1 << 9);
    b.c(EOIR, 40);
    b.c(AEOIR, 41);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(AIAR), 0);
    assert_eq!(b.rc(ABPR), 0);
}

#[test]
fn version_1_has_no_aliased_iar_and_a_read_only_active_register() {
    let mut b = a9();
    b.spi(41, 0x90);
    b.group1(41);
    b.line(41, true);
    assert_eq!(b.rc(AIAR), 0);
    b.c(C_CTLR, 7);
    assert_eq!(b.rc(IAR), 41);
    b.d(ICACTIVER + 4, 0xffff_ffff);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 9);
    b.d(ISACTIVER + 4, 1);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 9);
    assert_eq!(b.rd(0xf20), 0);
}

#[test]
fn non_secure_software_sees_and_changes_its_own_interrupts_only() {
    let mut b = a15();
    b.group1(41);
    b.d(ISENABLER + 4, 1 << 8);
    b.db(IPRIORITYR + 40, 0x48);
    b.security = Security::NonSecure;
    assert_eq!(b.rd(IGROUPR + 4), 0);
    b.d(IGROUPR + 4, 0xffff_ffff);
    assert_eq!(b.rd(ISENABLER + 4), 0);
    b.d(ISENABLER + 4, 0xffff_ffff);
    b.d(ISPENDR + 4, 0xffff_ffff);
    b.d(ISACTIVER + 4, 0xffff_ffff);
    b.d(IPRIORITYR + 40, 0x4040);
    b.d(ITARGETSR + 40, 0x0202);
    b.d(ICFGR + 8, 0xffff_ffff);
    assert_eq!(b.rd(ISENABLER + 4), 1 << 9);
    assert_eq!(b.rd(ICFGR + 8), 3 << 18);
    b.security = Security::Secure;
    assert_eq!(b.rd(IGROUPR + 4), 1 << 9);
    assert_eq!(b.rd(ISENABLER + 4), 3 << 8);
    assert_eq!(b.rd(ISPENDR + 4), 1 << 9);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 9);
    // 0x40 in the Non-secure view is 0xa0 in the Secure one.
    assert_eq!(b.rd(IPRIORITYR + 40), 0xa048);
    assert_eq!(b.rd(ITARGETSR + 40), 0x0200);
    assert_eq!(b.rd(ICFGR + 8), 0x5555_5555 | 2 << 18);
}

#[test]
fn the_control_registers_are_banked_by_security() {
    let mut b = Bench::new(Config::cortex_a15(1, 64, true));
    b.d(CTLR, 1);
    b.c(C_CTLR, 1);
    b.security = Security::NonSecure;
    assert_eq!(b.rd(CTLR), 0);
    b.d(CTLR, 3);
    assert_eq!(b.rc(C_CTLR), 0);
    b.c(C_CTLR, 0xffff_ffff);
    assert_eq!(b.rc(C_CTLR), 0x261);
    b.security = Security::Secure;
    assert_eq!(b.rd(CTLR), 3);
    assert_eq!(b.rc(C_CTLR), 0x583);
    b.c(C_CTLR, 0xffff_ffff);
    assert_eq!(b.rc(C_CTLR), 0x7ff);
}

#[test]
fn each_version_has_its_control_bits() {
    let all = 0xffff_ffff;
    let v1_plain = Config {
        security: false,
        ..Config::cortex_a9(1, 64)
    };
    for (config, bits, forward) in [
        (Config::cortex_a9(1, 64), 0x1f, 3),
        (v1_plain, 1, 1),
        (Config::plain_v2(1, 64), 0x3ff, 3),
    ] {
        let mut b = Bench::new(config);
        b.c(C_CTLR, all);
        assert_eq!(b.rc(C_CTLR), bits);
        b.d(CTLR, all);
        assert_eq!(b.rd(CTLR), forward);
        b.d(IGROUPR + 4, all);
        assert_eq!(b.rd(IGROUPR + 4), if forward == 3 { all } else { 0 });
    }
}

#[test]
fn a_controller_without_security_extensions_ignores_the_state_of_the_bus() {
    let mut b = plain();
    b.security = Security::NonSecure;
    b.spi(40, 0x48);
    assert_eq!(b.rd(IPRIORITYR + 40), 0x48);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.c(EOIR, 40);
    assert_eq!(b.rc(RPR), 0xff);
}

#[test]
fn non_secure_mask_and_running_priority_are_the_lower_half() {
    let mut b = a15();
    b.c(PMR, 0x70);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(PMR), 0);
    b.c(PMR, 0xf0); // Secure software has masked them: no effect
    b.security = Security::Secure;
    assert_eq!(b.rc(PMR), 0x70);
    b.c(PMR, 0xf8);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(PMR), 0xf0);
    b.c(PMR, 0x80);
    assert_eq!(b.rc(PMR), 0x80);
    b.security = Security::Secure;
    assert_eq!(b.rc(PMR), 0xc0);
    // A Group 0 interrupt runs: Non-secure software reads 0.
    b.spi(40, 0x20);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    assert_eq!(b.rc(RPR), 0x20);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(RPR), 0);
}

#[test]
fn non_secure_software_cannot_take_or_end_group_0() {
    let mut b = a15();
    b.spi(40, 0x20);
    b.line(40, true);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(HPPIR), 1023);
    assert_eq!(b.rc(IAR), 1023);
    b.security = Security::Secure;
    assert_eq!(b.rc(IAR), 40);
    b.security = Security::NonSecure;
    b.c(EOIR, 40);
    b.security = Security::Secure;
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
    assert_eq!(b.rc(RPR), 0x20);
}

#[test]
fn non_secure_software_takes_and_ends_group_1() {
    let mut b = a15();
    b.spi(41, 0xa0);
    b.group1(41);
    b.line(41, true);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(IAR), 41);
    assert_eq!(b.rc(RPR), 0x40);
    assert_eq!(b.rc(APR), 1 << (0x40 >> 4));
    assert_eq!(b.rc(NSAPR), 0);
    b.line(41, false);
    b.c(EOIR, 41);
    assert_eq!(b.rc(RPR), 0xff);
}

#[test]
fn sgis_respect_groups_by_security_and_nsatt() {
    let mut b = a15();
    b.c(C_CTLR, 7);
    b.group1(1);
    b.d(SGIR, 1 << 16 | 1); // NSATT 0: Group 0 only
    assert!(!b.irq(0));
    b.d(SGIR, 1 << 16 | 1 << 15); // NSATT 1 on a Group 0 SGI
    assert!(!b.irq(0));
    b.security = Security::NonSecure;
    b.d(SGIR, 1 << 16); // SGI 0 is Secure
    assert!(!b.irq(0));
    b.d(SGIR, 1 << 16 | 1);
    assert!(b.irq(0));
    assert_eq!(b.rc(IAR), 1);
}

#[test]
fn cbpr_gives_group_1_the_binary_point_of_group_0() {
    let mut b = a15();
    b.c(BPR, 5);
    b.c(ABPR, 3);
    assert_eq!((b.rc(BPR), b.rc(ABPR)), (5, 3));
    b.security = Security::NonSecure;
    assert_eq!(b.rc(BPR), 3);
    b.c(BPR, 0); // below the least
    assert_eq!(b.rc(BPR), 3);
    b.security = Security::Secure;
    b.c(C_CTLR, 0x17);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(BPR), 6);
    b.c(BPR, 7); // ignored
    b.security = Security::Secure;
    assert_eq!(b.rc(ABPR), 3);
    // Groups of 64 now: 0xb8 and 0x80 are one group.
    for (id, priority) in [(41, 0xb8), (42, 0x80)] {
        b.spi(id, priority);
        b.group1(id);
    }
    b.line(41, true);
    assert_eq!(b.rc(IAR), 41);
    b.line(42, true);
    assert!(!b.irq(0));
    b.c(C_CTLR, 0x7);
    assert!(!b.irq(0)); // it became active as group 0x80
    assert_eq!(b.rc(RPR), 0x80);
}

#[test]
fn split_end_drops_the_priority_and_leaves_the_interrupt_active() {
    let mut b = a15();
    b.c(C_CTLR, 0x203);
    b.spi(40, 0x80);
    b.spi(41, 0x80);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.line(41, true);
    b.c(EOIR, 40);
    assert_eq!(b.rc(RPR), 0xff);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
    // The next one comes, and not the active one again though its level is high.
    assert_eq!(b.rc(IAR), 41);
    b.line(41, false);
    b.c(EOIR, 41);
    b.c(DIR, 41);
    assert!(!b.irq(0));
    b.c(DIR, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert!(b.irq(0));
}

#[test]
fn dir_without_split_end_does_nothing() {
    let mut b = a15();
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.c(DIR, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
}

#[test]
fn each_security_state_has_its_own_split_end() {
    let mut b = a15();
    b.c(C_CTLR, 0x403); // EOImodeNS
    b.spi(40, 0x20);
    b.spi(41, 0xa0);
    b.group1(41);
    b.line(41, true);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(IAR), 41);
    b.c(EOIR, 41);
    b.c(DIR, 40);
    b.security = Security::Secure;
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 9);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.security = Security::NonSecure;
    b.c(DIR, 40); // Group 0
    b.c(DIR, 41);
    b.security = Security::Secure;
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
    b.c(EOIR, 40);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
}

#[test]
fn active_priorities_can_be_taken_out_and_put_back() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    // 128 group priorities, 32 a word: 0x80 is number 64.
    assert_eq!(
        [b.rc(APR), b.rc(APR + 4), b.rc(APR + 8), b.rc(APR + 12)],
        [0, 0, 1, 0]
    );
    b.c(APR + 8, 0);
    assert_eq!(b.rc(RPR), 0xff);
    b.c(APR + 4, 0x8000_0000);
    assert_eq!(b.rc(RPR), 0x7e);
}

#[test]
fn non_secure_active_priorities_leave_the_secure_half_alone() {
    let mut b = a15();
    b.c(NSAPR, 0x0003_0001);
    b.security = Security::NonSecure;
    assert_eq!(b.rc(APR), 3);
    b.c(APR, 0xffff_0004);
    b.security = Security::Secure;
    assert_eq!(b.rc(NSAPR), 0x0004_0001);
    b.c(APR + 4, 0xffff_ffff); // 32 levels only
    assert_eq!(b.rc(APR + 4), 0);
}

#[test]
fn ending_what_is_not_an_interrupt_changes_nothing() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    for id in [1020, 1022, 1023, 288, 0x3ff] {
        b.c(EOIR, id);
    }
    assert_eq!(b.rc(RPR), 0x80);
    assert_eq!(b.rd(ISACTIVER + 4), 1 << 8);
}

#[test]
fn interrupts_that_do_not_exist_read_as_zero() {
    let mut b = Bench::ready(Config::cortex_a15(2, 64, true));
    for offset in [0x108, 0x208, 0x308, 0x440, 0x840, 0xc10, 0xd08, 0x088] {
        b.d(offset, 0xffff_ffff);
        assert_eq!(b.rd(offset), 0, "{offset:#x}");
    }
    b.line(64, true);
    b.line(1024 + 2 * 16, true);
    b.line(1023, true);
    b.line(5, true);
    assert_eq!(b.rd(ISPENDR), 0);
    assert_eq!(b.gic.lines(), Lines(0));
}

#[test]
fn the_last_four_numbers_are_special_even_with_1020_interrupts() {
    let mut b = Bench::ready(Config::plain_v2(1, 1020));
    b.d(ISENABLER + 124, 0xffff_ffff);
    assert_eq!(b.rd(ISENABLER + 124), 0x0fff_ffff);
    b.line(1019, true);
    assert_eq!(b.rc(IAR), 1019);
}

#[test]
fn accesses_of_the_wrong_width_or_place_are_refused() {
    let mut b = a15();
    assert_eq!(b.read(0, CTLR, Width::Byte), Err(Refusal::Width));
    assert_eq!(b.read(0, IPRIORITYR + 1, Width::Word), Err(Refusal::Width));
    assert_eq!(b.read(0, IPRIORITYR, Width::Half), Err(Refusal::Width));
    assert_eq!(b.write(0, SGIR, Width::Double, 0), Err(Refusal::Width));
    assert_eq!(b.read(1, IAR, Width::Half), Err(Refusal::Width));
    assert_eq!(b.read(0, 0x1000, Width::Word), Err(Refusal::NoRegister));
    assert_eq!(b.read(1, 0x2000, Width::Word), Err(Refusal::NoRegister));
    assert_eq!(b.read(2, 0, Width::Word), Err(Refusal::NoRegister));
    assert_eq!(b.read(3, 0, Width::Word), Err(Refusal::NoRegister));
    assert_eq!(b.read(0, 0xe00, Width::Word), Ok(0));
    b.cpu = 2;
    assert_eq!(b.read(1, IAR, Width::Word), Err(Refusal::Forbidden));
}

#[test]
fn every_offset_answers_or_refuses_in_every_state() {
    for config in [Config::cortex_a9(8, 1020), Config::plain_v2(1, 32)] {
        let mut b = Bench::ready(config);
        for security in [Security::Secure, Security::NonSecure] {
            b.security = security;
            for region in 0..3 {
                for offset in 0..0x2004 {
                    for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
                        let _ = b.write(region, offset, width, width.mask());
                        let _ = b.read(region, offset, width);
                    }
                }
            }
        }
        for line in 0..=u16::MAX {
            b.line(line, true);
        }
    }
}

#[test]
fn a_reset_forgets_all_but_the_wires() {
    let mut b = plain();
    b.spi(40, 0x80);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.gic.reset(Reset::Warm);
    assert_eq!(b.rd(ISENABLER + 4), 0);
    assert_eq!(b.rd(ISACTIVER + 4), 0);
    assert_eq!(b.rc(RPR), 0xff);
    assert_eq!(b.rd(ISPENDR + 4), 1 << 8);
    assert_eq!(b.gic.lines(), Lines(0));
}

fn saved(b: &Bench) -> alloc::vec::Vec<u8> {
    let mut out = Writer::default();
    b.gic.save(&mut out);
    out.into_bytes()
}

#[test]
fn a_saved_controller_goes_on_where_it_was() {
    let mut b = a15();
    b.spi(40, 0x80);
    b.spi(41, 0x40);
    b.line(40, true);
    assert_eq!(b.rc(IAR), 40);
    b.line(41, true);
    b.cpu = 1;
    b.d(SGIR, 1 << 16 | 9);
    b.cpu = 0;
    let bytes = saved(&b);
    let mut other = Bench::new(*b.gic.config());
    let mut reader = Reader::new(&bytes);
    other.gic.load(&mut reader).unwrap();
    reader.end().unwrap();
    assert_eq!(saved(&other), bytes);
    assert_eq!(other.gic.lines(), b.gic.lines());
    assert_eq!(other.rc(IAR), 1 << 10 | 9);
    assert_eq!(other.rc(RPR), 0);
    other.c(EOIR, 1 << 10 | 9);
    assert_eq!(other.rc(IAR), 41);
}

#[test]
fn a_state_of_another_controller_or_cut_short_is_refused() {
    let bytes = saved(&a15());
    let mut other = a9();
    assert_eq!(
        other.gic.load(&mut Reader::new(&bytes)),
        Err(Refusal::BadState)
    );
    assert_eq!(other.rc(PMR), 0); // as after a cold reset
    for length in (0..bytes.len()).step_by(97) {
        let mut same = a15();
        let cut = &bytes[..length];
        assert_eq!(same.gic.load(&mut Reader::new(cut)), Err(Refusal::BadState));
    }
}

#[test]
fn the_choice_kept_up_to_date_is_the_choice_made_afresh() {
    // A fixed pseudo-random walk over the registers that matter; after each step the cached
    // candidate of every CPU is what a search over all interrupts finds.
    let mut b = Bench::ready(Config::cortex_a9(2, 96));
    let mut x = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let value = x >> 32;
        b.cpu = (x & 1) as u8;
        b.security = if x & 6 == 0 {
            Security::NonSecure
        } else {
            Security::Secure
        };
        let n = (x >> 3) % 3 * 4;
        let id = (x >> 5) % 96;
        match (x >> 12) % 14 {
            0 => b.d(IGROUPR + n, value),
            1 | 2 => b.d(ISENABLER + n, value),
            3 => b.d(ICENABLER + n, value),
            4 => b.d(ISPENDR + n, value & value >> 7),
            5 => b.d(ICPENDR + n, value),
            6 => b.db(IPRIORITYR + id, value & 0xff),
            7 => b.db(ITARGETSR + id, value & 0xff),
            8 => b.d(ICFGR + n, value),
            9 => b.d(SGIR, value),
            10 => drop(b.rc(IAR)),
            11 => b.c(EOIR, id),
            12 => b.d(CTLR, value & 3),
            _ => b.line(id as u16, value & 1 != 0),
        }
        for cpu in 0..2_usize {
            let i = &b.gic.interrupts;
            let found = (0..96_usize)
                .filter(|id| {
                    let (at, flag) = (place(cpu, id / 32), bit((id % 32) as u32));
                    let group1 = i.group.get(at) & flag != 0;
                    let forwarded = if group1 {
                        b.gic.group1_forwarded
                    } else {
                        b.gic.group0_forwarded
                    };
                    forwarded
                        && i.pending(at) & i.enabled.get(at) & !i.active.get(at) & flag != 0
                        && (*id < 32 || i.targeted[cpu].get(at) & flag != 0)
                })
                .min_by_key(|id| (i.priority(place(cpu, id / 32), id % 32), *id));
            let cached = b.gic.interfaces[cpu].highest.map(|h| usize::from(h.id));
            assert_eq!(cached, found);
        }
    }
}
