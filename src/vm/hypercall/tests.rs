use super::*;
use crate::random::Random;
use crate::vcpu::mode;
use crate::wire::channel::exchange::{Memory, Shape};

/// VM 0 sends to VM 1 on "up" (64 bytes, two deep), VM 1 to VM 0 on "down" (16 bytes).
fn exchange() -> Exchange {
    let shape = |from, to, bytes, hash| Shape {
        from,
        to,
        bytes,
        depth: 2,
        priority: 0,
        hash,
        memory: (hash == 0x22).then_some(Memory {
            bytes: 0x3000,
            at: [0x5000_0000, 0x7000_0000],
        }),
    };
    let exchange = Exchange::new(&[shape(0, 1, 64, 0x11), shape(1, 0, 16, 0x22)], &[true; 3]);
    (0..2).for_each(|vm| exchange.begin(vm));
    exchange
}

const WIDE: u32 = 0xc600_0000;
const NARROW: u32 = 0x8600_0000;

fn a64(number: u32, arguments: &[u64]) -> Vcpu {
    let mut regs = Vcpu {
        spsr: psr::EL1H,
        ..Vcpu::default()
    };
    regs.x[0] = u64::from(number);
    regs.x[1..=arguments.len()].copy_from_slice(arguments);
    regs
}

fn a32(number: u32, arguments: &[u64]) -> Vcpu {
    Vcpu {
        spsr: mode::SVC,
        ..a64(number, arguments)
    }
}

fn status_of(regs: &Vcpu) -> i32 {
    if regs.is_aarch32() {
        assert_eq!(regs.x[0] >> 32, 0);
    } else {
        assert_eq!(regs.x[0].cast_signed(), i64::from(regs.x[0] as i32));
    }
    regs.x[0] as i32
}

/// Calls, without waiting: the status, and the registers.
fn call(exchange: &Exchange, vm: usize, mut regs: Vcpu) -> (i32, Vcpu) {
    let served = serve(exchange, vm, &mut regs);
    assert_eq!(served.wait, None);
    (status_of(&regs), regs)
}

#[test]
fn a_message_of_64_bytes_goes_in_eight_registers() {
    let exchange = exchange();
    let words = [1, 2, 3, 4, 5, 6, 7, u64::MAX];
    let mut sent = a64(WIDE | 3, &[0, 63, 0]);
    sent.x[4..12].copy_from_slice(&words);
    let served = serve(&exchange, 0, &mut sent);
    assert_eq!((status_of(&sent), served.tell), (status::SUCCESS, Some(1)));
    assert_eq!(exchange.pending(1), 1);
    let (status, got) = call(&exchange, 1, a64(WIDE | 4, &[0, 0]));
    assert_eq!(status, status::SUCCESS);
    assert_eq!((got.x[1], got.x[2]), (63, 0));
    assert_eq!(got.x[4..11], words[..7]);
    assert_eq!(got.x[11], u64::MAX >> 8, "the byte that was not sent");
    assert_eq!(got.x[12..], [0; 19]);
    assert_eq!(call(&exchange, 1, a64(WIDE | 4, &[0, 0])).0, status::EMPTY);
}

#[test]
fn an_aarch32_vm_has_messages_of_16_bytes() {
    let exchange = exchange();
    let mut sent = a32(NARROW | 3, &[1, 16, 0]);
    sent.x[4..8].copy_from_slice(&[0x1_0000_0001, 2, 3, 0xffff_ffff]);
    assert_eq!(call(&exchange, 1, sent).0, status::SUCCESS);
    let (_, got) = call(&exchange, 0, a64(WIDE | 4, &[1, 0]));
    assert_eq!(got.x[4..6], [2 << 32 | 1, 0xffff_ffff_0000_0003]);
    let long = a32(NARROW | 3, &[0, 17, 0]);
    assert_eq!(call(&exchange, 0, long).0, status::SIZE);
    call(&exchange, 0, a64(WIDE | 3, &[0, 17, 0]));
    let (status, got) = call(&exchange, 1, a32(NARROW | 4, &[0, 0]));
    assert_eq!(status, status::SIZE, "and the message is not lost");
    assert_eq!(got.x[1], 0);
    assert_eq!(call(&exchange, 1, a64(WIDE | 4, &[0, 0])).1.x[1], 17);
    let wide_number = a32(WIDE | 3, &[1, 16, 0]);
    assert_eq!(call(&exchange, 1, wide_number).0, status::NOT_SUPPORTED);
}

