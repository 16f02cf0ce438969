//! The hypervisor's own calls, by HVC: channels (docs/reference/channels.md).
//!
//! SMC calling convention (DEN 0028E, 2 to 4 and 6): fast calls of the vendor-specific hypervisor
//! service, 0x8600_xxxx of SMC32 and 0xc600_xxxx of SMC64. A VM that holds no channel has none of
//! them: its HVC is what its board makes of it ([`super::psci`]). No call allocates, loops over what
//! the guest says, or takes longer for one argument than for another but by the message's bytes.
//!
//! A call that waits leaves here with a [`Wait`]; the metal holds the vCPU as in a WFI, and asks
//! [`look`] again when it is told, until [`end`].

mod numbers;
#[cfg(test)]
mod tests;

use crate::mmio::syndrome::{Syndrome, ec};
use crate::vcpu::{Vcpu, psr};
use crate::wire::Side;
use crate::wire::channel::exchange::{Denied, Done, Exchange, Held};
use crate::wire::channel::{BYTES_MAX, Channel, Payload, Refused};
pub use numbers::{Function, WAIT_MAX_NS, status};

/// What a call leaves to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// This VM is to be told that something is pending.
    pub tell: Option<usize>,
    /// The vCPU waits, and has no answer yet.
    pub wait: Option<Wait>,
}

/// What a vCPU waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    what: What,
    /// How long at most, in nanoseconds of the board's time.
    pub ns: u64,
    /// The call was of SMC64.
    wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A message at this handle.
    Message(u64),
    /// The answer to a call, by handle and number.
    Answer(u64, u32),
    /// Anything.
    Any,
}

/// Why a wait is over without what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Its time.
    TimedOut,
    /// An interrupt that the guest lets through is there.
    Interrupted,
}

/// Whether this exception is such a call, of a VM that holds channels.
#[inline]
pub fn is_call(regs: &Vcpu, esr: u64) -> bool {
    matches!(Syndrome(esr).class(), ec::HVC64 | ec::HVC32)
        && regs.x(0) as u32 & numbers::SERVICE_MASK == numbers::SERVICE
}

/// The calling vCPU's registers as one call of the convention sees them.
struct Call<'a> {
    regs: &'a mut Vcpu,
    wide: bool,
}

impl Call<'_> {
    #[inline]
    fn argument(&self, n: u8) -> u64 {
        let value = self.regs.x(n);
        if self.wide {
            value
        } else {
            value & 0xffff_ffff
        }
    }

    #[inline]
    fn result(&mut self, n: u8, value: u64) {
        let value = if self.wide {
            value
        } else {
            value & 0xffff_ffff
        };
        self.regs.set_x(n, value);
    }

    /// How long a message can be for this caller.
    const fn room(&self) -> u8 {
        if self.wide {
            BYTES_MAX as u8
        } else {
            numbers::NARROW_BYTES as u8
        }
    }

    /// The message in X4 to X11, or in W4 to W7.
    #[inline]
    fn payload(&self, bytes: u64) -> Option<Payload> {
        if self.wide {
            return Payload::new(bytes, self.regs.x.get(4..12)?);
        }
        if bytes > u64::from(self.room()) {
            return None;
        }
        let pair = |low, high| self.argument(low) | self.argument(high) << 32;
        Payload::new(bytes, &[pair(4, 5), pair(6, 7)])
    }

    /// Puts it there, with its size in X1. Whether it fits.
    #[inline]
    fn set_payload(&mut self, payload: &Payload) {
        self.result(1, u64::from(payload.bytes()));
        if self.wide {
            if let Some(to) = self.regs.x.get_mut(4..12) {
                to.copy_from_slice(payload.words());
            }
            return;
        }
        let [first, second, ..] = payload.words();
        for (n, word) in [
            (4, *first),
            (5, first >> 32),
            (6, *second),
            (7, second >> 32),
        ] {
            self.result(n, word);
        }
    }

    /// The status of SMC32 fills W0; an AArch64 caller gets it sign-extended.
    #[inline]
    fn status(&mut self, status: i32) {
        let value = i64::from(status).cast_unsigned();
        let narrow = self.regs.spsr & psr::AARCH32 != 0;
        self.regs
            .set_x(0, if narrow { value & 0xffff_ffff } else { value });
    }

    fn refused(&mut self, why: Refused) {
        self.status(match why {
            Refused::TooLong => status::SIZE,
            Refused::Full => status::FULL,
            Refused::Empty => status::EMPTY,
            Refused::PeerDown => status::PEER_DOWN,
            Refused::Reset => status::RESET,
            Refused::Busy => status::BUSY,
            Refused::Stale => status::STALE,
        });
    }

    /// The status of an operation, and its result if there is one.
    #[inline]
    fn settle<R>(&mut self, done: Result<Done<Result<R, Refused>>, Denied>) -> (Served, Option<R>) {
        match done {
            Ok(Done {
                result: Ok(result),
                tell,
            }) => {
                self.status(status::SUCCESS);
                (Served { tell, wait: None }, Some(result))
            }
            Ok(Done {
                result: Err(why), ..
            }) => {
                self.refused(why);
                (Served::default(), None)
            }
            Err(Denied::NoHandle) => {
                self.status(status::BAD_HANDLE);
                (Served::default(), None)
            }
            Err(Denied::WrongEnd) => {
                self.status(status::NOT_PERMITTED);
                (Served::default(), None)
            }
        }
    }
}

