//! Checks: a line each, and a last line that sums them up.

use crate::device::Device;
use crate::{Board, Off, console, println};
use core::fmt;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The program's name and board, for an end that comes from an exception.
static NAME: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
static NAME_SIZE: AtomicUsize = AtomicUsize::new(0);
static BOARD: AtomicPtr<Board> = AtomicPtr::new(core::ptr::null_mut());

/// The checks of a program.
pub struct Checks {
    failed: Option<&'static str>,
    count: u32,
}

/// Begins a program: opens the console.
#[must_use]
pub fn begin(name: &'static str, board: &'static Board) -> Checks {
    NAME.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
    NAME_SIZE.store(name.len(), Ordering::Relaxed);
    BOARD.store(core::ptr::from_ref(board).cast_mut(), Ordering::Relaxed);
    console::open(board.console);
    println!("{name}: begins");
    Checks {
        failed: None,
        count: 0,
    }
}

impl Checks {
    /// Checks that a value is the one that is due.
    pub fn equal(&mut self, what: &'static str, found: u64, due: u64) {
        self.note(what, found == due, format_args!("{found:#x}, due {due:#x}"));
    }

    /// Checks that something holds.
    pub fn that(&mut self, what: &'static str, holds: bool) {
        self.note(what, holds, format_args!("does not hold"));
    }

    fn note(&mut self, what: &'static str, holds: bool, found: fmt::Arguments<'_>) {
        self.count += 1;
        if holds {
            println!("ok {what}");
        } else {
            println!("BAD {what}: {found}");
            self.failed.get_or_insert(what);
        }
    }

    /// The last line, and the end.
    pub fn finish(self) -> ! {
        match self.failed {
            None => {
                println!("{} checks", self.count);
                end(format_args!("PASS {}", name()))
            }
            Some(what) => fail(format_args!("{what}")),
        }
    }
}

/// Ends the program as failed.
pub fn fail(why: fmt::Arguments<'_>) -> ! {
    end(format_args!("FAIL {}: {why}", name()))
}

fn name() -> &'static str {
    let (start, size) = (
        NAME.load(Ordering::Relaxed),
        NAME_SIZE.load(Ordering::Relaxed),
    );
    if start.is_null() {
        return "?";
    }
    // SAFETY: `begin` stored the parts of one `&'static str`.
    unsafe { core::str::from_utf8_unchecked(core::slice::from_raw_parts(start, size)) }
}

/// Prints the last line, and turns the board off.
pub fn end(last: fmt::Arguments<'_>) -> ! {
    println!("{last}");
    // SAFETY: null, or what `begin` stored: a `&'static Board`.
    match unsafe { BOARD.load(Ordering::Relaxed).as_ref() } {
        Some(Board { off: Off::Psci, .. }) => psci_system_off(),
        Some(Board {
            off: Off::Configuration(base),
            ..
        }) => {
            // SAFETY: the board's system registers.
            let registers = unsafe { Device::at(*base) };
            // SYS_CFGDATA, SYS_CFGCTRL: start, write, function 8 (shut down).
            registers.write(0xa0, 0);
            registers.write(0xa4, 0xc080_0000);
        }
        Some(Board {
            off: Off::Never, ..
        })
        | None => {}
    }
    loop {
        // SAFETY: waits.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) }
    }
}

#[cfg(target_arch = "aarch64")]
fn psci_system_off() {
    // SAFETY: PSCI SYSTEM_OFF (DEN0022), by the conduit that the board's tree names.
    unsafe { core::arch::asm!("hvc #0", in("x0") 0x8400_0008_u64, options(nomem, nostack)) }
}

#[cfg(target_arch = "arm")]
fn psci_system_off() {
    // SAFETY: the same; HVC #0, which an assembler for Armv7-A without its extension refuses.
    unsafe {
        core::arch::asm!(".inst 0xe1400070", in("r0") 0x8400_0008_u32, options(nomem, nostack));
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    fail(format_args!("{}", info.message()))
}