#[test]
fn a_receiver_waits_and_what_comes_is_in_its_registers() {
    let exchange = exchange();
    let mut regs = a64(WIDE | 4, &[0, 1000]);
    let wait = serve(&exchange, 1, &mut regs).wait.unwrap();
    assert_eq!(wait.ns, 1000);
    assert_eq!(look(&exchange, 1, &wait, &mut regs), None);
    call(&exchange, 0, a64(WIDE | 8, &[0, 1]));
    assert_eq!(
        look(&exchange, 1, &wait, &mut regs),
        None,
        "only a notification"
    );
    let mut sent = a64(WIDE | 3, &[0, 8, 0]);
    sent.x[4] = 99;
    call(&exchange, 0, sent);
    assert!(look(&exchange, 1, &wait, &mut regs).is_some());
    assert_eq!((status_of(&regs), regs.x[1], regs.x[4]), (0, 8, 99));
}

#[test]
fn a_call_waits_for_its_reply() {
    let exchange = exchange();
    let mut caller = a64(WIDE | 5, &[0, 8, 5000]);
    caller.x[4] = 20;
    let served = serve(&exchange, 0, &mut caller);
    let wait = served.wait.unwrap();
    assert_eq!((served.tell, wait.ns), (Some(1), 5000));
    let (_, request) = call(&exchange, 1, a64(WIDE | 4, &[0, 0]));
    let number = request.x[2];
    assert_ne!(number, 0);
    assert_eq!(look(&exchange, 0, &wait, &mut caller), None);
    exchange.set_waiting(0, 0, true);
    let mut reply = a64(WIDE | 7, &[0, 8, number]);
    reply.x[4] = request.x[4] + 1;
    let served = serve(&exchange, 1, &mut reply);
    assert_eq!((status_of(&reply), served.tell), (status::SUCCESS, Some(0)));
    assert!(look(&exchange, 0, &wait, &mut caller).is_some());
    assert_eq!((status_of(&caller), caller.x[1], caller.x[4]), (0, 8, 21));
    assert_eq!(exchange.pending(0), 0);
}

#[test]
fn a_call_that_timed_out_is_over_and_one_that_was_interrupted_stands() {
    let exchange = exchange();
    let mut caller = a64(WIDE | 5, &[0, 0, 5000]);
    let wait = serve(&exchange, 0, &mut caller).wait.unwrap();
    end(&exchange, 0, &wait, &mut caller, Over::Interrupted);
    assert_eq!(status_of(&caller), status::INTERRUPTED);
    let mut again = a64(WIDE | 6, &[0, 70]);
    let wait = serve(&exchange, 0, &mut again).wait.unwrap();
    assert_eq!(wait.ns, 70);
    end(&exchange, 0, &wait, &mut again, Over::TimedOut);
    assert_eq!(status_of(&again), status::TIMED_OUT);
    assert_eq!(call(&exchange, 0, a64(WIDE | 6, &[0, 70])).0, status::STALE);
    let (_, request) = call(&exchange, 1, a64(WIDE | 4, &[0, 0]));
    let late = a64(WIDE | 7, &[0, 0, request.x[2]]);
    assert_eq!(call(&exchange, 1, late).0, status::STALE);
}

#[test]
fn a_wait_of_more_than_a_minute_is_refused() {
    let exchange = exchange();
    for (number, arguments) in [
        (4, [0, WAIT_MAX_NS + 1, 0]),
        (5, [1, 0, u64::MAX]),
        (6, [0, u64::MAX, 0]),
    ] {
        let regs = a64(WIDE | number, &arguments);
        assert_eq!(
            call(&exchange, 1, regs).0,
            status::INVALID_PARAMETER,
            "{number}"
        );
    }
    let regs = a64(WIDE | 0xa, &[WAIT_MAX_NS + 1]);
    assert_eq!(call(&exchange, 1, regs).0, status::INVALID_PARAMETER);
    assert_eq!(exchange.pending(0), 0, "no call went out");
}

#[test]
fn a_vm_finds_what_it_holds() {
    let exchange = exchange();
    let (_, count) = call(&exchange, 0, a64(WIDE, &[]));
    assert_eq!(count.x[1], 2);
    let (status, found) = call(&exchange, 0, a32(NARROW | 2, &[0x22]));
    assert_eq!((status, found.x[1]), (0, 1));
    assert_eq!(
        call(&exchange, 0, a64(WIDE | 2, &[0x33])).0,
        status::BAD_HANDLE
    );
    let (_, about) = call(&exchange, 0, a64(WIDE | 1, &[1]));
    assert_eq!(about.x[1..4], [1, 16 | 2 << 16, 0x22], "it receives there");
    assert_eq!(
        about.x[4..6],
        [0x7000_0000, 0x3000],
        "and has the memory there"
    );
    let (_, about) = call(&exchange, 1, a32(NARROW | 1, &[1]));
    assert_eq!(about.x[4..6], [0x5000_0000, 0x3000]);
    let (_, about) = call(&exchange, 0, a64(WIDE | 1, &[0]));
    assert_eq!(about.x[4..6], [0, 0], "this one has none");
    assert_eq!(
        call(&exchange, 0, a64(WIDE | 1, &[2])).0,
        status::BAD_HANDLE
    );
    let (_, uid) = call(&exchange, 0, a64(NARROW | 0xff01, &[]));
    assert_eq!(uid.x[..4], numbers::UID.map(u64::from));
    let (_, revision) = call(&exchange, 0, a32(NARROW | 0xff03, &[7]));
    assert_eq!(revision.x[..2], [1, 0]);
    assert_eq!(
        call(&exchange, 0, a64(WIDE | 0xff01, &[])).0,
        status::NOT_SUPPORTED
    );
}

