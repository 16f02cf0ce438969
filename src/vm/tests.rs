//! The virtual machine on a small board: each class of trap, each refusal, and noise.

use super::fake::{FakeCore, RAM};
use super::inject::vector;
use super::report::Switch;
use super::*;
use crate::board::plan::PsciPlan;
use crate::vcpu::{mode, psr};
use std::format;
use std::string::ToString;
use vm_fdt::FdtWriter;

/// One CPU, RAM at 0x6000_0000 and an emulated device like RAM behind it, a UART at 0x1000_9000,
/// a GIC at 0x1e00_1000.
fn map(cpu: &str, secure: bool, more: &dyn Fn(&mut FdtWriter)) -> Vec<u8> {
    map_with(cpu, secure, None, more)
}

/// With another controller than the CPU's own: its `compatible` and its second block.
fn map_with(
    cpu: &str,
    secure: bool,
    gic_of: Option<(&str, [u32; 2])>,
    more: &dyn Fn(&mut FdtWriter),
) -> Vec<u8> {
    let mut f = FdtWriter::new().unwrap();
    let root = f.begin_node("").unwrap();
    f.property_u32("#address-cells", 1).unwrap();
    f.property_u32("#size-cells", 1).unwrap();
    f.property_string("compatible", "test,board").unwrap();
    f.property_string("model", "A small board").unwrap();
    f.property_u32("interrupt-parent", 1).unwrap();
    if secure {
        f.property_null("reliquary,secure").unwrap();
    }
    let cpus = f.begin_node("cpus").unwrap();
    f.property_u32("#address-cells", 1).unwrap();
    f.property_u32("#size-cells", 0).unwrap();
    let node = f.begin_node("cpu@0").unwrap();
    f.property_string("device_type", "cpu").unwrap();
    f.property_string("compatible", cpu).unwrap();
    f.property_u32("reg", 0).unwrap();
    f.end_node(node).unwrap();
    f.end_node(cpus).unwrap();
    let memory = f.begin_node("memory@60000000").unwrap();
    f.property_string("device_type", "memory").unwrap();
    f.property_array_u32("reg", &[0x6000_0000, 0x1_0000])
        .unwrap();
    f.end_node(memory).unwrap();
    let gic = f.begin_node("interrupt-controller@1e001000").unwrap();
    let a9 = cpu == A9;
    let (gic_of, interface) = gic_of.unwrap_or(if a9 {
        ("arm,cortex-a9-gic", [0x1e00_0100, 0x100])
    } else {
        ("arm,cortex-a15-gic", [0x1e00_2000, 0x2000])
    });
    f.property_string("compatible", gic_of).unwrap();
    f.property_u32("#interrupt-cells", 3).unwrap();
    f.property_null("interrupt-controller").unwrap();
    let bytes = if interface[0] < 0x1e10_0000 {
        0x1000
    } else {
        0x1_0000
    };
    let reg = [0x1e00_1000, bytes, interface[0], interface[1]];
    f.property_array_u32("reg", &reg).unwrap();
    f.property_phandle(1).unwrap();
    f.end_node(gic).unwrap();
    let timer = f.begin_node("timer").unwrap();
    f.property_string("compatible", "arm,armv7-timer").unwrap();
    f.property_array_u32(
        "interrupts",
        &[1, 13, 0xf08, 1, 14, 0xf08, 1, 11, 0xf08, 1, 10, 0xf08],
    )
    .unwrap();
    f.end_node(timer).unwrap();
    let uart = f.begin_node("serial@10009000").unwrap();
    f.property_string_list(
        "compatible",
        std::vec!["arm,pl011".into(), "arm,primecell".into()],
    )
    .unwrap();
    f.property_array_u32("reg", &[0x1000_9000, 0x1000]).unwrap();
    f.property_array_u32("interrupts", &[0, 5, 4]).unwrap();
    f.end_node(uart).unwrap();
    let ram = f.begin_node("device@60010000").unwrap();
    f.property_string("compatible", "reliquary,ram").unwrap();
    f.property_array_u32("reg", &[0x6001_0000, 0x1000]).unwrap();
    f.end_node(ram).unwrap();
    more(&mut f);
    f.end_node(root).unwrap();
    f.finish().unwrap()
}

pub(super) const A9: &str = "arm,cortex-a9";
pub(super) const A15: &str = "arm,cortex-a15";
pub(super) const A57: &str = "arm,cortex-a57";
const HZ: u64 = 62_500_000;
const UART: u64 = 0x1000_9000;

