//! The bytes of an input, and a memory that counts.

use reliquary::access::Width;
use reliquary::mmio::DataFault;
use reliquary::mmio::execute::Reach;

/// The bytes of an input; zeros behind the last.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Numbers from the next four bytes: one input says all of many registers.
    pub fn noise(&mut self) -> Noise {
        Noise(u64::from(self.word()) << 1 | 1)
    }
}

/// splitmix64.
#[derive(Clone)]
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// A memory in which every address has something, with an access that fails.
#[derive(Clone)]
pub struct Recorder {
    pub simd: [u128; 32],
    pub stack_pointers: [u64; 2],
    pub status: u64,
    pub zero_block: u64,
    /// How many accesses there were.
    pub count: u64,
    /// The first access.
    pub first: Option<(u64, Width, bool)>,
    /// The first access in another page than the first's.
    pub beyond: Option<u64>,
    /// This access fails, counted from 0.
    pub fails: Option<u64>,
}

impl Recorder {
    fn access(&mut self, at: u64, width: Width, write: bool) -> Result<(), DataFault> {
        let (first, ..) = *self.first.get_or_insert((at, width, write));
        if (first ^ at) >> 12 != 0 {
            self.beyond.get_or_insert(at);
        }
        let number = self.count;
        self.count += 1;
        if self.fails == Some(number) {
            return Err(DataFault::external(at, write));
        }
        Ok(())
    }
}

impl Reach for Recorder {
    fn read(&mut self, at: u64, width: Width, _: bool) -> Result<u64, DataFault> {
        self.access(at, width, false)?;
        Ok(mixed(at) & width.mask())
    }
    fn write(&mut self, at: u64, width: Width, value: u64, _: bool) -> Result<(), DataFault> {
        assert_eq!(value & !width.mask(), 0, "no more than the width");
        self.access(at, width, true)
    }
    fn simd(&mut self, n: u8) -> u128 {
        self.simd[usize::from(n)]
    }
    fn set_simd(&mut self, n: u8, value: u128) {
        self.simd[usize::from(n)] = value;
    }
    fn stack_pointer(&mut self, el1: bool) -> u64 {
        self.stack_pointers[usize::from(el1)]
    }
    fn set_stack_pointer(&mut self, el1: bool, value: u64) {
        self.stack_pointers[usize::from(el1)] = value;
    }
    fn saved_status(&mut self, _: u64) -> u64 {
        self.status
    }
    fn zero_block_bytes(&mut self) -> u64 {
        self.zero_block
    }
}
