use super::{BLOCK, ITEM_MAX, Item, Packer, Unpacker};
use crate::access::{Access, Initiator, Security, Width};
use crate::board::observe::{By, PIECE, Seen, What};
use crate::emul::Reset;
use crate::random::Random;
use crate::units::{Instant, Ipa};
use std::vec::Vec;

/// A nanosecond tick of a counter of 62.5 MHz.
const TICK: u64 = 16;

fn access(at: u64, offset: u64, value: u64) -> Item {
    Item::Seen(Seen {
        at: Instant(at),
        device: 3,
        what: What::Access {
            access: Access::word(offset),
            write: false,
            value: Some(value),
        },
    })
}

fn packed(items: &[Item]) -> Vec<u8> {
    let mut packer = Packer::new(TICK);
    let mut bytes = Vec::new();
    for item in items {
        let before = bytes.len();
        packer.pack(item, &mut |byte| bytes.push(byte));
        assert!(bytes.len() - before <= ITEM_MAX, "{item:?}");
    }
    bytes
}

/// All items of bytes that come in pieces of this size.
fn unpacked(bytes: &[u8], piece: usize, unpacker: &mut Unpacker) -> Vec<Item> {
    let (mut items, mut waiting) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        waiting.extend_from_slice(piece);
        loop {
            match unpacker.next(&waiting) {
                Ok(Some((item, taken))) => {
                    assert!(taken > 0);
                    items.extend(item);
                    waiting.drain(..taken);
                }
                Ok(None) => break,
                Err(_) => unpacker.damaged(),
            }
        }
    }
    items
}

/// What a board might be seen doing.
fn random(random: &mut Random, at: &mut u64, open: &mut Option<(By, u16, u64)>) -> Item {
    let mut below = |limit: u64| random.next() % limit;
    if let Some((by, device, then)) = *open {
        let more = below(3) > 0;
        if !more {
            *open = None;
        }
        let what = What::Bytes {
            by,
            more,
            count: 16,
            bytes: [below(256) as u8; PIECE],
        };
        let at = Instant(then);
        return Item::Seen(Seen { at, device, what });
    }
    *at += match below(8) {
        0 => below(1 << 40),
        1 => below(1000),
        _ => below(1000) * TICK,
    };
    let device = below(5) as u16;
    let what = match below(16) {
        0 => What::Output {
            line: below(70) as u16,
            level: below(2) == 0,
        },
        1 => What::Input {
            line: below(1000) as u16,
            level: below(2) == 0,
        },
        2 => What::Due,
        3 => {
            let by = match below(6) {
                0 => By::SerialIn,
                1 => By::SerialOut,
                2 => By::FrameIn,
                3 => By::FrameOut,
                4 => By::MasterRead(Ipa(below(u64::MAX))),
                _ => By::MasterWrite(Ipa(below(1 << 32))),
            };
            let more = below(2) == 0;
            *open = more.then_some((by, device, *at));
            let mut bytes = [0; PIECE];
            bytes[0] = below(256) as u8;
            let count = if more { 16 } else { 1 };
            What::Bytes {
                by,
                more,
                count,
                bytes,
            }
        }
        4 if below(100) == 0 => {
            *at = 0;
            let what = What::Reset(Reset::Cold);
            let at = Instant(0);
            return Item::Seen(Seen {
                at,
                device: 0,
                what,
            });
        }
        5 if below(20) == 0 => {
            return Item::Lost {
                at: Instant(*at),
                count: below(1000) + 1,
            };
        }
        6 if below(4) == 0 => return Item::Settled,
        6 if below(9) == 0 => return Item::Began(below(u64::MAX)),
        _ => What::Access {
            access: Access {
                region: below(2) as u8,
                offset: below(64) * 4,
                width: [Width::Byte, Width::Half, Width::Word, Width::Double][below(4) as usize],
                initiator: if below(9) == 0 {
                    Initiator::Master(1)
                } else {
                    Initiator::Cpu(below(2) as u8)
                },
                security: [Security::Secure, Security::NonSecure][below(2) as usize],
                privileged: below(2) == 0,
            },
            write: below(2) == 0,
            value: (below(9) > 0).then(|| below(u64::MAX)),
        },
    };
    let at = Instant(*at);
    Item::Seen(Seen { at, device, what })
}

fn many(seed: u64, count: usize) -> Vec<Item> {
    let (mut source, mut at, mut open) = (Random(seed), 0, None);
    (0..count)
        .map(|_| random(&mut source, &mut at, &mut open))
        .collect()
}

#[test]
fn what_was_packed_is_unpacked_as_it_was_however_the_bytes_come() {
    for seed in 1..20 {
        let items = many(seed, 3000);
        let bytes = packed(&items);
        for piece in [1, 7, 192, 5000] {
            let got = unpacked(&bytes, piece, &mut Unpacker::new());
            assert_eq!(got, items, "seed {seed}, pieces of {piece}");
        }
    }
}

#[test]
fn a_poll_of_one_register_takes_three_bytes() {
    let polls: Vec<Item> = (0..1000).map(|n| access(n * 2000, 0x18, 0x90)).collect();
    let bytes = packed(&polls).len();
    assert!(bytes < 3 * 1000 + 50, "{bytes}");
}

#[test]
fn a_counter_that_is_read_takes_five_bytes() {
    let reads: Vec<Item> = (0..1000)
        .map(|n| access(n * 2000, 0x4, 0xffff_ffff - n * 50))
        .collect();
    let bytes = packed(&reads).len();
    assert!(bytes < 5 * 1000 + 50, "{bytes}");
}

#[test]
fn what_was_lost_on_the_way_is_counted_at_the_next_restart() {
    let items = many(7, 60_000);
    let bytes = packed(&items);
    assert!(bytes.len() > 4 * BLOCK as usize);
    let cut = BLOCK as usize + 100;
    let mut unpacker = Unpacker::new();
    let mut got = unpacked(&bytes[..cut], 192, &mut unpacker);
    unpacker.damaged();
    let rest = unpacked(&bytes[cut + 192..], 192, &mut unpacker);
    let Some(Item::Lost { count, .. }) = rest.first().copied() else {
        panic!("{:?}", rest.first());
    };
    assert!(count > 0);
    let of = |items: &[Item]| -> u64 {
        let count = |item: &Item| match item {
            Item::Seen(_) => 1,
            Item::Lost { count, .. } => *count,
            _ => 0,
        };
        items.iter().map(count).sum()
    };
    got.extend_from_slice(&rest);
    assert_eq!(of(&got), of(&items));
    let tail = rest.len() - 1;
    assert_eq!(rest[1..], items[items.len() - tail..]);
}

#[test]
fn damaged_bytes_are_refused_or_are_other_items_and_nothing_breaks() {
    let mut source = Random(99);
    let bytes = packed(&many(5, 3000));
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        for _ in 0..20 {
            let place = source.next() as usize % damaged.len();
            damaged[place] = source.next() as u8;
        }
        unpacked(&damaged, 192, &mut Unpacker::new());
        let noise: Vec<u8> = (0..500).map(|_| source.next() as u8).collect();
        unpacked(&noise, 192, &mut Unpacker::new());
        let mut begun = Unpacker::new();
        unpacked(&bytes[..400], 192, &mut begun);
        unpacked(&noise, 192, &mut begun);
    }
}
