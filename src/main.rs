//! The metal half of Reliquary: the hypervisor's image, built for
//! aarch64-unknown-none-softfloat by `cargo reliquary build`.
//!
//! [`arch`] holds all that is unsafe; [`system`] makes the machine into the VMs of its bundle.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(unsafe_code)]
mod arch;
mod system;

use arch::console;

/// Called once, on core 0, with caches and stack in place.
fn start(host_tree: u64) -> ! {
    match system::build(host_tree) {
        Ok(core) => arch::guest::serve::serve(core),
        Err(why) => {
            log::error!("{why}");
            console::flush();
            system::all_done()
        }
    }
}
