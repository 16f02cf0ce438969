use super::exchange::{Denied, Exchange, HANDLES_MAX, Shape, hash_of};
use super::*;
use Side::{First, Second};
use std::vec::Vec;

fn payload(bytes: u64, first: u64) -> Payload {
    let mut words = [0; WORDS];
    words[0] = first;
    Payload::new(bytes, &words).unwrap()
}

#[derive(Debug, PartialEq)]
struct Got {
    payload: Payload,
    call: u32,
}

fn receive(channel: &mut Channel, room: u8) -> Result<Got, Refused> {
    let mut payload = Payload::default();
    let call = channel.receive(room, |shown| payload = *shown)?;
    Ok(Got { payload, call })
}

fn answer(channel: &mut Channel, number: u32, room: u8) -> Result<Payload, Refused> {
    let mut payload = Payload::default();
    channel.answer(number, room, |shown| payload = *shown)?;
    Ok(payload)
}

fn get(channel: &mut Channel) -> Result<Got, Refused> {
    receive(channel, 64)
}

/// A channel whose VMs are built.
fn channel(bytes: u8, depth: usize) -> Channel {
    let mut channel = Channel::new(bytes, depth);
    channel.begin(First);
    channel.begin(Second);
    channel
}

#[test]
fn a_payload_has_no_bytes_behind_its_length() {
    for bytes in 0..=64_u64 {
        let payload = Payload::new(bytes, &[u64::MAX; WORDS]).unwrap();
        let all: Vec<u8> = payload
            .words()
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        let (inside, behind) = all.split_at(bytes as usize);
        assert!(inside.iter().all(|byte| *byte == 0xff), "{bytes}");
        assert!(behind.iter().all(|byte| *byte == 0), "{bytes}");
        assert_eq!(u64::from(payload.bytes()), bytes);
    }
    for bytes in [65, 255, 256, 264, u64::MAX] {
        assert_eq!(Payload::new(bytes, &[0; WORDS]), None, "{bytes}");
    }
}

#[test]
fn messages_come_in_their_order_through_every_place_of_the_ring() {
    for depth in [1, 2, 3, 7, DEPTH_MAX] {
        let mut channel = channel(8, depth);
        let (mut sent, mut received) = (0, 0);
        for round in 0..1000 {
            for _ in 0..round % (depth + 2) {
                match channel.send(&payload(8, sent)) {
                    Ok(()) => sent += 1,
                    Err(why) => {
                        assert_eq!(why, Refused::Full);
                        assert_eq!(sent - received, depth as u64, "full when it is full only");
                    }
                }
            }
            for _ in 0..(round * 7) % (depth + 2) {
                match receive(&mut channel, 8) {
                    Ok(message) => {
                        assert_eq!(message.payload, payload(8, received));
                        received += 1;
                    }
                    Err(why) => {
                        assert_eq!(why, Refused::Empty);
                        assert_eq!(sent, received, "empty when it is empty only");
                    }
                }
            }
        }
        assert!(received > depth as u64 * 3);
    }
}

#[test]
fn a_message_that_is_too_long_is_not_sent_and_one_without_room_is_not_lost() {
    let mut channel = channel(24, 2);
    assert_eq!(channel.send(&payload(25, 1)), Err(Refused::TooLong));
    assert!(!channel.is_pending(Second));
    channel.send(&payload(24, 2)).unwrap();
    assert_eq!(receive(&mut channel, 16), Err(Refused::TooLong));
    assert_eq!(receive(&mut channel, 64).unwrap().payload, payload(24, 2));
    assert!(!channel.is_pending(Second));
}

#[test]
fn a_short_message_has_nothing_of_a_long_one_before_it() {
    let mut channel = channel(64, 1);
    let long = Payload::new(64, &[u64::MAX; WORDS]).unwrap();
    channel.send(&long).unwrap();
    assert_eq!(get(&mut channel).unwrap().payload, long);
    channel.send(&payload(9, 1)).unwrap();
    assert_eq!(get(&mut channel).unwrap().payload, payload(9, 1));
}

#[test]
fn a_call_is_answered_once_and_by_its_number_only() {
    let mut channel = channel(8, 4);
    let number = channel.call(&payload(8, 1)).unwrap();
    assert_eq!(channel.call(&payload(8, 2)), Err(Refused::Busy));
    assert_eq!(answer(&mut channel, number, 64), Err(Refused::Empty));
    let message = receive(&mut channel, 64).unwrap();
    assert_eq!(message.call, number);
    for wrong in [0, number + 1, number.wrapping_sub(2), u32::MAX] {
        assert_eq!(channel.reply(wrong, payload(8, 3)), Err(Refused::Stale));
    }
    assert!(!channel.is_pending(First));
    channel.reply(number, payload(8, 4)).unwrap();
    assert_eq!(channel.reply(number, payload(8, 5)), Err(Refused::Stale));
    assert!(channel.is_pending(First));
    assert_eq!(answer(&mut channel, number, 64), Ok(payload(8, 4)));
    assert_eq!(answer(&mut channel, number, 64), Err(Refused::Stale));
    assert!(!channel.is_pending(First));
}

