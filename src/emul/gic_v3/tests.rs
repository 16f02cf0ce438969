//! Behaviour of the controller, by the manual's rules.

use super::*;
use crate::access::{Initiator, Width, system_register};
use crate::emul::random_walk;
use crate::memory::NoMemory;
use crate::units::Instant;
use alloc::vec::Vec;

mod behaviour;
mod state;

const CTLR: u64 = 0x000;
const IGROUPR: u64 = 0x080;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const ISPENDR: u64 = 0x200;
const ICPENDR: u64 = 0x280;
const ISACTIVER: u64 = 0x300;
const ICACTIVER: u64 = 0x380;
const IPRIORITYR: u64 = 0x400;
const ICFGR: u64 = 0xc00;
const IGRPMODR: u64 = 0xd00;
const IROUTER: u64 = 0x6000;
const WAKER: u64 = 0x14;
const SGI: u64 = 0x1_0000;
const NEXT: u64 = 0x2_0000;

const fn icc(crn: u8, crm: u8, op2: u8) -> u64 {
    system_register(3, 0, crn, crm, op2)
}
const PMR: u64 = icc(4, 6, 0);
const IAR0: u64 = icc(12, 8, 0);
const EOIR0: u64 = icc(12, 8, 1);
const HPPIR0: u64 = icc(12, 8, 2);
const BPR0: u64 = icc(12, 8, 3);
const AP0R0: u64 = icc(12, 8, 4);
const AP1R0: u64 = icc(12, 9, 0);
const DIR: u64 = icc(12, 11, 1);
const RPR: u64 = icc(12, 11, 3);
const SGI1R: u64 = icc(12, 11, 5);
const ASGI1R: u64 = icc(12, 11, 6);
const SGI0R: u64 = icc(12, 11, 7);
const IAR1: u64 = icc(12, 12, 0);
const EOIR1: u64 = icc(12, 12, 1);
const HPPIR1: u64 = icc(12, 12, 2);
const BPR1: u64 = icc(12, 12, 3);
const ICTLR: u64 = icc(12, 12, 4);
const SRE: u64 = icc(12, 12, 5);
const IGRPEN0: u64 = icc(12, 12, 6);
const IGRPEN1: u64 = icc(12, 12, 7);

/// A controller and who speaks to it.
struct Bench {
    gic: GicV3,
    cpu: u8,
    security: Security,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            gic: GicV3::new(config),
            cpu: 0,
            security: Security::Secure,
        }
    }

    /// One where everything is on: all groups, all priorities unmasked, all CPUs awake.
    fn ready(config: Config) -> Self {
        let mut b = Self::new(config);
        b.d(CTLR, 7);
        for cpu in 0..config.cpus {
            b.r(NEXT * u64::from(cpu) + WAKER, 0);
            b.cpu = cpu;
            b.s(PMR, 0xff);
            b.s(IGRPEN0, 1);
            b.s(IGRPEN1, 1);
        }
        b.cpu = 0;
        b
    }

    /// Two CPUs, one Security state, 96 interrupts.
    fn plain() -> Self {
        Self::ready(Config::new(&[0, 1], 96, false))
    }

    /// The same with two Security states.
    fn secure() -> Self {
        Self::ready(Config::new(&[0, 1], 96, true))
    }

    fn access(&self, region: u8, offset: u64, width: Width) -> Access {
        Access {
            region,
            width,
            initiator: Initiator::Cpu(self.cpu),
            security: self.security,
            ..Access::word(offset)
        }
    }

    fn read(&mut self, region: u8, offset: u64, width: Width) -> Result<u64, Refusal> {
        let access = self.access(region, offset, width);
        let peeked = self.gic.peek(Instant::ZERO, access);
        let read = self.gic.read(&mut cx(), access);
        if region != SYSTEM_REGISTERS {
            assert_eq!(peeked, read.ok(), "a peek is a read");
        }
        read
    }

    fn write(&mut self, region: u8, offset: u64, width: Width, v: u64) -> Result<(), Refusal> {
        let access = self.access(region, offset, width);
        self.gic.write(&mut cx(), access, v)
    }

    fn rd(&mut self, offset: u64) -> u64 {
        self.read(0, offset, Width::Word).unwrap()
    }
    fn d(&mut self, offset: u64, value: u64) {
        self.write(0, offset, Width::Word, value).unwrap();
    }
    fn rr(&mut self, offset: u64) -> u64 {
        self.read(1, offset, Width::Word).unwrap()
    }
    fn r(&mut self, offset: u64, value: u64) {
        self.write(1, offset, Width::Word, value).unwrap();
    }
    fn rs(&mut self, register: u64) -> u64 {
        self.read(SYSTEM_REGISTERS, register, Width::Double)
            .unwrap()
    }
    fn s(&mut self, register: u64, value: u64) {
        self.write(SYSTEM_REGISTERS, register, Width::Double, value)
            .unwrap();
    }

    fn line(&mut self, line: u16, level: bool) {
        self.gic.input(&mut cx(), Line(line), level);
    }
    fn irq(&self, cpu: u16) -> bool {
        self.gic.lines().is_high(2 * cpu)
    }
    fn fiq(&self, cpu: u16) -> bool {
        self.gic.lines().is_high(2 * cpu + 1)
    }

    /// Enables an SPI of Group 1 with a priority, for CPU 0.
    fn spi(&mut self, id: u64, priority: u64) {
        let (word, flag) = (id / 32 * 4, 1 << (id % 32));
        let group = self.rd(IGROUPR + word) | flag;
        self.d(IGROUPR + word, group);
        self.write(0, IPRIORITYR + id, Width::Byte, priority)
            .unwrap();
        self.d(ISENABLER + word, flag);
    }

    /// Enables an SGI or PPI of CPU `of`, of Group 1, with a priority.
    fn private(&mut self, of: u64, id: u64, priority: u64) {
        let at = NEXT * of + SGI;
        let group = self.rr(at + IGROUPR) | 1 << id;
        self.r(at + IGROUPR, group);
        self.write(1, at + IPRIORITYR + id, Width::Byte, priority)
            .unwrap();
        self.r(at + ISENABLER, 1 << id);
    }

    fn pend(&mut self, id: u64) {
        self.d(ISPENDR + id / 32 * 4, 1 << (id % 32));
    }
}

fn cx() -> Cx<'static> {
    Cx::new(Instant::ZERO, &NoMemory, None)
}
