//! The monitor: commands come over the link, the answers go back there.
//!
//! Core 0 serves it, between two entries of a guest, outside the guarded region and with no VM in its
//! hands: one command, or a few lines of the log, at a time, and only while the link has room for the
//! answer. What is to be done to a VM is posted to it, and its own cores do it and tell so in the
//! log; what is told of a VM is in its [`Tally`], which it keeps up to date itself.
//!
//! Lock order: [`MONITOR`] is taken first, and by core 0 only.

use super::console::{self, Input};
use super::guest::Tally;
use super::mailbox::{self, Mail};
use super::{core_area, counter, gic};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use reliquary::bundle::VM_LIMIT;
use reliquary::monitor::show::in_units;
use reliquary::monitor::{Command, Fault, Figures, HELP, Line, State, VmRow, show};
use spin::{Mutex, Once};

/// What the monitor knows of a VM.
pub struct Known {
    /// Its name.
    pub name: String,
    /// The core of each of its vCPUs.
    pub cores: Vec<u8>,
    /// What it tells of itself; none: it was not started at boot.
    pub tally: Option<&'static Tally>,
    /// Whether it has a recorder.
    pub records: bool,
}

static VMS: Once<Vec<Known>> = Once::new();

/// Something is to be done.
static DUE: AtomicBool = AtomicBool::new(false);
/// The link had no room.
static WAITS: AtomicBool = AtomicBool::new(false);
/// What was typed at the monitor.
static INPUT: Input = Input::new();

static MONITOR: Mutex<Monitor> = Mutex::new(Monitor {
    line: Line::new(),
    before: [Figures {
        core: 0,
        exits: [0; 6],
        late: None,
        worst: 0,
    }; VM_LIMIT],
    asked_at: 0,
    showing: None,
});

struct Monitor {
    line: Line,
    /// What each VM had done when `top` was asked last, and when that was.
    before: [Figures; VM_LIMIT],
    asked_at: u64,
    /// The next line of the log to be shown, and the first that is not.
    showing: Option<(u64, u64)>,
}

/// Lines of the log that are shown at a time.
const LINES_AT_ONCE: u64 = 8;

/// Tells it of the VMs, once.
pub fn open(vms: Vec<Known>) {
    VMS.call_once(|| vms);
    MONITOR.lock().asked_at = counter::now();
}

/// Bytes have come for it: how many were taken.
pub fn typed(bytes: &[u8]) -> usize {
    let taken = INPUT.put(bytes);
    DUE.store(true, Ordering::Relaxed);
    taken
}

/// The link may have room again.
pub fn room() {
    if WAITS.swap(false, Ordering::Relaxed) {
        DUE.store(true, Ordering::Relaxed);
    }
}

/// Whether [`serve`] has something to do.
#[inline]
pub fn is_due() -> bool {
    DUE.load(Ordering::Relaxed)
}

/// Does some of it. What is left is done when the core's next interrupt has come, which is at once.
#[inline(never)]
pub fn serve() {
    DUE.store(false, Ordering::Relaxed);
    if console::MACHINE_STOPPED.load(Ordering::Relaxed) {
        return;
    }
    if !console::has_room() {
        WAITS.store(true, Ordering::Relaxed);
        return;
    }
    if MONITOR.lock().go_on() {
        DUE.store(true, Ordering::Relaxed);
        gic::wake(
            core_area::index(),
            crate::system::mpidr_of(core_area::index()),
        );
    }
}

impl Monitor {
    /// Does the next thing; whether there may be more.
    fn go_on(&mut self) -> bool {
        if let Some((next, end)) = self.showing {
            let then = end.min(next.saturating_add(LINES_AT_ONCE));
            console::answer(|out| console::kept(next..then, out));
            self.showing = (then < end).then_some((then, end));
            return true;
        }
        // At most as many bytes as the queue holds.
        while let Some(byte) = INPUT.take() {
            let Self {
                line,
                before,
                asked_at,
                showing,
            } = self;
            let Some(line) = line.push(byte) else {
                continue;
            };
            match line.and_then(Command::parse) {
                Ok(None) => {}
                Ok(Some(Command::Top)) => top(before, asked_at),
                Ok(Some(Command::Log)) => *showing = Some(console::kept_range()),
                Ok(Some(command)) => execute(&command),
                Err(fault) => complain(&fault),
            }
            return true;
        }
        false
    }
}

fn complain(fault: &Fault<'_>) {
    console::answer(|out| writeln!(out, "monitor: {fault}"));
}

fn known() -> &'static [Known] {
    VMS.get().map_or(&[], |vms| vms.as_slice())
}

fn execute(command: &Command<'_>) {
    if let Some(name) = command.vm() {
        return order(command, name);
    }
    match command {
        Command::Vms => {
            let hz = counter::hz();
            let rows = known().iter().map(|vm| {
                let (state, up) = vm.tally.map_or((State::NotStarted, None), Tally::state);
                VmRow {
                    name: &vm.name,
                    state,
                    cores: &vm.cores,
                    up_ms: up.map(|ticks| in_units(ticks, hz, 1000)),
                }
            });
            console::answer(|out| show::vms(out, rows));
        }
        _ => console::answer(|out| write!(out, "{HELP}")),
    }
}

/// An order to a VM, which its own cores carry out.
fn order(command: &Command<'_>, name: &str) {
    let Some((number, vm)) = known().iter().enumerate().find(|(_, vm)| vm.name == name) else {
        return console::answer(|out| {
            write!(out, "monitor: no VM is called \"{name}\"; there are")?;
            for (n, vm) in known().iter().enumerate() {
                write!(out, "{} {}", if n == 0 { "" } else { "," }, vm.name)?;
            }
            writeln!(out)
        });
    };
    if vm.tally.is_none() {
        return console::answer(|out| {
            writeln!(
                out,
                "monitor: {name} was not started at boot; `log` says why"
            )
        });
    }
    let none = Mail::default();
    let life = Mail::START | Mail::RESET | Mail::PAUSE | Mail::RESUME;
    let (what, instead) = match command {
        Command::Stop(_) => (Mail::STOP, life),
        Command::Start(_) => (Mail::START, none),
        Command::Reset(_) => (Mail::RESET, Mail::PAUSE),
        Command::Pause(_) => (Mail::PAUSE, Mail::RESUME),
        Command::Resume(_) => (Mail::RESUME, Mail::PAUSE),
        Command::Regs(_) => (Mail::REGS, none),
        Command::Trace(..) if !vm.records => {
            return console::answer(|out| {
                writeln!(
                    out,
                    "monitor: {name} has no recorder: start the system with `run --record`"
                )
            });
        }
        Command::Trace(_, true) => (Mail::TRACE_ON, Mail::TRACE_OFF),
        Command::Trace(_, false) => (Mail::TRACE_OFF, Mail::TRACE_ON),
        Command::Help | Command::Vms | Command::Top | Command::Log => return,
    };
    mailbox::post_instead(number, what, instead);
}

/// What the VMs did since the last time, which is now from here on.
fn top(before: &mut [Figures; VM_LIMIT], asked_at: &mut u64) {
    let now = counter::now();
    let ticks = now.saturating_sub(core::mem::replace(asked_at, now));
    let mut rows = [None; VM_LIMIT];
    for ((vm, row), before) in known().iter().zip(&mut rows).zip(before) {
        if let Some(tally) = vm.tally {
            let figures = tally.figures();
            *row = Some((vm.name.as_str(), figures.since(before)));
            *before = figures;
        }
    }
    let rows = rows.iter().flatten().copied();
    console::answer(|out| show::top(out, ticks, counter::hz(), rows));
}
