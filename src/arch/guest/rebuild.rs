//! A VM in which the hypervisor itself failed: its objects may be in any state, so a restart builds them
//! anew from the bundle, where they were, and takes nothing over but what counts its lives.
//!
//! That is done in one go by the core of the first vCPU, as at boot: the device tree is read, the devices
//! and stage 2 are made. Its memory is loaded piece by piece after that, as at any reset. A recorded VM is
//! not recorded any more.

use super::{Guest, Phase, calls, life, serve};
use crate::arch::{arena, gic};
use core::mem;

impl Guest {
    /// The hypervisor failed while it ran for this VM, on the core of vCPU `cpu`.
    pub(super) fn after_panic(&mut self, cpu: u8) {
        self.wires.let_go();
        if let Some(channels) = &self.channels {
            channels.let_go(self.number);
        }
        if !matches!(self.phase, Phase::Broken | Phase::Rebuilding) {
            self.breaks();
        }
        self.is_still(cpu);
    }

    fn breaks(&mut self) {
        let had_ended = matches!(self.phase, Phase::Off | Phase::Crashed);
        (self.wish, self.start_again) = (None, false);
        self.life += 1;
        self.parked = 0;
        self.starts.fill(None);
        self.wires.connect(false);
        self.connect_channels(false);
        for (intid, active) in &mut self.forwarded {
            if mem::take(active) {
                gic::deactivate(*intid);
            }
        }
        self.phase = if !had_ended && self.may_restart() {
            Phase::Rebuilding
        } else {
            let name = self.vm.name();
            log::error!("vm.{name}: stays down: the hypervisor failed in it");
            Phase::Broken
        };
        self.publish();
        self.call_online();
        if self.phase == Phase::Broken && !had_ended {
            life::is_gone();
        }
    }

    /// A vCPU of a life that is over is off now: the last one lets a broken VM be built anew, if it is to be.
    pub(super) fn is_still(&mut self, cpu: u8) {
        if matches!(self.phase, Phase::Broken | Phase::Rebuilding) {
            self.online &= !(1 << cpu);
            calls::call(self.number, 0);
        }
    }

    /// The monitor starts it, though it is broken.
    pub(super) fn start_broken(&mut self) {
        log::info!("vm.{}: started by the monitor", self.vm.name());
        life::will_run();
        self.phase = Phase::Rebuilding;
        calls::call(self.number, 0);
    }

    /// Builds the VM anew, if that is due and none of its vCPUs is on any more.
    #[inline]
    pub(super) fn rebuild_if_due(&mut self) {
        if self.phase == Phase::Rebuilding && self.online == 0 {
            self.rebuild();
        }
    }

    #[cold]
    #[inline(never)]
    fn rebuild(&mut self) {
        let number = self.number;
        let Some(part) = crate::system::part_of(number) else {
            return;
        };
        let kept = (mem::take(&mut self.crashes), self.life, self.resets);
        // What failed here, with what did not fail at boot, would leave nothing that could be told or
        // stopped: the machine stops then.
        serve::guard(false);
        // SAFETY: all that lies in the part is this Guest's: its Vm, the lists of its memory, and its stage
        // 2, which no vCPU uses, since all are off. It is overwritten without a look at it.
        unsafe {
            let made = arena::again(part, || crate::system::rebuild(number));
            let guest = made.unwrap_or_else(|why| panic!("VM {number} is not built anew: {why}"));
            core::ptr::write(self, *guest);
        }
        serve::guard(true);
        (self.crashes, self.life, self.resets) = kept;
        log::info!("vm.{}: built anew from the bundle", self.vm.name());
        self.reset_board();
    }
}
