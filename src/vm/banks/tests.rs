//! Both kinds of host: what the guest finds is the same.

use super::super::fake::{FakeCore, RAM};
use super::super::tests::{A9, Guest, plan};
use super::*;

const HERE: u64 = RAM + 0x100;
const VECTOR: u64 = RAM + vector::UNDEFINED;
/// The guest's own first instruction of its UNDEF vector.
const OWN: u32 = 0xe59f_f018;
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
    assert_eq!(g.vm.hides_spsr, Some(apart));
    assert_eq!(g.core.spsr(mode::SVC), 0, "nothing is left of the probe");
    g.core.set(SysReg::VbarEl1, RAM);
    g.put(VECTOR, OWN);
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
    g.run();
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
            let mut word = [0; 4];
            g.core.code(VECTOR, &mut word).unwrap();
            assert_eq!(u32::from_le_bytes(word), OWN, "the vector is the guest's");
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
            g.run();
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
fn a_host_that_shows_the_spsr_is_never_patched_behind_the_probe() {
    let mut g = guest(false, mode::SVC);
    g.word(0x2000_0000, 3, false);
    assert!(!g.core.stepping);
    undefined(&mut g, CBAR);
    assert!(!g.core.stepping);
}

#[test]
fn a_step_that_ends_otherwise_gives_the_guest_what_it_had() {
    // The vector cannot be fetched: a prefetch abort at EL2, or one that the guest took itself.
    for (class, pc) in [(0x20, VECTOR), (0x32, RAM + vector::PREFETCH_ABORT)] {
        let mut g = guest(true, mode::SVC);
        g.word(0x2000_0000, 3, false);
        assert!(g.core.stepping);
        g.regs.pc = pc;
        g.trap(class, 7);
        assert_eq!(
            (g.regs.pc, g.regs.mode()),
            (RAM + vector::DATA_ABORT, mode::ABT)
        );
        assert!(!g.core.stepping && g.core.watched.is_some());
        let mut word = [0; 4];
        g.core.code(VECTOR, &mut word).unwrap();
        assert_eq!(u32::from_le_bytes(word), OWN);
    }
    // Nor can the probe's: the host is taken at its word.
    let core = FakeCore {
        unmapped: Some(1),
        ..FakeCore::default()
    };
    let g = Guest::on(core, &plan(A9, false));
    assert_eq!(g.vm.hides_spsr, None);
    assert!(!g.core.stepping);
}

#[test]
fn the_host_is_asked_once() {
    let mut g = guest(true, mode::SVC);
    g.vm.reset(&g.core);
    g.vm.enter(0, &mut g.regs, &mut g.core);
    assert!(!g.core.stepping);
}
