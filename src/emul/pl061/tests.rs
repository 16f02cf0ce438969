use super::*;
use crate::access::Width;
use crate::emul::random_walk;
use crate::memory::NoMemory;
use std::vec::Vec;

const DATA: u64 = 0x3fc;
const DIR: u64 = 0x400;
const IS: u64 = 0x404;
const IBE: u64 = 0x408;
const IEV: u64 = 0x40c;
const IE: u64 = 0x410;
const RIS: u64 = 0x414;
const MIS: u64 = 0x418;
const IC: u64 = 0x41c;
const AFSEL: u64 = 0x420;
const ITCR: u64 = 0x600;
const ITIP1: u64 = 0x604;
const ITIP2: u64 = 0x608;
const ITOP1: u64 = 0x60c;
const ITOP2: u64 = 0x610;
const ITOP3: u64 = 0x614;

fn cx() -> Cx<'static> {
    Cx::new(Instant::ZERO, &NoMemory, None)
}

fn read(gpio: &mut Pl061, offset: u64) -> u64 {
    let access = Access::word(offset);
    let peeked = gpio.peek(Instant::ZERO, access);
    let value = gpio.read(&mut cx(), access).unwrap();
    assert_eq!(peeked, Some(value));
    value
}

fn write(gpio: &mut Pl061, offset: u64, value: u64) {
    gpio.write(&mut cx(), Access::word(offset), value).unwrap();
}

/// Drives all of the pins from outside.
fn drive(gpio: &mut Pl061, pins: u8) {
    for n in 0..8 {
        gpio.input(&mut cx(), Line(n), pins & 1 << n != 0);
    }
}

/// What the part drives: levels, and which pins.
fn driven(gpio: &Pl061) -> (u8, u8) {
    ((gpio.lines().0 >> 9) as u8, (gpio.lines().0 >> 17) as u8)
}

