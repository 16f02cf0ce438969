//! Board attack-v8-smp: both ends of systems/tests/channels-smp.toml. The VM that sends has one CPU and numbers its
//! messages; the one that receives has two, which take them from one channel, each in its own way: no
//! message may be lost, and none come twice. Then both CPUs call, and each has its own answer.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use firmware::arm64::{Frame, unexpected};
use firmware::check::Checks;
use firmware::loadstore::Random;
use firmware::second::{cpu, switch_on};
use firmware::{VIRT_V8, check, println, sysreg};
use reliquary_client::{BYTES_MAX, Channel, Error, find, pending};

const MESSAGES: usize = 4000;
const CALLS: u32 = 500;
const MS: u64 = 1_000_000;

/// How often each number came, of each CPU: neither writes what the other does.
static CAME: [[AtomicU32; MESSAGES]; 2] = [const { [const { AtomicU32::new(0) }; MESSAGES] }; 2];
/// How many came in all, and answers that were another's, of each CPU.
static TAKEN: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static WRONG: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static ANSWERED: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static STAGE: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

fn add(counter: &AtomicU32) {
    // No exclusives: the MMU is off.
    counter.store(counter.load(SeqCst) + 1, SeqCst);
}

#[unsafe(no_mangle)]
extern "C" fn exception(vector: u64, frame: &mut Frame) {
    unexpected(vector, frame);
}

/// Is busy for so many microseconds.
fn spin(us: u64) {
    let until = sysreg!("cntvct_el0") + sysreg!("cntfrq_el0") / 1_000_000 * us;
    while sysreg!("cntvct_el0") < until {}
}

/// Takes messages until none has come for a second.
fn take_all(own: usize, numbers: Channel) {
    let mut random = Random::new(own as u64 + 7);
    let (mut message, mut idle) = ([0; BYTES_MAX], 0);
    while idle < 10 {
        // One CPU waits at the channel, or both do, or for whatever is there.
        let way = random.below(3);
        let result = match way {
            0 => numbers.receive(&mut message, 100 * MS),
            1 => match pending(100 * MS) {
                Ok(_) => numbers.receive(&mut message, 0),
                Err(error) => Err(error),
            },
            _ => numbers.receive(&mut message, u64::from(random.below(50_000)) + 1),
        };
        match result {
            Ok(received) => {
                idle = 0;
                // Now and then it is busy for more than a turn, so that the other has its share.
                if random.once_in(16) {
                    spin(1500);
                }
                let n = u32::from_le_bytes(message[..4].try_into().unwrap_or_default()) as usize;
                let whole = received.bytes == 8 && message[4..8] == (!(n as u32)).to_le_bytes();
                match CAME[own].get(n) {
                    Some(came) if whole => {
                        add(came);
                        add(&TAKEN[own]);
                    }
                    _ => add(&WRONG[own]),
                }
            }
            Err(Error::TimedOut) => idle += u32::from(way != 2),
            // The other CPU had it.
            Err(Error::Empty) => {}
            Err(other) => check::fail(format_args!("receive: {other:?}")),
        }
    }
}

/// Calls until as many were answered; the channel holds one call, of one CPU or the other.
fn call_all(own: usize, questions: Channel) {
    let mut answer = [0; BYTES_MAX];
    let mut n = 0_u32;
    while n < CALLS {
        let question = [own as u8, n as u8, (n >> 8) as u8];
        match questions.call(&question, &mut answer, 10_000 * MS) {
            Ok(3) if answer[..3] == [own as u8 ^ 0xff, n as u8, (n >> 8) as u8] => {
                add(&ANSWERED[own]);
                n += 1;
            }
            Err(Error::Busy | Error::Full) => {
                let _ = pending(MS / 20);
            }
            Err(Error::TimedOut) => add(&WRONG[own]),
            other => {
                println!("BAD answer of CPU {own}: {other:?} {:x?}", &answer[..3]);
                add(&WRONG[own]);
                n += 1;
            }
        }
    }
}

