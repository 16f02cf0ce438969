//! Both kinds of host: what the guest finds is the same.

use super::super::Next;
use super::super::fake::{FakeCore, RAM};
use super::super::inject::vector;
use super::super::tests::{A9, A57, Guest, plan};
use super::*;
use crate::vcpu::psr;
use std::string::ToString;

const HERE: u64 = RAM + 0x100;
const VECTOR: u64 = RAM + vector::UNDEFINED;
/// MRC p15, 4, r5, c15, c0, 0: CBAR.
const CBAR: u32 = 0xee9f_5f10;
/// UDF.
const UDF: u32 = 0xe7f0_00f0;

const MODES: [u64; 7] = [
    mode::USR,
    mode::FIQ,
    mode::IRQ,
    mode::SVC,
    mode::ABT,
    mode::UND,
    mode::SYS,
];

/// A guest in `from`, each of whose SPSRs tells its mode.
fn guest(apart: bool, from: u64) -> Guest {
    let core = FakeCore {
        apart: apart.then_some((mode::SVC, 0)),
        ..FakeCore::default()
    };
    let mut g = Guest::on(core, &plan(A9, false));
    assert_eq!(g.core.spsr(mode::SVC), 0, "as a reset leaves it");
    g.core.set(SysReg::VbarEl1, RAM);
    let mut now = mode::SVC;
    for m in MODES.into_iter().chain([from]) {
        g.core.change_mode(now, m);
        g.core.set_spsr(m, of(m));
        now = m;
    }
    g.regs.spsr = from | psr::C;
    g.regs.pc = HERE;
    g
}

/// What a guest's SPSR of this mode was before.
fn of(m: u64) -> u64 {
    m << 24 | mode::SYS
}

/// The guest executes `word`, which is undefined on the host.
fn undefined(g: &mut Guest, word: u32) {
    g.put(HERE, word);
    let (from, cpsr) = (g.regs.mode(), g.regs.spsr);
    g.core.change_mode(from, mode::UND);
    g.core.set_spsr(mode::UND, cpsr);
    g.regs.x[22] = HERE + 4;
    g.regs.spsr = mode::UND | psr::I;
    g.regs.pc = VECTOR;
    assert_eq!(g.trap(0x30, 0x22), Next::Resume);
}

/// What the guest reads as SPSR when it goes through all modes but `except`.
fn check_spsrs(g: &mut Guest, except: &[u64]) {
    let mut now = g.regs.mode();
    g.core.eret(now);
    for m in [now].into_iter().chain(MODES) {
        g.core.change_mode(now, m);
        now = m;
        if spsr_of(m).is_some() && !except.contains(&m) {
            assert_eq!(g.core.spsr(m), of(m), "SPSR of mode {m:#x}");
        }
    }
}

#[test]
fn an_emulated_instruction_leaves_every_spsr_as_it_was() {
    for apart in [false, true] {
        // In User mode CBAR is not there.
        for from in MODES.into_iter().filter(|m| *m != mode::USR) {
            let mut g = guest(apart, from);
            let x = g.regs.x[0];
            undefined(&mut g, CBAR);
            assert_eq!((g.regs.pc, g.regs.spsr), (HERE + 4, from | psr::C));
            assert_eq!((g.regs.x[5], g.regs.x[0]), (0x1e00_0000, x));
            assert!(!g.core.stepping && g.core.watched.is_some());
            // Where nothing is kept apart the exception has overwritten SPSR_und. So it has where
            // the guest was in UND mode itself.
            let lost = !apart || from == mode::UND;
            check_spsrs(&mut g, if lost { &[mode::UND] } else { &[] });
        }
    }
}

#[test]
fn an_undef_of_the_guests_own_finds_spsr_und_at_the_vector() {
    for apart in [false, true] {
        for from in MODES {
            let mut g = guest(apart, from);
            undefined(&mut g, UDF);
            assert_eq!((g.regs.pc, g.regs.mode()), (VECTOR, mode::UND));
            assert!(g.core.stepping && g.core.watched.is_none());
            g.core.eret(mode::UND);
            assert_eq!(g.core.spsr(mode::UND), from | psr::C, "{apart} {from:#x}");
            g.regs.pc = RAM + 0x400;
            assert_eq!(g.trap(0x32, 0x22), Next::Resume);
            assert!(!g.core.stepping && g.core.watched.is_some());
            check_spsrs(&mut g, &[mode::UND]);
        }
    }
}

#[test]
fn an_injected_abort_leaves_spsr_abt_and_no_other_changed() {
    for apart in [false, true] {
        for from in MODES {
            let mut g = guest(apart, from);
            g.regs.x[0] = 7;
            assert_eq!(g.word(0x2000_0000, 3, false), Next::Resume);
            assert_eq!(
                (g.regs.pc, g.regs.mode()),
                (RAM + vector::DATA_ABORT, mode::ABT)
            );
            assert_eq!(g.regs.x[0], 7);
            g.core.eret(mode::ABT);
            assert_eq!(g.core.spsr(mode::ABT), from | psr::C, "{apart} {from:#x}");
            check_spsrs(&mut g, &[mode::ABT]);
        }
    }
}

#[test]
fn what_a_report_shows_is_what_the_guest_would_read_and_it_goes_on_with_it() {
    for apart in [false, true] {
        for from in MODES {
            let mut g = guest(apart, from);
            let text = g.vm.registers(0, &g.regs, &mut g.core).to_string();
            let shown = |name: &str, m| text.contains(&std::format!("{name:<13} {:016x}", of(m)));
            assert!(shown("SPSR_EL1/svc", mode::SVC), "{text}");
            assert!(
                shown("SPSR_abt", mode::ABT) && shown("SPSR_und", mode::UND),
                "{text}"
            );
            assert!(
                shown("SPSR_irq", mode::IRQ) && shown("SPSR_fiq", mode::FIQ),
                "{text}"
            );
            check_spsrs(&mut g, &[]);
        }
    }
}

#[test]
fn a_vcpu_that_leaves_its_core_and_comes_back_finds_its_spsrs() {
    for from in MODES {
        let mut g = guest(true, from);
        show(&g.regs, &mut g.core);
        let kept = g.core.registers.clone();
        // Another vCPU has the core, and leaves it in System mode.
        for m in MODES.into_iter().chain([mode::SYS]) {
            let now = g.core.apart.map_or(mode::SYS, |(now, _)| now);
            g.core.change_mode(now, m);
            g.core.set_spsr(m, 0x5555);
        }
        g.core.registers = kept;
        settle(&g.regs, &mut g.core);
        check_spsrs(&mut g, &[]);
    }
}

#[test]
fn an_aarch64_guest_changes_no_banks() {
    let core = FakeCore {
        apart: Some((mode::SVC, 7)),
        ..FakeCore::default()
    };
    let mut g = Guest::on(core, &plan(A57, false));
    g.word(0x2000_0000, 3, false);
    assert_eq!(g.core.apart, Some((mode::SVC, 7)));
}
