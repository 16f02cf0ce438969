//! What a device leaves behind: output lines and deadline, what it asks for, and the wires that
//! lead from it to the next.

use super::{Board, Direct};
use crate::board::observe::{Kinds, Observer, Seen, What};
use crate::board::plan::{Window, WindowKind};
use crate::board::wiring::{Change, Source};
use crate::board::{News, World};
use crate::emul::{Ask, Lines};
use crate::units::Instant;
use alloc::vec::Vec;

impl Board {
    pub(super) fn ask(&mut self, index: usize, asked: Ask) {
        self.asking = true;
        match asked {
            Ask::Reset => self.reset = true,
            Ask::PowerOff => self.power_off = true,
            Ask::Remap(on) => self.remap = Some(on),
            Ask::DirectReads { region, on } => self.direct_reads(index, region, on),
        }
    }

    pub(super) fn lines_of(&mut self, index: usize, now: Instant) {
        if let Some(slot) = self.slots.get(index) {
            let (lines, deadline) = (slot.device.lines(), slot.device.deadline());
            let sends = slot.device.sends();
            self.outputs(index, now, lines, deadline, sends);
        }
    }

    /// Compares a device's output lines with the last ones, and drives the wires of those that
    /// changed; notes its deadline, and whether it is a console or an Ethernet port that sends.
    pub(super) fn outputs(
        &mut self,
        index: usize,
        now: Instant,
        lines: Lines,
        deadline: Option<Instant>,
        sends: bool,
    ) {
        if sends && self.plan.console == Some(index) {
            self.news |= News::CONSOLE;
        } else if sends {
            self.frames_sent(index, now);
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let earlier = core::mem::replace(&mut slot.deadline, deadline);
        let mut changed = lines.0 ^ slot.lines.0;
        let wired = slot.wired.0;
        slot.lines = lines;
        if changed & slot.watched.0 != 0 {
            self.news |= News::OUTPUTS;
        }
        if earlier != deadline {
            let first = self.slots.iter().filter_map(|slot| slot.deadline).min();
            if first != self.deadline {
                self.news |= News::DEADLINE;
            }
            self.deadline = first;
        }
        if changed != 0 && self.controllers.contains(&index) {
            let controllers = self.controllers.iter().filter_map(|c| self.slots.get(*c));
            let inputs = Lines(controllers.fold(0, |all, slot| all | slot.lines.0));
            if inputs != self.inputs {
                self.news |= News::LINES;
            }
            self.inputs = inputs;
        }
        if changed != 0 && self.observer.is_some() {
            return self.outputs_seen(index, now, lines, changed);
        }
        changed &= if self.cut { 0 } else { wired };
        // At most 64 rounds: one for each line.
        while changed != 0 {
            let line = changed.trailing_zeros() as u16;
            changed &= changed.wrapping_sub(1);
            let source = Source::Device {
                device: index,
                line,
            };
            let pending = &mut self.pending;
            self.wiring
                .drive(source, lines.is_high(line), |change| queue(pending, change));
        }
    }

    /// The same, of lines that have changed, with an observer.
    #[cold]
    fn outputs_seen(&mut self, index: usize, now: Instant, lines: Lines, changed: u64) {
        let wired = self.wired_lines(index).0;
        // What leads nowhere nobody hears of; a controller's lead to the CPUs.
        let heard = if self.controllers.contains(&index) {
            u64::MAX
        } else {
            wired
        };
        for line in bits(changed & heard) {
            let level = lines.is_high(line);
            self.see(Kinds::OUTPUTS, now, index, What::Output { line, level });
        }
        for line in bits(changed & if self.cut { 0 } else { wired }) {
            let source = Source::Device {
                device: index,
                line,
            };
            let (pending, observer) = (&mut self.pending, &mut self.observer);
            self.wiring.drive(source, lines.is_high(line), |change| {
                // To who sees the device that is driven and not the one that drives, the line
                // comes from outside.
                if let Some(observer) = observer
                    && !observer.sees(Kinds::OUTPUTS, index as u16)
                {
                    see_input(observer, now, change);
                }
                queue(pending, change);
            });
        }
    }

    pub(super) fn drive(&mut self, world: &World<'_>, source: Source, level: bool) {
        let (pending, observer) = (&mut self.pending, &mut self.observer);
        self.wiring.drive(source, level, |change| {
            if let Some(observer) = observer {
                see_input(observer, world.now, change);
            }
            queue(pending, change);
        });
        self.propagate(world);
    }

    /// Delivers changes, those for the devices first in the order first. A device's change
    /// leads only further on in the order, so this ends.
    pub(super) fn propagate(&mut self, world: &World<'_>) {
        while let Some((place, change)) = self
            .pending
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|(place, change)| (self.wiring.rank(change.device), *place))
        {
            self.pending.remove(place);
            self.touch(world, change.device, |device, cx| {
                device.advance(cx);
                device.input(cx, change.line, change.level);
            });
        }
    }

