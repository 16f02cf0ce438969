//! The devices that are played, a file each, with the differences that are known.

mod a9_scu;
mod a9_timers;
mod flash_amd;
mod flash_intel;
mod fw_cfg;
mod gic;
mod gic_v3;
mod lan9118;
mod ns16550;
mod pl011;
mod pl031;
mod pl061;
mod pl18x;
mod pl190;
mod pl310;
mod sd_card;
mod sp804;
mod sp810;
mod versatile_i2c;
mod vexpress_sysreg;
