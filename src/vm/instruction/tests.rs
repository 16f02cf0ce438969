//! Accesses whose instruction is looked at: pages, memory types, policies, exclusives.

use super::super::fake::{FakeCore, RAM};
use super::super::inject::vector;
use super::super::tests::{A9, A57, Guest, plan};
use super::*;
use crate::access::Width;
use crate::board::Plan;
use crate::memory::BoardMemory;
use crate::units::Ipa;
use crate::vcpu::psr;
use std::vec::Vec;

/// The emulated device behind RAM.
const DEVICE: u64 = RAM + 0x1_0000;
const SCTLR_M: u64 = 1;
const SCTLR_A: u64 = 2;

impl Guest {
    /// The guest executes `word`, whose access to `at` has no syndrome.
    fn executes(&mut self, word: u32, at: u64) -> Next {
        self.put(self.regs.pc, word);
        self.trap_at(0x24, 7, at)
    }
    /// A word of RAM or of the device.
    fn look(&mut self, at: u64) -> u32 {
        let mut bytes = [0; 4];
        if self.core.ram.read(Ipa(at), &mut bytes).is_err() {
            return self.device(at, None);
        }
        u32::from_le_bytes(bytes)
    }
    fn device(&mut self, at: u64, value: Option<u32>) -> u32 {
        let how = crate::board::Transaction {
            width: Width::Word,
            initiator: crate::access::Initiator::Cpu(0),
            security: crate::access::Security::NonSecure,
            privileged: true,
        };
        let world = crate::board::World {
            now: crate::units::Instant(0),
            memory: self.core.memory(),
        };
        let board = self.vm.board();
        match value {
            None => match board.read(&world, Ipa(at), how) {
                Ok(crate::board::Reply::Value(value)) => value as u32,
                other => panic!("{other:?}"),
            },
            Some(value) => {
                board.write(&world, Ipa(at), how, value.into()).unwrap();
                0
            }
        }
    }
    /// The accesses to the device, as offset, bytes and whether it was a write.
    fn accesses(&mut self) -> Vec<(u64, u64, bool)> {
        let all = self.vm.board().recent();
        all.map(|a| (a.offset, a.width.bytes(), a.write)).collect()
    }
}

fn guest(cpu: &str) -> Guest {
    Guest::of(&plan(cpu, false))
}

fn with(change: impl Fn(&mut Plan)) -> Guest {
    let mut plan = plan(A9, false);
    change(&mut plan);
    Guest::of(&plan)
}

#[test]
fn a_store_with_write_back_reaches_the_device_and_moves_its_base() {
    // str.w r2, [r3], #4: the Allwinner H3's SPL.
    let mut g = guest(A9);
    g.regs.spsr |= psr::T;
    (g.regs.x[2], g.regs.x[3]) = (0xcafe, DEVICE);
    let at = g.regs.pc;
    g.put(at, 0x2b04_f843);
    assert_eq!(g.trap_at(0x24, 1 << 6 | 7, DEVICE), Next::Resume);
    assert_eq!((g.regs.x[3], g.regs.pc), (DEVICE + 4, at + 4));
    assert_eq!(g.accesses(), [(0, 4, true)]);
    assert_eq!(g.look(DEVICE), 0xcafe);
}

#[test]
fn a_thumb_instruction_may_lie_in_two_pages() {
    let mut g = guest(A9);
    g.regs.spsr |= psr::T;
    g.regs.pc = RAM + 0x1ffe;
    (g.regs.x[2], g.regs.x[3]) = (0xcafe, DEVICE);
    g.put(RAM + 0x1ffc, 0xf843_0000);
    g.put(RAM + 0x2000, 0x2b04);
    assert_eq!(g.trap_at(0x24, 1 << 6 | 7, DEVICE), Next::Resume);
    assert_eq!((g.regs.x[3], g.regs.pc), (DEVICE + 4, RAM + 0x2002));
}

#[test]
fn a_multiple_goes_from_ram_into_the_device_and_back() {
    // LDMIA r0, {r1-r4} and STMIA r0, {r1-r4}, two words on each side.
    for (word, write) in [(0xe890_001e, false), (0xe880_001e, true)] {
        let mut g = guest(A9);
        g.regs.x[0] = DEVICE - 8;
        for n in 0..4u64 {
            g.regs.x[1 + n as usize] = 0x10 + n;
            let at = DEVICE - 8 + 4 * n;
            if at < DEVICE {
                g.put(at, 0x20 + n as u32);
            } else {
                g.device(at, Some(0x20 + n as u32));
            }
        }
        assert_eq!(g.executes(word, DEVICE), Next::Resume);
        let memory: Vec<u32> = (0..4).map(|n| g.look(DEVICE - 8 + 4 * n)).collect();
        let registers: Vec<u32> = (1..5).map(|n| g.regs.x[n] as u32).collect();
        assert_eq!(memory, registers);
        assert_eq!(registers[0], if write { 0x10 } else { 0x20 });
    }
}

