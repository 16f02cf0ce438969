//! The Versatile Express configuration bus: what the motherboard's microcontroller (MCC) and
//! those of the daughterboards (DCC) tell and do.
//!
//! ARM DUI 0447 (V2M-P1), 4.3.15 to 4.3.17, and the daughterboards' manuals for which device
//! is what. Reached through SYS_CFGDATA, SYS_CFGCTRL and SYS_CFGSTAT of
//! [`super::vexpress_sysreg`]. In a device tree: `arm,vexpress,config-bus` and the nodes below
//! it, whose `arm,vexpress-sysreg,func` is function and device.
//!
//! What a system has is a table of [`Entry`]. A transaction with anything else ends in an error.
//!
//! Deviations:
//! - A transaction ends at once. Real ones take milliseconds over a serial link.
//! - A new oscillator frequency or voltage is kept and told again, but changes nothing else.
//! - SCC registers, AMP, TEMP, POWER and ENERGY tell what their entries say, and stay.

use crate::access::Refusal;
use crate::emul::Ask;
use crate::emul::state::{Reader, Writer};
use alloc::vec;
use alloc::vec::Vec;

/// The functions of the configuration bus (SYS_CFGCTRL, bits 25 to 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// An oscillator, in hertz.
    Osc,
    /// A voltage, in microvolts.
    Volt,
    /// A current, in microamperes.
    Amp,
    /// A temperature, in millionths of a degree Celsius.
    Temp,
    /// Resets a daughterboard.
    Reset,
    /// A register of a daughterboard's serial configuration controller.
    Scc,
    /// Which site drives the motherboard's video and the like.
    MuxFpga,
    /// Switches the system off.
    Shutdown,
    /// Resets the whole system.
    Reboot,
    /// The DVI output's mode.
    DviMode,
    /// A power, in microwatts.
    Power,
    /// An energy, in microjoules: its low word in the even device, its high one in the next.
    Energy,
}

impl Function {
    /// The function of this number, if there is one.
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Osc,
            2 => Self::Volt,
            3 => Self::Amp,
            4 => Self::Temp,
            5 => Self::Reset,
            6 => Self::Scc,
            7 => Self::MuxFpga,
            8 => Self::Shutdown,
            9 => Self::Reboot,
            11 => Self::DviMode,
            12 => Self::Power,
            13 => Self::Energy,
            _ => return None,
        })
    }

    /// Whether there is something to read.
    const fn is_readable(self) -> bool {
        !matches!(self, Self::Reset | Self::Shutdown | Self::Reboot)
    }

    /// Whether a write changes the value. What only measures is not written.
    const fn is_writable(self) -> bool {
        matches!(
            self,
            Self::Osc | Self::Volt | Self::Scc | Self::MuxFpga | Self::DviMode
        )
    }
}

/// Where something on the bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub function: Function,
    /// 0 is the motherboard, 1 and 2 are daughterboards 1 and 2.
    pub site: u8,
    /// The board's place in a stack of boards on that site.
    pub position: u8,
    /// Its number among those of its function.
    pub device: u16,
}

impl Place {
    /// The device `device` of the lowest board of `site`.
    pub const fn new(function: Function, site: u8, device: u16) -> Self {
        Self {
            function,
            site,
            position: 0,
            device,
        }
    }
}

/// One thing on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub place: Place,
    /// Its value after a reset, in the function's unit.
    pub value: u32,
}

/// A transaction, as SYS_CFGCTRL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Whether SYS_CFGDATA goes to the bus.
    pub write: bool,
    /// SYS_CFGCTRL, bits 25 to 20.
    pub function: u32,
    /// Bits 17 and 16.
    pub site: u8,
    /// Bits 15 to 12.
    pub position: u8,
    /// Bits 11 to 0.
    pub device: u16,
    /// SYS_CFGDATA, for a write.
    pub data: u32,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A read's value.
    Value(u32),
    /// A write was carried out.
    Done,
    /// The board is asked for something.
    Ask(Ask),
    /// Nothing of that kind is there, or it cannot be written or read.
    Error,
}

/// The bus with all that is on it.
pub struct ConfigBus {
    entries: Vec<Entry>,
    values: Vec<u32>,
}