#[test]
fn a_call_that_was_given_up_is_not_answered_and_the_next_is_another() {
    let mut channel = channel(8, 4);
    let first = channel.call(&payload(8, 1)).unwrap();
    channel.give_up(first);
    let second = channel.call(&payload(8, 2)).unwrap();
    assert_ne!(first, second);
    assert_eq!(receive(&mut channel, 64).unwrap().call, first);
    assert_eq!(channel.reply(first, payload(8, 9)), Err(Refused::Stale));
    assert_eq!(receive(&mut channel, 64).unwrap().call, second);
    channel.reply(second, payload(8, 7)).unwrap();
    assert_eq!(answer(&mut channel, second, 64), Ok(payload(8, 7)));
}

#[test]
fn the_number_of_a_call_is_never_zero() {
    let mut channel = channel(8, 1);
    channel.last_call = u32::MAX;
    assert_eq!(channel.call(&payload(0, 0)), Ok(1));
}

#[test]
fn notifications_gather_until_they_are_taken() {
    let mut channel = channel(8, 1);
    assert_eq!(channel.notify(1 << 63), Ok(true));
    assert_eq!(channel.notify(0b101), Ok(true));
    assert_eq!(channel.notify(0b001), Ok(false), "it is set already");
    assert!(channel.is_pending(Second) && !channel.is_pending(First));
    assert_eq!(channel.take(), Ok(1 << 63 | 0b101));
    assert_eq!(channel.take(), Ok(0));
    assert!(!channel.is_pending(Second));
}

#[test]
fn a_restart_empties_the_channel_and_is_told_once() {
    for side in [First, Second] {
        let mut channel = channel(8, 4);
        channel.send(&payload(8, 1)).unwrap();
        channel.notify(1).unwrap();
        let number = channel.call(&payload(8, 2)).unwrap();
        channel.up(side);
        assert!(channel.is_pending(side.other()) && !channel.is_pending(side));
        match side {
            First => {
                assert_eq!(receive(&mut channel, 64), Err(Refused::Reset));
                assert_eq!(channel.reply(number, payload(8, 3)), Err(Refused::Stale));
            }
            Second => {
                assert_eq!(answer(&mut channel, number, 64), Err(Refused::Reset));
                assert_eq!(answer(&mut channel, number, 64), Err(Refused::Stale));
                channel.send(&payload(8, 7)).unwrap();
                receive(&mut channel, 64).unwrap();
            }
        }
        assert_eq!(receive(&mut channel, 64), Err(Refused::Empty));
        assert_eq!(channel.take(), Ok(0));
        channel.call(&payload(8, 4)).unwrap();
    }
}

#[test]
fn a_peer_that_is_down_is_told_until_it_is_up_and_that_too() {
    let mut channel = channel(8, 4);
    channel.down(Second);
    assert!(channel.is_pending(First));
    assert_eq!(channel.send(&payload(8, 1)), Err(Refused::PeerDown));
    assert!(!channel.is_pending(First), "it has been told");
    assert_eq!(channel.notify(1), Err(Refused::PeerDown));
    assert_eq!(channel.call(&payload(8, 1)), Err(Refused::PeerDown));
    channel.up(Second);
    assert!(channel.is_pending(First));
    assert_eq!(channel.send(&payload(8, 1)), Err(Refused::Reset));
    assert_eq!(channel.send(&payload(8, 1)), Ok(()));
    assert_eq!(receive(&mut channel, 64).unwrap().payload, payload(8, 1));
}

#[test]
fn a_vm_that_never_came_is_down() {
    let mut channel = Channel::new(8, 1);
    channel.begin(First);
    assert_eq!(channel.send(&payload(8, 1)), Err(Refused::PeerDown));
    assert!(!channel.is_pending(First));
}

const fn shape(from: usize, to: usize, priority: u8) -> Shape {
    Shape {
        from,
        to,
        bytes: 8,
        depth: 2,
        priority,
        hash: priority as u32,
        memory: None,
    }
}