#[test]
fn a_page_that_stage_1_refuses_half_way_is_the_guests_own_abort() {
    // LDMDB r0!, {r1-r4} from the device down into RAM, where a permission fault waits.
    let mut g = guest(A9);
    g.core.unmapped = Some(1 | 0xd << 1);
    g.core.unmapped_for = std::vec![super::super::At::E1Write];
    g.regs.x[0] = DEVICE + 8;
    let base = g.regs.x[0];
    assert_eq!(g.executes(0xe920_001e, DEVICE), Next::Resume); // STMDB
    assert_eq!(g.regs.pc, vector::DATA_ABORT);
    assert_eq!(g.regs.x[0], base);
    assert_eq!(g.core.get(SysReg::EsrEl1), 0x80d, "permission, first level");
    assert_eq!(g.core.get(SysReg::FarEl1), DEVICE - 8);
}

#[test]
fn ram_that_is_not_cached_is_written_behind_the_caches() {
    for (normal, cleaned) in [(false, 2), (true, 0)] {
        let mut g = guest(A9);
        g.core.normal = normal;
        (g.regs.x[0], g.regs.x[1]) = (DEVICE - 4, 0xcafe);
        assert_eq!(g.executes(0xe880_0006, DEVICE), Next::Resume); // STMIA r0, {r1, r2}
        assert_eq!(g.look(DEVICE - 4), 0xcafe);
        assert_eq!(g.core.cleaned.len(), cleaned);
    }
}

#[test]
fn a_misaligned_access_is_made_in_aligned_pieces_where_memory_is_normal() {
    // DDI 0487, E2.5.2.
    for (sctlr, done) in [(SCTLR_M, true), (SCTLR_M | SCTLR_A, false), (0, false)] {
        let mut g = guest(A9);
        g.core.set(SysReg::SctlrEl1, sctlr);
        g.device(DEVICE, Some(0x4433_2211));
        g.device(DEVICE + 4, Some(0x8877_6655));
        g.regs.x[3] = DEVICE + 1;
        g.put(g.regs.pc, 0xe593_4000); // LDR r4, [r3]
        g.word(DEVICE + 1, 4, false);
        if done {
            assert_eq!(g.regs.x[4], 0x5544_3322);
            let pieces = g.accesses().split_off(2);
            assert_eq!(pieces, [(1, 1, false), (2, 2, false), (4, 1, false)]);
        } else {
            assert_eq!(g.regs.pc, vector::DATA_ABORT);
            assert_eq!(g.core.get(SysReg::EsrEl1), 1, "alignment");
        }
    }
}

#[test]
fn an_access_that_began_in_the_page_before_is_not_taken_for_one_at_the_fault() {
    let mut g = guest(A9);
    g.core.set(SysReg::SctlrEl1, SCTLR_M);
    g.core.normal = true;
    g.put(DEVICE - 4, 0x4433_2211);
    g.device(DEVICE, Some(0x8877_6655));
    g.regs.x[3] = DEVICE - 2;
    g.put(g.regs.pc, 0xe593_4000); // LDR r4, [r3]
    assert_eq!(g.word(DEVICE, 4, false), Next::Resume);
    assert_eq!(g.regs.x[4], 0x6655_4433);
    // Where the host does not tell, the instruction says.
    let mut g = guest(A9);
    g.core.set(SysReg::SctlrEl1, SCTLR_M);
    g.core.untold = true;
    g.put(DEVICE - 4, 0x4433_2211);
    g.device(DEVICE, Some(0x8877_6655));
    g.regs.x[3] = DEVICE - 4;
    g.put(g.regs.pc, 0xe5b3_4004); // LDR r4, [r3, #4]!
    assert_eq!(g.word(DEVICE, 4, false), Next::Resume);
    assert_eq!((g.regs.x[4], g.regs.x[3]), (0x8877_6655, DEVICE));
    // In Device memory there is no such access, and the syndrome is believed.
    let mut g = guest(A9);
    g.core.set(SysReg::SctlrEl1, SCTLR_M);
    g.device(DEVICE, Some(0x8877_6655));
    assert_eq!(g.word(DEVICE, 4, false), Next::Resume);
    assert_eq!(g.regs.x[4], 0x8877_6655);
}

#[test]
fn an_instruction_that_is_gone_is_fetched_again_and_not_for_ever() {
    let mut g = guest(A9);
    g.core.unmapped = Some(1 | 7 << 1);
    let before = g.regs.clone();
    for _ in 0..REFETCHES {
        assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
        assert_eq!(g.regs, before, "the guest takes its own abort of it");
    }
    assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Stop);
    assert_eq!(g.reason(), Reason::NotFetched);
    // Elsewhere it begins anew.
    let mut g = guest(A9);
    g.core.unmapped = Some(1 | 7 << 1);
    for n in 0..100 {
        g.regs.pc = RAM + 4 * (n % 2);
        assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
    }
}

