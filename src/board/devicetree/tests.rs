use super::*;
use alloc::vec;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) const A9: &[u8] = include_bytes!("../../../tests/data/vexpress-a9.dtb");
pub(crate) const A15: &[u8] = include_bytes!("../../../tests/data/vexpress-a15.dtb");
pub(crate) const HOST: &[u8] = include_bytes!("../../../tests/data/host-qemu-virt.dtb");

const IOFPGA9: &str = "/bus@40000000/motherboard-bus@40000000/iofpga@7,00000000";

/// A linear congruential generator: random tests that fail the same way every time.
pub(crate) struct Lcg(pub u64);

impl Lcg {
    pub fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Reads everything that can be read of a tree, by us and by the parser crate's own panicking
/// face; `true` if the structure was accepted.
fn exhaust(blob: &[u8]) -> bool {
    let Ok(tree) = Tree::read(blob) else {
        return false;
    };
    for node in tree.nodes() {
        let _ = (
            node.path(),
            node.reg().is_ok(),
            node.interrupts().is_ok(),
            node.is_enabled(),
        );
        for (name, _) in node.properties() {
            let _ = (
                node.str(name).is_ok(),
                node.u32(name).is_ok(),
                node.strings(name).count(),
            );
        }
    }
    let _ = (tree.stdout().is_some(), tree.reservations().count());
    let fdt = Fdt::new_unaligned(blob).expect("a checked tree parses");
    for (_, node) in fdt.all_nodes() {
        let _ = (
            node.name(),
            node.properties().into_iter().count(),
            node.children().iter().count(),
        );
    }
    true
}

#[test]
fn no_flipped_byte_of_a_real_tree_makes_a_reader_panic() {
    let mut accepted = 0u32;
    let mut blob = A15.to_vec();
    for at in 0..blob.len() {
        for flip in [0xff, 0x01] {
            blob[at] ^= flip;
            let outcome = catch_unwind(AssertUnwindSafe(|| exhaust(&blob)));
            assert!(outcome.is_ok(), "byte {at} ^ {flip:#x}");
            accepted += u32::from(outcome.unwrap_or(false));
            blob[at] ^= flip;
        }
    }
    assert!(
        accepted > 1000,
        "values may be anything: only the structure is checked"
    );
    assert!(exhaust(&blob));
}

#[test]
fn no_random_damage_or_cut_makes_a_reader_panic() {
    let mut random = Lcg(1);
    for round in 0..3000 {
        let mut blob = A9.to_vec();
        for _ in 0..=random.below(8) {
            let at = random.below(blob.len() as u64) as usize;
            blob[at] = match random.below(3) {
                0 => random.next() as u8,
                1 => [0, 1, 2, 3, 4, 9][random.below(6) as usize],
                _ => blob[at] ^ 1 << random.below(8),
            };
        }
        if round % 4 == 0 {
            blob.truncate(random.below(A9.len() as u64) as usize);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| exhaust(&blob)));
        assert!(outcome.is_ok(), "round {round}");
    }
}

#[test]
fn a_cut_tree_is_refused_at_every_length() {
    for length in 0..HOST.len() {
        assert!(Tree::read(&HOST[..length]).is_err());
    }
    let mut longer = HOST.to_vec();
    longer.extend([0xff; 64]);
    assert_eq!(
        Tree::read(&longer).map(|t| t.blob().len()).ok(),
        Some(HOST.len())
    );
}

#[test]
fn a_motherboard_register_is_found_through_three_buses() {
    let tree = Tree::read(A9).expect("the map is sound");
    let uart = tree
        .node(&alloc::format!("{IOFPGA9}/uart@9000"))
        .expect("it is there");
    assert_eq!(
        uart.reg(),
        Ok(vec![Reg {
            bus: 0x9000,
            cpu: Some(0x1000_9000),
            bytes: 0x1000
        }])
    );
    let flash = tree
        .node("/bus@40000000/motherboard-bus@40000000/flash@0,00000000")
        .expect("it is");
    let at: Vec<_> = flash
        .reg()
        .expect("sound")
        .iter()
        .map(|r| (r.cpu, r.bytes))
        .collect();
    assert_eq!(
        at,
        [
            (Some(0x4000_0000), 0x400_0000),
            (Some(0x4400_0000), 0x400_0000)
        ]
    );
}