#[test]
fn handles_are_a_vms_own_and_the_greatest_priority_has_the_lowest() {
    let exchange = Exchange::new(
        &[shape(0, 1, 1), shape(1, 2, 5), shape(2, 1, 9)],
        &[true; 3],
    );
    let hashes = |vm| -> Vec<u32> { exchange.held(vm).iter().map(|h| h.shape.hash).collect() };
    assert_eq!(hashes(0), [1]);
    assert_eq!(hashes(1), [9, 5, 1]);
    assert_eq!(hashes(2), [9, 5]);
    (0..3).for_each(|vm| exchange.begin(vm));
    let send = |vm, handle| exchange.at(vm, handle, First, |c| c.send(&payload(8, 3)));
    assert_eq!(send(0, 0).unwrap().tell, Some(1));
    assert_eq!(exchange.pending(1), 1 << 2);
    assert_eq!((exchange.pending(0), exchange.pending(2)), (0, 0));
    assert_eq!(send(1, 0), Err(Denied::WrongEnd));
    for handle in [3, 31, 32, 64, 1 << 32, u64::MAX] {
        assert_eq!(send(1, handle), Err(Denied::NoHandle), "{handle}");
    }
    for vm in [3, HANDLES_MAX, usize::MAX] {
        assert_eq!(send(vm, 0), Err(Denied::NoHandle), "{vm}");
    }
}

#[test]
fn who_has_been_told_is_not_told_again_unless_it_waits() {
    let exchange = Exchange::new(&[shape(0, 1, 0)], &[true, true]);
    (0..2).for_each(|vm| exchange.begin(vm));
    let send = || {
        exchange
            .at(0, 0, First, |c| c.send(&payload(8, 3)))
            .unwrap()
    };
    let receive = || exchange.at(1, 0, Second, get).unwrap();
    assert_eq!(send().tell, Some(1));
    assert_eq!(send().tell, None, "its interrupt is high already");
    assert_eq!(receive().tell, None);
    exchange.set_waiting(1, 5, true);
    assert_eq!(exchange.waiting(1), 1 << 5);
    assert_eq!(send().tell, Some(1));
    assert_eq!(send().result, Err(Refused::Full));
    assert_eq!(send().tell, None, "nothing was sent");
    exchange.set_waiting(1, 5, false);
    receive().result.unwrap();
    receive().result.unwrap();
    assert_eq!(exchange.pending(1), 0);
}

#[test]
fn the_same_notification_again_wakes_nobody() {
    let exchange = Exchange::new(&[shape(0, 1, 0)], &[false, false]);
    (0..2).for_each(|vm| exchange.begin(vm));
    exchange.set_waiting(1, 0, true);
    let notify = |bits| exchange.notify(0, 0, bits).unwrap().tell;
    assert_eq!((notify(1), notify(1), notify(0)), (Some(1), None, None));
    assert_eq!(notify(2), Some(1));
    let taken = exchange.at(1, 0, Second, Channel::take).unwrap();
    assert_eq!(taken.result, Ok(3));
    assert_eq!(notify(1), Some(1));
}

#[test]
fn a_vm_without_an_interrupt_is_told_only_when_it_waits() {
    let exchange = Exchange::new(&[shape(0, 1, 0)], &[false, false]);
    (0..2).for_each(|vm| exchange.begin(vm));
    let send = || {
        exchange
            .at(0, 0, First, |c| c.send(&payload(8, 3)))
            .unwrap()
    };
    assert_eq!(send().tell, None);
    exchange.set_waiting(1, 0, true);
    assert_eq!(send().tell, Some(1));
}

#[test]
fn the_peers_of_a_vm_that_ends_are_told() {
    let exchange = Exchange::new(&[shape(0, 1, 0), shape(2, 0, 0)], &[true; 3]);
    (0..3).for_each(|vm| exchange.begin(vm));
    let mut told = Vec::new();
    exchange.down(0, |vm| told.push(vm));
    assert_eq!(told, [1, 2]);
    assert_eq!((exchange.pending(1), exchange.pending(2)), (1, 1));
    let mut told = Vec::new();
    exchange.up(0, |vm| told.push(vm));
    assert_eq!(told, [], "they have been told that something is there");
    let received = exchange.at(1, 0, Second, get).unwrap();
    assert_eq!(received.result, Err(Refused::Reset));
    assert_eq!(exchange.pending(1), 0);
}

#[test]
fn the_hash_is_fnv_1a() {
    assert_eq!(hash_of(""), 0x811c_9dc5);
    assert_eq!(hash_of("a"), 0xe40c_292c);
    assert_eq!(hash_of("foobar"), 0xbf9c_f968);
}