#[test]
fn a_cpu_that_the_board_lacks_stops_with_a_report() {
    let mut g = guest(A9);
    g.core.unmapped = Some(1 | 7 << 1);
    let trap = Trap {
        esr: 0x24 << 26 | 1 << 25 | 7,
        far: DEVICE,
        ipa: Ipa(DEVICE),
    };
    let next = g.vm.trap(9, &mut g.regs, &mut g.core, trap);
    assert_eq!((next, g.reason()), (Next::Stop, Reason::NoSuchCpu));
}

#[test]
fn what_cannot_be_emulated_is_the_boards_to_say() {
    for (iss, reason) in [(7, Reason::NotDecoded), (1 << 7 | 7, Reason::TableInDevice)] {
        let mut g = guest(A9);
        assert_eq!(g.trap_at(0x24, iss, DEVICE), Next::Stop);
        assert_eq!(g.reason(), reason);
        let mut g = with(|plan| plan.cannot_emulate = CannotEmulate::Abort);
        assert_eq!(g.trap_at(0x24, iss, DEVICE), Next::Resume);
        assert_eq!(g.regs.pc, vector::DATA_ABORT);
        assert_eq!(g.core.get(SysReg::EsrEl1), 8, "external");
    }
}

#[test]
fn a_fetch_that_cannot_be_emulated_is_the_boards_to_say_too() {
    for iss in [7, 1 << 7 | 7] {
        let mut g = with(|plan| plan.cannot_emulate = CannotEmulate::Abort);
        g.core.set(SysReg::VbarEl1, RAM);
        assert_eq!(g.trap_at(0x20, iss, DEVICE), Next::Resume);
        assert_eq!(g.regs.pc, RAM + vector::PREFETCH_ABORT);
        // Where the vector itself cannot be fetched there is no end of it.
        assert_eq!(g.trap_at(0x20, iss, DEVICE), Next::Stop);
    }
}

#[test]
fn a_monitor_call_that_nobody_answers_is_the_boards_to_say() {
    let smc = 1 << 24 | 14 << 20;
    let mut g = guest(A9);
    assert_eq!(g.trap(0x13, smc), Next::Stop);
    let mut g = with(|plan| plan.cannot_emulate = CannotEmulate::Abort);
    assert_eq!(g.trap(0x13, smc), Next::Resume);
    assert_eq!(g.regs.mode(), crate::vcpu::mode::UND);
}

const LDREX: u32 = 0xe190_1f9f; // LDREX r1, [r0]
const STREX: u32 = 0xe180_2f91; // STREX r2, r1, [r0]
const ADD: u32 = 0xe281_1001; // ADD r1, r1, #1

#[test]
fn a_load_exclusive_from_a_device_faults_unless_the_board_says_otherwise() {
    let mut g = guest(A9);
    g.regs.x[0] = DEVICE;
    assert_eq!(g.executes(LDREX, DEVICE), Next::Resume);
    assert_eq!(g.regs.pc, vector::DATA_ABORT);
    assert_eq!(g.core.get(SysReg::EsrEl1), 0x405, "unsupported exclusive");
    assert!(g.accesses().is_empty());
}

#[test]
fn a_store_exclusive_alone_is_not_done_and_says_so() {
    let mut g = guest(A9);
    g.regs.x[0] = DEVICE;
    g.regs.x[1] = 7;
    assert_eq!(g.executes(STREX, DEVICE), Next::Resume);
    assert_eq!((g.regs.x[2], g.look(DEVICE)), (1, 0));
}

fn carrying_out(words: &[u32]) -> Guest {
    let mut g = with(|plan| plan.exclusives = Exclusives::CarryOut);
    let at = g.regs.pc;
    for (n, word) in words.iter().enumerate() {
        g.put(at + 4 * n as u64, *word);
    }
    (g.regs.x[0], g.regs.x[2]) = (DEVICE, 9);
    g.device(DEVICE, Some(41));
    g
}

#[test]
fn an_increment_is_carried_out_from_load_to_store() {
    let mut g = carrying_out(&[LDREX, ADD, STREX]);
    let at = g.regs.pc;
    assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
    assert_eq!((g.regs.x[1], g.regs.x[2]), (42, 0));
    assert_eq!((g.look(DEVICE), g.regs.pc), (42, at + 12));
}

#[test]
fn a_store_exclusive_elsewhere_does_not_belong_to_the_load() {
    let elsewhere = 0xe183_2f91; // STREX r2, r1, [r3]
    let mut g = carrying_out(&[LDREX, ADD, elsewhere]);
    g.regs.x[3] = DEVICE + 4;
    assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
    assert_eq!(g.regs.x[2], 1);
    assert_eq!((g.look(DEVICE), g.look(DEVICE + 4)), (41, 0));
}