/// What both CPUs of the VM that receives do.
fn work(own: usize) {
    let (Ok(numbers), Ok(questions)) = (find("numbers"), find("questions")) else {
        check::fail(format_args!("no channels of these names"))
    };
    take_all(own, numbers);
    STAGE[own].store(1, SeqCst);
    while STAGE[own ^ 1].load(SeqCst) == 0 {}
    call_all(own, questions);
    STAGE[own].store(2, SeqCst);
}

#[unsafe(no_mangle)]
extern "C" fn second() {
    work(cpu());
    firmware::second::psci(0x8400_0002, 0, 0, 0);
}

fn receives(checks: &mut Checks) {
    checks.equal("the other CPU is switched on", switch_on(1) as u64, 0);
    work(0);
    while STAGE[1].load(SeqCst) != 2 {}
    let sum = |n: usize| CAME[0][n].load(SeqCst) + CAME[1][n].load(SeqCst);
    let lost = (0..MESSAGES).filter(|n| sum(*n) == 0).count();
    let twice = (0..MESSAGES).filter(|n| sum(*n) > 1).count();
    println!(
        "{} and {} messages, {} and {} answers",
        TAKEN[0].load(SeqCst),
        TAKEN[1].load(SeqCst),
        ANSWERED[0].load(SeqCst),
        ANSWERED[1].load(SeqCst)
    );
    checks.equal("messages lost", lost as u64, 0);
    checks.equal("messages that came twice", twice as u64, 0);
    for own in 0..2 {
        checks.equal("wrong ones", u64::from(WRONG[own].load(SeqCst)), 0);
        checks.that("this CPU took some", TAKEN[own].load(SeqCst) > 0);
        let answered = u64::from(ANSWERED[own].load(SeqCst));
        checks.equal("answers", answered, u64::from(CALLS));
    }
}

fn sends(checks: &mut Checks, numbers: Channel) {
    let (mut full, mut at) = (0_u32, 0);
    let mut random = Random::new(3);
    while at < MESSAGES {
        let mut message = [0; 8];
        message[..4].copy_from_slice(&(at as u32).to_le_bytes());
        message[4..].copy_from_slice(&(!(at as u32)).to_le_bytes());
        match numbers.send(&message) {
            Ok(()) => at += 1,
            Err(Error::Full) => {
                full += 1;
                let _ = pending(MS / 10);
            }
            Err(other) => check::fail(format_args!("send {at}: {other:?}")),
        }
        // Now and then both are waiting.
        if random.once_in(50) {
            spin(500);
        }
    }
    println!("full {full} times");
    let Ok(questions) = find("questions") else {
        check::fail(format_args!("no questions"))
    };
    let mut answered = 0;
    while answered < 2 * CALLS {
        let mut message = [0; BYTES_MAX];
        match questions.receive(&mut message, 20_000 * MS) {
            Ok(received) => {
                message[0] ^= 0xff;
                let call = received.call.unwrap_or(0);
                match questions.reply(call, &message[..received.bytes]) {
                    Ok(()) => answered += 1,
                    Err(Error::Stale) => {}
                    Err(other) => check::fail(format_args!("reply: {other:?}")),
                }
            }
            other => check::fail(format_args!("questions: {other:?}")),
        }
    }
    // An end that goes takes the last answer with it: until the other has gone.
    let mut message = [0; BYTES_MAX];
    let last = questions.receive(&mut message, 60_000 * MS);
    checks.that("the other VM ends first", last == Err(Error::PeerDown));
    checks.equal("calls answered", u64::from(answered), u64::from(2 * CALLS));
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let mut checks = check::begin("channel-smp", &VIRT_V8);
    match find("numbers").and_then(|numbers| Ok((numbers, numbers.about()?))) {
        Ok((_, about)) if about.receives => receives(&mut checks),
        Ok((numbers, _)) => sends(&mut checks, numbers),
        Err(error) => check::fail(format_args!("numbers: {error:?}")),
    }
    checks.finish()
}