    /// Reads every device's lines once, after the build, when nothing has run yet.
    pub(super) fn settle(&mut self) {
        let world = World {
            now: Instant::ZERO,
            memory: &crate::memory::NoMemory,
        };
        for device in 0..self.slots.len() {
            self.lines_of(device, world.now);
        }
        self.propagate(&world);
    }

    pub(super) fn direct_reads_at_reset(&mut self) {
        for window in 0..self.plan.windows.len() {
            if let Some(WindowKind::DirectReads {
                device,
                region,
                at_reset,
                ..
            }) = self.plan.windows.get(window).map(|w| &w.kind)
            {
                let (device, region, on) = (*device, *region, *at_reset);
                self.direct_reads(device, region, on);
                self.tell_again(device, region);
                self.asking = true;
            }
        }
    }

    /// Switches the direct reads of a register block, and of the aliases that show it.
    fn direct_reads(&mut self, device: usize, region: u8, on: bool) {
        for (window, direct) in self.plan.windows.iter().zip(&mut self.direct) {
            if shows(&self.plan.windows, window, device, region) && direct.on != on {
                *direct = Direct { on, told: false };
            }
        }
    }

    fn tell_again(&mut self, device: usize, region: u8) {
        for (window, direct) in self.plan.windows.iter().zip(&mut self.direct) {
            if shows(&self.plan.windows, window, device, region) {
                direct.told = false;
            }
        }
    }
}

/// Whether `window` is the register block `region` of `device`, or an alias of a part of it.
fn shows(windows: &[Window], window: &Window, device: usize, region: u8) -> bool {
    let is = |w: &Window| {
        matches!(&w.kind, WindowKind::DirectReads { device: d, region: r, .. }
            if *d == device && *r == region)
    };
    match &window.kind {
        WindowKind::Alias { target } => windows.iter().any(|w| is(w) && w.holds(*target, 1)),
        _ => is(window),
    }
}

#[cold]
fn see_input(observer: &mut Observer, at: Instant, change: Change) {
    let (line, level) = (change.line.0, change.level);
    let seen = Seen {
        at,
        device: change.device as u16,
        what: What::Input { line, level },
    };
    observer.note(Kinds::INPUTS, seen);
}

/// The numbers of the bits that are set, the lowest first.
fn bits(bits: u64) -> impl Iterator<Item = u16> {
    (0..64).filter(move |bit| bits & 1 << bit != 0)
}

/// Queues a change; a change of the same input that is still on its way is overtaken by it.
fn queue(pending: &mut Vec<Change>, change: Change) {
    let same = |p: &&mut Change| (p.device, p.line) == (change.device, change.line);
    if let Some(waiting) = pending.iter_mut().find(same) {
        waiting.level = change.level;
    } else if pending.len() < pending.capacity() {
        // There is room for one change of every input, so this is always so.
        pending.push(change);
    }
}
