//! What is done at once ends as it would have otherwise.

use super::super::fake::RAM;
use super::super::tests::{A9, A57, Guest, plan};
use super::*;
use crate::random::Random;
use std::vec::Vec;

const UART: u64 = 0x1000_9000;
const GICD: u64 = 0x1e00_1000;
/// The device that is like RAM.
const DEVICE: u64 = RAM + 0x1_0000;

impl Guest {
    fn at_once(&mut self, trap: Trap) -> Quick {
        self.vm.quick(0, &mut self.regs, &mut self.core, trap)
    }
    fn otherwise(&mut self, trap: Trap) {
        self.vm.trap(0, &mut self.regs, &mut self.core, trap);
    }
    fn record(&mut self) -> Vec<(Ipa, Width, bool, u64)> {
        let all = self.vm.board().recent();
        all.map(|a| (a.ipa, a.width, a.write, a.value)).collect()
    }
}

/// Two guests in the same state, which know their devices.
fn twins(cpu: &str, random: &mut Random) -> [Guest; 2] {
    let seed = random.next();
    [(); 2].map(|()| {
        let mut g = Guest::of(&plan(cpu, false));
        let mut random = Random(seed | 1);
        for at in [UART + 0x18, GICD + 4, DEVICE] {
            g.word(at, 1, false);
        }
        for n in 0..16 {
            g.regs.x[2] = random.next();
            g.word(DEVICE + 4 * n, 2, true);
        }
        let wide = if cpu == A57 { u64::MAX } else { 0xffff_ffff };
        g.regs.x = core::array::from_fn(|_| random.next() & wide);
        g.regs.pc = RAM + 0x1000;
        g
    })
}

/// A word that may be one of those that are done at once, its base in `base`.
fn word(random: &mut Random, a64: bool, thumb: bool, base: u32) -> u32 {
    let any = random.next() as u32;
    match (a64, thumb, random.below(3)) {
        (true, _, _) => any & 0xc05f_fc1f & !(3 << 10) | 0x3800_0400 | any & 1 << 11 | base << 5,
        (_, true, 0) => any & 0x0030_3fff | 0xe880_0000 | base << 16,
        (_, true, _) => any & 0x0070_f7ff | 0xf800_0800 | base << 16,
        (_, false, 0) => any & 0x01a0_1fff | 0xe810_0000 | base << 16,
        (_, false, _) => any & 0x01f0_f03f | 0xe400_0000 | base << 16,
    }
}

#[test]
fn it_ends_as_it_would_have_otherwise() {
    let mut random = Random(0x5eed_0003);
    let (mut done, mut looked, mut left) = (0, 0, 0);
    for round in 0..24_000 {
        let a64 = round % 3 == 0;
        let thumb = round % 3 == 1;
        let [mut one, mut other] = twins(if a64 { A57 } else { A9 }, &mut random);
        let base = random.below(13) as u32;
        let word = word(&mut random, a64, thumb, base);
        let device = [UART, GICD, DEVICE][random.below(3)];
        let at = device + (random.next() & [0x3c, 0xffc, 0xfff][random.below(3)]);
        let write = random.below(4) == 0;
        let valid = random.below(2) == 0;
        let iss = if valid {
            1 << 24 | (random.next() & 3) << 22 | (random.next() & 31) << 16
        } else {
            0
        };
        let trap = Trap {
            esr: 0x24 << 26 | 1 << 25 | iss | u64::from(write) << 6 | 7,
            far: at,
            ipa: Ipa(at),
        };
        for g in [&mut one, &mut other] {
            if thumb {
                g.regs.spsr |= psr::T;
                g.put(g.regs.pc, word.rotate_left(16));
            } else {
                g.put(g.regs.pc, word);
            }
            // So that the instruction's address is, often, the one that faulted.
            let offset = if a64 || random.below(2) == 0 { 0 } else { 4 };
            g.regs.x[base as usize] = at.wrapping_sub(offset);
        }
        // Both had the same base.
        other.regs = one.regs.clone();
        let before = one.regs.clone();
        match one.at_once(trap) {
            Quick::Not => {
                assert_eq!(one.regs, before, "nothing is done: {word:#x}");
                left += 1;
                continue;
            }
            Quick::Done => done += 1,
            Quick::Look => looked += 1,
        }
        other.otherwise(trap);
        assert_eq!(one.regs, other.regs, "{word:#x} at {at:#x}, {trap:?}");
        assert_eq!(one.record(), other.record(), "{word:#x} at {at:#x}");
        assert_eq!(one.vm.lines(0), other.vm.lines(0));
        assert_eq!(one.vm.deadline(), other.vm.deadline());
    }
    assert!(
        done > 800 && looked > 400 && left > 800,
        "{done} done, {looked} to look, {left} left"
    );
}

#[test]
fn a_due_timer_is_looked_after_first() {
    let mut random = Random(1);
    let [mut g, _] = twins(A9, &mut random);
    let trap = Trap {
        esr: 0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 1 << 16 | 7,
        far: UART + 0x18,
        ipa: Ipa(UART + 0x18),
    };
    assert_eq!(g.at_once(trap), Quick::Done);
    g.vm.virtual_timer(0, &mut g.core, true);
    assert_eq!(g.at_once(trap), Quick::Not);
    g.vm.virtual_timer(0, &mut g.core, false);
    assert_eq!(g.at_once(trap), Quick::Done);
}
