//! What a host can give: cores, memory, the rate of its timer.
use super::System;
use super::board::{bytes, map_faults};
use super::host::Host;
use super::prepare::PreparedVm;
use crate::fault::Fault;
use reliquary::board::Plan;
use reliquary::bundle::ARENA_BYTES;

/// Bytes of memory that the hypervisor itself takes, at most: its image, stacks and tables.
const OWN_MEMORY: u64 = (16 << 20) + ARENA_BYTES;

/// Cores that the host lacks, memory that it lacks, a timer of another rate, a GICv3.
pub fn check_host(system: &System, host: &Host, vms: &[PreparedVm]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for vm in &system.vms {
        for core in vm
            .cores
            .value
            .iter()
            .filter(|core| usize::from(**core) >= host.cores())
        {
            let what = format!(
                "vm.{}: the host {} has no core {core}",
                vm.name.value, host.name
            );
            let mend = format!("its cores are 0 to {}", host.cores().saturating_sub(1));
            faults.push(Fault::new(what).at(&system.file, vm.cores.line).mend(mend));
        }
    }
    let mut left = host.memory().saturating_sub(OWN_MEMORY);
    for vm in vms {
        let described = system
            .vms
            .iter()
            .find(|described| described.name.value == vm.name);
        let line = described.map_or(1, |vm| {
            vm.memory
                .as_ref()
                .map_or(vm.name.line, |memory| memory.line)
        });
        // The images are in the host's memory twice: in the bundle, and where the guest has them.
        let need: u64 = vm.board.ram.iter().map(|region| region.size).sum::<u64>()
            + vm.board
                .flashes
                .iter()
                .map(|region| region.size)
                .sum::<u64>()
            + vm.placed
                .iter()
                .map(|placed| placed.bytes.len() as u64)
                .sum::<u64>()
            + vm.card
                .as_ref()
                .map_or(0, |card| card.config.bytes() + card.bytes.len() as u64);
        if need > left {
            let what = format!(
                "vm.{}: it needs {} of the host's memory, and of {} only {} are left",
                vm.name,
                bytes(need.next_multiple_of(1 << 20)),
                bytes(host.memory()),
                bytes(left >> 20 << 20),
            );
            let mend = "set memory = \"256M\" or less, for this VM or for one before it";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
        left = left.saturating_sub(need);
        if vm.board.plan.system_registers().is_some() && !host.has_gicv3() {
            let what = format!(
                "vm.{}: the board has a GICv3, and the host {} has none: without its system registers a guest's do not trap",
                vm.name, host.name
            );
            let line = described.map_or(1, |vm| vm.board.line);
            let mend = "take a host with a GICv3, as qemu-virt";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
        let theirs = vm
            .board
            .plan
            .timer
            .as_ref()
            .filter(|timer| !timer.any_frequency);
        let theirs = theirs.and_then(|timer| timer.frequency);
        if let Some((theirs, ours)) = theirs
            .zip(host.timer_frequency())
            .filter(|(theirs, ours)| theirs != ours)
        {
            let what = format!(
                "vm.{}: the board's generic timer runs at {theirs} Hz and the host's at {ours} Hz; a guest reads CNTFRQ from the hardware",
                vm.name
            );
            let mend = "take a host of that rate, or say `reliquary,any-timer-frequency;` in the board's map if the guest does not care";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
    }
    faults
}

/// Devices of the host's that VMs are given: that it has them, and to one VM each.
pub fn check_pass_through(system: &System, host: &Host, vms: &[PreparedVm]) -> Vec<Fault> {
    let blob = host.tree.write();
    let mut faults = Vec::new();
    let mut bound: Vec<(&str, Plan)> = Vec::new();
    for vm in vms {
        let mut plan = vm.board.plan.clone();
        if let Err(errors) = plan.bind_host(&blob) {
            faults.extend(map_faults(&vm.board.file, errors).0);
            continue;
        }
        let taken = bound
            .iter()
            .find_map(|(owner, other)| Some((*owner, plan.host_device_of_both(other)?)));
        if let Some((owner, node)) = taken {
            let described = system.vms.iter().find(|own| own.name.value == vm.name);
            let line = described.map_or(1, |vm| vm.board.line);
            let what = format!(
                "vm.{}: the host's device behind {node} is vm.{owner}'s already",
                vm.name
            );
            let mend = "pass a device of the host through to one VM";
            faults.push(Fault::new(what).at(&system.file, line).mend(mend));
        }
        bound.push((&vm.name, plan));
    }
    faults
}
