//! Board vexpress-a15: an AArch32 end of systems/channels.toml's channels, on a board whose tree has
//! no HVC.
#![no_std]
#![no_main]

use firmware::arm32::{Frame, unexpected};
use firmware::{VEXPRESS_A15, check, println};
use reliquary_client::{BYTES_MAX, Channel, Error, find, pending};

const MS: u64 = 1_000_000;

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u32, frame: &mut Frame) {
    unexpected(vector, frame);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("channel-a15", &VEXPRESS_A15);
    let Ok(readings) = find("readings") else {
        check::fail(format_args!("no channel of this name"))
    };
    let about = readings.about();
    checks.that(
        "it sends 16 bytes",
        about.is_ok_and(|a| !a.receives && a.bytes == 16),
    );
    checks.that(
        "a name of another VM's",
        find("orders") == Err(Error::BadHandle),
    );
    let wild = Channel::of_handle(u32::MAX);
    checks.that("a wild handle", wild.send(b"x") == Err(Error::BadHandle));
    checks.that("the other end", readings.take() == Err(Error::NotPermitted));

    let (mut answer, mut anew) = ([0; BYTES_MAX], 0);
    let mut n = 0_u8;
    while n < 100 {
        let mut message = [n; BYTES_MAX];
        message[15] = !n;
        match readings.call(&message, &mut answer, 2000 * MS) {
            Ok(bytes) => {
                message[0] += 1;
                if bytes != 16 || answer != message {
                    check::fail(format_args!("reading {n}: {answer:?}"));
                }
                n += 1;
            }
            // The server starts anew meanwhile.
            Err(Error::Reset) => anew += 1,
            Err(error) => check::fail(format_args!("reading {n}: {error:?}")),
        }
        let _ = pending(MS / 4);
    }
    println!("the server started anew {anew} times");
    checks.that("100 readings were answered", true);
    checks.that("notify", readings.notify(1 << 40) == Ok(()));
    checks.finish()
}
