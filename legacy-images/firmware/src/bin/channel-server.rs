//! Board virt-v8: the end of systems/channels.toml's channels that answers.
#![no_std]
#![no_main]

use firmware::arm64::{Frame, unexpected};
use firmware::{VIRT_V8, check, println, sysreg};
use reliquary_client::{BYTES_MAX, Channel, Error, find, pending};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// What came of the numbers.
#[derive(Default)]
struct Numbers {
    next: u32,
    sum: u32,
    wrong: bool,
}

fn or_fail<T>(result: Result<T, Error>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => check::fail(format_args!("{what}: {error:?}")),
    }
}

/// Starts the board anew: PSCI SYSTEM_RESET.
fn reset() -> ! {
    // SAFETY: PSCI (DEN0022), by the conduit that the board's tree names.
    unsafe { core::arch::asm!("hvc #0", in("x0") 0x8400_0009_u64, options(noreturn)) }
}

/// Serves one message of the client's. Whether there are more to come.
fn serve(orders: Channel, numbers: &mut Numbers, ignored: &mut u32) -> bool {
    let mut message = [0; BYTES_MAX];
    let received = match orders.receive(&mut message, 0) {
        Ok(received) => received,
        Err(Error::Empty) => return true,
        Err(error) => check::fail(format_args!("orders: {error:?}")),
    };
    let call = received.call.unwrap_or(0);
    let message = &mut message[..received.bytes];
    let answer = |bytes: &[u8]| or_fail(orders.reply(call, bytes), "reply");
    match message.first() {
        Some(b'n') => {
            let number = u32::from_le_bytes(message[1..5].try_into().unwrap_or_default());
            numbers.wrong |= number != numbers.next;
            numbers.next = number + 1;
            numbers.sum += number;
        }
        Some(b'?') => {
            let count = if numbers.wrong { 0 } else { numbers.next };
            let mut told = [0; 8];
            told[..4].copy_from_slice(&count.to_le_bytes());
            told[4..].copy_from_slice(&numbers.sum.to_le_bytes());
            answer(&told);
        }
        Some(b'i') => *ignored = call,
        Some(b'l') => {
            let stale = orders.reply(*ignored, b"") == Err(Error::Stale);
            answer(&[if stale { 25 } else { 0 }]);
        }
        Some(b's') => {
            let start = sysreg!("cntvct_el0");
            while sysreg!("cntvct_el0") - start < sysreg!("cntfrq_el0") / 10 {}
            answer(b"S");
        }
        Some(b'r') => reset(),
        Some(b'x') => return false,
        _ => {
            message.reverse();
            answer(message);
        }
    }
    true
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("channel-server", &VIRT_V8);
    let orders = or_fail(find("orders"), "orders");
    let news = or_fail(find("news"), "news");
    let readings = or_fail(find("readings"), "readings");
    checks.equal(
        "the greatest priority has handle",
        u64::from(readings.handle()),
        0,
    );
    let (mut numbers, mut ignored, mut read, mut ends) = (Numbers::default(), 0, 0, false);
    loop {
        let bits = or_fail(pending(10_000_000_000), "pending");
        if bits & 1 << readings.handle() != 0 {
            let mut message = [0; BYTES_MAX];
            match readings.receive(&mut message, 0) {
                Ok(received) => {
                    read += 1;
                    message[0] = message[0].wrapping_add(1);
                    let reply = readings.reply(received.call.unwrap_or(0), &message[..16]);
                    if reply != Ok(()) {
                        println!("a reading: {reply:?}");
                    }
                }
                Err(Error::Empty) => {
                    let bits = readings.take();
                    println!("readings: notified of {bits:x?} after {read}");
                }
                Err(error) => println!("readings: {error:?} after {read}"),
            }
        }
        if bits & 1 << orders.handle() != 0 {
            let bits = or_fail(orders.take(), "take");
            if bits != 0 {
                or_fail(news.send(&bits.to_le_bytes()), "news");
            }
            ends |= !serve(orders, &mut numbers, &mut ignored);
        }
        // Who calls here ends first.
        if ends && readings.take() == Err(Error::PeerDown) {
            break;
        }
    }
    checks.finish()
}
