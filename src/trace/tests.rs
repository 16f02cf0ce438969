use super::header::Header;
use super::read::{Damage, Reader};
use super::record::Record;
use super::write::Writer;
use std::fmt::Write;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

const HEADER: &str = "\
# reliquary-trace 1
# board vexpress-a9  source qemu-7.2  image linux-6.1-armmp  reset cold
# security secure  cpus 1  firmware none  rtc 1704067200  observed lines,ports
# unobserved flash@0
# card 1048576,high-capacity
# note by hand
";

const RECORDS: &str = "\
1042 0 serial0 w 0x38 4 0x10
1042 0 serial0 r 0x18 4 0x90 x31 ..1590
1600 - serial0 in rx 0x61
1601 - serial0 o 0 1
1700 1 gic r1 0xc 4 0x25 nonsecure user
1710 0 gic r 0xf00 4 abort
1800 - eth m 0x80001000 0x0102
1800 - eth M 0x80001002 0xff
1900 - - reset warm
1901 - eth out eth 0xffffffffffff0102
";

fn records(text: &str) -> Result<Vec<Record>, Damage> {
    let mut reader = Reader::new(text.as_bytes())?;
    let mut all = Vec::new();
    while let Some(record) = reader.record()? {
        all.push(record);
    }
    Ok(all)
}

fn written_again(text: &str) -> String {
    let mut reader = Reader::new(text.as_bytes()).unwrap();
    let mut writer = Writer::new(reader.header());
    while let Some(mut record) = reader.record().unwrap() {
        record.device = record
            .device
            .map(|device| writer.device(reader.name(device)));
        writer.record(record);
    }
    writer.end()
}

fn damage(text: &str) -> (usize, String) {
    let damage = records(text).expect_err("it is damaged");
    (damage.line, damage.what)
}

#[test]
fn every_form_of_line_is_read_and_written_as_it_was() {
    let text = format!("{HEADER}{RECORDS}# end\n");
    let again = written_again(&text);
    assert!(
        again.starts_with(&format!("{HEADER}{RECORDS}# end 10 ")),
        "{again}"
    );
    assert_eq!(written_again(&again), again);
}

#[test]
fn repeated_accesses_are_counted_on_one_line() {
    let text = format!(
        "{HEADER}5 0 a r 0x0 4 0x1\n6 0 a r 0x0 4 0x1\n9 0 a r 0x0 4 0x1\n9 0 a r 0x0 4 0x2\n# end\n"
    );
    let again = written_again(&text);
    assert!(
        again.contains("5 0 a r 0x0 4 0x1 x3 ..9\n9 0 a r 0x0 4 0x2\n"),
        "{again}"
    );
}

#[test]
fn a_trace_that_is_cut_off_anywhere_is_told() {
    let whole = written_again(&format!("{HEADER}{RECORDS}# end\n"));
    for cut in 1..whole.len() {
        assert!(records(&whole[..cut]).is_err(), "cut at byte {cut}");
    }
    let (line, what) = damage(&format!("{HEADER}{RECORDS}"));
    assert_eq!(line, 16);
    assert!(what.contains("cut off"), "{what}");
}

#[test]
fn a_changed_byte_is_told_wherever_it_is() {
    let whole = written_again(&format!("{HEADER}{RECORDS}# end\n"));
    for at in 0..whole.len() - 1 {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(records(&text).is_err(), "byte {at} was changed");
    }
}

#[test]
fn a_missing_line_is_told_by_the_next_check() {
    let mut text = String::from(HEADER);
    for at in 0..10_000 {
        let _ = writeln!(text, "{at} 0 a w 0x0 4 {:#x}", at & 0xff);
    }
    let whole = written_again(&format!("{text}# end\n"));
    let missing = whole.replacen("5000 0 a w 0x0 4 0x88\n", "", 1);
    let (line, what) = damage(&missing);
    assert!(what.contains("since line 4104"), "line {line}: {what}");
}

#[test]
fn damaged_lines_are_told_with_their_number_and_what_is_wrong() {
    for (line, said) in [
        ("x 0 a r 0x0 4 0x0", "time in ns"),
        ("5 0 a r 0x0 4 0x0\n4 0 a r 0x0 4 0x0", "backwards"),
        ("5 9000 a r 0x0 4 0x0", "CPU"),
        ("5 0 a", "operation"),
        ("5 0 a r 0 4 0x0", "offset"),
        ("5 0 a r 0x0 3 0x0", "width"),
        ("5 0 a r 0x0 1 0x100", "more bits"),
        ("5 0 a r 0x0 4 0x0 x0 ..9", "run"),
        ("5 0 a r 0x0 4 0x0 x2 ..4", "last"),
        ("5 0 a o 0 2", "0 or 1"),
        ("5 0 a in usb 0x00", "port"),
        ("5 0 a in rx 0x0", "two digits"),
        ("5 0 a r 0x0 4 0x0 secure 7", "run"),
        ("5 - - reset hot", "cold or warm"),
        ("5 - - reset cold\n# checks 1", "check, end, lost or note"),
    ] {
        let (at, what) = damage(&format!("{HEADER}{line}\n# end\n"));
        assert!(what.contains(said), "{line}: line {at}: {what}");
        assert_eq!(at, 7 + line.matches('\n').count(), "{line}");
    }
}

#[test]
fn a_header_that_is_not_one_is_told() {
    for (text, said) in [
        ("", "no trace"),
        ("seq,ns,dir\n", "no trace"),
        ("# reliquary-trace 2\n", "another version"),
        ("# reliquary-trace 1\n# board a\n# end\n", "no source"),
        ("# reliquary-trace 1\n# bord a\n", "not known"),
        (
            "# reliquary-trace 1\n# board a  source b  cpus 9\n",
            "1 to 8",
        ),
        ("# reliquary-trace 1\n# board a  source\n", "no value"),
    ] {
        assert!(damage(text).1.contains(said), "{text}: {:?}", damage(text));
    }
}

#[test]
fn a_header_is_written_as_it_was_read() {
    let text = format!("{HEADER}# end\n");
    let header: Header = Reader::new(text.as_bytes()).unwrap().header().clone();
    assert_eq!(header.to_string(), HEADER);
}
