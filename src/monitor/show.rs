//! The tables of `vms` and `top`.

use crate::mmio::syndrome::ec;
use core::fmt::{self, Write};

/// What a VM is doing, as the monitor tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It was not started at boot; the log says why.
    NotStarted = 0,
    /// It runs, or waits for an interrupt.
    Running = 1,
    /// It is held, and so is its time.
    Paused = 2,
    /// The monitor stopped it.
    Stopped = 3,
    /// It switched itself off.
    Off = 4,
    /// It could not go on.
    Crashed = 5,
    /// The hypervisor failed in it: it cannot be started again.
    Broken = 6,
}

impl State {
    /// The state of a number; what is none is not started.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Running,
            2 => Self::Paused,
            3 => Self::Stopped,
            4 => Self::Off,
            5 => Self::Crashed,
            6 => Self::Broken,
            _ => Self::NotStarted,
        }
    }

    /// In words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Off => "off",
            Self::Crashed => "crashed",
            Self::Broken => "broken",
        }
    }
}

/// A row of `vms`.
#[derive(Clone, Copy, Debug)]
pub struct VmRow<'a> {
    /// The VM's name.
    pub name: &'a str,
    /// Its state.
    pub state: State,
    /// The core of each of its vCPUs.
    pub cores: &'a [u8],
    /// Milliseconds since its reset, without those in which it was paused; none: it is off.
    pub up_ms: Option<u64>,
}

/// Writes the table of `vms`.
///
/// # Errors
///
/// When `out` does not take it.
pub fn vms<'a>(out: &mut dyn Write, rows: impl Iterator<Item = VmRow<'a>> + Clone) -> fmt::Result {
    let width = width_of(rows.clone().map(|row| row.name));
    writeln!(out, "{:<width$}  state        up in s       cores", "vm")?;
    for row in rows {
        write!(out, "{:<width$}  {:<11} ", row.name, row.state.in_words())?;
        match row.up_ms {
            Some(ms) => write!(out, "{:>8}.{:03}", ms / 1000, ms % 1000)?,
            None => write!(out, "{:>12}", "-")?,
        }
        write!(out, " ")?;
        for core in row.cores {
            write!(out, " {core}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The width of a column that begins with "vm".
fn width_of<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).fold(2, usize::max)
}

/// Why a vCPU was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A load or store that stage 2 does not let through.
    DataAbort,
    /// A system register: MSR, MRS, MCR, MRC and their like.
    SystemRegister,
    /// WFI or WFE.
    Wfi,
    /// HVC or SMC.
    Call,
    /// Another synchronous exception: an instruction fetch, a breakpoint of the hypervisor's.
    Other,
    /// A physical interrupt.
    Irq,
}

impl Cause {
    /// The cause of a synchronous exception, by its class (ESR_EL2.EC).
    #[must_use]
    pub const fn of_class(class: u8) -> Self {
        match class {
            ec::DATA_ABORT => Self::DataAbort,
            ec::SYS64
            | ec::CP15_32
            | ec::CP15_64
            | ec::CP14_32
            | ec::CP14_LS
            | ec::CP14_64
            | ec::CP10_ID => Self::SystemRegister,
            ec::WFX => Self::Wfi,
            ec::HVC32 | ec::SMC32 | ec::HVC64 | ec::SMC64 => Self::Call,
            _ => Self::Other,
        }
    }
}

/// What a VM did, counted since the machine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How long its vCPUs had their cores, in ticks.
    pub core: u64,
    /// Exits, by their causes in the order of [`Cause`].
    pub exits: [u64; 6],
    /// How often the core came to it more than 1 ms after a timer was due; none: it shares no core.
    pub late: Option<u64>,
    /// The longest of these waits since the last time, in ticks.
    pub worst: u64,
}

impl Figures {
    /// Counts exits of a cause.
    pub fn count(&mut self, cause: Cause, exits: u64) {
        if let Some(of) = self.exits.get_mut(cause as usize) {
            *of = of.wrapping_add(exits);
        }
    }

    /// What came since `before`. Counts that are taken while the VM runs may be one apart.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut exits = self.exits;
        for (now, before) in exits.iter_mut().zip(before.exits) {
            *now = now.saturating_sub(before);
        }
        let late = self.late;
        Self {
            core: self.core.saturating_sub(before.core),
            exits,
            late: late.map(|late| late.wrapping_sub(before.late.unwrap_or(0))),
            worst: self.worst,
        }
    }
}

