use crate::compare;
use crate::target::{Target, VEXPRESS_A9};

const TARGET: Target = Target {
    compatible: "arm,pl011",
    device: "serial1",
    ..VEXPRESS_A9
};

#[test]
fn pl011() {
    compare(&TARGET);
}
