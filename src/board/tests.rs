//! Maps as they should not be, and boards at work.

use super::catalog::{Entry, Making};
use super::devicetree::tests::{A9, A15, Lcg};
use super::observe::{By, Kinds, Observer, Seen, What};
use super::plan::{Unclaimed, WindowKind};
use super::*;
use crate::access::{Access, Refusal};
use crate::emul::frames::FRAME_MAX;
use crate::emul::state::{Reader, Writer};
use crate::emul::{Ask, Cx, Device, Line, Lines, Reset};
use crate::memory::{BoardMemory, NoMemory, StoreId, Unbacked};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::format;
use std::sync::Mutex;
use vm_fdt::{Error, FdtWriter};

mod serial;
mod wires;

const V7: &[u8] = include_bytes!("../../tests/data/virt-v7.dtb");
const HOST: &[u8] = super::devicetree::tests::HOST;

/// A device for tests: word 0 is its output lines, word 4 its deadline, word 8 what it was
/// told last (line << 1 | level), word 12 asks. Inputs with an odd line go on to output 0.
struct Probe {
    lines: u64,
    told: u64,
    due: Option<u64>,
}

impl Device for Probe {
    fn read(&mut self, _: &mut Cx<'_>, access: Access) -> Result<u64, Refusal> {
        match access.offset {
            0 => Ok(self.lines),
            8 => Ok(self.told),
            0x20 => Ok(u64::MAX),
            _ => Err(Refusal::NoRegister),
        }
    }
    fn write(&mut self, cx: &mut Cx<'_>, access: Access, value: u64) -> Result<(), Refusal> {
        match access.offset {
            0 => self.lines = value,
            4 => self.due = Some(value),
            12 => cx.ask(match value {
                0 => Ask::Reset,
                1 => Ask::PowerOff,
                _ => Ask::DirectReads {
                    region: 0,
                    on: value == 3,
                },
            }),
            _ => return Err(Refusal::NoRegister),
        }
        Ok(())
    }
    fn input(&mut self, _: &mut Cx<'_>, line: Line, level: bool) {
        self.told = u64::from(line.0) << 1 | u64::from(level);
        if line.0 % 2 == 1 {
            self.lines = self.lines & !1 | u64::from(level);
        }
    }
    fn advance(&mut self, cx: &mut Cx<'_>) {
        if self.due.is_some_and(|due| due <= cx.now.0) {
            self.due = None;
            self.lines |= 2;
        }
    }
    fn lines(&self) -> Lines {
        Lines(self.lines)
    }
    fn deadline(&self) -> Option<Instant> {
        self.due.map(Instant)
    }
    fn reset(&mut self, _: Reset) {
        (self.lines, self.due) = (0, None);
    }
    fn save(&self, _: &mut Writer) {}
    fn load(&mut self, _: &mut Reader<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

#[allow(clippy::unnecessary_wraps)]
fn probe(_: &Making<'_, '_, '_>) -> Result<Box<dyn Device>, MapError> {
    Ok(Box::new(Probe {
        lines: 0,
        told: 0,
        due: None,
    }))
}

pub(super) static DEVICES: &[Entry] = &[
    Entry::new("test,probe", catalog::Tier::Modelled, "probe", probe),
    Entry::new("test,flash", catalog::Tier::Modelled, "direct", probe).direct_reads(),
    // A controller of one cell whose outputs are a device's, so that they may lead on.
    Entry::new("test,cascade", catalog::Tier::Modelled, "cascade", probe).cascade::<32>(),
    Entry::new("test,high-first", catalog::Tier::Modelled, "high", probe).port(bus::Port {
        order: bus::Order::HighFirst,
        ..bus::Port::WORD
    }),
    Entry::new("test,narrow", catalog::Tier::Modelled, "narrow", probe).port(bus::Port {
        width: Width::Half,
        ..bus::Port::WORD
    }),
    Entry::new("test,wide", catalog::Tier::Modelled, "wide", probe).port(bus::Port::DOUBLE),
];

type Build<'b> = &'b dyn Fn(&mut FdtWriter) -> Result<(), Error>;

/// A map with one CPU, 1 MiB of RAM at 0x80000000, a GIC (phandle 1) and `more`.
fn map(more: Build<'_>) -> Vec<u8> {
    map_with(&|_| Ok(()), more)
}

/// The same, with more properties of the root.
fn map_with(properties: Build<'_>, more: Build<'_>) -> Vec<u8> {
    let build = || {
        let mut fdt = FdtWriter::new()?;
        let root = fdt.begin_node("")?;
        fdt.property_u32("#address-cells", 1)?;
        fdt.property_u32("#size-cells", 1)?;
        fdt.property_u32("interrupt-parent", 1)?;
        properties(&mut fdt)?;
        node(
            &mut fdt,
            "memory@80000000",
            "",
            &[0x8000_0000, 0x10_0000],
            &|fdt| fdt.property_string("device_type", "memory"),
        )?;
        node(
            &mut fdt,
            "gic",
            "arm,cortex-a15-gic",
            &[0x1000, 0x1000, 0x2000, 0x1000],
            &|fdt| {
                fdt.property_null("interrupt-controller")?;
                fdt.property_u32("#interrupt-cells", 3)?;
                fdt.property_u32("phandle", 1)
            },
        )?;
        more(&mut fdt)?;
        let cpus = fdt.begin_node("cpus")?;
        fdt.property_u32("#address-cells", 1)?;
        fdt.property_u32("#size-cells", 0)?;
        let cpu = fdt.begin_node("cpu@0")?;
        fdt.property_string("device_type", "cpu")?;
        fdt.property_string("compatible", "arm,cortex-a15")?;
        fdt.property_u32("reg", 0)?;
        fdt.end_node(cpu)?;
        fdt.end_node(cpus)?;
        fdt.end_node(root)?;
        fdt.finish()
    };
    build().expect("the map is built")
}

fn node(
    fdt: &mut FdtWriter,
    name: &str,
    compatible: &str,
    reg: &[u32],
    more: Build<'_>,
) -> Result<(), Error> {
    let node = fdt.begin_node(name)?;
    if !compatible.is_empty() {
        fdt.property_string("compatible", compatible)?;
    }
    if !reg.is_empty() {
        fdt.property_array_u32("reg", reg)?;
    }
    more(fdt)?;
    fdt.end_node(node)
}

fn probe_at(fdt: &mut FdtWriter, name: &str, at: u32, interrupts: &[u32]) -> Result<(), Error> {
    node(
        fdt,
        name,
        "test,probe",
        &[at, 0x1000],
        &|fdt| match interrupts {
            [] => Ok(()),
            cells => fdt.property_array_u32("interrupts", cells),
        },
    )
}

/// The only error of a map, as node, property and text.
fn error_of(more: Build<'_>) -> (String, Option<String>, String) {
    let errors = Plan::read(&map(more)).expect_err("the map is wrong");
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = errors[0].clone();
    (
        error.node.clone(),
        error.property.clone(),
        error.to_string(),
    )
}

#[track_caller]
fn is_refused(more: Build<'_>, node: &str, property: &str, what: &str) {
    let (at, of, text) = error_of(more);
    assert_eq!(
        (at.as_str(), of.as_deref()),
        (node, Some(property)),
        "{text}"
    );
    assert!(text.contains(what), "{text}");
}

#[test]
fn overlapping_windows_name_both_nodes() {
    is_refused(
        &|fdt| {
            probe_at(fdt, "a", 0x3000, &[])?;
            probe_at(fdt, "b", 0x3800, &[])
        },
        "/b",
        "reg",
        "overlaps that of /a",
    );
}

#[test]
fn a_window_over_ram_is_the_devices_fault() {
    for at in [0x8000_0000, 0x8000_8000, 0x7fff_f800] {
        is_refused(
            &|fdt| probe_at(fdt, "a", at, &[]),
            "/a",
            "reg",
            "over the RAM of /memory@80000000",
        );
    }
}

#[test]
fn a_window_that_wraps_or_is_empty_is_refused() {
    is_refused(
        &|fdt| {
            let bus = fdt.begin_node("bus")?;
            fdt.property_string("compatible", "simple-bus")?;
            fdt.property_u32("#address-cells", 2)?;
            fdt.property_u32("#size-cells", 2)?;
            fdt.property_null("ranges")?;
            let reg = [0xffff_ffff, 0xffff_f000, 0, 0x2000];
            node(fdt, "a", "test,probe", &reg, &|_| Ok(()))?;
            fdt.end_node(bus)
        },
        "/bus/a",
        "reg",
        "wraps",
    );
    is_refused(
        &|fdt| node(fdt, "a", "test,probe", &[0x3000, 0], &|_| Ok(())),
        "/a",
        "reg",
        "no bytes",
    );
}

#[test]
fn a_device_without_an_emulator_is_refused_unless_disabled() {
    let toaster = |status: &'static str| {
        move |fdt: &mut FdtWriter| {
            node(fdt, "toaster", "acme,toaster", &[0x3000, 0x1000], &|fdt| {
                fdt.property_string("status", status)
            })
        }
    };
    is_refused(
        &toaster("okay"),
        "/toaster",
        "compatible",
        "nothing emulates \"acme,toaster\"",
    );
    assert!(Plan::read(&map(&toaster("disabled"))).is_ok());
}

#[test]
fn an_emulator_that_the_map_names_and_nobody_has_is_refused() {
    is_refused(
        &|fdt| {
            node(fdt, "a", "test,probe", &[0x3000, 0x1000], &|fdt| {
                fdt.property_string("reliquary,emulate", "test,none")
            })
        },
        "/a",
        "reliquary,emulate",
        "nothing emulates \"test,none\"",
    );
}

#[test]
fn an_interrupt_out_of_range_is_refused() {
    for (interrupt, what) in [
        ([0, 128, 4], "SPI 128 is out of range"),
        ([0, u32::MAX, 4], "out of range"),
        ([1, 16, 4], "PPI 16 is out of range"),
        ([2, 1, 4], "kind 2"),
    ] {
        is_refused(
            &|fdt| probe_at(fdt, "a", 0x3000, &interrupt),
            "/a",
            "interrupts",
            what,
        );
    }
    assert!(Plan::read(&map(&|fdt| probe_at(fdt, "a", 0x3000, &[0, 127, 4]))).is_ok());
}

#[test]
fn an_interrupt_of_a_wrong_length_or_parent_is_refused() {
    is_refused(
        &|fdt| probe_at(fdt, "a", 0x3000, &[0, 1]),
        "/a",
        "interrupts",
        "3 #interrupt-cells",
    );
    is_refused(
        &|fdt| {
            node(fdt, "a", "test,probe", &[0x3000, 0x1000], &|fdt| {
                fdt.property_array_u32("interrupts-extended", &[77, 1])
            })
        },
        "/a",
        "interrupts-extended",
        "phandle 0x4d",
    );
}

fn cascade(fdt: &mut FdtWriter, name: &str, at: u32, this: u32, next: &[u32]) -> Result<(), Error> {
    node(fdt, name, "test,cascade", &[at, 0x1000], &|fdt| {
        fdt.property_null("interrupt-controller")?;
        fdt.property_u32("#interrupt-cells", 1)?;
        fdt.property_u32("phandle", this)?;
        fdt.property_array_u32("interrupts-extended", next)
    })
}

#[test]
fn a_cycle_in_the_wiring_is_refused() {
    is_refused(
        &|fdt| {
            cascade(fdt, "a", 0x3000, 5, &[6, 0])?;
            cascade(fdt, "b", 0x4000, 6, &[5, 0])
        },
        "/a",
        "interrupts",
        "circle through /b",
    );
}

#[test]
fn a_policy_that_is_none_is_refused() {
    let blob = map_with(
        &|fdt| fdt.property_string("reliquary,unclaimed", "maybe"),
        &|_| Ok(()),
    );
    let errors = Plan::read(&blob).expect_err("the map is wrong");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].property.as_deref(), Some("reliquary,unclaimed"));
}

