//! The face of a board, as far as the vCPU needs it; the board itself replaces this file.
#![allow(missing_docs, clippy::missing_const_for_fn)]

use crate::access::{Initiator, Security, Width};
use crate::memory::BoardMemory;
use crate::units::{HostPa, Instant, Ipa};

pub struct Plan(());
pub struct MapError(());
pub struct Board(());

pub struct World<'a> {
    pub now: Instant,
    pub memory: &'a dyn BoardMemory,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub width: Width,
    pub initiator: Initiator,
    pub security: Security,
    pub privileged: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Value(u64),
    Done,
    Host(HostPa),
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusFault {
    Abort,
}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuLines {
    pub irq: bool,
    pub fiq: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuTimer {
    SecurePhysical,
    NonSecurePhysical,
    Virtual,
}

impl Board {
    pub fn build(_: &Plan) -> Result<Self, MapError> {
        Ok(Self(()))
    }
    pub fn read(&mut self, _: &World<'_>, _: Ipa, _: Transaction) -> Result<Reply, BusFault> {
        Err(BusFault::Abort)
    }
    pub fn write(
        &mut self,
        _: &World<'_>,
        _: Ipa,
        _: Transaction,
        _: u64,
    ) -> Result<Reply, BusFault> {
        Err(BusFault::Abort)
    }
    pub fn advance(&mut self, _: &World<'_>) {}
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
    pub fn timer_line(&mut self, _: &World<'_>, _: u8, _: CpuTimer, _: bool) {}
    pub fn cpu_lines(&self, _: u8) -> CpuLines {
        CpuLines::default()
    }
}
