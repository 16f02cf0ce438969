//! What the plugin counted, out of its file: the layout is that of `struct results` in `plugin.c`.
use crate::fault::{Fault, Result};

/// How many CPUs the plugin knows.
pub const CPUS: usize = 8;
const TOP: usize = 8;
const PLACES: usize = 512;
const HISTOGRAM: usize = 64;
const LONGEST: usize = 7 + 2 * PLACES;
const TABLE: usize = 2 + HISTOGRAM + TOP * LONGEST;
const CPU: usize = 1 + 5 * TABLE;
const MAGIC: u64 = 0x3143_4e45_5441_4c52;

/// What was counted on one CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: usize,
    /// Stretches at EL2 in which an interrupt waits: from an exception, or the end of a WFI, to where
    /// the core can take an interrupt again, or sleeps.
    pub masked: Table,
    /// Ways from the guest, or from a WFI, to the guest's interrupt vector, with one exception.
    pub delivery: Table,
    /// The same where further exceptions came before the guest had its first instruction.
    pub chain: Table,
    /// What masked stretches waited for another core's lock; it is in no other table.
    pub wait: Table,
    /// What they polled for a timer that QEMU was late with; in no other table either.
    pub poll: Table,
}

/// Stretches of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// How many there were.
    pub count: u64,
    /// Their instructions together.
    pub sum: u64,
    /// How many had at least 2 to the power of the index, and less than twice as many.
    pub histogram: Vec<u64>,
    /// The longest, the longest first; one of each kind and place in the guest.
    pub longest: Vec<Longest>,
}

/// A long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Longest {
    /// Its instructions, without what it waited.
    pub length: u64,
    /// Instructions beside those, that waited for a lock or for QEMU.
    pub wait: u64,
    /// How it began.
    pub begins: Begins,
    /// How it ended.
    pub ends: Ends,
    /// The guest's block of code that ran last before it.
    pub guest: u64,
    /// Exceptions since the guest's last instruction.
    pub stays: u64,
    /// Instructions by place: offset in the image, and how many.
    pub places: Vec<(u64, u64)>,
}

/// How a stretch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// A synchronous exception.
    Trap,
    /// An interrupt: IRQ or FIQ.
    Interrupt,
    /// A system error.
    SError,
    /// A WFI of the hypervisor's was over.
    Woken,
    /// Interrupts had been let in.
    Opened,
    /// Something else.
    Other(u64),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// In the guest.
    Guest,
    /// At the guest's interrupt vector.
    Vector,
    /// In a WFI of the hypervisor's.
    Sleep,
    /// Where it lets interrupts in.
    Open,
    /// At EL2 again: an interrupt came before the guest's next instruction.
    Again,
    /// Unknown.
    Other(u64),
}

impl Table {
    /// The greatest.
    pub fn most(&self) -> u64 {
        self.longest.first().map_or(0, |one| one.length)
    }

    /// The power of two below which all but `rest` of the stretches were.
    pub fn all_but(&self, rest: u64) -> u64 {
        let mut above = 0;
        for (index, count) in self.histogram.iter().enumerate().rev() {
            above += count;
            if above > rest {
                return 1_u64.checked_shl(index as u32 + 1).unwrap_or(u64::MAX);
            }
        }
        0
    }
}

impl Cpu {
    /// How many instructions an interrupt waits at most: it comes when the longest stretch begins,
    /// and is then delivered on the longest way; or what was seen, if that is more.
    pub fn bound(&self) -> u64 {
        (self.masked.most() + self.delivery.most()).max(self.chain.most())
    }
}

/// Reads the file: the CPUs that guests ran on.
pub fn read(bytes: &[u8]) -> Result<Vec<Cpu>> {
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok().map(u64::from_le_bytes))
        .collect();
    if words.len() != 2 + CPUS * CPU || words[0] != MAGIC {
        let what = "QEMU's plugin left no results";
        let mend = "the plugin is for QEMU 7.2 with plugins (`cargo reliquary setup`)";
        return Err(Fault::new(what).mend(mend).into());
    }
    if words[1] == 0 {
        let what = "QEMU's plugin has not seen the hypervisor begin";
        return Err(Fault::new(what).into());
    }
    let cpus = words[2..].chunks_exact(CPU).enumerate();
    let ran = cpus.filter(|(_, words)| words[0] != 0);
    Ok(ran.map(|(number, words)| cpu(number, words)).collect())
}