/// Carries out a call of a VM's; PC is behind the instruction already.
pub fn serve(exchange: &Exchange, vm: usize, regs: &mut Vcpu) -> Served {
    let number = regs.x(0) as u32;
    let wide = number & numbers::SMC64 != 0;
    let aarch64 = !regs.is_aarch32();
    let mut call = Call { regs, wide };
    let Some(function) = Function::of(number, aarch64) else {
        call.status(status::NOT_SUPPORTED);
        return Served::default();
    };
    let (handle, second, third) = (call.argument(1), call.argument(2), call.argument(3));
    match function {
        Function::Notify => {
            let bits = if wide { second } else { second | third << 32 };
            let done = exchange.notify(vm, handle, bits);
            call.settle(done).0
        }
        Function::Send => match &call.payload(second) {
            Some(payload) => {
                let done = exchange.at(vm, handle, Side::First, |channel| channel.send(payload));
                call.settle(done).0
            }
            None => answered(&mut call, status::SIZE),
        },
        Function::Receive => receive(exchange, vm, &mut call, handle, second),
        Function::Call => ask(exchange, vm, &mut call, handle, second, third),
        Function::Await => await_again(exchange, vm, &mut call, handle, second),
        Function::Reply => {
            let Some(payload) = call.payload(second) else {
                return answered(&mut call, status::SIZE);
            };
            let Ok(number) = u32::try_from(third) else {
                return invalid(&mut call);
            };
            let done = exchange.at(vm, handle, Side::Second, |channel| {
                channel.reply(number, payload)
            });
            call.settle(done).0
        }
        Function::Take => {
            let done = exchange.at(vm, handle, Side::Second, Channel::take);
            let (served, bits) = call.settle(done);
            if let Some(bits) = bits {
                call.result(1, bits);
                if !wide {
                    call.result(2, bits >> 32);
                }
            }
            served
        }
        Function::Pending => pending(exchange, vm, &mut call, handle),
        other => tell(exchange, vm, &mut call, other, handle),
    }
}

fn invalid(call: &mut Call<'_>) -> Served {
    answered(call, status::INVALID_PARAMETER)
}

fn answered(call: &mut Call<'_>, status: i32) -> Served {
    call.status(status);
    Served::default()
}

fn receive(exchange: &Exchange, vm: usize, call: &mut Call<'_>, handle: u64, ns: u64) -> Served {
    if ns > WAIT_MAX_NS {
        return invalid(call);
    }
    let done = receive_now(exchange, vm, call, handle);
    if ns != 0 && is_empty(&done) {
        let wait = Wait {
            what: What::Message(handle),
            ns,
            wide: call.wide,
        };
        return Served {
            wait: Some(wait),
            ..Served::default()
        };
    }
    received(call, done)
}

type Received = Result<Done<Result<u32, Refused>>, Denied>;

/// The oldest message goes into the registers, if there is one.
fn receive_now(exchange: &Exchange, vm: usize, call: &mut Call<'_>, handle: u64) -> Received {
    let room = call.room();
    exchange.at(vm, handle, Side::Second, |channel| {
        channel.receive(room, |payload| call.set_payload(payload))
    })
}

fn received(call: &mut Call<'_>, done: Received) -> Served {
    let (served, number) = call.settle(done);
    if let Some(number) = number {
        call.result(2, u64::from(number));
    }
    served
}

/// A message that is answered: the caller waits.
fn ask(
    exchange: &Exchange,
    vm: usize,
    call: &mut Call<'_>,
    handle: u64,
    bytes: u64,
    ns: u64,
) -> Served {
    let Some(payload) = &call.payload(bytes) else {
        return answered(call, status::SIZE);
    };
    if ns > WAIT_MAX_NS {
        return invalid(call);
    }
    let done = exchange.at(vm, handle, Side::First, |channel| channel.call(payload));
    let (served, number) = call.settle(done);
    Served {
        wait: number.map(|number| Wait {
            what: What::Answer(handle, number),
            ns,
            wide: call.wide,
        }),
        ..served
    }
}