pub(super) fn plan(cpu: &str, secure: bool) -> Plan {
    Plan::read(&map(cpu, secure, &|_| ())).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// With more nodes in its map.
pub(super) fn plan_with(cpu: &str, more: &dyn Fn(&mut FdtWriter)) -> Plan {
    Plan::read(&map(cpu, false, more)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

pub(super) struct Guest {
    pub vm: Vm,
    pub core: FakeCore,
    pub regs: Vcpu,
}

impl Guest {
    pub fn of(plan: &Plan) -> Self {
        Self::on(FakeCore::default(), plan)
    }
    pub fn on(core: FakeCore, plan: &Plan) -> Self {
        let vm = Vm::new("press", plan, HZ).unwrap_or_else(|e| panic!("{e}"));
        let spsr = if vm.cpu().aarch64 {
            psr::EL1H
        } else {
            mode::SVC
        };
        let regs = Vcpu {
            pc: RAM + 0x1000,
            spsr,
            ..Vcpu::default()
        };
        let mut guest = Self { vm, core, regs };
        guest.vm.enter(0, &guest.regs, &mut guest.core);
        guest
    }
    fn new(cpu: &str) -> Self {
        Self::of(&plan(cpu, false))
    }
    fn secure(cpu: &str) -> Self {
        Self::of(&plan(cpu, true))
    }
    pub fn trap(&mut self, class: u64, iss: u64) -> Next {
        self.trap_at(class, iss, 0)
    }
    pub fn trap_at(&mut self, class: u64, iss: u64, at: u64) -> Next {
        let esr = class << 26 | 1 << 25 | iss;
        let trap = Trap {
            esr,
            far: at,
            ipa: Ipa(at),
        };
        self.vm.trap(0, &mut self.regs, &mut self.core, trap)
    }
    /// A word load or store of `r<n>`.
    pub fn word(&mut self, at: u64, n: u64, write: bool) -> Next {
        self.trap_at(
            0x24,
            1 << 24 | 2 << 22 | n << 16 | u64::from(write) << 6 | 7,
            at,
        )
    }
    pub fn put(&mut self, at: u64, word: u32) {
        self.core
            .memory()
            .write(Ipa(at), &word.to_le_bytes())
            .unwrap();
    }
    /// The guest's instruction `word` at RAM + 0x100 was undefined on the host.
    fn undefined(&mut self, word: u32) -> Next {
        self.put(RAM + 0x100, word);
        self.core.set(SysReg::VbarEl1, RAM);
        self.core.set(SysReg::SpsrUnd, self.regs.spsr);
        self.regs.pc = RAM + vector::UNDEFINED;
        self.regs.spsr = mode::UND | psr::I;
        self.regs.x[22] = RAM + 0x104;
        self.trap(0x30, 0x22)
    }
    pub fn reason(&self) -> report::Reason {
        self.vm.report().expect("a report").reason()
    }
}

/// MRC or MCR p15: CV and the always condition, opc1, CRn, CRm, opc2, Rt.
/// A guest on the same board with a GICv3.
fn with_gicv3(cpu: &str) -> Guest {
    let gic = ("arm,gic-v3", [0x1e10_0000, 0x2_0000]);
    let map = map_with(cpu, false, Some(gic), &|_| ());
    Guest::of(&Plan::read(&map).unwrap_or_else(|errors| panic!("{errors:?}")))
}

/// The ISS of an MSR, or an MRS, at op0 3, op1 0.
fn sys64(crn: u64, crm: u64, op2: u64, rt: u64, read: bool) -> u64 {
    3 << 20 | op2 << 17 | crn << 10 | rt << 5 | crm << 1 | u64::from(read)
}

#[test]
fn a_gicv3s_system_registers_reach_the_board_and_the_lines_come_back() {
    let mut g = with_gicv3(A57);
    // GICD_CTLR, GICR_WAKER; PPI 30 of Group 1, enabled.
    for (at, value) in [
        (0x1e00_1000, 3),
        (0x1e10_0014, 0),
        (0x1e11_0080, 1 << 30),
        (0x1e11_0100, 1 << 30),
    ] {
        g.regs.x[0] = value;
        g.word(at, 0, true);
    }
    for (crn, crm, op2, value) in [(4, 6, 0, 0xff), (12, 12, 7, 1)] {
        g.regs.x[1] = value;
        assert_eq!(
            g.trap(ec::SYS64.into(), sys64(crn, crm, op2, 1, false)),
            Next::Resume
        );
    }
    let world = World {
        now: Instant(0),
        memory: g.core.memory(),
    };
    let timer = CpuTimer::NonSecurePhysical;
    g.vm.board.timer_line(&world, 0, timer, true);
    assert!(g.vm.lines(0).irq);
    let pc = g.regs.pc;
    g.trap(ec::SYS64.into(), sys64(12, 12, 0, 2, true));
    assert_eq!((g.regs.x[2], g.regs.pc), (30, pc + 4), "ICC_IAR1_EL1");
    assert!(!g.vm.lines(0).irq, "it is active");
    assert!(g.vm.take_news().has(News::LINES));
    // ICC_RPR_EL1 has no write.
    g.trap(ec::SYS64.into(), sys64(12, 11, 3, 1, false));
    assert_ne!(g.regs.pc, pc + 8, "UNDEF");
}

#[test]
fn an_aarch32_guest_has_the_same_registers_by_mrc_and_mcrr() {
    let mut g = with_gicv3(A15);
    g.regs.x[1] = 0xa8;
    g.trap(ec::CP15_32.into(), cp15(0, 4, 6, 0, 1, false));
    g.trap(ec::CP15_32.into(), cp15(0, 4, 6, 0, 2, true));
    assert_eq!(g.regs.x[2], 0xa8, "ICC_PMR");
    g.trap(ec::CP15_32.into(), cp15(0, 12, 12, 5, 2, true));
    assert_eq!(g.regs.x[2], 7, "ICC_SRE");
    // SGI 3, of Group 1, to itself by ICC_SGI1R: MCRR p15, 0, r4, r5, c12.
    g.regs.x[0] = 1 << 3;
    g.word(0x1e11_0080, 0, true);
    (g.regs.x[4], g.regs.x[5]) = (3 << 24 | 1, 0);
    g.trap(ec::CP15_64.into(), 5 << 10 | 4 << 5 | 12 << 1);
    g.word(0x1e11_0200, 0, false);
    assert_eq!(g.regs.x[0], 1 << 3, "GICR_ISPENDR0");
}

#[test]
fn id_registers_show_a_gicv3s_interface_on_a_board_that_has_one() {
    let field = |mut g: Guest| {
        g.trap(ec::SYS64.into(), sys64(0, 4, 0, 1, true));
        g.trap(ec::SYS64.into(), sys64(0, 1, 1, 2, true));
        (g.regs.x[1] >> 24 & 0xf, g.regs.x[2] >> 28)
    };
    assert_eq!(field(with_gicv3(A57)), (1, 1));
    assert_eq!(field(Guest::new(A57)), (0, 0));
}

#[test]
fn on_a_board_without_a_gicv3_its_registers_are_undefined() {
    for (crn, crm, op2) in [(4, 6, 0), (12, 12, 0), (12, 12, 5), (12, 11, 5)] {
        let mut g = Guest::new(A57);
        let (pc, vbar) = (g.regs.pc, 0x6000_0000);
        g.core.set(SysReg::VbarEl1, vbar);
        g.trap(ec::SYS64.into(), sys64(crn, crm, op2, 1, true));
        assert_eq!(g.core.get(SysReg::ElrEl1), pc);
        assert_eq!(g.regs.pc, vbar + 0x200, "UNDEF at EL1");
    }
}

fn cp15(opc1: u64, crn: u64, crm: u64, opc2: u64, rt: u64, read: bool) -> u64 {
    1 << 24 | 14 << 20 | opc2 << 17 | opc1 << 14 | crn << 10 | rt << 5 | crm << 1 | u64::from(read)
}

#[test]
fn a_store_reaches_the_uart_and_the_guest_goes_on() {
    let mut g = Guest::new(A9);
    g.regs.x[3] = 0x301; // UARTEN, TXE, RXE
    assert_eq!(g.word(UART + 0x30, 3, true), Next::Resume);
    g.regs.x[3] = u64::from(b'!');
    assert_eq!(g.word(UART, 3, true), Next::Resume);
    assert_eq!(g.regs.pc, RAM + 0x1008);
    assert_eq!(g.word(UART + 0x30, 14, false), Next::Resume);
    assert_eq!(g.regs.x[18], 0x301, "a load of lr in SVC mode");
    let last: Vec<_> = g.vm.board().recent().map(|a| (a.offset, a.write)).collect();
    assert_eq!(last, [(0x30, true), (0, true), (0x30, false)]);
}

#[test]
fn what_no_window_claims_is_an_external_abort_at_the_instruction() {
    let mut g = Guest::new(A9);
    assert_eq!(g.word(0x2000_0000, 3, true), Next::Resume);
    assert_eq!((g.regs.pc, g.regs.mode()), (vector::DATA_ABORT, mode::ABT));
    assert_eq!(
        g.regs.x[20],
        RAM + 0x1008,
        "LR_abt is the instruction and 8"
    );
    assert_eq!(g.core.get(SysReg::EsrEl1), 0x808);
    assert_eq!(g.core.get(SysReg::FarEl1), 0x2000_0000);
}

#[test]
fn a_misaligned_access_with_the_mmu_off_is_an_alignment_fault() {
    let mut g = Guest::new(A9);
    g.put(RAM + 0x1000, 0xe593_4000); // LDR r4, [r3]
    g.regs.x[3] = UART + 2;
    g.word(UART + 2, 4, false);
    assert_eq!(g.core.get(SysReg::EsrEl1), 0x001);
    assert_eq!(g.regs.pc, vector::DATA_ABORT);
}

#[test]
fn cache_maintenance_on_a_device_is_done_at_once() {
    let mut g = Guest::new(A9);
    assert_eq!(g.trap_at(0x24, 1 << 8 | 1 << 6 | 7, UART), Next::Resume);
    assert_eq!(g.regs.pc, RAM + 0x1004);
}

#[test]
fn what_cannot_be_done_stops_with_its_reason() {
    use report::Reason::*;
    for (class, iss, at, reason) in [
        (0x24, 0x7, UART, NotDecoded),
        (0x24, 1 << 7 | 0x7, UART, TableInDevice),
        (0x24, 0x18, 0, HostFault(crate::mmio::Fault::Parity)),
        (0x20, 0x7, UART, FetchFromDevice),
        (0x20, 1 << 7 | 0x7, UART, TableInDevice),
        (0x20, 0x10, 0, HostFault(crate::mmio::Fault::External)),
        (0x0e, 0, 0, Unexpected),
        (0x3f, 0, 0, Unexpected),
        (
            0x13,
            1 << 24 | 14 << 20,
            0,
            SecureSwitch(Switch::MonitorCall),
        ),
    ] {
        let mut g = Guest::new(A9);
        assert_eq!(g.trap_at(class, iss, at), Next::Stop, "{class:#x} {iss:#x}");
        assert_eq!(g.reason(), reason);
        assert_eq!(g.regs.pc, RAM + 0x1000, "PC stays");
    }
}

#[test]
fn a_fetch_from_nowhere_is_the_guests_prefetch_abort_until_its_vector_is_nowhere_too() {
    let mut g = Guest::new(A9);
    assert_eq!(g.trap_at(0x20, 7, 0x2000_0000), Next::Resume);
    assert_eq!(g.regs.pc, vector::PREFETCH_ABORT);
    assert_eq!(g.trap_at(0x20, 7, 0xc), Next::Stop);
    assert_eq!(g.reason(), report::Reason::NoVector);
}

#[test]
fn the_guest_sees_its_boards_cpu() {
    for (cpu, midr, pfr1) in [(A9, 0x410f_c090, 0x11), (A15, 0x414f_c0f0, 0x1_1011)] {
        let mut g = Guest::new(cpu);
        assert_eq!(
            g.vm.identity(0),
            Identity {
                midr,
                mpidr: 0x8000_0000
            }
        );
        g.trap(0x03, cp15(0, 0, 1, 1, 14, true));
        assert_eq!(g.regs.x[18], pfr1, "in LR_svc");
        assert_eq!(g.regs.pc, RAM + 0x1004);
    }
    let mut g = Guest::new(A57);
    // MRS x4, ID_AA64PFR0_EL1.
    g.trap(0x18, 3 << 20 | 4 << 1 | 4 << 5 | 1);
    assert_eq!(g.regs.x[4], 0x22);
}

#[test]
fn cache_sizes_follow_csselr() {
    let mut g = Guest::new(A15);
    for (select, size) in [(0, 0x701f_e00a), (1, 0x201f_e00a), (2, 0x711f_e07a), (5, 0)] {
        g.regs.x[0] = select;
        g.trap(0x03, cp15(2, 0, 0, 0, 0, false));
        g.trap(0x03, cp15(1, 0, 0, 0, 1, true));
        assert_eq!(g.regs.x[1], size);
    }
}

#[test]
fn an_instruction_that_fails_its_condition_is_skipped() {
    let mut g = Guest::new(A9);
    g.regs.x[0] = 0x40;
    // MCREQ p15, 0, r0, c1, c0, 1 with Z clear.
    let iss = cp15(0, 1, 0, 1, 0, false) & !(0xf << 20);
    assert_eq!(g.trap(0x03, iss), Next::Resume);
    assert_eq!(g.regs.pc, RAM + 0x1004);
    g.trap(0x03, cp15(0, 1, 0, 1, 2, true));
    assert_eq!(g.regs.x[2], 0, "ACTLR was not written");
    g.regs.spsr |= psr::Z;
    g.trap(0x03, iss);
    g.trap(0x03, cp15(0, 1, 0, 1, 2, true));
    assert_eq!(g.regs.x[2], 0x40);
    // SMCNE with Z set.
    assert_eq!(g.trap(0x13, 1 << 24 | 1 << 20), Next::Resume);
}

#[test]
fn a_register_that_the_cpu_does_not_have_is_undefined() {
    // L2CTLR on a Cortex-A9; SCR in Non-secure state; ID registers from User mode; a write of
    // one; LDC of the debug channel; FP that the guest has not opened.
    for (class, iss, spsr) in [
        (0x03, cp15(1, 9, 0, 2, 0, true), mode::SVC),
        (0x03, cp15(0, 1, 1, 0, 0, true), mode::SVC),
        (0x03, cp15(0, 0, 1, 1, 0, true), mode::USR),
        (0x03, cp15(0, 0, 1, 1, 0, false), mode::SVC),
        (0x06, 1 << 24 | 14 << 20, mode::SVC),
        (0x07, 1 << 24 | 14 << 20, mode::SVC),
        (0x00, 0, mode::SVC),
        (0x12, 0, mode::SVC),
    ] {
        let mut g = Guest::new(A9);
        g.regs.spsr = spsr;
        assert_eq!(g.trap(class, iss), Next::Resume);
        assert_eq!(
            (g.regs.pc, g.regs.mode()),
            (vector::UNDEFINED, mode::UND),
            "{class:#x}"
        );
        assert_eq!(g.core.get(SysReg::SpsrUnd), spsr);
        // HVC traps behind itself.
        let at = if class == 0x12 {
            RAM + 0x1000
        } else {
            RAM + 0x1004
        };
        assert_eq!(g.regs.x[22], at);
    }
}

#[test]
fn wfi_waits_unless_an_interrupt_is_pending_and_wfe_never_does() {
    let mut g = Guest::new(A9);
    let always = 1 << 24 | 14 << 20;
    assert_eq!(g.trap(0x01, always), Next::Wait);
    assert_eq!(g.trap(0x01, always | 1), Next::Resume);
    assert_eq!(g.regs.pc, RAM + 0x1008);
}

#[test]
fn the_physical_timer_keeps_the_deadline_and_the_counter_shows_the_boards_clock() {
    let mut g = Guest::new(A15);
    g.core.ticks = 1000;
    // MRRC p15, 0, r2, r3, c14.
    g.core.ticks = 0x12_0000_0034;
    g.trap(0x04, 1 << 24 | 14 << 20 | 3 << 10 | 2 << 5 | 14 << 1 | 1);
    assert_eq!((g.regs.x[2], g.regs.x[3]), (0x34, 0x12));
    g.core.ticks = 1000;
    g.regs.x[0] = 500;
    g.trap(0x03, cp15(0, 14, 2, 0, 0, false));
    assert_eq!(g.vm.deadline(), None, "not enabled yet");
    g.regs.x[0] = 1;
    g.trap(0x03, cp15(0, 14, 2, 1, 0, false));
    assert_eq!(g.vm.deadline(), Some(Instant(1500 * 16)));
    g.core.ticks = 1500;
    assert_eq!(g.vm.catch_up(0, &mut g.core), Next::Resume);
    assert_eq!(g.vm.deadline(), None);
    g.trap(0x03, cp15(0, 14, 2, 1, 1, true));
    assert_eq!(g.regs.x[1], 5);
}

#[test]
fn a_timer_that_fired_raises_irq_through_the_gic() {
    // An A9's GIC has the Security Extensions; the A15 board without Secure state has one view.
    for (cpu, secure, line, interface) in
        [(A15, false, 30, 0x1e00_2000), (A9, true, 29, 0x1e00_0100)]
    {
        let mut g = Guest::of(&plan(cpu, secure));
        // Distributor and CPU interface on, all priorities pass, the timer's interrupt enabled.
        for (at, value) in [
            (0x1e00_1000, 1u64),
            (0x1e00_1100, 1 << line),
            (interface + 4, 0xff),
            (interface, 1),
        ] {
            g.regs.x[0] = value;
            assert_eq!(g.word(at, 0, true), Next::Resume);
        }
        assert_eq!(g.vm.lines(0), CpuLines::default());
        g.regs.x[0] = 1;
        g.trap(0x03, cp15(0, 14, 2, 1, 0, false));
        assert!(g.vm.lines(0).irq, "secure {secure}");
        assert_eq!(
            g.trap(0x01, 1 << 24 | 14 << 20),
            Next::Resume,
            "WFI does not wait"
        );
        g.word(interface + 0xc, 4, false);
        assert_eq!(g.regs.x[4], line);
    }
}

#[test]
fn the_virtual_timer_falls_when_the_guest_masks_it() {
    let mut g = Guest::new(A15);
    g.core.set(SysReg::CntvCtl, 5);
    g.vm.virtual_timer(0, &mut g.core, true);
    g.word(UART + 0x18, 0, false);
    assert!(g.vm.virtual_timer_is_high(0));
    g.core.set(SysReg::CntvCtl, 7);
    g.word(UART + 0x18, 0, false);
    assert!(!g.vm.virtual_timer_is_high(0));
}

#[test]
fn the_breakpoints_follow_vbar() {
    let mut g = Guest::new(A9);
    assert_eq!(g.core.watched, Some([4, 0xffff_0004]));
    g.regs.x[0] = 0x6000_803f;
    g.trap(0x03, cp15(0, 12, 0, 0, 0, false));
    assert_eq!(g.core.get(SysReg::VbarEl1), 0x6000_8020);
    assert_eq!(g.core.watched, Some([0x6000_8024, 0xffff_0004]));
    assert_eq!(Guest::new(A57).core.watched, None);
}

#[test]
fn an_instruction_of_the_boards_cpu_is_emulated_at_the_undef_vector() {
    let mut g = Guest::new(A9);
    g.regs.spsr |= psr::C;
    g.regs.x[2] = 0x1234;
    // MCR p15, 0, r2, c15, c0, 1; MRC p15, 0, lr, c15, c0, 1: the diagnostic register.
    for word in [0xee0f_2f30, 0xee1f_ef30] {
        assert_eq!(g.undefined(word), Next::Resume);
        assert_eq!((g.regs.pc, g.regs.spsr), (RAM + 0x104, mode::SVC | psr::C));
    }
    assert_eq!(g.regs.x[18], 0x1234);
    // MRC p15, 4, r5, c15, c0, 0: CBAR.
    g.undefined(0xee9f_5f10);
    assert_eq!(g.regs.x[5], 0x1e00_0000);
    assert!(!g.core.stepping);
}

#[test]
fn armv5s_operations_on_whole_caches_are_an_arm926s_and_no_one_elses() {
    let mut g = Guest::new("arm,arm926ej-s");
    // MCR p15, 0, r0, c7, c7, 0: invalidate both caches. Wait for interrupt; TCM region.
    for word in [0xee07_0f17, 0xee07_0f90, 0xee09_0f11] {
        assert_eq!(g.undefined(word), Next::Resume);
        assert_eq!((g.regs.pc, g.regs.mode()), (RAM + 0x104, mode::SVC));
        g.regs.pc = RAM;
    }
    assert_eq!(g.core.code_invalidated, 1);

    // MRC p15, 0, r15, c7, c14, 3 in a loop until Z is set.
    let loops = (1..=2000).find(|_| {
        g.undefined(0xee17_ff7e);
        g.regs.spsr & psr::Z != 0
    });
    assert_eq!(loops, Some(1024));
    let cleaned = g.core.cleaned.iter();
    assert_eq!(cleaned.map(|(_, bytes)| bytes).sum::<u64>(), 0x1_0000);
    g.undefined(0xee17_ff7e);
    assert_eq!(g.regs.spsr & psr::Z, 0, "another loop");

    let mut g = Guest::new(A9);
    for word in [0xee07_0f17, 0xee17_ff7e, 0xee07_0f90] {
        g.undefined(word);
        assert_eq!(g.regs.mode(), mode::UND, "{word:#x}");
    }
}

#[test]
fn swp_exchanges_a_word_or_a_byte_where_the_cpu_has_it() {
    let mut g = Guest::new(A9);
    g.put(RAM + 0x200, 0x8899_aabb);
    g.regs.x[1] = RAM + 0x200;
    g.regs.x[2] = 0x1122_3344;
    assert_eq!(g.undefined(0xe101_0092), Next::Resume); // SWP r0, r2, [r1]
    assert_eq!((g.regs.x[0], g.regs.pc), (0x8899_aabb, RAM + 0x104));
    g.undefined(0xe141_0090); // SWPB r0, r0, [r1]
    let mut word = [0; 4];
    g.core.memory().read(Ipa(RAM + 0x200), &mut word).unwrap();
    assert_eq!((g.regs.x[0], word), (0x44, [0xbb, 0x33, 0x22, 0x11]));
}

#[test]
fn swp_has_the_rights_of_its_mode_and_tells_which_access_failed() {
    // PAR_EL1: F, and a permission fault of level 2 (0x0f), or S beside it: stage 2 refused.
    let (permission, stage_2) = (0x0f << 1 | 1, 1 << 9 | 0x07 << 1 | 1);
    for (from, how, par, dfsr) in [
        (mode::USR, At::E0Read, permission, 0x00f),
        (mode::USR, At::E0Write, permission, 0x80f),
        (mode::SVC, At::E1Read, permission, 0x00f),
        (mode::SVC, At::E1Write, permission, 0x80f),
        (mode::SVC, At::E1Write, stage_2, 0x808),
    ] {
        let mut g = Guest::new(A9);
        g.regs.spsr = from;
        g.regs.x[1] = RAM + 0x200;
        g.core.unmapped = Some(par);
        g.core.unmapped_for.push(how);
        if how == At::E1Read {
            // What is to be fetched cannot be, then: let the guest have its UNDEF.
            g.undefined(0xe101_0092);
            assert!(g.core.stepping);
            continue;
        }
        assert_eq!(g.undefined(0xe101_0092), Next::Resume);
        assert_eq!((g.regs.pc, g.regs.mode()), (RAM + 0x10, mode::ABT));
        assert_eq!(g.regs.x[20], RAM + 0x108);
        assert_eq!(g.core.get(SysReg::EsrEl1), dfsr, "{how:?}");
        assert_eq!(g.core.get(SysReg::FarEl1) & 0xffff_ffff, RAM + 0x200);
        assert_eq!(g.core.get(SysReg::SpsrAbt), from);
    }
    let mut g = Guest::new(A9);
    g.regs.x[1] = RAM + 0x202;
    g.undefined(0xe101_0092);
    assert_eq!(g.core.get(SysReg::EsrEl1), 1, "an alignment fault");
    let mut g = Guest::new(A9);
    g.regs.x[1] = UART;
    g.undefined(0xe101_0092);
    assert_eq!(g.core.get(SysReg::EsrEl1), 8, "an external abort");
}

#[test]
fn any_other_undefined_instruction_is_the_guests_by_a_step_over_the_vector() {
    let mut g = Guest::new(A9);
    assert_eq!(g.undefined(0xe7f0_00f0), Next::Resume); // UDF
    assert_eq!(
        g.regs.pc,
        RAM + vector::UNDEFINED,
        "at the vector, with LR_und as it was"
    );
    assert_eq!(g.regs.x[22], RAM + 0x104);
    assert!(g.core.stepping && g.core.watched.is_none() && g.regs.spsr & psr::SS != 0);
    g.regs.pc = RAM + 0x300;
    assert_eq!(g.trap(0x32, 0x22), Next::Resume);
    assert!(!g.core.stepping && g.core.watched.is_some() && g.regs.spsr & psr::SS == 0);
    // The diagnostic register is not a Cortex-A15's.
    let mut g = Guest::new(A15);
    g.undefined(0xee0f_2f30);
    assert!(g.core.stepping);
    // Nor is it User mode's.
    let mut g = Guest::new(A9);
    g.regs.spsr = mode::USR;
    g.undefined(0xee0f_2f30);
    assert!(g.core.stepping);
}

#[test]
fn a_secure_guest_has_its_secure_registers() {
    let mut g = Guest::secure(A9);
    g.regs.x[0] = 0x0c00;
    g.undefined(0xee01_0f51); // MCR p15, 0, r0, c1, c1, 2: NSACR
    g.undefined(0xee11_1f51);
    assert_eq!(g.regs.x[1], 0x0c00);
    g.regs.x[0] = 0x30;
    g.undefined(0xee01_0f11); // SCR without NS
    g.undefined(0xee11_1f11);
    assert_eq!(g.regs.x[1], 0x30);
    assert!(!g.core.stepping);
}

#[test]
fn an_illegal_change_of_mode_is_the_guests_undef_where_the_map_asks_for_aborts() {
    let mut plan = plan(A9, true);
    plan.cannot_emulate = crate::board::plan::CannotEmulate::Abort;
    let mut g = Guest::of(&plan);
    g.put(RAM + 0xfc, 0xf102_0016); // CPS #22
    g.regs.spsr |= psr::IL;
    assert_eq!(g.undefined(0xe1a0_0000), Next::Resume);
    assert!(g.core.stepping, "over the vector's own instruction");
}

#[test]
fn a_secure_guest_that_leaves_its_world_is_stopped_with_a_report_that_says_so() {
    let mut g = Guest::secure(A9);
    g.regs.x[0] = 1;
    assert_eq!(g.undefined(0xee01_0f11), Next::Stop);
    assert!(g.vm.report().unwrap().to_string().contains("SCR.NS"));

    let mut g = Guest::secure(A9);
    g.put(RAM + 0xfc, 0xf102_0016); // CPS #22
    g.regs.spsr |= psr::IL;
    assert_eq!(g.undefined(0xe1a0_0000), Next::Stop);
    let text = g.vm.report().unwrap().to_string();
    assert!(text.contains("Monitor mode"));
    assert!(
        text.contains("Supervisor, A32"),
        "where it came from:\n{text}"
    );
    assert!(
        text.contains("PC 0x600000fc, instruction f1020016"),
        "{text}"
    );

    let mut g = Guest::secure(A9);
    assert_eq!(g.trap(0x13, 1 << 24 | 14 << 20), Next::Stop);
    assert!(
        g.vm.report()
            .unwrap()
            .to_string()
            .contains("called a monitor")
    );
}

fn with_psci(cpu: &str, hvc: bool, version: u16) -> Guest {
    let mut plan = plan(cpu, false);
    plan.psci = Some(PsciPlan {
        hvc,
        version,
        functions: [None; 4],
    });
    Guest::of(&plan)
}

#[test]
fn psci_answers_by_the_conduit_of_the_map() {
    let ask = |g: &mut Guest, function: u64, argument: u64| {
        g.regs.x[0] = function;
        g.regs.x[1] = argument;
        assert_eq!(g.trap(0x12, 0), Next::Resume);
        (g.regs.x[0] as u32).cast_signed()
    };
    let g = &mut with_psci(A15, true, 0x100);
    assert_eq!(ask(g, 0x8400_0000, 0), 0x1_0000);
    assert_eq!(ask(g, 0x8400_000a, 0x8400_0003), 0);
    assert_eq!(ask(g, 0x8400_000a, 0xc400_0003), -1, "SMC64 from AArch32");
    assert_eq!(ask(g, 0x8400_0003, 0), -4);
    assert_eq!(ask(g, 0x8400_0003, 1), -2);
    assert_eq!(ask(g, 0x8400_0004, 0), 0);
    assert_eq!(ask(g, 0x8400_0004, 7), -2);
    assert_eq!(ask(g, 0x8400_0006, 0), 2);
    assert_eq!(ask(g, 0x8000_0000, 0), 0x1_0001);
    assert_eq!(ask(g, 0x8400_1234, 0), -1);
    assert_eq!(g.regs.pc, RAM + 0x1000, "HVC traps behind itself");
    g.regs.x[0] = 0x8400_0008;
    assert_eq!(g.trap(0x12, 0), Next::PowerOff);
    g.regs.x[0] = 0x8400_0009;
    assert_eq!(g.trap(0x12, 0), Next::Reset);

    let g = &mut with_psci(A15, true, 2);
    assert_eq!(ask(g, 0x8400_0000, 0), 2);
    assert_eq!(ask(g, 0x8400_000a, 0x8400_0003), -1, "0.2 has no FEATURES");

    let mut g = with_psci(A57, false, 0x100);
    g.regs.x[0] = 0xc400_0003;
    g.regs.x[1] = 5;
    assert_eq!(g.trap(0x17, 0), Next::Resume);
    assert_eq!(
        (g.regs.x[0], g.regs.pc),
        ((-2i64).cast_unsigned(), RAM + 0x1004),
        "SMC traps at itself"
    );
}

#[test]
fn a_set_way_loop_cleans_ram() {
    let mut g = Guest::new(A9);
    g.trap(0x03, cp15(0, 7, 14, 2, 0, false));
    for set in 0..128 {
        for way in 0..4 {
            g.regs.x[0] = way << 30 | set << 5;
            g.trap(0x03, cp15(0, 7, 10, 2, 0, false));
        }
    }
    let cleaned: u64 = g.core.cleaned.iter().map(|c| c.1).sum();
    assert_eq!(cleaned, 0x1_0000);
}

#[test]
fn the_guests_breakpoint_instruction_is_its_own() {
    let mut g = Guest::new(A9);
    g.trap(0x38, 3);
    assert_eq!(
        (g.regs.pc, g.core.get(SysReg::Ifsr32)),
        (vector::PREFETCH_ABORT, 2)
    );
    let mut g = Guest::new(A57);
    g.trap(0x3c, 3);
    assert_eq!(
        (g.regs.pc, g.core.get(SysReg::EsrEl1)),
        (0x200, 0xf200_0003)
    );
}

#[test]
fn a_report_tells_all_in_a_hundred_columns() {
    let mut g = Guest::new(A9);
    g.regs.x[3] = 0x301;
    g.word(UART + 0x30, 3, true);
    g.put(RAM + 0x1004, 0xe1a0_200c); // MOV r2, r12
    g.regs.x[18] = 0xcafe_f00d;
    assert_eq!(g.trap_at(0x24, 1 << 6 | 7, UART + 0x18), Next::Stop);
    let text = g.vm.report().unwrap().to_string();
    for part in [
        "VM press stopped: an access by an instruction that is no known load or store",
        "Cortex-A9",
        "Supervisor, A32",
        "PC 0x60001004, instruction e1a0200c",
        "data abort, translation fault, write",
        "in /serial@10009000 at 0x10009000, offset 0x18",
        "LR_svc cafef00d",
        "/serial@10009000 w 0x030 4 0x301",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.lines().all(|l| l.len() <= 100), "{text}");
}

#[test]
fn an_unknown_cpu_is_an_error_that_names_it() {
    let mut plan = plan(A9, false);
    plan.cpus[0].compatible = "arm,cortex-m3".into();
    let error = Vm::new("x", &plan, HZ).err().unwrap();
    assert!(format!("{error}").contains("/cpus/cpu@0"));
    plan.cpus.clear();
    assert!(Vm::new("x", &plan, HZ).is_err());
}

/// xorshift64*, seeded: the same million traps every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[allow(clippy::large_stack_arrays)] // a handful of VMs, on a test's stack
#[test]
fn a_million_random_traps_never_panic_and_each_is_answered() {
    let hides = FakeCore {
        apart: Some((mode::SVC, 0)),
        ..FakeCore::default()
    };
    let apart = Guest::on(hides, &plan(A9, false));
    let mut guests = std::vec![
        apart,
        Guest::new(A9),
        Guest::secure(A9),
        Guest::new(A15),
        Guest::new(A57),
    ];
    let mut noise = Noise(0x5eed);
    let mut answers = [0u32; 7];
    for _ in 0..250_000 {
        for g in &mut guests {
            let r = noise.next();
            // Half of the addresses near something, all modes, registers full of noise.
            let bases = [UART, 0x1e00_1000, 0x1e00_0100, RAM, 0, 0xffff_f000, r];
            let at = bases[(r >> 8) as usize % 7].wrapping_add(noise.next() & 0xfff);
            g.regs.x[(r >> 16) as usize % 31] = noise.next();
            g.regs.spsr = noise.next() & 0xffff_ffff;
            g.regs.pc = match r & 3 {
                0 => noise.next(),
                1 => vector::HIGH | 4,
                2 => g.core.get(SysReg::VbarEl1) | 4,
                _ => RAM + (r >> 24 & 0xfffe),
            };
            g.core.set(SysReg::SpsrUnd, noise.next() & 0xffff_ffff);
            g.core.ticks = g.core.ticks.wrapping_add(r & 0xfff);
            g.core.unmapped = (r & 0xf00 == 0).then_some(0x809);
            g.core.cleaned.clear();
            let esr = noise.next() & 0xffff_ffff;
            let esr = if r & 4 == 0 {
                esr & 0x3ff_ffc7 | 0x9300_0000
            } else {
                esr
            };
            let trap = Trap {
                esr,
                far: at,
                ipa: Ipa(at),
            };
            let next = g.vm.trap(0, &mut g.regs, &mut g.core, trap);
            answers[match next {
                Next::Resume | Next::CpuOn(_) | Next::CpuOff => 0,
                Next::Ask(_) => 1,
                Next::Wait => 2,
                Next::Reset => 3,
                Next::PowerOff => 4,
                Next::Stop => 5,
            }] += 1;
            if next == Next::Stop && r & 0xff0000 == 0 {
                assert!(!g.vm.report().unwrap().to_string().is_empty());
            }
        }
    }
    assert!(
        answers[0] > 100_000 && answers[2] > 100 && answers[5] > 100_000,
        "{answers:?}"
    );
}