fn passed(
    fdt: &mut FdtWriter,
    name: &str,
    reg: [u32; 2],
    host: &str,
    tap: bool,
) -> Result<(), Error> {
    node(fdt, name, "acme,clock", &reg, &|fdt| {
        fdt.property_string("reliquary,pass-through", host)?;
        fdt.property_array_u32("interrupts", &[0, 9, 4])?;
        if tap {
            fdt.property_null("reliquary,tap")
        } else {
            Ok(())
        }
    })
}

#[test]
fn a_part_of_a_page_is_passed_through_only_with_a_tap() {
    let part =
        |tap| move |fdt: &mut FdtWriter| passed(fdt, "a", [0x3000, 0x800], "/pl031@9010000", tap);
    is_refused(&part(false), "/a", "reg", "part of a page");
    assert!(Plan::read(&map(&part(true))).is_ok());
}

#[test]
fn a_page_that_another_node_shares_is_not_passed_through() {
    let shared = |tap| {
        move |fdt: &mut FdtWriter| {
            passed(fdt, "a", [0x4000, 0x800], "/pl031@9010000", true)?;
            node(fdt, "b", "test,probe", &[0x4800, 0x10], &|_| Ok(()))?;
            passed(fdt, "c", [0x5000, 0x1000], "/pl061@9030000", tap)?;
            node(fdt, "d", "test,probe", &[0x6000, 0x10], &|_| Ok(()))
        }
    };
    assert!(
        Plan::read(&map(&shared(false))).is_ok(),
        "neighbouring pages are not shared"
    );
    // On the board's side pages are whole, so a sharer overlaps. On the host's side:
    let host = map_with(&|_| Ok(()), &|fdt| {
        node(fdt, "clock", "acme,clock", &[0x9000, 0x1000], &|_| Ok(()))?;
        node(fdt, "lamp", "acme,lamp", &[0x9ff0, 0x10], &|_| Ok(()))
    });
    for (tap, sound) in [(false, false), (true, true)] {
        let blob = map(&|fdt| {
            node(fdt, "a", "acme,clock", &[0x4000, 0x1000], &|fdt| {
                fdt.property_string("reliquary,pass-through", "/clock")?;
                if tap {
                    fdt.property_null("reliquary,tap")
                } else {
                    Ok(())
                }
            })
        });
        let mut plan = Plan::read(&blob).expect("the map is sound");
        let bound = plan.bind_host(&host);
        assert_eq!(bound.is_ok(), sound, "{bound:?}");
        if let Err(errors) = bound {
            assert!(
                errors[0].what.contains("shares its page with /lamp"),
                "{errors:?}"
            );
        }
    }
}

