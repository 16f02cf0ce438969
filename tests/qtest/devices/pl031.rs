use crate::compare;
use crate::target::{Target, VEXPRESS_A9};

const TARGET: Target = Target {
    compatible: "arm,pl031",
    device: "rtc@17000",
    ..VEXPRESS_A9
};

#[test]
fn pl031() {
    compare(&TARGET);
}