fn cpu(number: usize, words: &[u64]) -> Cpu {
    let mut tables = words[1..].chunks_exact(TABLE).map(table);
    let mut next = || tables.next().unwrap_or_default();
    Cpu {
        number,
        masked: next(),
        delivery: next(),
        chain: next(),
        wait: next(),
        poll: next(),
    }
}

fn table(words: &[u64]) -> Table {
    let (counts, top) = words.split_at(2 + HISTOGRAM);
    let mut longest: Vec<_> = top.chunks_exact(LONGEST).filter_map(one).collect();
    longest.sort_by_key(|one| std::cmp::Reverse(one.length));
    Table {
        count: counts[0],
        sum: counts[1],
        histogram: counts[2..].to_vec(),
        longest,
    }
}

fn one(words: &[u64]) -> Option<Longest> {
    let (&[length, wait, begins, ends, guest, stays, places], pairs) =
        words.split_first_chunk::<7>()?;
    let places = usize::try_from(places).unwrap_or(PLACES);
    let places = pairs.chunks_exact(2).take(places);
    (length > 0).then(|| Longest {
        length,
        wait,
        begins: match begins {
            0x400 | 0x600 => Begins::Trap,
            0x480 | 0x500 | 0x680 | 0x700 => Begins::Interrupt,
            0x580 | 0x780 => Begins::SError,
            1 => Begins::Woken,
            2 => Begins::Opened,
            other => Begins::Other(other),
        },
        ends: match ends {
            1 => Ends::Guest,
            2 => Ends::Vector,
            3 => Ends::Sleep,
            4 => Ends::Open,
            5 => Ends::Again,
            other => Ends::Other(other),
        },
        guest,
        stays,
        places: places.map(|pair| (pair[0], pair[1])).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_cpu_that_ran_a_guest_is_read_with_its_longest_stretches_in_order() {
        let mut words = vec![0; 2 + CPUS * CPU];
        words[0] = MAGIC;
        words[1] = 1;
        let second = 2 + CPU;
        words[second] = 1;
        words[second + 1..second + 3].copy_from_slice(&[1000, 90_000]);
        words[second + 3 + 6] = 999;
        words[second + 3 + 9] = 1;
        let top = second + 3 + HISTOGRAM;
        words[top..top + 9].copy_from_slice(&[70, 0, 0x680, 2, 0x8000, 1, 1, 0x800, 70]);
        let next = top + LONGEST;
        words[next..next + 7].copy_from_slice(&[700, 5, 0x600, 1, 0x8004, 1, 0]);
        let delivery = second + 1 + TABLE;
        words[delivery + 2 + HISTOGRAM] = 300;
        let cpus = read(&file(&words)).unwrap();
        assert_eq!(cpus.len(), 1);
        let cpu = &cpus[0];
        assert_eq!(cpu.number, 1);
        assert_eq!((cpu.masked.count, cpu.masked.sum), (1000, 90_000));
        let lengths: Vec<u64> = cpu.masked.longest.iter().map(|one| one.length).collect();
        assert_eq!(lengths, [700, 70]);
        assert_eq!(cpu.masked.longest[0].begins, Begins::Trap);
        assert_eq!(cpu.masked.longest[1].begins, Begins::Interrupt);
        assert_eq!(cpu.masked.longest[1].ends, Ends::Vector);
        assert_eq!(cpu.masked.longest[1].places, [(0x800, 70)]);
        assert_eq!(cpu.bound(), 1000);
        assert_eq!((cpu.masked.all_but(0), cpu.masked.all_but(1)), (1024, 128));
    }

    #[test]
    fn what_was_seen_to_take_longer_is_the_bound() {
        let most = |length| Table {
            longest: vec![Longest {
                length,
                wait: 0,
                begins: Begins::Trap,
                ends: Ends::Vector,
                guest: 0,
                stays: 3,
                places: Vec::new(),
            }],
            ..Table::default()
        };
        let cpu = Cpu {
            number: 0,
            masked: most(10),
            delivery: most(5),
            chain: most(16),
            wait: Table::default(),
            poll: Table::default(),
        };
        assert_eq!(cpu.bound(), 16);
    }

    #[test]
    fn a_file_that_is_cut_short_or_of_a_run_without_the_hypervisor_is_refused() {
        assert!(read(&[]).is_err());
        let mut words = vec![0; 2 + CPUS * CPU];
        words[0] = MAGIC;
        assert!(read(&file(&words)).is_err());
        words[1] = 1;
        assert_eq!(read(&file(&words)).unwrap(), []);
    }
}