#[test]
fn a_passed_through_device_is_found_on_the_host_with_its_interrupt() {
    for tap in [false, true] {
        let blob = map(&|fdt| passed(fdt, "a", [0x3000, 0x1000], "/pl031@9010000", tap));
        let mut plan = Plan::read(&blob).expect("the map is sound");
        plan.bind_host(HOST).expect("the host has it");
        let window = plan
            .windows
            .iter()
            .find(|w| w.node == "/a")
            .expect("it is there");
        assert!(matches!(
            window.kind,
            WindowKind::PassThrough {
                host: Some(HostPa(0x901_0000)),
                ..
            }
        ));
        assert_eq!(
            (plan.host_interrupts[0].intid, plan.host_interrupts[0].edge),
            (Some(34), false)
        );
        let mut board = Board::build(&plan).expect("it builds");
        let reply = board.read(&now(0), Ipa(0x3004), cpu(Width::Word));
        if tap {
            assert_eq!(reply, Ok(Reply::Host(HostPa(0x901_0004))));
            board.record(0x1234_5678_9abc);
            assert_eq!(board.recent().last().map(|a| a.value), Some(0x5678_9abc));
        } else {
            assert_eq!(reply, Err(BusFault::Memory), "stage 2 serves it");
        }
    }
}

#[test]
fn a_host_that_lacks_the_device_or_shares_its_page_is_an_error() {
    for (host, size, what) in [
        ("/toaster", 0x1000, "no node /toaster"),
        ("/pl031@9010000", 0x2000, "only 0x1000"),
        ("/fw-cfg@9020000", 0x1000, "only 0x18"),
        ("/pl011@9000000", 0x1000, "hypervisor's own console"),
        (
            "/intc@8000000",
            0x1000,
            "hypervisor's own interrupt controller",
        ),
        ("/memory@40000000", 0x1000, "hypervisor's own memory"),
    ] {
        let blob = map(&|fdt| passed(fdt, "a", [0x10000, size], host, false));
        let mut plan = Plan::read(&blob).expect("the map is sound");
        let errors = plan.bind_host(HOST).expect_err("the host has it not");
        assert!(
            errors.iter().any(|e| e.to_string().contains(what)),
            "{errors:?}"
        );
        assert_eq!(
            errors[0].property.as_deref(),
            Some("reliquary,pass-through")
        );
    }
}

#[test]
fn a_host_device_of_two_boards_is_found() {
    let bound = |reg: u32, host: &str| {
        let blob = map(&|fdt| passed(fdt, "a", [reg, 0x1000], host, false));
        let mut plan = Plan::read(&blob).expect("the map is sound");
        plan.bind_host(HOST).expect("the host has it");
        plan
    };
    let (one, other) = (
        bound(0x3000, "/pl031@9010000"),
        bound(0x5000, "/pl031@9010000"),
    );
    assert_eq!(one.host_device_of_both(&other), Some("/a"));
    let apart = bound(0x3000, "/pl061@9030000");
    assert_eq!(one.host_device_of_both(&apart), None);
}

#[test]
fn an_alias_that_leads_nowhere_is_refused() {
    let alias = |to: u32| {
        move |fdt: &mut FdtWriter| {
            node(fdt, "a", "reliquary,alias", &[0x10_0000, 0x1000], &|fdt| {
                fdt.property_u32("reliquary,alias", to)
            })
        }
    };
    assert!(Plan::read(&map(&alias(0x8000_1000))).is_ok());
    for to in [0x3000, 0x1000, 0x800f_f800, 0x10_0000] {
        is_refused(&alias(to), "/a", "reliquary,alias", "not inside one memory");
    }
}

fn now(ns: u64) -> World<'static> {
    World {
        now: Instant(ns),
        memory: &NoMemory,
    }
}

const fn cpu(width: Width) -> Transaction {
    Transaction {
        width,
        initiator: Initiator::Cpu(0),
        security: Security::NonSecure,
        privileged: true,
    }
}

fn board(more: Build<'_>) -> Board {
    let plan = Plan::read(&map(more)).expect("the map is sound");
    Board::build(&plan).expect("it builds")
}

fn write(board: &mut Board, at: u64, value: u64) {
    assert_eq!(
        board.write(&now(0), Ipa(at), cpu(Width::Word), value),
        Ok(Reply::Done),
        "{at:#x}"
    );
}

fn read(board: &mut Board, at: u64) -> u64 {
    match board.read(&now(0), Ipa(at), cpu(Width::Word)) {
        Ok(Reply::Value(value)) => value,
        other => panic!("{at:#x}: {other:?}"),
    }
}

#[test]
fn a_devices_line_reaches_the_cpu_through_the_gic() {
    let mut board = board(&|fdt| probe_at(fdt, "a", 0x3000, &[0, 5, 4]));
    // GICD_CTLR, GICD_ISENABLER1, GICD_ITARGETSR9, GICC_CTLR, GICC_PMR.
    for (at, value) in [
        (0x1000, 1),
        (0x1104, 1 << 5),
        (0x1824, 1 << 8),
        (0x2000, 1),
        (0x2004, 0xff),
    ] {
        write(&mut board, at, value);
    }
    assert_eq!(board.cpu_lines(0), CpuLines::default());
    write(&mut board, 0x3000, 1);
    assert_eq!(
        board.cpu_lines(0),
        CpuLines {
            irq: true,
            fiq: false
        }
    );
    assert_eq!(read(&mut board, 0x200c), 37, "GICC_IAR");
    write(&mut board, 0x3000, 0);
    write(&mut board, 0x2010, 37);
    assert_eq!(board.cpu_lines(0), CpuLines::default());
}

#[test]
fn a_change_goes_through_a_cascade_in_one_access() {
    let mut board = board(&|fdt| {
        node(fdt, "a", "test,probe", &[0x5000, 0x1000], &|fdt| {
            fdt.property_array_u32("interrupts-extended", &[5, 3])
        })?;
        cascade(fdt, "b", 0x3000, 5, &[6, 7])?;
        cascade(fdt, "c", 0x4000, 6, &[1, 0, 9, 4])
    });
    write(&mut board, 0x5000, 1);
    assert_eq!(read(&mut board, 0x3008), 3 << 1 | 1);
    assert_eq!(read(&mut board, 0x4008), 7 << 1 | 1);
    assert_eq!(read(&mut board, 0x1204) & 1 << 9, 1 << 9, "GICD_ISPENDR1");
    write(&mut board, 0x5000, 0);
    assert_eq!(read(&mut board, 0x1204) & 1 << 9, 0);
}

/// A controller of the Versatile boards, with phandle `this`.
fn versatile(
    fdt: &mut FdtWriter,
    compatible: &str,
    at: u32,
    this: u32,
    outputs: &[u32],
) -> Result<(), Error> {
    node(
        fdt,
        &format!("c{this}"),
        compatible,
        &[at, 0x1000],
        &|fdt| {
            fdt.property_null("interrupt-controller")?;
            fdt.property_u32("#interrupt-cells", 1)?;
            fdt.property_u32("phandle", this)?;
            match outputs {
                [] => Ok(()),
                outputs => fdt.property_array_u32("interrupts-extended", outputs),
            }
        },
    )
}

