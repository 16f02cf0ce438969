use super::*;
use crate::random::Random;
use std::format;
use std::string::ToString;
use std::vec;

fn vm(name: &str, map: ItemId, loads: Vec<Load>) -> VmSpec {
    let entry = Entry::A32 {
        pc: 0x8000,
        cpsr: 0x1d3,
        r: [0; 15],
    };
    VmSpec {
        name: name.into(),
        map,
        cores: vec![0],
        priority: 0,
        restart: Restart::default(),
        trap_wfi: true,
        record: None,
        loads,
        card: None,
        channel_interrupt: None,
        entry,
        secondary: None,
    }
}

fn sample() -> Vec<u8> {
    let mut random = Random(42);
    let mut builder = Builder::new("press", "qemu-virt");
    let map = builder
        .item("press: map vexpress-a9", random.bytes(5000))
        .unwrap();
    let kernel = builder
        .item("press: kernel vmlinuz", random.bytes(20_000))
        .unwrap();
    let empty = builder.item("press: initrd", vec![]).unwrap();
    let flash = builder.item("panel: flash", random.bytes(8192)).unwrap();
    builder.vm(vm(
        "press",
        map,
        vec![Load {
            item: kernel,
            at: 0x6001_0000,
        }],
    ));
    let entry = Entry::A64 {
        pc: 1 << 40,
        pstate: 0x3c5,
        x: [u64::MAX; 31],
    };
    let loads = vec![
        Load { item: flash, at: 0 },
        Load {
            item: empty,
            at: u64::MAX,
        },
    ];
    builder.vm(VmSpec {
        entry,
        ..vm("panel", map, loads)
    });
    builder.finish().unwrap()
}

fn hypervisor() -> Vec<u8> {
    let mut image = Random(7).bytes(5555);
    image[16..24].copy_from_slice(&6000u64.to_le_bytes());
    image[56..60].copy_from_slice(b"ARM\x64");
    image
}

/// A bundle made of a manifest that the builder would refuse, hash and all.
fn forge(manifest: &Manifest) -> Vec<u8> {
    forge_encoded(&postcard::to_allocvec(manifest).unwrap(), 0)
}

fn forge_encoded(encoded: &[u8], behind: usize) -> Vec<u8> {
    let size = (64 + encoded.len()).next_multiple_of(4096) + behind;
    let mut out = vec![0; size];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    out[12..16].copy_from_slice(&(encoded.len() as u32).to_le_bytes());
    out[16..24].copy_from_slice(&(size as u64).to_le_bytes());
    out[24..56].copy_from_slice(&Sha256::of(encoded));
    out[64..64 + encoded.len()].copy_from_slice(encoded);
    out
}

fn open_and_verify(bytes: &[u8]) -> Result<Manifest, BundleError> {
    let bundle = Bundle::open(bytes)?;
    bundle.ids().try_for_each(|id| bundle.verify_item(id))?;
    Ok(bundle.manifest().clone())
}

#[test]
fn what_was_built_is_read_back() {
    let bytes = sample();
    let bundle = Bundle::open(&bytes).unwrap();
    assert_eq!(bundle.manifest().system, "press");
    assert_eq!(bundle.manifest().vms.len(), 2);
    let kernel = bundle.manifest().vms[0].loads[0].item;
    let mut random = Random(42);
    random.bytes(5000);
    assert_eq!(bundle.item_bytes(kernel).unwrap(), random.bytes(20_000));
    assert_eq!(bundle.ids().count(), 4);
    assert_eq!(Bundle::size(&bytes[..64]), Ok(bytes.len() as u64));
    assert_eq!(bundle.item(ItemId(4)), Err(BundleError::NoSuchItem(4)));
}

#[test]
fn bytes_behind_the_bundle_are_left_alone() {
    let mut bytes = sample();
    bytes.extend_from_slice(&[0xaa; 100]);
    assert!(open_and_verify(&bytes).is_ok());
}

