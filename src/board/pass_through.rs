//! Binding of passed-through devices to the host that the board runs on.
//!
//! A device is refused that the hypervisor itself uses, and one whose page holds registers of
//! another, which its guest would have too.

use super::devicetree::{Node, Tree};
use super::error::MapError;
use super::plan::{Plan, Window, WindowKind};
use crate::units::HostPa;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What is wrong, and how to mend it.
type Wrong = (String, &'static str);

const PROPERTY: &str = "reliquary,pass-through";

pub(super) fn bind(plan: &mut Plan, host: &[u8]) -> Result<(), Vec<MapError>> {
    let host = Tree::read(host).map_err(|error| alloc::vec![error])?;
    let mut errors = Vec::new();
    for window in &mut plan.windows {
        let WindowKind::PassThrough {
            host_node,
            region,
            host: found,
            tap,
        } = &mut window.kind
        else {
            continue;
        };
        let at = window.at;
        match place(&host, host_node, *region, window.bytes, *tap) {
            Ok(place) => *found = Some(place),
            Err((what, mend)) => errors.push(
                MapError::new(window.node.clone(), format!("the window at {at}: {what}"))
                    .property(PROPERTY)
                    .mend(mend),
            ),
        }
    }
    for interrupt in &mut plan.host_interrupts {
        match line(&host, &interrupt.host_node, interrupt.index) {
            Ok((intid, edge)) => {
                interrupt.intid = Some(intid);
                interrupt.edge = edge;
            }
            Err((what, mend)) => errors.push(
                MapError::new(interrupt.node.clone(), what)
                    .property(PROPERTY)
                    .mend(mend),
            ),
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// The node of a passed-through device of `one` that `other` is given too, or whose interrupt
/// is. Both plans are bound.
pub(super) fn shared<'p>(one: &'p Plan, other: &Plan) -> Option<&'p str> {
    let ranges = |plan: &'p Plan| plan.windows.iter().filter_map(range);
    let twice = ranges(one).find(|(_, at, end)| {
        let theirs = other.windows.iter().filter_map(range);
        theirs
            .into_iter()
            .any(|(_, from, to)| *at < to && from < *end)
    });
    let interrupt = one.host_interrupts.iter().find(|own| {
        own.intid.is_some() && other.host_interrupts.iter().any(|o| o.intid == own.intid)
    });
    twice
        .map(|(node, ..)| node)
        .or(interrupt.map(|interrupt| interrupt.node.as_str()))
}

/// The node of a passed-through window, and where it is on the host.
fn range(window: &Window) -> Option<(&str, u64, u64)> {
    match window.kind {
        WindowKind::PassThrough {
            host: Some(host), ..
        } => Some((&window.node, host.0, host.0.saturating_add(window.bytes))),
        _ => None,
    }
}

/// What the hypervisor uses a node of the host for, if it does.
fn own_use(host: &Tree<'_>, node: Node<'_, '_>) -> Option<&'static str> {
    const GICS: [&str; 4] = [
        "arm,gic-v3",
        "arm,gic-400",
        "arm,cortex-a15-gic",
        "arm,cortex-a7-gic",
    ];
    let console = host
        .stdout()
        .map(|(node, _)| node)
        .or_else(|| host.compatible(&["arm,pl011"]));
    if console == Some(node) {
        Some("console")
    } else if GICS.iter().any(|gic| node.is_compatible(gic)) {
        Some("interrupt controller")
    } else if matches!(node.str("device_type"), Ok(Some("memory"))) {
        Some("memory")
    } else {
        None
    }
}

fn find<'t, 'a>(host: &'t Tree<'a>, path: &str) -> Result<Node<'t, 'a>, Wrong> {
    host.node(path).ok_or_else(|| {
        let what = format!("the host has no node {path}");
        (what, "name a node of the host's tree by its whole path")
    })
}

fn damaged(error: MapError) -> Wrong {
    (format!("the host's {error}"), "mend the host's tree")
}

fn place(host: &Tree<'_>, path: &str, region: u8, bytes: u64, tap: bool) -> Result<HostPa, Wrong> {
    let node = find(host, path)?;
    if let Some(used) = own_use(host, node) {
        let what = format!("the host's {path} is the hypervisor's own {used}");
        return Err((
            what,
            "pass another device through, or have this one emulated",
        ));
    }
    let regs = node.reg().map_err(damaged)?;
    let block = regs.get(region as usize);
    let Some((at, size)) = block.and_then(|block| Some((block.cpu?, block.bytes))) else {
        let what = format!("the host's {path} has no register block {region}");
        return Err((what, "give the node's reg as many entries as the host's"));
    };
    if bytes > size {
        let what = format!("it has {bytes:#x} bytes, but the host's {path} only {size:#x}");
        return Err((what, "give the node's reg the host's size, or less"));
    }
    if tap {
        return Ok(HostPa(at));
    }
    if at & 0xfff != 0 || size & 0xfff != 0 {
        let what = format!("the host's {path} is a part of a page ({at:#x}, {size:#x} bytes)");
        return Err((what, "add reliquary,tap"));
    }
    let last = at.saturating_add(size.saturating_sub(1)) >> 12;
    for other in host.nodes().filter(|other| *other != node) {
        for reg in other.reg().unwrap_or_default() {
            let Some(from) = reg.cpu.filter(|_| reg.bytes != 0) else {
                continue;
            };
            let to = from.saturating_add(reg.bytes.saturating_sub(1)) >> 12;
            if from >> 12 <= last && at >> 12 <= to {
                let what = format!("the host's {path} shares its page with {}", other.path());
                return Err((what, "add reliquary,tap"));
            }
        }
    }
    Ok(HostPa(at))
}

fn line(host: &Tree<'_>, path: &str, index: usize) -> Result<(u32, bool), Wrong> {
    let node = find(host, path)?;
    let interrupts = node.interrupts().map_err(damaged)?;
    let Some(interrupt) = interrupts.get(index) else {
        let what = format!("the host's {path} has no interrupt {index}");
        return Err((
            what,
            "take what the host lacks out of the node's interrupts",
        ));
    };
    match interrupt.specifier {
        [0, spi @ 0..988, flags, _] => Ok((spi.wrapping_add(32), flags & 3 != 0)),
        _ => Err((
            format!("interrupt {index} of the host's {path} is no SPI of its GIC"),
            "take it out of the node's interrupts",
        )),
    }
}