#[test]
fn a_source_of_the_sic_reaches_the_vic_together_with_others_and_by_itself() {
    let mut board = board(&|fdt| {
        node(fdt, "a", "test,probe", &[0x5000, 0x1000], &|fdt| {
            fdt.property_array_u32("interrupts-extended", &[6, 22])
        })?;
        versatile(fdt, "arm,versatile-sic", 0x3000, 6, &[7, 31, 7, 21, 7, 22])?;
        versatile(fdt, "arm,versatile-vic", 0x4000, 7, &[])
    });
    write(&mut board, 0x3008, 1 << 22);
    write(&mut board, 0x5000, 1);
    assert_eq!(read(&mut board, 0x4008), 1 << 31);
    write(&mut board, 0x3020, 1 << 22);
    assert_eq!(read(&mut board, 0x4008), 1 << 31 | 1 << 22);
    write(&mut board, 0x4010, 1 << 22);
    let (irq, fiq) = (true, false);
    assert_eq!(board.cpu_lines(0), CpuLines { irq, fiq });
    write(&mut board, 0x5000, 0);
    assert_eq!(board.cpu_lines(0), CpuLines::default());
}

#[test]
fn a_vic_with_interrupts_of_its_own_is_chained_and_drives_no_cpu() {
    let mut board = board(&|fdt| {
        versatile(fdt, "arm,pl190-vic", 0x3000, 6, &[7, 32, 7, 33])?;
        versatile(fdt, "arm,pl190-vic", 0x4000, 7, &[])
    });
    // Of the outer one, interrupt 1 is an IRQ and 2 an FIQ.
    write(&mut board, 0x300c, 1 << 2);
    write(&mut board, 0x3010, 1 << 1 | 1 << 2);
    write(&mut board, 0x3018, 1 << 1);
    let (irq, fiq) = (true, false);
    assert_eq!(board.cpu_lines(0), CpuLines { irq, fiq });
    assert_eq!(read(&mut board, 0x4030), 0);
    assert_eq!(board.cpu_lines(0), CpuLines::default());
    write(&mut board, 0x3018, 1 << 2);
    let (irq, fiq) = (false, true);
    assert_eq!(board.cpu_lines(0), CpuLines { irq, fiq });
}

#[test]
fn an_input_that_a_vic_lacks_is_refused() {
    is_refused(
        &|fdt| {
            versatile(fdt, "arm,versatile-vic", 0x4000, 7, &[])?;
            node(fdt, "a", "test,probe", &[0x5000, 0x1000], &|fdt| {
                fdt.property_array_u32("interrupts-extended", &[7, 34])
            })
        },
        "/a",
        "interrupts",
        "inputs 0 to 33",
    );
}

#[test]
fn a_deadline_is_told_and_met() {
    let mut board = board(&|fdt| {
        probe_at(fdt, "a", 0x3000, &[])?;
        probe_at(fdt, "b", 0x4000, &[])
    });
    assert_eq!(board.deadline(), None);
    write(&mut board, 0x3004, 900);
    write(&mut board, 0x4004, 500);
    assert_eq!(board.deadline(), Some(Instant(500)));
    board.advance(&now(499));
    assert_eq!(read(&mut board, 0x4000), 0);
    board.advance(&now(500));
    assert_eq!(read(&mut board, 0x4000), 2);
    assert_eq!(board.deadline(), Some(Instant(900)));
}

#[test]
fn unclaimed_addresses_meet_the_policy_of_the_map() {
    let policy = |name: &'static str| {
        let properties = |fdt: &mut FdtWriter| {
            fdt.property_string("reliquary,unclaimed", name)?;
            fdt.property_array_u32("reliquary,ignore-ranges", &[0x9000, 0x100])
        };
        let blob = map_with(&properties, &|fdt| probe_at(fdt, "a", 0x3000, &[]));
        let plan = Plan::read(&blob).expect("the map is sound");
        Board::build(&plan).expect("it builds")
    };
    let word = cpu(Width::Word);
    let mut abort = policy("abort");
    assert_eq!(
        abort.read(&now(0), Ipa(0x8ffc), word),
        Err(BusFault::Unclaimed)
    );
    assert_eq!(abort.read(&now(0), Ipa(0x9000), word), Ok(Reply::Value(0)));
    assert_eq!(abort.write(&now(0), Ipa(0x90fc), word, 1), Ok(Reply::Done));
    assert_eq!(
        abort.read(&now(0), Ipa(0x9100), word),
        Err(BusFault::Unclaimed)
    );
    assert_eq!(
        abort.read(&now(0), Ipa(0x3010), word),
        Err(BusFault::Refused(Refusal::NoRegister))
    );
    assert_eq!(
        abort.read(&now(0), Ipa(0x3ffe), word),
        Err(BusFault::LeavesWindow)
    );
    let mut ignore = policy("ignore");
    assert_eq!(ignore.read(&now(0), Ipa(0x8ffc), word), Ok(Reply::Value(0)));
    assert_eq!(ignore.read(&now(0), Ipa(0x3010), word), Ok(Reply::Value(0)));
    assert!(ignore.learned().is_empty());
    let mut learn = policy("learn");
    for _ in 0..3 {
        assert_eq!(learn.write(&now(0), Ipa(0x8ffc), word, 7), Ok(Reply::Done));
    }
    assert_eq!(
        learn
            .learned()
            .iter()
            .map(|l| (l.ipa, l.value))
            .collect::<Vec<_>>(),
        [(Ipa(0x8ffc), 7)]
    );
    for at in 0..1000 {
        let _ = learn.read(&now(0), Ipa(0x10_0000 + at * 4), word);
    }
    assert_eq!(learn.learned().len(), 64);
}

#[test]
fn the_last_accesses_are_kept_oldest_first() {
    let mut board = board(&|fdt| probe_at(fdt, "a", 0x3000, &[]));
    for value in 0..40 {
        write(&mut board, 0x3000, value << 4);
    }
    let values: Vec<_> = board
        .recent()
        .map(|a| (a.write, a.offset, a.value))
        .collect();
    assert_eq!(
        values,
        (8..40).map(|v| (true, 0, v << 4)).collect::<Vec<_>>()
    );
    let _ = board.read(&now(9), Ipa(0x3010), cpu(Width::Half));
    let last = board.recent().last().expect("there is one");
    assert_eq!(
        (last.at, last.width, last.refused),
        (Instant(9), Width::Half, true)
    );
    assert_eq!(
        read(&mut board, 0x3020),
        0xffff_ffff,
        "no bit above the width"
    );
}

/// What the last accesses were, oldest first: whether a write, offset, width, value, refused.
fn recent(board: &Board) -> Vec<(bool, u64, Width, u64, bool)> {
    let seen = |a: RecentAccess| (a.write, a.offset, a.width, a.value, a.refused);
    board.recent().map(seen).collect()
}

#[test]
fn a_doubleword_read_of_a_pl011_is_its_two_registers() {
    let mut board = board(&|fdt| node(fdt, "u", "arm,pl011", &[0x3000, 0x1000], &|_| Ok(())));
    write(&mut board, 0x3024, 0x1234);
    write(&mut board, 0x3028, 0x2a);
    // UARTIBRD and UARTFBRD; then PeriphID1 and PeriphID2, at an address that LDRD takes.
    for (at, value) in [(0x3024, 0x2a_0000_1234), (0x3fe4, 0x0014_0000_0010)] {
        let read = board.read(&now(0), Ipa(at), cpu(Width::Double));
        assert_eq!(read, Ok(Reply::Value(value)), "{at:#x}");
    }
    assert_eq!(
        recent(&board)[4..],
        [
            (false, 0xfe4, Width::Word, 0x10, false),
            (false, 0xfe8, Width::Word, 0x14, false),
        ]
    );
}