#[test]
fn every_damaged_byte_of_header_manifest_and_padding_is_refused() {
    let good = sample();
    let first_item = Bundle::open(&good).unwrap().manifest().items[0].offset as usize;
    for at in 0..first_item {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let error = Bundle::open(&bytes).expect_err(&format!("byte {at} flipped by {flip:#x}"));
            assert!(
                error
                    .to_string()
                    .ends_with("rebuild with cargo reliquary build")
            );
        }
    }
}

#[test]
fn every_damaged_byte_of_an_item_is_refused_with_its_name() {
    let good = sample();
    let items = Bundle::open(&good).unwrap().manifest().items.clone();
    for item in &items {
        let start = item.offset as usize;
        let end = start + item.size as usize;
        for at in (start..end)
            .step_by(61)
            .chain(end.checked_sub(1).filter(|at| *at >= start))
        {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            let error = open_and_verify(&bytes).unwrap_err();
            assert_eq!(
                error,
                BundleError::Damaged {
                    item: item.name.clone()
                }
            );
            assert!(error.to_string().starts_with(&item.name));
        }
        for at in end..end.next_multiple_of(4096) {
            let mut bytes = good.clone();
            bytes[at] = 1;
            let after = item.name.clone();
            let expected = BundleError::Padding {
                after,
                offset: at as u64,
            };
            assert_eq!(Bundle::open(&bytes).unwrap_err(), expected);
        }
    }
}

#[test]
fn a_bundle_cut_short_at_any_length_is_refused() {
    let good = sample();
    for length in 0..good.len() {
        let error = Bundle::open(&good[..length]).unwrap_err();
        let need = if length < 64 { 64 } else { good.len() as u64 };
        assert_eq!(
            error,
            BundleError::Truncated {
                need,
                have: length as u64
            }
        );
    }
}

#[test]
fn random_damage_is_refused() {
    let good = sample();
    let mut random = Random(99);
    for _ in 0..2000 {
        let mut bytes = good.clone();
        let start = random.next() as usize % bytes.len();
        let count = 1 + random.next() as usize % 64;
        for byte in bytes.iter_mut().skip(start).take(count) {
            *byte ^= random.next() as u8;
        }
        assert!(bytes == good || open_and_verify(&bytes).is_err());
    }
}

/// What would get past the hash: any bytes at all as a manifest, correctly hashed.
#[test]
fn a_hostile_manifest_with_the_right_hash_neither_panics_nor_asks_for_memory() {
    let good = sample();
    let size = u32::from_le_bytes(good[12..16].try_into().unwrap()) as usize;
    let encoded = &good[64..64 + size];
    for at in 0..size {
        for value in [0, 1, 0x7f, 0x80, 0xff, encoded[at] ^ 0x01] {
            let mut hostile = encoded.to_vec();
            hostile[at] = value;
            let _ = open_and_verify(&forge_encoded(&hostile, 65536));
        }
        // Lengths of many bytes, up to 2^64 - 1, at every place.
        let mut hostile = encoded[..at].to_vec();
        hostile.extend_from_slice(&[0xff; 9]);
        hostile.push(1);
        hostile.extend_from_slice(&encoded[at..]);
        assert!(open_and_verify(&forge_encoded(&hostile, 65536)).is_err());
        assert!(open_and_verify(&forge_encoded(&encoded[..at], 65536)).is_err());
    }
    let mut random = Random(5);
    for _ in 0..5000 {
        let count = random.next() as usize % 300;
        let _ = open_and_verify(&forge_encoded(&random.bytes(count), 4096));
    }
}

