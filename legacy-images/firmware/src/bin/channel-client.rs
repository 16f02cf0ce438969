//! Board virt-v8: one end of the channels of systems/channels.toml. It calls, sends, notifies and
//! waits, does what a hostile VM would, and sees the other end start anew and end.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use firmware::arm64::{Frame, IRQ, interrupts, unexpected, wait};
use firmware::device::Device;
use firmware::gic::{Gic, SPURIOUS};
use firmware::{VIRT_V8, check, println, sysreg};
use reliquary_client::{BYTES_MAX, Channel, Error, WAIT_MAX_NS, count, find, pending};

const VIRTUAL_TIMER: u32 = 27;
/// SPI 20: `channel-interrupt` of the system file.
const CHANNELS: u32 = 52;
const MS: u64 = 1_000_000;

static TIMERS: AtomicU32 = AtomicU32::new(0);
static TOLD: AtomicU32 = AtomicU32::new(0);

fn gic() -> Gic {
    // SAFETY: the board's GICv2.
    unsafe {
        Gic {
            distributor: Device::at(0x0800_0000),
            interface: Device::at(0x0801_0000),
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    if vector != IRQ {
        unexpected(vector, frame);
    }
    let acknowledged = gic().acknowledge();
    match acknowledged & 0x3ff {
        VIRTUAL_TIMER => {
            sysreg!("cntv_ctl_el0", 0);
            TIMERS.fetch_add(1, Ordering::Relaxed);
        }
        CHANNELS => {
            // High until what is pending is taken, which the program does.
            gic().disable(CHANNELS);
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
        SPURIOUS => return,
        _ => {}
    }
    gic().end(acknowledged);
}

/// Nanoseconds of the virtual counter.
fn now() -> u64 {
    sysreg!("cntvct_el0") * (1_000_000_000 / sysreg!("cntfrq_el0"))
}

fn timer_in(ns: u64) {
    sysreg!(
        "cntv_tval_el0",
        ns / (1_000_000_000 / sysreg!("cntfrq_el0"))
    );
    sysreg!("cntv_ctl_el0", 1);
}

fn status<T>(result: Result<T, Error>) -> u64 {
    match result {
        Ok(_) => 0,
        Err(error) => match error {
            Error::NotSupported => 1,
            Error::InvalidParameter => 3,
            Error::BadHandle => 16,
            Error::NotPermitted => 17,
            Error::Full => 18,
            Error::Empty => 19,
            Error::TimedOut => 20,
            Error::Interrupted => 21,
            Error::PeerDown => 22,
            Error::Reset => 23,
            Error::Busy => 24,
            Error::Stale => 25,
            Error::Size => 26,
            Error::Unknown(_) => 99,
        },
    }
}

/// What a hostile VM asks: every answer is an error, and nothing else happens.
fn hostile(checks: &mut check::Checks, orders: Channel, news: Channel) {
    let mut room = [0; BYTES_MAX];
    for handle in [2, 31, 32, 63, 0x8000_0000, u32::MAX] {
        let wild = Channel::of_handle(handle);
        checks.equal("a handle that is not held", status(wild.send(b"x")), 16);
        checks.equal("receive from it", status(wild.receive(&mut room, 0)), 16);
        checks.equal("notify by it", status(wild.notify(1)), 16);
        checks.equal("ask about it", status(wild.about()), 16);
    }
    checks.equal("send at the end that receives", status(news.send(b"x")), 17);
    checks.equal("notify at it", status(news.notify(1)), 17);
    let received = orders.receive(&mut room, 0);
    checks.equal("receive at the end that sends", status(received), 17);
    checks.equal("take there", status(orders.take()), 17);
    checks.equal("reply there", status(orders.reply(1, b"")), 17);
    checks.equal("a reply to no call", status(news.reply(7, b"")), 25);
    let long = orders.call(b"e", &mut room, WAIT_MAX_NS + 1);
    checks.equal("a wait of more than a minute", status(long), 3);
    checks.equal("a name that is not held", status(find("readings")), 16);
    checks.equal(
        "nothing to wait for",
        status(orders.wait_again(&mut room, 0)),
        25,
    );
    let raw = |function: u64, length: u64| -> i64 {
        let answer: u64;
        // SAFETY: a call of the hypervisor's, which changes these registers only.
        unsafe {
            core::arch::asm!("hvc #0", inlateout("x0") function => answer,
                inlateout("x1") u64::from(orders.handle()) => _, inlateout("x2") length => _,
                inlateout("x3") 0_u64 => _, options(nostack));
        }
        answer.cast_signed()
    };
    for length in [65, 256, 1 << 32, u64::MAX] {
        let sent = raw(0xc600_0003, length).unsigned_abs();
        checks.equal("a message of a wild length", sent, 26);
    }
    for function in [0xc600_000b, 0x8600_00ff, 0xc601_0003, 0x86ff_ff01] {
        let asked = raw(function, 0).unsigned_abs();
        checks.equal("a function that is not there", asked, 1);
    }
    checks.equal(
        "PSCI_VERSION is as before",
        raw(0x8400_0000, 0) as u64,
        0x1_0000,
    );
}

/// 1000 numbers, in their order.
fn numbers(checks: &mut check::Checks, orders: Channel) {
    let mut full = 0;
    for n in 0..1000_u32 {
        let mut message = *b"n....";
        message[1..].copy_from_slice(&n.to_le_bytes());
        loop {
            match orders.send(&message) {
                Ok(()) => break,
                Err(Error::Full) => {
                    full += 1;
                    let _ = pending(MS / 10);
                }
                Err(other) => check::fail(format_args!("number {n}: {other:?}")),
            }
        }
    }
    println!("the channel was full {full} times");
    let mut answer = [0; BYTES_MAX];
    loop {
        match orders.call(b"?", &mut answer, 1000 * MS) {
            Ok(8) => break,
            Err(Error::Full) => {
                let _ = pending(MS);
            }
            other => check::fail(format_args!("the sum: {other:?}")),
        }
    }
    let word = |at: usize| u32::from_le_bytes(answer[at..at + 4].try_into().unwrap_or_default());
    checks.equal("numbers that came in their order", u64::from(word(0)), 1000);
    checks.equal("their sum", u64::from(word(4)), 499_500);
}

/// A notification goes out, its bits come back as a message, which an interrupt tells of.
fn notified(checks: &mut check::Checks, orders: Channel, news: Channel) {
    checks.equal(
        "no interrupt before",
        u64::from(TOLD.load(Ordering::Relaxed)),
        0,
    );
    let bits = 1 << 63 | 1 << 32 | 5;
    checks.equal("notify", status(orders.notify(bits)), 0);
    while TOLD.load(Ordering::Relaxed) == 0 {
        interrupts(false);
        if TOLD.load(Ordering::Relaxed) == 0 {
            wait();
        }
        interrupts(true);
    }
    checks.equal(
        "what is pending",
        u64::from(pending(0).unwrap_or(0)),
        1 << news.handle(),
    );
    let mut message = [0; BYTES_MAX];
    let received = news.receive(&mut message, 0);
    checks.equal("the message that came", status(received), 0);
    let back = u64::from_le_bytes(message[..8].try_into().unwrap_or_default());
    checks.equal("its bits", back, bits);
    checks.equal(
        "nothing is pending then",
        u64::from(pending(0).unwrap_or(1)),
        0,
    );
    gic().enable(CHANNELS);
    let before = now();
    checks.equal(
        "nothing more comes",
        status(news.receive(&mut message, 3 * MS)),
        20,
    );
    let waited = now() - before;
    checks.that("waited 3 ms, not less", waited >= 3 * MS);
    checks.equal("interrupts", u64::from(TOLD.load(Ordering::Relaxed)), 1);
}

/// Calls that are answered too late, or after an interrupt.
fn waits(checks: &mut check::Checks, orders: Channel) {
    let mut answer = [0; BYTES_MAX];
    let before = now();
    checks.equal(
        "a call that nobody answers",
        status(orders.call(b"i", &mut answer, 2 * MS)),
        20,
    );
    checks.that("waited 2 ms, not less", now() - before >= 2 * MS);
    let late = orders.call(b"l", &mut answer, 1000 * MS);
    checks.equal("the next one is answered", status(late), 0);
    checks.equal("and the late answer was stale", u64::from(answer[0]), 25);

    // On a busy machine the timer may fire before the call, or with its answer: once more then.
    let mut interrupted = Ok(0);
    let mut before = 0;
    for _ in 0..10 {
        before = TIMERS.load(Ordering::Relaxed);
        timer_in(20 * MS);
        interrupted = orders.call(b"s", &mut answer, 10_000 * MS);
        if interrupted.is_err() {
            break;
        }
        while TIMERS.load(Ordering::Relaxed) == before {}
    }
    checks.equal("a call ends for an interrupt", status(interrupted), 21);
    let taken = TIMERS.load(Ordering::Relaxed);
    checks.equal("which was taken", u64::from(taken - before), 1);
    checks.equal(
        "another call meanwhile",
        status(orders.call(b"e", &mut answer, MS)),
        24,
    );
    checks.equal(
        "it is waited for again",
        status(orders.wait_again(&mut answer, 10_000 * MS)),
        0,
    );
    checks.equal("and answered", u64::from(answer[0]), u64::from(b'S'));

    interrupts(false);
    timer_in(MS);
    let masked = orders.call(b"s", &mut answer, 10_000 * MS);
    checks.equal("a masked interrupt ends no call", status(masked), 0);
    interrupts(true);
    let later = TIMERS.load(Ordering::Relaxed);
    checks.equal("and is taken then", u64::from(later - taken), 1);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("channel-client", &VIRT_V8);
    gic().open();
    gic().enable(VIRTUAL_TIMER);
    gic().enable(CHANNELS);
    interrupts(true);
    checks.equal("channels", u64::from(count().unwrap_or(0)), 2);
    let (Ok(orders), Ok(news)) = (find("orders"), find("news")) else {
        check::fail(format_args!("no channels of these names"))
    };
    let about = orders.about();
    checks.that(
        "orders sends 64 bytes, 4 deep",
        about.is_ok_and(|a| !a.receives && a.bytes == 64 && a.depth == 4),
    );
    let about = news.about();
    checks.that(
        "news receives 32 bytes",
        about.is_ok_and(|a| a.receives && a.bytes == 32),
    );
    hostile(&mut checks, orders, news);

    let mut answer = [0; BYTES_MAX];
    let called = orders.call(b"echo", &mut answer, 1000 * MS);
    checks.equal("a call", status(called), 0);
    checks.that("its answer", called == Ok(4) && answer[..4] == *b"ohce");
    checks.that(
        "and zeroes behind it",
        answer[4..].iter().all(|byte| *byte == 0),
    );
    let mut long = [0; BYTES_MAX];
    (b'e'..)
        .zip(&mut long)
        .for_each(|(value, byte)| *byte = value);
    let called = orders.call(&long, &mut answer, 1000 * MS);
    checks.equal("bytes of a long one", called.unwrap_or(0) as u64, 64);
    checks.that("all of them", answer.iter().rev().eq(&long));
    numbers(&mut checks, orders);
    notified(&mut checks, orders, news);
    waits(&mut checks, orders);

    let reset = orders.call(b"r", &mut answer, 1000 * MS);
    checks.equal("the other VM starts anew", status(reset), 23);
    checks.equal(
        "which its other channel tells",
        status(news.receive(&mut answer, 0)),
        23,
    );
    let called = orders.call(b"echo", &mut answer, 1000 * MS);
    checks.equal("and is called again", status(called), 0);
    let ended = orders.call(b"x", &mut answer, 20_000 * MS);
    checks.equal("the other VM ends", status(ended), 22);
    checks.equal("and stays down", status(orders.send(b"e")), 22);
    checks.equal("for notifications too", status(orders.notify(1)), 22);
    checks.finish()
}