#[test]
fn an_i2c_device_has_no_address_for_the_cpu() {
    let tree = Tree::read(A9).expect("the map is sound");
    let switch = tree
        .node(&alloc::format!("{IOFPGA9}/i2c@2000/pcie-switch@60"))
        .expect("it is there");
    assert_eq!(
        switch.reg(),
        Ok(vec![Reg {
            bus: 0x60,
            cpu: None,
            bytes: 0
        }])
    );
}

#[test]
fn a_motherboard_interrupt_goes_through_the_nexus_to_the_gic() {
    for (blob, path, gic) in [
        (
            A9,
            alloc::format!("{IOFPGA9}/uart@9000"),
            "/interrupt-controller@1e001000",
        ),
        (
            A15,
            alloc::string::String::from("serial0"),
            "/interrupt-controller@2c001000",
        ),
    ] {
        let tree = Tree::read(blob).expect("the map is sound");
        let uart = tree.node(&path).expect("it is there");
        let interrupts = uart.interrupts().expect("sound");
        assert_eq!(interrupts.len(), 1);
        assert_eq!(interrupts[0].controller.path(), gic);
        assert_eq!(
            (interrupts[0].cells, interrupts[0].specifier),
            (3, [0, 5, 4, 0])
        );
    }
}

#[test]
fn the_hosts_tree_tells_memory_console_and_psci() {
    let tree = Tree::read(HOST).expect("the host's tree is sound");
    let memory = tree
        .nodes()
        .find(|n| n.str("device_type") == Ok(Some("memory")))
        .expect("it is");
    assert_eq!(memory.reg().expect("sound")[0].cpu, Some(0x4000_0000));
    assert_eq!(
        tree.stdout().expect("it is there").0.path(),
        "/pl011@9000000"
    );
    let psci = tree.compatible(&["arm,psci-0.2"]).expect("it is there");
    assert_eq!(psci.str("method"), Ok(Some("smc")));
}

fn tree(build: impl FnOnce(&mut vm_fdt::FdtWriter) -> Result<(), vm_fdt::Error>) -> Vec<u8> {
    let mut fdt = vm_fdt::FdtWriter::new().expect("a writer");
    let root = fdt.begin_node("").expect("a root");
    build(&mut fdt).expect("it builds");
    fdt.end_node(root).expect("it ends");
    fdt.finish().expect("it finishes")
}

#[test]
fn absurd_cell_counts_are_refused_by_name() {
    for (name, value) in [
        ("#address-cells", 5),
        ("#size-cells", 3),
        ("#interrupt-cells", u32::MAX),
    ] {
        let blob = tree(|fdt| fdt.property_u32(name, value));
        let error = Tree::read(&blob).err().expect("it is refused");
        assert_eq!(
            (error.node.as_str(), error.property.as_deref()),
            ("/", Some(name))
        );
    }
}

#[test]
fn a_tree_deeper_than_the_parser_follows_is_refused() {
    for (levels, sound) in [(14, true), (15, false), (40, false)] {
        let blob = tree(|fdt| {
            let nodes: Vec<_> = (0..levels)
                .map(|_| fdt.begin_node("n"))
                .collect::<Result<_, _>>()?;
            nodes
                .into_iter()
                .rev()
                .try_for_each(|node| fdt.end_node(node))
        });
        assert_eq!(Tree::read(&blob).is_ok(), sound, "{levels} levels");
        if sound {
            assert_eq!(
                Tree::read(&blob).map(|t| t.nodes().count()).ok(),
                Some(levels + 1)
            );
        }
    }
}

#[test]
fn a_ring_of_interrupt_maps_is_an_error_and_ends() {
    let blob = tree(|fdt| {
        for (name, this, other) in [("a", 1, 2), ("b", 2, 1)] {
            let node = fdt.begin_node(name)?;
            fdt.property_u32("phandle", this)?;
            fdt.property_u32("#interrupt-cells", 1)?;
            fdt.property_u32("#address-cells", 0)?;
            fdt.property_array_u32("interrupt-map", &[7, other, 7])?;
            fdt.end_node(node)?;
        }
        let node = fdt.begin_node("device")?;
        fdt.property_array_u32("interrupts-extended", &[1, 7])?;
        fdt.end_node(node)
    });
    let tree = Tree::read(&blob).expect("the structure is sound");
    let error = tree
        .node("/device")
        .expect("it is")
        .interrupts()
        .err()
        .expect("it is refused");
    assert_eq!(error.property.as_deref(), Some("interrupts-extended"));
    assert!(error.what.contains("circles"), "{error}");
}