#[test]
fn a_manifest_that_cannot_be_is_refused_by_name() {
    let bytes = sample();
    let good = Bundle::open(&bytes).unwrap().manifest().clone();
    let no_items = Manifest {
        items: vec![],
        ..good.clone()
    };
    let error = |manifest: &Manifest| Bundle::open(&forge(manifest)).unwrap_err().to_string();

    assert!(error(&no_items).contains("press: its map is not in the bundle"));
    assert!(
        error(&Manifest {
            vms: vec![],
            ..no_items.clone()
        })
        .contains("no VM")
    );
    let twins = vec![good.vms[0].clone(), good.vms[0].clone()];
    assert!(
        error(&Manifest {
            vms: twins,
            ..no_items.clone()
        })
        .contains("two VMs of one name")
    );
    assert!(error(&good).contains("press: map vexpress-a9: does not lie"));

    let empty = Item {
        name: "x".into(),
        offset: 4096,
        size: 0,
        sha256: Sha256::of(&[]),
    };
    let with = |vm: VmSpec| Manifest {
        items: vec![empty.clone()],
        vms: vec![vm],
        ..good.clone()
    };
    let sound = vm("a", ItemId(0), vec![]);
    assert!(Bundle::open(&forge(&with(sound.clone()))).is_ok());
    let schedule = |slots: Vec<Slot>| Manifest {
        schedule: Schedule::Cyclic {
            slots,
            slack: false,
        },
        ..with(sound.clone())
    };
    let slot = |vm, us| Slot { vm, us };
    assert!(Bundle::open(&forge(&schedule(vec![slot(Some(0), 1), slot(None, 9)]))).is_ok());
    assert!(error(&schedule(vec![])).contains("1 to 64 slots"));
    assert!(error(&schedule(vec![slot(Some(0), 0)])).contains("10,000,000 us"));
    assert!(error(&schedule(vec![slot(Some(1), 5)])).contains("that there is not"));
    let cores = vec![0; 9];
    assert!(
        error(&with(VmSpec {
            cores,
            ..sound.clone()
        }))
        .contains("a: a VM has 1 to 8 vCPUs")
    );
    assert!(
        error(&with(VmSpec {
            cores: vec![],
            ..sound
        }))
        .contains("a: a VM has 1 to 8 vCPUs")
    );
    let dangling = vec![Load {
        item: ItemId(1),
        at: 0,
    }];
    assert!(error(&with(vm("a", ItemId(0), dangling))).contains("an image is not in the bundle"));
    let card = Some(Card {
        item: ItemId(1),
        high_capacity: false,
        read_only: false,
    });
    let slotted = VmSpec {
        card,
        ..vm("a", ItemId(0), vec![])
    };
    assert!(error(&with(slotted)).contains("a: its card is not in the bundle"));
}

#[test]
fn channels_and_memories_that_cannot_be_are_refused() {
    let bytes = sample();
    let good = Bundle::open(&bytes).unwrap().manifest().clone();
    let map = Item {
        size: 0,
        offset: 4096,
        ..good.items[2].clone()
    };
    let channel = ChannelSpec {
        name: "c".into(),
        from: 0,
        to: 1,
        bytes: 64,
        depth: 64,
        priority: 0,
        memory: None,
    };
    let with = |channels: Vec<ChannelSpec>, sizes: &[u64]| {
        let memories = sizes.iter().map(|bytes| SharedSpec {
            name: "m".into(),
            bytes: *bytes,
        });
        let manifest = Manifest {
            items: vec![map.clone()],
            vms: vec![vm("a", ItemId(0), vec![]), vm("b", ItemId(0), vec![])],
            wires: vec![],
            channels,
            memories: memories.collect(),
            ..good.clone()
        };
        Bundle::open(&forge(&manifest))
            .err()
            .map(|why| why.to_string())
    };
    assert_eq!(with(vec![channel.clone(); 32], &[4096, 8192]), None);
    let bad = |channel: ChannelSpec, words: &str| {
        let why = with(vec![channel], &[]).expect(words);
        assert!(why.contains(words), "{why}");
    };
    let sound = || channel.clone();
    bad(ChannelSpec { to: 2, ..sound() }, "it leads to no VM");
    bad(ChannelSpec { to: 0, ..sound() }, "both its ends");
    for wrong in [0, 65, 255] {
        bad(
            ChannelSpec {
                bytes: wrong,
                ..sound()
            },
            "1 to 64 bytes",
        );
        bad(
            ChannelSpec {
                depth: wrong,
                ..sound()
            },
            "1 to 64 messages",
        );
    }
    assert!(
        with(vec![channel.clone(); 33], &[])
            .unwrap()
            .contains("at most 32")
    );
    assert!(
        with(vec![channel.clone(); 65], &[])
            .unwrap()
            .contains("too many channels")
    );
    for sizes in [
        &[0_u64][..],
        &[100],
        &[!0xfff_u64; 2],
        &[65 << 20],
        &[4096; 17],
    ] {
        assert!(with(vec![], sizes).is_some(), "{sizes:?}");
    }
}