#[test]
fn a_doubleword_write_is_split_in_the_order_of_the_devices_bridge() {
    for (compatible, expected) in [
        ("test,probe", [(0, 0x11), (4, 0x22)].as_slice()),
        ("test,high-first", &[(4, 0x22), (0, 0x11)]),
        ("test,wide", &[(0, 0x22_0000_0011)]),
    ] {
        let mut board = board(&|fdt| node(fdt, "a", compatible, &[0x3000, 0x1000], &|_| Ok(())));
        let wrote = board.write(&now(0), Ipa(0x3000), cpu(Width::Double), 0x22_0000_0011);
        assert_eq!(wrote, Ok(Reply::Done));
        let seen: Vec<_> = board.recent().map(|a| (a.offset, a.value)).collect();
        assert_eq!(seen, expected, "{compatible}");
    }
}

#[test]
fn a_port_of_16_bits_gets_halves() {
    let mut board = board(&|fdt| node(fdt, "a", "test,narrow", &[0x3000, 0x1000], &|_| Ok(())));
    // The probe's word 0 reads as its lines, at any width; offset 2 is no register.
    let wrote = board.write(&now(0), Ipa(0x3000), cpu(Width::Half), 0xbeef);
    assert_eq!(wrote, Ok(Reply::Done));
    assert_eq!(
        board.read(&now(0), Ipa(0x3000), cpu(Width::Word)),
        Err(BusFault::Refused(Refusal::NoRegister))
    );
    assert_eq!(
        recent(&board)[1..],
        [
            (false, 0, Width::Half, 0xbeef, false),
            (false, 2, Width::Half, 0, true),
        ]
    );
}

#[test]
fn when_a_later_piece_is_refused_the_earlier_ones_have_happened() {
    // 0x300c takes a write and 0x3010 does not; high first it is the other way round.
    for (compatible, happened) in [("test,probe", true), ("test,high-first", false)] {
        let mut board = board(&|fdt| node(fdt, "a", compatible, &[0x3000, 0x1000], &|_| Ok(())));
        assert_eq!(
            board.write(&now(0), Ipa(0x300c), cpu(Width::Double), 1),
            Err(BusFault::Refused(Refusal::NoRegister))
        );
        assert_eq!(board.take_ask() == Some(BoardAsk::PowerOff), happened);
        let last = *recent(&board).last().expect("there is one");
        assert_eq!((last.1, last.4), (0x10, true));
    }
}

#[test]
fn the_policy_is_asked_for_each_piece_and_an_access_leaves_its_window_as_a_whole() {
    let properties = |fdt: &mut FdtWriter| fdt.property_string("reliquary,unclaimed", "ignore");
    let blob = map_with(&properties, &|fdt| probe_at(fdt, "a", 0x3000, &[]));
    let plan = Plan::read(&blob).expect("the map is sound");
    let mut board = Board::build(&plan).expect("it builds");
    write(&mut board, 0x3000, 0x77);
    let double = cpu(Width::Double);
    // The lines, and 4, which does not read.
    assert_eq!(
        board.read(&now(0), Ipa(0x3000), double),
        Ok(Reply::Value(0x77))
    );
    assert_eq!(
        board.read(&now(0), Ipa(0x9000), double),
        Ok(Reply::Value(0))
    );
    assert_eq!(
        board.write(&now(0), Ipa(0x3ffc), double, 0),
        Err(BusFault::LeavesWindow)
    );
    let widths: Vec<_> = board.recent().map(|a| a.width).collect();
    let (word, double) = (Width::Word, Width::Double);
    assert_eq!(widths, [word, word, word, double, double]);
}

#[test]
fn the_private_region_of_an_a9_refuses_doublewords() {
    let blob = map(&|fdt| {
        node(
            fdt,
            "t",
            "arm,cortex-a9-twd-timer",
            &[0x3000, 0x20],
            &|_| Ok(()),
        )
    });
    let plan = Plan::read(&blob).expect("the map is sound");
    let mut board = Board::build(&plan).expect("it builds");
    assert_eq!(
        board.read(&now(0), Ipa(0x3000), cpu(Width::Double)),
        Err(BusFault::Refused(Refusal::Width))
    );
    assert_eq!(recent(&board).len(), 1);
}

#[test]
fn a_tapped_doubleword_is_one_access_of_the_host() {
    let blob = map(&|fdt| passed(fdt, "a", [0x3000, 0x1000], "/pl031@9010000", true));
    let mut plan = Plan::read(&blob).expect("the map is sound");
    plan.bind_host(HOST).expect("the host has it");
    let mut board = Board::build(&plan).expect("it builds");
    let reply = board.read(&now(0), Ipa(0x3008), cpu(Width::Double));
    assert_eq!(reply, Ok(Reply::Host(HostPa(0x901_0008))));
    board.record(u64::MAX);
    assert_eq!(recent(&board), [(false, 8, Width::Double, u64::MAX, false)]);
}

#[test]
fn an_alias_of_a_flash_has_the_port_of_the_flash() {
    let mut board = board(&|fdt| {
        node(fdt, "f", "test,flash", &[0x10_0000, 0x1000], &|_| Ok(()))?;
        node(fdt, "g", "reliquary,alias", &[0x20_0000, 0x800], &|fdt| {
            fdt.property_u32("reliquary,alias", 0x10_0000)
        })
    });
    let wrote = board.write(&now(0), Ipa(0x20_0000), cpu(Width::Double), 5 << 32 | 7);
    assert_eq!(wrote, Ok(Reply::Done));
    let seen: Vec<_> = board
        .recent()
        .map(|a| (a.ipa.0, a.offset, a.value))
        .collect();
    assert_eq!(seen, [(0x20_0000, 0, 7), (0x20_0004, 4, 5)]);
    assert_eq!(read(&mut board, 0x10_0000), 7);
}

/// A memory that VMs share, of VM `own` of two, at 0x50000000.
fn shared(fdt: &mut FdtWriter, own: u32, reg: &[u32]) -> Result<(), Error> {
    node(fdt, "m", "reliquary,shared-memory", reg, &|fdt| {
        fdt.property_u32("reliquary,memory", 3)?;
        fdt.property_u32("reliquary,peer", own)?;
        fdt.property_u32("reliquary,peers", 2)?;
        fdt.property_null("reliquary,read-only")?;
        fdt.property_array_u32("interrupts", &[0, 21, 4])
    })
}

