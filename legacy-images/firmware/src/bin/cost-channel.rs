//! Board virt-v8: what calls of channels cost in instructions (see `firmware::cost`). Three VMs of
//! this program share a core (systems/tests/cost-channel.toml): the probe measures, the echo has the
//! greater priority and waits for what the probe sends, the sink has the least and runs when the probe
//! waits.
#![no_std]
#![no_main]

use core::arch::asm;
use firmware::arm64::{Frame, unexpected};
use firmware::cost::{Costs, TIMES};
use firmware::{VIRT_V8, check, sysreg};
use reliquary_client::{BYTES_MAX, Channel, Error, find, pending};

/// Messages that "quiet" holds.
const DEPTH: u64 = 64;
const WAIT: u64 = 1_000_000_000;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// Ticks of `times` calls of SMC64's `function` with these arguments.
fn ticks(function: u64, channel: Channel, second: u64, third: u64, times: u64) -> u64 {
    let (from, to): (u64, u64);
    // SAFETY: calls of the hypervisor, which change registers only.
    unsafe {
        asm!(
            "mrs {from}, cntvct_el0",
            "2:",
            "mov x0, {function}",
            "mov x1, {handle}",
            "mov x2, {second}",
            "mov x3, {third}",
            "hvc #0",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            "mrs {to}, cntvct_el0",
            function = in(reg) 0xc600_0000 | function,
            handle = in(reg) u64::from(channel.handle()),
            second = in(reg) second,
            third = in(reg) third,
            n = inout(reg) times => _,
            from = out(reg) from,
            to = out(reg) to,
            out("x0") _, out("x1") _, out("x2") _, out("x3") _, out("x4") _, out("x5") _,
            out("x6") _, out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _,
            options(nostack)
        );
    }
    to - from
}

const SEND: u64 = 3;
const RECEIVE: u64 = 4;
const CALL: u64 = 5;
const NOTIFY: u64 = 8;
const TAKE: u64 = 9;

fn probe(checks: check::Checks, ping: Channel, quiet: Channel) -> ! {
    let mut costs = Costs::new(sysreg!("cntfrq_el0"));
    // What the console's line has left to do is done by then.
    let start = sysreg!("cntvct_el0");
    while sysreg!("cntvct_el0") - start < sysreg!("cntfrq_el0") / 50 {}
    let times = TIMES as u64;
    let sends = ticks(SEND, quiet, 8, 0, DEPTH);
    costs.sum("channel SEND, nobody waits", 0, sends, DEPTH);
    costs.repeated("channel SEND, refused: FULL", 0, || {
        ticks(SEND, quiet, 8, 0, times)
    });
    costs.repeated("channel NOTIFY, nobody waits", 0, || {
        ticks(NOTIFY, quiet, 1, 0, times)
    });
    costs.repeated("channel SEND to a VM that waits, and back", 0, || {
        ticks(SEND, ping, 8, 0, times)
    });
    costs.repeated("channel CALL and its REPLY", 0, || {
        ticks(CALL, ping, 8, WAIT, times)
    });
    // The sink's turn; what is in its channel would end with this VM.
    let _ = pending(WAIT / 5);
    costs.finish(checks)
}

fn echo(ping: Channel) -> ! {
    let mut message = [0; BYTES_MAX];
    loop {
        match ping.receive(&mut message, 50 * WAIT) {
            Ok(received) => {
                if let Some(call) = received.call {
                    let _ = ping.reply(call, &message[..received.bytes]);
                }
            }
            Err(Error::PeerDown) => check::end(format_args!("the probe has ended")),
            Err(error) => check::fail(format_args!("{error:?}")),
        }
    }
}

/// Runs while the probe waits.
fn sink(mut checks: check::Checks, quiet: Channel) -> ! {
    let mut costs = Costs::new(sysreg!("cntfrq_el0"));
    let received = ticks(RECEIVE, quiet, 0, 0, DEPTH);
    costs.sum("channel RECEIVE", 0, received, DEPTH);
    costs.repeated("channel TAKE", 0, || ticks(TAKE, quiet, 0, 0, TIMES as u64));
    let mut message = [0; BYTES_MAX];
    checks.that(
        "all were there",
        quiet.receive(&mut message, 0) == Err(Error::Empty),
    );
    costs.finish(checks)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let checks = check::begin("cost-channel", &VIRT_V8);
    match (find("ping"), find("quiet")) {
        (Ok(ping), Ok(quiet)) => probe(checks, ping, quiet),
        (Ok(ping), _) => echo(ping),
        (_, Ok(quiet)) => sink(checks, quiet),
        _ => check::fail(format_args!("no channels of these names")),
    }
}