#[test]
fn overlapping_items_are_refused() {
    let bytes = sample();
    let mut manifest = Bundle::open(&bytes).unwrap().manifest().clone();
    manifest.items[1].offset = manifest.items[0].offset;
    let encoded = postcard::to_allocvec(&manifest).unwrap();
    let error = Bundle::open(&forge_encoded(&encoded, bytes.len() - 4096)).unwrap_err();
    assert_eq!(
        error,
        BundleError::Misplaced {
            item: "press: kernel vmlinuz".into()
        }
    );
}

#[test]
fn the_manifest_may_be_of_any_size_up_to_its_limit() {
    for names in [1, 100, 3900, 4000, 4010, 4020, 4030, 8000, 60_000] {
        let mut builder = Builder::new("s", "h");
        let id = builder.item(&"n".repeat(names), vec![1; 70_000]).unwrap();
        let second = builder.item("second", vec![2; 3]).unwrap();
        builder.vm(vm(
            "a",
            id,
            vec![Load {
                item: second,
                at: 0,
            }],
        ));
        open_and_verify(&builder.finish().unwrap()).unwrap();
    }
    let mut builder = Builder::new("s", "h");
    let id = builder.item(&"n".repeat(MANIFEST_LIMIT), vec![]).unwrap();
    builder.vm(vm("a", id, vec![]));
    assert!(
        builder
            .finish()
            .unwrap_err()
            .to_string()
            .contains("larger than 64 KiB")
    );
}

#[test]
fn hashing_in_pieces_is_hashing_at_once() {
    // FIPS 180-4's example, "abc".
    let mut hash = Sha256::new();
    hash.update(b"a");
    hash.update(b"bc");
    let digest = hash.finish();
    assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(digest, Sha256::of(b"abc"));
}

#[test]
fn a_sealed_file_is_an_arm64_image_that_reserves_all_of_itself() {
    let bundle = sample();
    let file = seal(&hypervisor(), &bundle).unwrap();
    let image_size = u64::from_le_bytes(file[16..24].try_into().unwrap());
    assert!(image_size >= file.len() as u64 && image_size % 4096 == 0);
    // Padded to its linked size of 6000 bytes and to the boundary.
    assert_eq!(file[8192..8200], MAGIC);
    assert_eq!(file[..16], hypervisor()[..16]);
    let inspection = inspect(&file).unwrap();
    assert_eq!(inspection.damage, []);
    assert_eq!(inspection.hypervisor.len(), 8192);
    assert_eq!(inspection.bundle.manifest().vms[1].name, "panel");
}

#[test]
fn inspection_finds_any_damaged_byte_of_the_file() {
    let good = seal(&hypervisor(), &sample()).unwrap();
    let is_sound = |file: &[u8]| inspect(file).is_ok_and(|found| found.damage.is_empty());
    assert!(is_sound(&good));
    let mut at = 0;
    while at < good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        assert!(!is_sound(&bytes), "byte {at}");
        // Every byte of the hypervisor's header and of the seal, samples of the rest.
        let dense = at < 128 || at + 64 >= good.len();
        at += if dense {
            1
        } else {
            53.min(good.len() - 64 - at)
        };
    }
    for length in (0..good.len())
        .step_by(97)
        .chain(good.len() - 70..good.len())
    {
        assert!(!is_sound(&good[..length]));
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(inspect(&longer).unwrap_err(), BundleError::NoSeal);
}

