//! Our side: the board of the map, with no CPU, at time 0.

use crate::play::{Answer, Step};
use crate::target::{Lines, Target};
use reliquary::access::Initiator;
use reliquary::board::plan::WindowKind;
use reliquary::board::wiring::Source;
use reliquary::board::{Board, Plan, Reply, Transaction, World};
use reliquary::emul::{Line, sd_card};
use reliquary::trace::names::Names;
use reliquary::units::{Instant, Ipa};
use reliquary_cli::trace::replay;
use reliquary_cli::tree::source;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A board of ours, and where the target is on it.
pub struct Ours {
    board: Board,
    device: usize,
    shift: u32,
    /// The address of each register block.
    blocks: BTreeMap<u8, u64>,
    /// The controller's input behind each output line of the device.
    behind: Vec<(u16, u16)>,
    memory: Memory,
}

/// Plans by the board's name: making one runs the device tree compiler.
fn plan(board: &str) -> Plan {
    static PLANS: OnceLock<Mutex<BTreeMap<String, Plan>>> = OnceLock::new();
    let mut plans = PLANS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let made = plans.entry(board.to_owned()).or_insert_with(|| {
        let map = replay::map(board).unwrap_or_else(|fault| panic!("{fault}"));
        let blob = source::blob_of_file(&map).unwrap_or_else(|faults| panic!("{faults}"));
        let mut plan = Plan::read(&blob).unwrap_or_else(|errors| panic!("{errors:?}"));
        plan.cpus.truncate(1);
        // Accesses by qtest are Non-secure ones, and no firmware has run.
        plan.firmware_ran = false;
        plan
    });
    made.clone()
}

impl Ours {
    pub fn new(target: &Target) -> Self {
        let mut plan = plan(target.board);
        if let Some(bytes) = target.card {
            let card = sd_card::Config::holding(bytes, false, false).expect("such a card");
            plan.insert_card(card).expect("a free slot");
        }
        let names = Names::of(&plan);
        let device = names.find(target.device);
        let device = device.unwrap_or_else(|| {
            let known: Vec<&str> = names.iter().collect();
            panic!("{} has no {}: {known:?}", target.board, target.device)
        });
        let blocks = plan.windows.iter().filter_map(|window| match window.kind {
            WindowKind::Device { device: d, region }
            | WindowKind::DirectReads {
                device: d, region, ..
            } if d == device => Some((region, window.at.0)),
            _ => None,
        });
        // What leads elsewhere, as a card slot's switches to system registers, is not looked at.
        let controls = |to: usize| plan.devices[to].compatible != "arm,vexpress-sysreg";
        let behind = plan.wires.iter().filter_map(|wire| match wire.from {
            Source::Device { device: d, line } if d == device && controls(wire.to) => {
                Some((line, wire.input.0))
            }
            _ => None,
        });
        let stores = plan.devices.iter().filter_map(|device| device.store);
        Self {
            blocks: blocks.collect(),
            behind: behind.collect(),
            memory: Memory::new(
                stores.map(|(_, bytes)| bytes),
                target.commands.map_or(0, |commands| commands.erased),
            ),
            board: Board::build(&plan).unwrap_or_else(|error| panic!("{error:?}")),
            device,
            shift: target.shift,
        }
    }

    /// Whether a register block is on the bus.
    pub fn has(&self, region: u8) -> bool {
        self.blocks.contains_key(&region)
    }

    /// The address of a register.
    pub fn address(&self, region: u8, offset: u64) -> u64 {
        self.blocks[&region] + (offset << self.shift)
    }

    /// Carries out a step.
    pub fn step(&mut self, target: &Target, step: &Step) -> Answer {
        let world = World {
            now: Instant::ZERO,
            memory: &self.memory,
        };
        let how = |width| Transaction {
            width,
            initiator: Initiator::Cpu(0),
            security: target.security,
            privileged: true,
        };
        let value = match *step {
            Step::Read {
                region,
                offset,
                width,
            } => {
                let at = Ipa(self.address(region, offset));
                // A refused read is 0 to qtest, too.
                match self.board.read(&world, at, how(width)) {
                    Ok(Reply::Value(value)) => Some(value),
                    _ => Some(0),
                }
            }
            Step::Write {
                region,
                offset,
                width,
                value,
            } => {
                let at = Ipa(self.address(region, offset));
                let _ = self.board.write(&world, at, how(width), value);
                None
            }
            Step::Input(input, level) => {
                let line = Line(target.inputs[input].ours);
                self.board.input(&world, self.device, line, level);
                None
            }
        };
        // An erase goes on step by step.
        while target.commands.is_some() && self.board.deadline() == Some(Instant::ZERO) {
            self.board.advance(&world);
            while self.board.take_ask().is_some() {}
        }
        while self.board.take_ask().is_some() {}
        Answer {
            value,
            lines: self.lines(target),
        }
    }

    /// A word of the first store.
    pub fn stored(&self, offset: u64) -> u32 {
        let store = self.memory.0[0].borrow();
        let bytes = &store[offset as usize..][..4];
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    fn lines(&self, target: &Target) -> BTreeSet<u16> {
        match target.lines {
            Lines::None => BTreeSet::new(),
            Lines::Cpu(_) => {
                let lines = self.board.cpu_lines(0);
                let both = [(0, lines.irq), (1, lines.fiq)];
                both.into_iter()
                    .filter(|(_, high)| *high)
                    .map(|(n, _)| n)
                    .collect()
            }
            Lines::Controller(_) => {
                let levels = self.board.output_lines(self.device);
                let high = self.behind.iter().filter(|(line, _)| levels.is_high(*line));
                high.map(|(_, input)| *input).collect()
            }
        }
    }
}

/// The board's stores; it has no other memory here.
struct Memory(Vec<std::cell::RefCell<Vec<u8>>>);

impl Memory {
    /// QEMU's flashes are 0 where no file is given; so are cards here.
    fn new(sizes: impl Iterator<Item = u64>, erased: u8) -> Self {
        let stores = sizes.map(|bytes| std::cell::RefCell::new(vec![erased; bytes as usize]));
        Self(stores.collect())
    }
}

impl reliquary::memory::BoardMemory for Memory {
    fn read(&self, _: Ipa, _: &mut [u8]) -> Result<(), reliquary::memory::Unbacked> {
        Err(reliquary::memory::Unbacked)
    }
    fn write(&self, _: Ipa, _: &[u8]) -> Result<(), reliquary::memory::Unbacked> {
        Err(reliquary::memory::Unbacked)
    }
    fn store_read(
        &self,
        store: reliquary::memory::StoreId,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), reliquary::memory::Unbacked> {
        let store = self.0[usize::from(store.0)].borrow();
        into.copy_from_slice(&store[offset as usize..][..into.len()]);
        Ok(())
    }
    fn store_write(
        &self,
        store: reliquary::memory::StoreId,
        offset: u64,
        from: &[u8],
    ) -> Result<(), reliquary::memory::Unbacked> {
        let mut store = self.0[usize::from(store.0)].borrow_mut();
        store[offset as usize..][..from.len()].copy_from_slice(from);
        Ok(())
    }
}