#[test]
fn a_shared_memory_is_a_window_of_its_own_with_doorbells_behind_it() {
    let reg = [0x5000_0000, 0x3000, 0x5000_3000, 0x1000];
    let mut board = board(&|fdt| shared(fdt, 1, &reg));
    let kinds: Vec<_> = board.plan().windows.iter().map(|w| &w.kind).collect();
    let memory = WindowKind::Shared {
        memory: 3,
        read_only: true,
    };
    assert!(kinds.contains(&&memory), "{kinds:?}");
    assert_eq!(read(&mut board, 0x5000_300c), 1, "SELF");
    // What stage 2 does not let through there is no access of the bus.
    let word = cpu(Width::Word);
    assert_eq!(
        board.write(&now(0), Ipa(0x5000_0000), word, 1),
        Err(BusFault::Memory)
    );
    let device = board.plan().devices.len() - 1;
    board.input(&now(0), device, Line(0), true);
    assert_eq!(read(&mut board, 0x5000_3000), 1, "VM 0 has rung");
    assert_eq!(board.output_lines(device), Lines(1));
}

#[test]
fn a_shared_memory_that_says_too_little_is_refused() {
    is_refused(
        &|fdt| shared(fdt, 0, &[0x5000_0000, 0x800, 0x5000_3000, 0x1000]),
        "/m",
        "reg",
        "not whole pages",
    );
    is_refused(
        &|fdt| {
            let reg = [0x5000_0000, 0x1000, 0x5000_1000, 0x1000];
            node(fdt, "m", "reliquary,shared-memory", &reg, &|_| Ok(()))
        },
        "/m",
        "reliquary,memory",
        "which memory it is",
    );
    let reg = [0x5000_0000, 0x1000, 0x5000_1000, 0x1000];
    let plan = Plan::read(&map(&|fdt| shared(fdt, 2, &reg))).expect("the map is sound");
    let error = Board::build(&plan).expect_err("there is no third VM");
    assert_eq!(error.property.as_deref(), Some("reliquary,peer"));
}

#[test]
fn memory_that_traps_takes_doublewords_whole_and_has_64_kib_at_most() {
    let ram = |reg: &'static [u32]| {
        move |fdt: &mut FdtWriter| node(fdt, "r", "reliquary,ram", reg, &|_| Ok(()))
    };
    let mut board = board(&ram(&[0x10000, 0x10000]));
    let double = cpu(Width::Double);
    let value = 0x8877_6655_4433_2211;
    assert_eq!(
        board.write(&now(0), Ipa(0x1_fff8), double, value),
        Ok(Reply::Done)
    );
    assert_eq!(
        recent(&board),
        [(true, 0xfff8, Width::Double, value, false)]
    );
    assert_eq!(read(&mut board, 0x1_fffc), value >> 32);
    for (reg, what) in [
        ([0x10000, 0x10001].as_slice(), "at most 64 KiB"),
        (&[0x10000, 0x1000, 0x20000, 0x1000], "not one block"),
    ] {
        let plan = Plan::read(&map(&ram(reg))).expect("the map is sound");
        let error = Board::build(&plan).expect_err("it does not build");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(error.property.as_deref(), Some("reg"));
    }
}

/// A file's name, its text, its data.
type FileNode<'f> = (&'f str, Option<&'f str>, Option<&'f [u8]>);