/// The caller waits again, after an interrupt.
fn await_again(
    exchange: &Exchange,
    vm: usize,
    call: &mut Call<'_>,
    handle: u64,
    ns: u64,
) -> Served {
    if ns > WAIT_MAX_NS {
        return invalid(call);
    }
    let done = exchange.at(vm, handle, Side::First, Channel::current_call);
    let number = call.settle(done).1;
    Served {
        tell: None,
        wait: number.map(|number| Wait {
            what: What::Answer(handle, number),
            ns,
            wide: call.wide,
        }),
    }
}

/// The handles at which something is pending, waited for if there is none.
fn pending(exchange: &Exchange, vm: usize, call: &mut Call<'_>, ns: u64) -> Served {
    if ns > WAIT_MAX_NS {
        return invalid(call);
    }
    let pending = exchange.pending(vm);
    if pending == 0 && ns != 0 {
        let wait = Wait {
            what: What::Any,
            ns,
            wide: call.wide,
        };
        return Served {
            tell: None,
            wait: Some(wait),
        };
    }
    call.status(status::SUCCESS);
    call.result(1, u64::from(pending));
    Served::default()
}

/// What a VM may ask of what it holds.
#[cold]
fn tell(
    exchange: &Exchange,
    vm: usize,
    call: &mut Call<'_>,
    function: Function,
    index: u64,
) -> Served {
    let held = exchange.held(vm);
    match function {
        Function::Uid => {
            for (n, word) in (0..).zip(numbers::UID) {
                call.result(n, u64::from(word));
            }
        }
        Function::Revision => {
            call.result(0, numbers::REVISION.0);
            call.result(1, numbers::REVISION.1);
        }
        Function::Count => {
            call.status(status::SUCCESS);
            call.result(1, held.len() as u64);
        }
        Function::Find => {
            let found = held
                .iter()
                .position(|held| u64::from(held.shape.hash) == index);
            match found {
                Some(handle) => {
                    call.status(status::SUCCESS);
                    call.result(1, handle as u64);
                }
                None => call.status(status::BAD_HANDLE),
            }
        }
        _ => match usize::try_from(index)
            .ok()
            .and_then(|index| held.get(index))
        {
            Some(held) => {
                call.status(status::SUCCESS);
                describe(call, held);
            }
            None => call.status(status::BAD_HANDLE),
        },
    }
    Served::default()
}

fn describe(call: &mut Call<'_>, held: &Held) {
    let role = u64::from(held.side == Side::Second);
    let shape = &held.shape;
    call.result(1, role);
    call.result(2, u64::from(shape.bytes) | (shape.depth as u64) << 16);
    call.result(3, u64::from(shape.hash));
    let memory = shape.memory.map_or((0, 0), |memory| {
        let [first, second] = memory.at;
        let at = match held.side {
            Side::First => first,
            Side::Second => second,
        };
        (at, memory.bytes)
    });
    call.result(4, memory.0);
    call.result(5, memory.1);
}

/// Whether what a vCPU waits for is there: then its registers have it, and the wait is over.
pub fn look(exchange: &Exchange, vm: usize, wait: &Wait, regs: &mut Vcpu) -> Option<Served> {
    let mut call = Call {
        regs,
        wide: wait.wide,
    };
    match wait.what {
        What::Any => {
            let pending = exchange.pending(vm);
            if pending == 0 {
                return None;
            }
            call.status(status::SUCCESS);
            call.result(1, u64::from(pending));
            Some(Served::default())
        }
        What::Message(handle) => {
            let done = receive_now(exchange, vm, &mut call, handle);
            (!is_empty(&done)).then(|| received(&mut call, done))
        }
        What::Answer(handle, number) => {
            let room = call.room();
            let done = exchange.at(vm, handle, Side::First, |channel| {
                channel.answer(number, room, |payload| call.set_payload(payload))
            });
            (!is_empty(&done)).then(|| call.settle(done).0)
        }
    }
}

const fn is_empty<R>(done: &Result<Done<Result<R, Refused>>, Denied>) -> bool {
    matches!(
        done,
        Ok(Done {
            result: Err(Refused::Empty),
            ..
        })
    )
}

/// A wait is over without what it was for. A call whose time is over is given up; one that was
/// interrupted stands, and can be waited for again.
pub fn end(exchange: &Exchange, vm: usize, wait: &Wait, regs: &mut Vcpu, why: Over) {
    if let (What::Answer(handle, number), Over::TimedOut) = (wait.what, why) {
        let _ = exchange.at(vm, handle, Side::First, |channel| {
            channel.give_up(number);
            Ok(())
        });
    }
    let mut call = Call {
        regs,
        wide: wait.wide,
    };
    call.status(match why {
        Over::TimedOut => status::TIMED_OUT,
        Over::Interrupted => status::INTERRUPTED,
    });
}

/// Whether the guest would take the interrupt that its lines say.
pub fn is_let_through(regs: &Vcpu, irq: bool, fiq: bool) -> bool {
    irq && regs.spsr & psr::I == 0 || fiq && regs.spsr & psr::F == 0
}