impl ConfigBus {
    /// A bus with `entries`. If two are at one place, the first counts.
    pub fn new(entries: &[Entry]) -> Self {
        let mut bus = Self {
            entries: entries.to_vec(),
            values: vec![0; entries.len()],
        };
        bus.reset();
        bus
    }

    /// All values as the entries have them.
    pub fn reset(&mut self) {
        self.values
            .iter_mut()
            .zip(&self.entries)
            .for_each(|(value, entry)| *value = entry.value);
    }

    /// Carries out `of`.
    pub fn transact(&mut self, of: Transaction) -> Outcome {
        let Some(function) = Function::from_number(of.function) else {
            return Outcome::Error;
        };
        let place = Place {
            function,
            site: of.site,
            position: of.position,
            device: of.device,
        };
        let found = self.entries.iter().position(|entry| entry.place == place);
        let Some(value) = found.and_then(|index| self.values.get_mut(index)) else {
            return Outcome::Error;
        };
        match (of.write, function) {
            (true, Function::Shutdown) => Outcome::Ask(Ask::PowerOff),
            // A daughterboard's reset is the processor's: the board starts anew.
            (true, Function::Reboot | Function::Reset) => Outcome::Ask(Ask::Reset),
            (true, _) if function.is_writable() => {
                *value = of.data;
                Outcome::Done
            }
            (false, _) if function.is_readable() => Outcome::Value(*value),
            _ => Outcome::Error,
        }
    }

    /// Appends the values.
    pub fn save(&self, out: &mut Writer) {
        self.values.iter().for_each(|value| out.u32(*value));
    }

    /// Takes back what [`save`](Self::save) wrote.
    pub fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Refusal> {
        self.values.iter_mut().try_for_each(|value| {
            *value = from.u32()?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Transaction = Transaction {
        write: false,
        function: 1,
        site: 1,
        position: 0,
        device: 4,
        data: 0,
    };

    fn bus() -> ConfigBus {
        let numbers = (0..64).filter_map(Function::from_number);
        let entries: Vec<_> = numbers
            .map(|f| Entry {
                place: Place::new(f, 1, 4),
                value: 40_000_000,
            })
            .collect();
        ConfigBus::new(&entries)
    }

    #[test]
    fn what_is_not_in_the_table_is_an_error() {
        let mut bus = bus();
        assert_eq!(bus.transact(READ), Outcome::Value(40_000_000));
        for absent in [
            Transaction { site: 0, ..READ },
            Transaction {
                position: 1,
                ..READ
            },
            Transaction { device: 5, ..READ },
            Transaction {
                function: 0,
                ..READ
            },
            Transaction {
                function: 10,
                ..READ
            },
            Transaction {
                function: 63,
                ..READ
            },
        ] {
            assert_eq!(bus.transact(absent), Outcome::Error, "{absent:?}");
        }
    }

    #[test]
    fn each_function_reads_and_writes_as_its_kind_does() {
        let mut bus = bus();
        for function in (0..64).filter(|number| Function::from_number(*number).is_some()) {
            let write = Transaction {
                write: true,
                function,
                data: 7,
                ..READ
            };
            let (written, read) = match function {
                1 | 2 | 6 | 7 | 11 => (Outcome::Done, Outcome::Value(7)),
                5 | 9 => (Outcome::Ask(Ask::Reset), Outcome::Error),
                8 => (Outcome::Ask(Ask::PowerOff), Outcome::Error),
                _ => (Outcome::Error, Outcome::Value(40_000_000)),
            };
            assert_eq!(bus.transact(write), written, "{function}");
            assert_eq!(
                bus.transact(Transaction { function, ..READ }),
                read,
                "{function}"
            );
        }
        bus.reset();
        assert_eq!(bus.transact(READ), Outcome::Value(40_000_000));
    }

    #[test]
    fn written_values_survive_save_and_load() {
        let mut one = bus();
        one.transact(Transaction {
            write: true,
            data: 50_000_000,
            ..READ
        });
        let mut out = Writer::default();
        one.save(&mut out);
        let saved = out.into_bytes();
        let mut two = bus();
        two.load(&mut Reader::new(&saved)).unwrap();
        assert_eq!(two.transact(READ), Outcome::Value(50_000_000));
        assert_eq!(
            two.load(&mut Reader::new(&saved[1..])),
            Err(Refusal::BadState)
        );
    }
}