#[test]
fn notifications_have_64_bits_for_both_kinds_of_caller() {
    let exchange = exchange();
    call(&exchange, 1, a32(NARROW | 8, &[1, 5, 0x8000_0000]));
    let (_, taken) = call(&exchange, 0, a64(WIDE | 9, &[1]));
    assert_eq!(taken.x[1], 0x8000_0000_0000_0005);
    call(&exchange, 0, a64(WIDE | 8, &[0, 6 << 32 | 1]));
    let (_, taken) = call(&exchange, 1, a32(NARROW | 9, &[0]));
    assert_eq!(taken.x[1..3], [1, 6]);
    assert_eq!(exchange.pending(0) | exchange.pending(1), 0);
}

#[test]
fn what_is_pending_is_told_at_once_or_waited_for() {
    let exchange = exchange();
    let (status, none) = call(&exchange, 1, a64(WIDE | 0xa, &[0]));
    assert_eq!((status, none.x[1]), (0, 0));
    let mut regs = a64(WIDE | 0xa, &[500]);
    let wait = serve(&exchange, 1, &mut regs).wait.unwrap();
    call(&exchange, 0, a64(WIDE | 8, &[0, 1]));
    assert!(look(&exchange, 1, &wait, &mut regs).is_some());
    assert_eq!((status_of(&regs), regs.x[1]), (0, 1));
}

/// A hostile VM: any number, any argument, at any time. Every call is answered with one of the
/// statuses, changes no register that it must not, and no other VM's channels are touched.
#[test]
fn whatever_is_asked_is_answered() {
    let mut random = Random(0x5eed_0005);
    let exchange = exchange();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200_000 {
        let vm = (random.next() % 3) as usize;
        let low = [
            random.next() as u32 & 0xf,
            random.next() as u32 & 0xffff,
            0xff01,
        ];
        let number = [WIDE, NARROW][(random.next() & 1) as usize]
            | low[(random.next() % 8 / 6) as usize]
            | if random.next().is_multiple_of(16) {
                random.next() as u32 & 0xff_0000
            } else {
                0
            };
        let mut argument = || match random.next() % 4 {
            0 => random.next(),
            1 => random.next() & 0x7f,
            2 => u64::MAX.wrapping_sub(random.next() & 3),
            _ => random.next() & 3,
        };
        let arguments: std::vec::Vec<u64> = (0..30).map(|_| argument()).collect();
        let mut regs = if number & 1 << 20 == 0 && arguments[20] & 1 == 0 {
            a64(number, &arguments)
        } else {
            a32(number, &arguments)
        };
        let before = regs.clone();
        let served = serve(&exchange, vm, &mut regs);
        assert_eq!((regs.pc, regs.spsr), (before.pc, before.spsr));
        assert_eq!(regs.x[12..], before.x[12..], "{number:#x}");
        assert!(served.tell.is_none_or(|told| told != vm && told < 2));
        if vm == 2 {
            assert_eq!(
                (served.tell, served.wait.map(|wait| wait.what)),
                (None, served.wait.map(|_| What::Any))
            );
        }
        match served.wait {
            Some(wait) => {
                assert!(wait.ns <= WAIT_MAX_NS);
                if look(&exchange, vm, &wait, &mut regs).is_none() {
                    let over = [Over::TimedOut, Over::Interrupted][(before.x[5] & 1) as usize];
                    end(&exchange, vm, &wait, &mut regs, over);
                    assert!([status::TIMED_OUT, status::INTERRUPTED].contains(&status_of(&regs)));
                }
            }
            None if number & 0xffff < 0xff00 => {
                let status = status_of(&regs);
                assert!(
                    status == 0 || status == -1 || status == -3 || (-26..=-16).contains(&status)
                );
                seen.insert(status);
            }
            None => {}
        }
    }
    for due in [0, -1, -3, -16, -17, -18, -19, -24, -25, -26] {
        assert!(seen.contains(&due), "no call was answered {due}: {seen:?}");
    }
}

#[test]
fn only_calls_of_the_service_are_ours() {
    for (number, ours) in [
        (0x8400_0000_u32, false),
        (0x8600_0000, true),
        (0xc600_ffff, true),
        (0x0600_0000, false),
        (0x8700_0000, false),
        (0xc500_0000, false),
    ] {
        assert_eq!(
            number & numbers::SERVICE_MASK == numbers::SERVICE,
            ours,
            "{number:#x}"
        );
    }
}