/// Writes the table of `top`: what each VM did in `ticks` ticks of a counter of `hz`.
///
/// # Errors
///
/// When `out` does not take it.
pub fn top<'a>(
    out: &mut dyn Write,
    ticks: u64,
    hz: u64,
    rows: impl Iterator<Item = (&'a str, Figures)> + Clone,
) -> fmt::Result {
    let width = width_of(rows.clone().map(|(name, _)| name));
    let ms = in_units(ticks, hz, 1000);
    writeln!(out, "in {}.{:03} s:", ms / 1000, ms % 1000)?;
    writeln!(
        out,
        "{:<width$}  core/1000  data aborts  sys. regs      WFI  HVC, SMC    other     IRQs   late  worst",
        "vm"
    )?;
    for (name, row) in rows {
        let core = in_units(row.core, ticks, 1000);
        let [aborts, registers, wfi, calls, other, irqs] = row.exits;
        write!(
            out,
            "{name:<width$}  {core:>9}  {aborts:>11}  {registers:>9} {wfi:>8}  {calls:>8} {other:>8} {irqs:>8}"
        )?;
        match row.late {
            Some(late) => {
                let us = in_units(row.worst, hz, 1_000_000);
                writeln!(out, " {late:>6}  {}.{:03} ms", us / 1000, us % 1000)?;
            }
            None => writeln!(out, " {:>6}  -", "-")?,
        }
    }
    Ok(())
}

/// `part` of `whole`, in `units` of it; 0 of nothing.
#[must_use]
pub fn in_units(part: u64, whole: u64, units: u64) -> u64 {
    let product = u128::from(part).wrapping_mul(u128::from(units));
    product.checked_div(u128::from(whole)).unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn vms_are_told_with_state_time_and_cores() {
        let rows = [
            ("press", State::Running, &[0u8, 1][..], Some(12_345)),
            ("a-long-name", State::Crashed, &[3], None),
            ("c", State::NotStarted, &[7], None),
        ];
        let rows = rows.map(|(name, state, cores, up_ms)| VmRow {
            name,
            state,
            cores,
            up_ms,
        });
        let mut out = String::new();
        vms(&mut out, rows.into_iter()).unwrap();
        assert_eq!(
            out,
            "\
vm           state        up in s       cores
press        running           12.345  0 1
a-long-name  crashed                -  3
c            not started            -  7
"
        );
    }

    #[test]
    fn a_state_survives_its_number() {
        for number in 0..=6 {
            assert_eq!(State::from_number(number) as u8, number);
        }
        assert_eq!(State::from_number(7), State::NotStarted);
    }

    #[test]
    fn exits_are_told_by_their_causes() {
        for (class, cause) in [
            (0x24, Cause::DataAbort),
            (0x18, Cause::SystemRegister),
            (0x03, Cause::SystemRegister),
            (0x01, Cause::Wfi),
            (0x12, Cause::Call),
            (0x17, Cause::Call),
            (0x20, Cause::Other),
            (0x30, Cause::Other),
        ] {
            assert_eq!(Cause::of_class(class), cause, "{class:#x}");
        }
        let mut figures = Figures::default();
        figures.count(Cause::Irq, 3);
        figures.count(Cause::DataAbort, 2);
        assert_eq!(figures.exits, [2, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn top_tells_what_came_since_the_last_time() {
        let before = Figures {
            core: 1_000,
            exits: [10, 20, 30, 40, 50, 60],
            late: Some(1),
            worst: 9,
        };
        let now = Figures {
            core: 1_000 + 1_234_000,
            exits: [11, 22, 33, 44, 55, 66],
            late: Some(4),
            worst: 25_000,
        };
        let idle = Figures::default();
        let rows = [("press", now.since(&before)), ("panel", idle)];
        let mut out = String::new();
        top(&mut out, 2_000_000, 1_000_000, rows.into_iter()).unwrap();
        assert_eq!(
            out,
            "\
in 2.000 s:
vm     core/1000  data aborts  sys. regs      WFI  HVC, SMC    other     IRQs   late  worst
press        617            1          2        3         4        5        6      3  25.000 ms
panel          0            0          0        0         0        0        0      -  -
"
        );
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(in_units(5, 0, 1000), 0);
        assert_eq!(
            in_units(u64::MAX, 1, 1_000_000),
            u64::MAX.wrapping_mul(1_000_000)
        );
        let mut out = String::new();
        top(&mut out, 0, 0, [("a", Figures::default())].into_iter()).unwrap();
        assert!(out.contains("in 0.000 s"));
    }
}
