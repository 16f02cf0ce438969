//! Board virt-v8: sends each message of the channel `trusted` back, reversed, for as long as it runs.
#![no_std]
#![no_main]

use firmware::arm64::{Frame, unexpected};
use firmware::{VIRT_V8, check};
use reliquary_client::{BYTES_MAX, Channel, Error, find};

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

fn serve(trusted: Channel) -> Result<(), Error> {
    let mut message = [0; BYTES_MAX];
    let received = trusted.receive(&mut message, 1_000_000_000)?;
    let message = &mut message[..received.bytes];
    message.reverse();
    trusted.reply(received.call.unwrap_or(0), message)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let _checks = check::begin("echo", &VIRT_V8);
    let Ok(trusted) = find("trusted") else {
        check::fail(format_args!("no channel of that name"))
    };
    loop {
        match serve(trusted) {
            Ok(()) | Err(Error::TimedOut | Error::Stale | Error::PeerDown | Error::Reset) => {}
            Err(other) => check::fail(format_args!("{other:?}")),
        }
    }
}