#[test]
fn inspection_lists_all_that_is_damaged() {
    let mut file = seal(&hypervisor(), &sample()).unwrap();
    file[100] ^= 1;
    let flash = inspect(&file).unwrap().bundle.manifest().items[3].offset as usize;
    file[8192 + flash] ^= 1;
    let damage = inspect(&file).unwrap().damage;
    let flash = BundleError::Damaged {
        item: "panel: flash".into(),
    };
    assert_eq!(damage, [BundleError::HypervisorDamaged, flash]);
}

#[test]
fn what_is_not_an_image_is_not_sealed() {
    assert_eq!(seal(b"\x7fELF", &sample()), Err(BundleError::NotAnImage));
    let mut huge = hypervisor();
    huge[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(seal(&huge, &sample()), Err(BundleError::NotAnImage));
}

#[test]
fn a_wire_that_joins_what_is_not_there_is_refused() {
    use crate::wire::pins::Pin;
    let item = Item {
        name: "x".into(),
        offset: 4096,
        size: 0,
        sha256: Sha256::of(&[]),
    };
    let end = |vm, device| WireEnd { vm, device };
    let serial = |a, b| WireKind::Serial {
        ends: [a, b],
        faithful: false,
    };
    let ethernet = |ends, outside| WireKind::Ethernet { ends, outside };
    let open = |kinds: &[WireKind]| {
        let wires = kinds.iter().map(|kind| WireSpec {
            name: "a - b".into(),
            kind: kind.clone(),
            tapped: false,
        });
        let manifest = Manifest {
            system: "s".into(),
            host: "h".into(),
            early_console: None,
            items: vec![item.clone()],
            vms: vec![vm("a", ItemId(0), vec![]), vm("b", ItemId(0), vec![])],
            schedule: Schedule::Priority,
            wires: wires.collect(),
            channels: vec![],
            memories: vec![],
        };
        let bytes = forge(&manifest);
        let opened = Bundle::open(&bytes).map(|_| ());
        opened.map_err(|error| error.to_string())
    };
    let pin = Pin {
        output: Some(9),
        enable: Some(17),
        input: Some(600),
    };
    let sound = [
        serial(end(0, 1), end(1, 1)),
        ethernet(vec![end(0, 2), end(1, 2)], false),
        ethernet(vec![end(0, 5)], true),
        WireKind::Outside(end(0, 4)),
        WireKind::Pins([(end(0, 3), pin), (end(1, 3), pin)]),
        WireKind::Pins([(end(0, 3), pin), (end(0, 3), pin)]),
    ];
    assert_eq!(open(&sound), Ok(()));
    for (kinds, what) in [
        (
            &[serial(end(0, 1), end(2, 1))][..],
            "a - b: it leads to no VM",
        ),
        (&[serial(end(0, 1), end(0, 1))], "a port is on two wires"),
        (
            &[serial(end(0, 1), end(1, 1)), serial(end(0, 2), end(1, 1))],
            "a port is on two wires",
        ),
        (&[WireKind::Outside(end(2, 1))], "it leads to no VM"),
        (
            &[serial(end(0, 1), end(1, 1)), WireKind::Outside(end(1, 1))],
            "a port is on two wires",
        ),
        (&[ethernet(vec![end(0, 1)], false)], "2 to 8 ports"),
        (&[ethernet(vec![], true)], "2 to 8 ports"),
        (
            &[ethernet((0..9).map(|n| end(0, n)).collect(), false)],
            "2 to 8 ports",
        ),
        (
            &[ethernet((0..8).map(|n| end(0, n)).collect(), true)],
            "2 to 8 ports",
        ),
        (
            &[
                ethernet(vec![end(0, 1)], true),
                ethernet(vec![end(1, 1)], true),
            ],
            "two wires lead to the host's network",
        ),
        (
            &[WireKind::Pins([
                (end(0, 1), pin),
                (
                    end(1, 1),
                    Pin {
                        enable: Some(64),
                        ..pin
                    },
                ),
            ])],
            "no device has such a line",
        ),
        (&vec![serial(end(0, 1), end(1, 1)); 33], "too many wires"),
    ] {
        let error = open(kinds).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}