/// A fw_cfg with these files below it.
fn fw_cfg(fdt: &mut FdtWriter, files: &[FileNode<'_>]) -> Result<(), Error> {
    let reg = [0x9000, 0x18];
    node(fdt, "fw-cfg", "qemu,fw-cfg-mmio", &reg, &|fdt| {
        for (index, (name, text, data)) in files.iter().enumerate() {
            let file = fdt.begin_node(&alloc::format!("file{index}"))?;
            fdt.property_string("compatible", "reliquary,file")?;
            if !name.is_empty() {
                fdt.property_string("reliquary,file-name", name)?;
            }
            if let Some(text) = text {
                fdt.property_string("reliquary,text", text)?;
            }
            if let Some(data) = data {
                fdt.property("reliquary,data", data)?;
            }
            fdt.end_node(file)?;
        }
        Ok(())
    })
}

#[test]
fn a_fw_cfg_holds_the_maps_files_and_moves_them_into_ram() {
    let mut board = board(&|fdt| {
        fw_cfg(
            fdt,
            &[
                ("opt/a", Some("some text"), None),
                ("opt/b", None, Some(&[1, 0, 3])),
            ],
        )
    });
    let ram = Ram(Mutex::new(alloc::vec![0xee; 0x10_0000]));
    let world = World {
        now: Instant::ZERO,
        memory: &ram,
    };
    for (key, bytes) in [
        (0x05_u16, b"\x01\0\xee".as_slice()),
        (0x20, b"some text\xee"),
        (0x21, b"\x01\0\x03\xee"),
    ] {
        let mut descriptor = Vec::new();
        descriptor.extend_from_slice(&(u32::from(key) << 16 | 0xa).to_be_bytes());
        descriptor.extend_from_slice(&(bytes.len() as u32 - 1).to_be_bytes());
        descriptor.extend_from_slice(&0x8000_1000_u64.to_be_bytes());
        ram.write(Ipa(0x8000_0100), &descriptor).expect("it is RAM");
        ram.write(Ipa(0x8000_1000), &[0xee; 16]).expect("it is RAM");
        let at = 0x8000_0100_u64.swap_bytes();
        assert_eq!(
            board.write(&world, Ipa(0x9010), cpu(Width::Double), at),
            Ok(Reply::Done)
        );
        let mut read = alloc::vec![0; bytes.len()];
        ram.read(Ipa(0x8000_1000), &mut read).expect("it is RAM");
        assert_eq!(read, bytes, "{key:#x}");
    }
    assert_eq!(board.recent().count(), 3, "a doubleword is one access");
}

#[test]
fn files_that_a_fw_cfg_cannot_have_are_named() {
    let long = "x".repeat(56);
    let big = alloc::vec![0; 0x1_0001];
    let cases: [(&[FileNode<'_>], _, _, _); 7] = [
        (
            &[("", Some("a"), None)],
            "/fw-cfg/file0",
            Some("reliquary,file-name"),
            "without a name",
        ),
        (
            &[("a", None, None)],
            "/fw-cfg/file0",
            Some("reliquary,text"),
            "not one of",
        ),
        (
            &[("a", Some("a"), Some(&[1]))],
            "/fw-cfg/file0",
            Some("reliquary,text"),
            "not one of",
        ),
        (
            &[("a", Some("a"), None), ("a", Some("b"), None)],
            "/fw-cfg/file1",
            Some("reliquary,file-name"),
            "has this name",
        ),
        (
            &[(&long, Some("a"), None)],
            "/fw-cfg/file0",
            Some("reliquary,file-name"),
            "1 to 55",
        ),
        (
            &[("a", None, Some(&big))],
            "/fw-cfg",
            None,
            "more than 0x10000 bytes",
        ),
        (
            &[("a", Some(""), None); 33],
            "/fw-cfg",
            None,
            "more than 32 files",
        ),
    ];
    for (files, node, property, what) in cases {
        let plan = Plan::read(&map(&|fdt| fw_cfg(fdt, files))).expect("the map is sound");
        let error = Board::build(&plan).expect_err("it does not build");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(
            (error.node.as_str(), error.property.as_deref()),
            (node, property)
        );
    }
    let stray = map(&|fdt| {
        node(fdt, "fw-cfg", "qemu,fw-cfg-mmio", &[0x9000, 0x18], &|fdt| {
            node(fdt, "lamp", "acme,lamp", &[], &|_| Ok(()))
        })
    });
    let plan = Plan::read(&stray).expect("the map is sound");
    let error = Board::build(&plan).expect_err("it does not build");
    assert!(error.to_string().contains("files only"), "{error}");
}

#[test]
fn the_nearest_window_is_named_on_both_sides() {
    let board = board(&|fdt| probe_at(fdt, "a", 0x3000, &[]));
    for (at, node, inside, distance) in [
        (0x3123, "/a", Some(0x123), 0),
        (0x4003, "/a", None, 4),
        (0xffc, "/gic", None, 4),
        (u64::MAX, "/memory@80000000", None, u64::MAX - 0x800f_ffff),
    ] {
        let nearest = board.nearest(Ipa(at)).expect("there are windows");
        assert_eq!(
            (nearest.node, nearest.inside, nearest.distance),
            (node, inside, distance)
        );
    }
}

#[test]
fn what_devices_ask_for_reaches_the_vm_once() {
    let mut board = board(&|fdt| {
        node(fdt, "f", "test,flash", &[0x10_0000, 0x1000], &|_| Ok(()))?;
        node(fdt, "g", "reliquary,alias", &[0x20_0000, 0x800], &|fdt| {
            fdt.property_u32("reliquary,alias", 0x10_0800)
        })
    });
    let all = |board: &mut Board| core::iter::from_fn(|| board.take_ask()).collect::<Vec<_>>();
    let direct = |on| {
        [2, 3]
            .map(|window| BoardAsk::DirectReads { window, on })
            .to_vec()
    };
    assert_eq!(board.plan().windows[2].node, "/f");
    assert_eq!(all(&mut board), direct(true), "after the build");
    write(&mut board, 0x10_000c, 3);
    assert_eq!(all(&mut board), [], "they are on already");
    write(&mut board, 0x10_000c, 2);
    assert_eq!(all(&mut board), direct(false));
    write(&mut board, 0x10_000c, 0);
    assert_eq!(all(&mut board), [BoardAsk::Reset]);
    board.reset(&now(0), Reset::Warm);
    assert_eq!(all(&mut board), direct(true), "after a reset");
}

/// RAM of 1 MiB at 0x80000000.
struct Ram(Mutex<Vec<u8>>);

impl BoardMemory for Ram {
    fn read(&self, at: Ipa, into: &mut [u8]) -> Result<(), Unbacked> {
        let ram = self.0.lock().map_err(|_| Unbacked)?;
        let at = at.0.checked_sub(0x8000_0000).ok_or(Unbacked)? as usize;
        into.copy_from_slice(ram.get(at..at + into.len()).ok_or(Unbacked)?);
        Ok(())
    }
    fn write(&self, at: Ipa, from: &[u8]) -> Result<(), Unbacked> {
        let mut ram = self.0.lock().map_err(|_| Unbacked)?;
        let at = at.0.checked_sub(0x8000_0000).ok_or(Unbacked)? as usize;
        ram.get_mut(at..at + from.len())
            .ok_or(Unbacked)?
            .copy_from_slice(from);
        Ok(())
    }
    fn store_read(&self, _: StoreId, _: u64, _: &mut [u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
    fn store_write(&self, _: StoreId, _: u64, _: &[u8]) -> Result<(), Unbacked> {
        Err(Unbacked)
    }
}

#[test]
fn memory_that_traps_is_served_and_an_alias_shows_the_same_bytes() {
    let mut board = board(&|fdt| {
        node(fdt, "a", "reliquary,alias", &[0x10_0000, 0x1000], &|fdt| {
            fdt.property_u32("reliquary,alias", 0x8000_1000)
        })
    });
    let ram = Ram(Mutex::new(alloc::vec![0; 0x10_0000]));
    let world = World {
        now: Instant::ZERO,
        memory: &ram,
    };
    let value = 0x1122_3344_5566_7788;
    assert_eq!(
        board.write(&world, Ipa(0x10_0010), cpu(Width::Double), value),
        Ok(Reply::Done)
    );
    let half = board.read(&world, Ipa(0x8000_1012), cpu(Width::Half));
    assert_eq!(half, Ok(Reply::Value(0x5566)));
    let over = board.read(&world, Ipa(0x10_0ffc), cpu(Width::Double));
    assert_eq!(over, Err(BusFault::LeavesWindow));
}

#[test]
fn the_vexpress_maps_make_boards_with_their_consoles() {
    for (blob, cpus, cpu, uart, uart_at, spi) in [
        (A9, 4, "arm,cortex-a9", "uart@9000", 0x1000_9000, 37),
        (A15, 2, "arm,cortex-a15", "serial@90000", 0x1c09_0000, 37),
    ] {
        let plan = Plan::read(blob).expect("the map is sound");
        assert!(plan.secure);
        assert_eq!(plan.unclaimed, Unclaimed::Ignore);
        assert_eq!(plan.cpus.len(), cpus);
        assert_eq!(plan.cpus[1].compatible, cpu);
        assert_eq!(plan.cpus[1].affinity, 1);
        let console = plan.console.expect("there is one");
        assert!(
            plan.devices[console].node.ends_with(uart),
            "{}",
            plan.devices[console].node
        );
        assert!(
            plan.windows
                .iter()
                .any(|w| w.at == Ipa(uart_at) && w.bytes == 0x1000)
        );
        let wire = plan.wires.iter().find(|w| {
            w.from
                == wiring::Source::Device {
                    device: console,
                    line: 0,
                }
        });
        assert_eq!(wire.map(|w| w.input), Some(Line(spi)));
        let mut board = Board::build(&plan).expect("it builds");
        assert!(board.console().is_some());
        assert!(matches!(
            board.take_ask(),
            Some(BoardAsk::DirectReads { on: true, .. })
        ));
        let id = board.read(&now(0), Ipa(uart_at + 0xfe0), self::cpu(Width::Word));
        assert_eq!(id, Ok(Reply::Value(0x11)), "PeriphID0 of a PL011");
    }
}

#[test]
fn an_ethernet_controllers_frames_are_lost_until_someone_takes_them() {
    const LAN: u64 = 0x4e00_0000;
    let mut board = Board::build(&Plan::read(A9).expect("the map is sound")).expect("it builds");
    let ports: Vec<usize> = board.frame_ports().collect();
    let [device] = ports[..] else {
        panic!("one port, not {ports:?}");
    };
    assert!(!board.take_frames(device + 1, true) && !board.take_frames(usize::MAX, true));
    // MAC_CR: full duplex, promiscuous, both directions on; TX_ON; IRQ push-pull, active high.
    let set = [(0xa8, 0x0014_000c), (0xa4, 0x8000_0001), (0x70, 2)];
    for (at, value) in set.into_iter().chain([(0x54, 0x111), (0x5c, 8), (0x68, 0)]) {
        write(&mut board, LAN + at, value);
    }
    let send = |board: &mut Board| {
        for word in [0x3004, 4, 0x0403_0201] {
            write(board, LAN + 0x20, word);
        }
    };
    let mut into = [0; FRAME_MAX];
    let _ = board.take_news();
    send(&mut board);
    assert!(!board.take_news().has(News::FRAMES));
    assert_eq!(board.next_frame(Instant::ZERO, device, &mut into), None);

    board.observe(Some(Observer::new(Kinds::FRAMES, 16)));
    let seen = |board: &mut Board| {
        let all = core::iter::from_fn(|| board.observer()?.take());
        let octets = all.filter_map(|seen| match seen.what {
            What::Bytes { by, count, .. } => Some((by, usize::from(count))),
            _ => None,
        });
        octets.fold((0, 0), |(into, out), (by, count)| match by {
            By::FrameIn => (into + count, out),
            By::FrameOut => (into, out + count),
            _ => panic!("{by:?}"),
        })
    };
    send(&mut board);
    assert_eq!(seen(&mut board), (0, 64), "who observes sees what is lost");
    assert!(board.take_frames(device, true));
    send(&mut board);
    assert!(board.take_news().has(News::FRAMES));
    assert_eq!(board.next_frame(Instant::ZERO, device, &mut into), Some(64));
    assert_eq!(into[..4], [1, 2, 3, 4]);
    assert!(!board.take_news().has(News::FRAMES));

    // SPI 15 through the GIC.
    for (at, value) in [
        (0x1e00_1000, 1),
        (0x1e00_1104, 1 << 15),
        (0x1e00_182c, 0x0100_0000),
        (0x1e00_0100, 1),
        (0x1e00_0104, 0xff),
    ] {
        let how = Transaction {
            security: Security::Secure,
            ..cpu(Width::Word)
        };
        assert_eq!(
            board.write(&now(0), Ipa(at), how, value),
            Ok(Reply::Done),
            "{at:#x}"
        );
    }
    assert!(!board.cpu_lines(0).irq);
    assert_eq!(board.frame_room(device), Some(FRAME_MAX));
    let _ = seen(&mut board);
    board.frame_receive(&now(0), device, &into[..64]);
    assert_eq!(seen(&mut board), (64, 0));
    assert!(board.cpu_lines(0).irq, "a frame has come");
    board.frame_connect(&now(0), device, false);
    let status = board.read(&now(0), Ipa(LAN + 0x44), cpu(Width::Word));
    assert_eq!(status, Ok(Reply::Value(0x0040_0400)));
}

#[test]
fn the_private_timers_of_the_a9_are_wired_for_each_cpu() {
    let plan = Plan::read(A9).expect("the map is sound");
    let device = plan
        .devices
        .iter()
        .position(|d| d.compatible == "arm,cortex-a9-twd-timer");
    let wires: Vec<_> = plan
        .wires
        .iter()
        .filter(|w| matches!(w.from, wiring::Source::Device { device: d, .. } if Some(d) == device))
        .map(|w| (w.from, w.input))
        .collect();
    let device = device.expect("it is there");
    let line = |line| wiring::Source::Device { device, line };
    let input = |cpu: u16| Line(1024 + 16 * cpu + 13);
    assert_eq!(
        wires,
        (0..4).map(|c| (line(c), input(c))).collect::<Vec<_>>()
    );
}

#[test]
fn the_generic_timers_are_wired_in_the_bindings_order() {
    let plan = Plan::read(V7).expect("the map is sound");
    let timer = plan.timer.clone().expect("there is one");
    assert_eq!(timer.ppis, [Some(29), Some(30), Some(27), Some(26)]);
    assert!(timer.any_frequency);
    assert_eq!(
        plan.psci.as_ref().map(|p| (p.hvc, p.version)),
        Some((true, 0x100))
    );
    let mut board = Board::build(&plan).expect("it builds");
    // Enable PPI 27 (CNTV) and let it through.
    for (at, value) in [
        (0x800_0000, 1),
        (0x800_0100, 1 << 27),
        (0x801_0000, 1),
        (0x801_0004, 0xff),
    ] {
        write(&mut board, at, value);
    }
    board.timer_line(&now(0), 0, CpuTimer::NonSecurePhysical, true);
    assert!(!board.cpu_lines(0).irq, "PPI 30 is not enabled");
    board.timer_line(&now(0), 0, CpuTimer::Virtual, true);
    assert!(board.cpu_lines(0).irq);
    board.timer_line(&now(0), 0, CpuTimer::Virtual, false);
    assert!(!board.cpu_lines(0).irq);
}

#[test]
fn a_flash_of_two_banks_has_one_store() {
    let plan = Plan::read(V7).expect("the map is sound");
    let banks: Vec<_> = plan
        .windows
        .iter()
        .filter_map(|w| match w.kind {
            WindowKind::DirectReads {
                region,
                store,
                offset,
                ..
            } => Some((w.at.0, region, store.0, offset)),
            _ => None,
        })
        .collect();
    assert_eq!(banks, [(0, 0, 0, 0), (0x400_0000, 1, 0, 0x400_0000)]);
    let store = plan.devices.iter().find_map(|d| d.store);
    assert_eq!(store, Some((StoreId(0), 0x800_0000)));
}

#[test]
fn no_access_anywhere_on_a_vexpress_panics() {
    for (seed, blob) in [(11, A9), (12, A15)] {
        let plan = Plan::read(blob).expect("the map is sound");
        let mut board = Board::build(&plan).expect("it builds");
        let mut random = Lcg(seed);
        let mut ns = 0;
        for _ in 0..60_000 {
            let window = &plan.windows[random.below(plan.windows.len() as u64) as usize];
            let near = random.below(window.bytes.min(0x2000) + 8);
            let at = (window.at.0 + near).wrapping_sub(4);
            let width =
                [Width::Byte, Width::Half, Width::Word, Width::Double][random.below(4) as usize];
            let security = [Security::Secure, Security::NonSecure][random.below(2) as usize];
            let how = Transaction {
                width,
                initiator: Initiator::Cpu(random.below(4) as u8),
                security,
                privileged: random.below(2) == 0,
            };
            ns += random.below(1_000_000);
            let value = random.next() << 32 | random.next();
            if random.below(2) == 0 {
                let _ = board.read(&now(ns), Ipa(at), how);
            } else {
                let _ = board.write(&now(ns), Ipa(at), how, value);
            }
            if board.deadline().is_some_and(|d| d.0 <= ns) {
                board.advance(&now(ns));
            }
            while board.take_ask().is_some() {}
        }
        assert_eq!(board.recent().count(), RECENT, "{board:?}");
    }
}

/// A board with an observer of everything.
fn observed(plan: &Plan) -> Board {
    let mut board = Board::build(plan).expect("it builds");
    board.observe(Some(Observer::new(Kinds::ALL, 64)));
    board
}

fn seen(board: &mut Board) -> Vec<Seen> {
    let observer = board.observer().expect("one is there");
    core::iter::from_fn(|| observer.take()).collect()
}

#[test]
fn a_tapped_access_is_seen_under_its_windows_name_once_its_value_is_known() {
    let blob = map(&|fdt| passed(fdt, "a", [0x3000, 0x1000], "/pl031@9010000", true));
    let mut plan = Plan::read(&blob).expect("the map is sound");
    plan.bind_host(HOST).expect("the host has it");
    let mut board = observed(&plan);
    let reply = board.read(&now(70), Ipa(0x3008), cpu(Width::Word));
    assert_eq!(reply, Ok(Reply::Host(HostPa(0x901_0008))));
    assert!(seen(&mut board).is_empty());
    board.record(5);
    let window = plan.windows.iter().position(|w| w.at == Ipa(0x3000));
    let what = What::Access {
        access: Access::word(8),
        write: false,
        value: Some(5),
    };
    let device = plan.devices.len() + window.expect("it is there");
    let (at, device) = (Instant(70), device as u16);
    assert_eq!(seen(&mut board), [Seen { at, device, what }]);
}
