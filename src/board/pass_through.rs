//! Binding of passed-through devices to the host that the board runs on.

use super::devicetree::{Node, Tree};
use super::error::MapError;
use super::plan::{Plan, WindowKind};
use crate::units::HostPa;
use alloc::format;
use alloc::vec::Vec;

const PROPERTY: &str = "reliquary,pass-through";
const MEND: &str = "name a node of the host's tree that has what the board's node has";

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
            Err(what) => errors.push(
                MapError::new(window.node.clone(), format!("the window at {at}: {what}"))
                    .property(PROPERTY)
                    .mend(MEND),
            ),
        }
    }
    for interrupt in &mut plan.host_interrupts {
        match line(&host, &interrupt.host_node, interrupt.index) {
            Ok((intid, edge)) => {
                interrupt.intid = Some(intid);
                interrupt.edge = edge;
            }
            Err(what) => {
                errors.push(
                    MapError::new(interrupt.node.clone(), what)
                        .property(PROPERTY)
                        .mend(MEND),
                );
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn find<'t, 'a>(host: &'t Tree<'a>, path: &str) -> Result<Node<'t, 'a>, alloc::string::String> {
    host.node(path)
        .ok_or_else(|| format!("the host has no node {path}"))
}

fn place(
    host: &Tree<'_>,
    path: &str,
    region: u8,
    bytes: u64,
    tap: bool,
) -> Result<HostPa, alloc::string::String> {
    let node = find(host, path)?;
    let regs = node.reg().map_err(|error| format!("the host's {error}"))?;
    let block = regs.get(region as usize);
    let Some((at, size)) = block.and_then(|block| Some((block.cpu?, block.bytes))) else {
        return Err(format!("the host's {path} has no register block {region}"));
    };
    if bytes > size {
        return Err(format!(
            "it has {bytes:#x} bytes, but the host's {path} only {size:#x}"
        ));
    }
    if tap {
        return Ok(HostPa(at));
    }
    if at & 0xfff != 0 || size & 0xfff != 0 {
        return Err(format!(
            "the host's {path} is a part of a page ({at:#x}, {size:#x} bytes): add reliquary,tap"
        ));
    }
    let last = at.saturating_add(size.saturating_sub(1)) >> 12;
    for other in host.nodes().filter(|other| *other != node) {
        for reg in other.reg().unwrap_or_default() {
            let Some(from) = reg.cpu.filter(|_| reg.bytes != 0) else {
                continue;
            };
            let to = from.saturating_add(reg.bytes.saturating_sub(1)) >> 12;
            if from >> 12 <= last && at >> 12 <= to {
                return Err(format!(
                    "the host's {path} shares its page with {}: add reliquary,tap",
                    other.path()
                ));
            }
        }
    }
    Ok(HostPa(at))
}

fn line(host: &Tree<'_>, path: &str, index: usize) -> Result<(u32, bool), alloc::string::String> {
    let node = find(host, path)?;
    let interrupts = node
        .interrupts()
        .map_err(|error| format!("the host's {error}"))?;
    let Some(interrupt) = interrupts.get(index) else {
        return Err(format!("the host's {path} has no interrupt {index}"));
    };
    match interrupt.specifier {
        [0, spi @ 0..988, flags, _] => Ok((spi.wrapping_add(32), flags & 3 != 0)),
        _ => Err(format!(
            "interrupt {index} of the host's {path} is not one that can be forwarded"
        )),
    }
}