#[test]
fn a_sequence_that_cannot_be_followed_ends_as_the_loads_fault() {
    let other_load = 0xe593_4000; // LDR r4, [r3]
    for words in [
        &[LDREX, other_load, STREX][..],
        &[&[LDREX][..], &[ADD; 20]].concat(),
    ] {
        let mut g = carrying_out(words);
        let at = g.regs.pc;
        assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
        assert_eq!(g.regs.pc, vector::DATA_ABORT);
        assert_eq!(g.regs.x[20], at + 8, "LR_abt: at the load");
        assert_eq!((g.regs.x[1], g.look(DEVICE)), (0, 41));
    }
}

#[test]
fn a_compare_that_fails_leaves_the_sequence_and_the_guest_goes_on() {
    // TEQ r1, #0; STREXEQ r2, r1, [r0].
    let mut g = carrying_out(&[LDREX, 0xe331_0000, 0x0180_2f91]);
    let at = g.regs.pc;
    assert_eq!(g.trap_at(0x24, 7, DEVICE), Next::Resume);
    assert_eq!((g.regs.pc, g.regs.x[1]), (at + 12, 41));
    assert_eq!((g.regs.x[2], g.look(DEVICE)), (9, 41), "not executed");
}

#[test]
fn aarch64_registers_and_stack_pointers_are_reached() {
    let mut g = guest(A57);
    g.core.set(SysReg::SpEl1, DEVICE + 16);
    (g.regs.x[1], g.regs.x[2]) = (0x1111_2222_3333_4444, 0x5555_6666_7777_8888);
    let at = g.regs.pc;
    assert_eq!(g.executes(0xa9bf_0be1, DEVICE), Next::Resume); // STP x1, x2, [sp, #-16]!
    assert_eq!((g.core.get(SysReg::SpEl1), g.regs.pc), (DEVICE, at + 4));
    assert_eq!(
        (g.look(DEVICE), g.look(DEVICE + 12)),
        (0x3333_4444, 0x5555_6666)
    );
    assert_eq!(g.executes(0x3dc0_03e3, DEVICE), Next::Resume); // LDR q3, [sp]
    assert_eq!(g.core.simd[3], 0x5555_6666_7777_8888_1111_2222_3333_4444);
}

#[test]
fn a_branch_target_indicator_is_not_asked_of_the_next_instruction() {
    let mut g = guest(A57);
    g.regs.spsr |= psr::BTYPE;
    g.regs.x[1] = DEVICE;
    assert_eq!(g.executes(0xf840_8422, DEVICE), Next::Resume); // LDR x2, [x1], #8
    assert_eq!(g.regs.spsr & psr::BTYPE, 0);
}

/// A guest in SVC mode with 0x6000_00d0 in its SPSR.
fn in_svc(apart: bool) -> Guest {
    let core = FakeCore {
        apart: apart.then_some((mode::SVC, 0)),
        ..FakeCore::default()
    };
    let mut g = Guest::on(core, &plan(A9, false));
    g.core.set(SysReg::VbarEl1, RAM);
    g.core.set_spsr(mode::SVC, 0x6000_00d0 | mode::USR);
    g.regs.pc = RAM + 0x100;
    g
}

#[test]
fn a_return_state_is_stored_on_either_kind_of_host() {
    for apart in [false, true] {
        let mut g = in_svc(apart);
        (g.regs.x[19], g.regs.x[18]) = (DEVICE + 8, 0xcafe);
        // SRSDB sp!, #19
        assert_eq!(g.executes(0xf96d_0513, DEVICE), Next::Resume);
        assert_eq!((g.look(DEVICE), g.look(DEVICE + 4)), (0xcafe, 0x6000_00d0));
        assert_eq!((g.regs.x[19], g.regs.pc), (DEVICE, RAM + 0x104));
        g.core.eret(mode::SVC);
        assert_eq!(g.core.spsr(mode::SVC), 0x6000_00d0, "apart: {apart}");
    }
}

#[test]
fn an_exception_return_from_a_device_goes_to_spsrs_mode() {
    for apart in [false, true] {
        for to in [mode::USR, mode::IRQ] {
            let mut g = in_svc(apart);
            g.core.set_spsr(mode::SVC, psr::Z | to);
            g.device(DEVICE, Some(0x8000));
            g.regs.x[0] = DEVICE;
            // LDMIA r0!, {pc}^
            assert_eq!(g.executes(0xe8f0_8000, DEVICE), Next::Resume);
            assert_eq!((g.regs.pc, g.regs.spsr), (0x8000, psr::Z | to));
            assert_eq!(g.regs.x[0], DEVICE + 4);
        }
    }
}