#[test]
fn registers_have_the_manuals_reset_values() {
    let mut gpio = Pl061::new();
    for offset in (DATA..0x428)
        .chain(ITCR..ITIP2)
        .chain(ITOP1..0x61c)
        .step_by(4)
    {
        assert_eq!(read(&mut gpio, offset), 0, "{offset:#x}");
    }
    assert_eq!(read(&mut gpio, ITIP2), 0xff, "the hardware drives no pin");
    let identity: Vec<u64> = (0xfe0..0x1000)
        .step_by(4)
        .map(|n| read(&mut gpio, n))
        .collect();
    assert_eq!(identity, [0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
    assert_eq!(gpio.lines(), Lines(0));
}

#[test]
fn registers_keep_eight_bits() {
    let mut gpio = Pl061::new();
    for (offset, bits) in [
        (DIR, 0xff),
        (IS, 0xff),
        (IBE, 0xff),
        (IEV, 0xff),
        (IE, 0xff),
        (AFSEL, 0xff),
        (ITOP2, 0),
        (ITCR, 1),
        (ITIP1, 0xff),
        (ITIP2, 0xff),
        (ITOP1, 0),
        (ITOP3, 0xff),
        (0xfe0, 0x61),
    ] {
        write(&mut gpio, offset, 0xffff_ffff);
        assert_eq!(read(&mut gpio, offset), bits, "{offset:#x}");
    }
}

#[test]
fn the_address_masks_the_data_bits() {
    let mut gpio = Pl061::new();
    write(&mut gpio, DIR, 0xff);
    write(&mut gpio, 0x098, 0xfb); // 3.3.1's figure: bits 5, 2 and 1
    assert_eq!(read(&mut gpio, DATA), 0x22);
    write(&mut gpio, DATA, 0xfe);
    assert_eq!(read(&mut gpio, 0x0c4), 0x30, "bits 5, 4 and 0");
    write(&mut gpio, 0x000, 0xff);
    assert_eq!(read(&mut gpio, 0x000), 0);
    assert_eq!(read(&mut gpio, DATA), 0xfe);
    write(&mut gpio, DATA, 0x00);
    for bit in 0..8 {
        write(&mut gpio, 4 << bit, 0xff);
        assert_eq!(driven(&gpio).0, 0xff >> (7 - bit));
    }
}

#[test]
fn an_output_is_driven_and_an_input_is_read() {
    let mut gpio = Pl061::new();
    drive(&mut gpio, 0x5a);
    assert_eq!(read(&mut gpio, DATA), 0x5a);
    write(&mut gpio, DATA, 0xff);
    assert_eq!(driven(&gpio), (0, 0), "inputs are not driven");
    write(&mut gpio, DIR, 0x0f);
    assert_eq!(driven(&gpio), (0x0f, 0x0f), "what was written before");
    assert_eq!(read(&mut gpio, DATA), 0x5f);
}

#[test]
fn afsel_hands_an_output_to_the_hardware() {
    let mut gpio = Pl061::new();
    write(&mut gpio, DIR, 0x01);
    write(&mut gpio, DATA, 0x01);
    write(&mut gpio, AFSEL, 0x01);
    assert_eq!(driven(&gpio), (0, 0), "nGPAFEN counts, not GPIODIR");
    gpio.input(&mut cx(), Line(16), true);
    assert_eq!(driven(&gpio), (0, 1));
    gpio.input(&mut cx(), Line(8), true);
    assert_eq!(driven(&gpio), (1, 1));
    assert_eq!(read(&mut gpio, DATA), 1);
    assert!(gpio.lines().is_high(25), "GPAFIN is the pin");
    write(&mut gpio, AFSEL, 0);
    gpio.input(&mut cx(), Line(8), false);
    assert_eq!(driven(&gpio), (1, 1));
}

#[test]
fn an_edge_is_remembered_until_it_is_cleared() {
    for (iev, up) in [(0x08, true), (0x00, false)] {
        let mut gpio = Pl061::new();
        drive(&mut gpio, if up { 0 } else { 8 });
        write(&mut gpio, IC, 0xff);
        write(&mut gpio, IEV, iev);
        write(&mut gpio, IE, 0x08);
        gpio.input(&mut cx(), Line(3), up);
        assert_eq!((read(&mut gpio, RIS), read(&mut gpio, MIS)), (8, 8));
        let lines = |gpio: &Pl061| gpio.lines().0 & 0x1ff;
        assert_eq!(lines(&gpio), 1 | 1 << 4);
        gpio.input(&mut cx(), Line(3), !up);
        assert_eq!(read(&mut gpio, RIS), 8);
        write(&mut gpio, IC, 0x08);
        assert_eq!(read(&mut gpio, RIS), 0, "the edge back does not count");
        assert_eq!(lines(&gpio), 0);
    }
}

#[test]
fn both_edges_count_with_gpioibe() {
    let mut gpio = Pl061::new();
    write(&mut gpio, IBE, 0x80);
    for level in [true, false] {
        gpio.input(&mut cx(), Line(7), level);
        assert_eq!(read(&mut gpio, RIS), 0x80);
        write(&mut gpio, IC, 0x80);
        assert_eq!(read(&mut gpio, RIS), 0);
    }
}

#[test]
fn a_level_interrupts_as_long_as_it_lasts() {
    let mut gpio = Pl061::new();
    write(&mut gpio, IEV, 0xff);
    write(&mut gpio, IE, 0x01);
    write(&mut gpio, IS, 0x01);
    gpio.input(&mut cx(), Line(0), true);
    assert!(gpio.lines().is_high(0));
    write(&mut gpio, IC, 0x01);
    assert!(gpio.lines().is_high(0), "a clear does not end a level");
    gpio.input(&mut cx(), Line(0), false);
    assert_eq!(read(&mut gpio, RIS), 0);
    write(&mut gpio, IEV, 0xfe);
    assert_eq!(read(&mut gpio, RIS), 1, "low is asked for now");
}

#[test]
fn the_mask_hides_a_raw_interrupt() {
    let mut gpio = Pl061::new();
    write(&mut gpio, IEV, 0xff);
    drive(&mut gpio, 0x03);
    write(&mut gpio, IE, 0x02);
    assert_eq!((read(&mut gpio, RIS), read(&mut gpio, MIS)), (3, 2));
    assert_eq!(gpio.lines().0 & 0x1ff, 1 | 1 << 2);
    write(&mut gpio, IE, 0);
    assert_eq!(gpio.lines().0 & 0x1ff, 0);
    assert_eq!(read(&mut gpio, RIS), 3);
}

#[test]
fn an_output_that_is_written_is_an_edge_too() {
    let mut gpio = Pl061::new();
    write(&mut gpio, DIR, 0x01);
    write(&mut gpio, IEV, 0x01);
    write(&mut gpio, 0x004, 0x01);
    assert_eq!(read(&mut gpio, RIS), 0x01);
}

#[test]
fn integration_test_drives_the_interrupts() {
    let mut gpio = Pl061::new();
    write(&mut gpio, ITOP1, 0x05);
    assert_eq!(gpio.lines(), Lines(0));
    write(&mut gpio, ITCR, 1);
    assert_eq!(gpio.lines(), Lines(1 | 5 << 1));
    assert_eq!((read(&mut gpio, MIS), read(&mut gpio, ITOP2)), (5, 1));
    write(&mut gpio, ITCR, 0);
    assert_eq!(gpio.lines(), Lines(0));
}

#[test]
fn integration_test_stands_in_for_the_hardware_behind_afsel() {
    let mut gpio = Pl061::new();
    gpio.input(&mut cx(), Line(9), true);
    gpio.input(&mut cx(), Line(17), true);
    assert_eq!((read(&mut gpio, ITIP1), read(&mut gpio, ITIP2)), (2, 0xfd));
    write(&mut gpio, AFSEL, 0xff);
    write(&mut gpio, ITCR, 1);
    write(&mut gpio, ITIP1, 0xa5);
    write(&mut gpio, ITIP2, 0xf0);
    write(&mut gpio, ITOP3, 0x3c);
    assert_eq!(
        (read(&mut gpio, ITIP1), read(&mut gpio, ITIP2)),
        (0xa5, 0xf0)
    );
    assert_eq!(driven(&gpio), (0x05, 0x0f));
    assert_eq!((gpio.lines().0 >> 25) as u8, 0x3c);
    write(&mut gpio, ITCR, 0);
    assert_eq!(driven(&gpio), (2, 2));
    assert_eq!((gpio.lines().0 >> 25) as u8, 2);
}

#[test]
fn a_reset_keeps_the_pins_of_others_and_sees_no_edge_in_them() {
    let mut gpio = Pl061::new();
    write(&mut gpio, IEV, 0xff);
    drive(&mut gpio, 0xaa);
    gpio.reset(Reset::Cold);
    assert_eq!((read(&mut gpio, DATA), read(&mut gpio, RIS)), (0xaa, 0));
    assert_eq!(read(&mut gpio, IEV), 0);
}

#[test]
fn narrow_accesses_reach_their_registers() {
    let mut gpio = Pl061::new();
    let byte = Access::word(DIR).sized(Width::Byte);
    gpio.write(&mut cx(), byte, 0xff).unwrap();
    assert_eq!(gpio.read(&mut cx(), byte), Ok(0xff));
    let double = Access::word(DIR).sized(Width::Double);
    assert_eq!(gpio.read(&mut cx(), double), Err(Refusal::Width));
}

#[test]
fn saved_state_goes_on_where_it_was_and_damage_is_refused() {
    let mut gpio = Pl061::new();
    for (offset, value) in [(DIR, 0xf0), (DATA, 0xa5), (IEV, 0xff), (IE, 0xff)] {
        write(&mut gpio, offset, value);
    }
    drive(&mut gpio, 0x0f);
    let mut out = Writer::default();
    gpio.save(&mut out);
    let bytes = out.into_bytes();
    let mut other = Pl061::new();
    let mut from = Reader::new(&bytes);
    other.load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(other.lines(), gpio.lines());
    assert_eq!(read(&mut other, RIS), read(&mut gpio, RIS));
    for len in 0..bytes.len() {
        let cut = other.load(&mut Reader::new(&bytes[..len]));
        assert_eq!(cut, Err(Refusal::BadState));
        assert_eq!(other.lines().0, 0);
    }
    let mut damaged = bytes.clone();
    damaged[8] ^= 1;
    let outcome = other.load(&mut Reader::new(&damaged));
    assert_eq!(outcome, Err(Refusal::BadState), "pins that nobody drives");
}

#[test]
fn lines_change_at_an_access_and_not_without() {
    let offsets: Vec<u64> = [0, 4, 0x80, DATA]
        .into_iter()
        .chain((DIR..0x424).step_by(4))
        .chain((ITCR..0x618).step_by(4))
        .collect();
    for seed in 1..=5 {
        random_walk::walk(Pl061::new, &offsets, seed, 4000);
    }
}
