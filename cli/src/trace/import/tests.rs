use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const HEAD: &str = "seq,ns,dir,offset,size,value,n,ns_last\n";

fn import(leave_out: &[String]) -> Import<'_> {
    Import {
        board: "vexpress-a9",
        source: "qemu-7.2",
        image: None,
        security: Security::Secure,
        cpus: Some(1),
        rtc: 0,
        leave_out,
        notes: Vec::new(),
    }
}

/// A folder of CSV files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let mut file = std::fs::File::create(folder.path().join(name)).unwrap();
        if Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "gz")
        {
            let mut gz = GzEncoder::new(file, Compression::fast());
            gz.write_all(text.as_bytes()).unwrap();
            gz.finish().unwrap();
        } else {
            file.write_all(text.as_bytes()).unwrap();
        }
    }
    folder
}

fn told(faults: &Faults) -> String {
    faults.to_string()
}

#[test]
fn rows_of_all_files_come_in_their_order_with_their_devices() {
    let uart = format!("{HEAD}2,20,R,0x18,2,0x90,3,60\n4,70,W,0x0,2,0x41,1,\n");
    let gic = format!("{HEAD}3,65,I,0x25,0,0x1,1,\n5,80,I,0x1d,0,0x1,1,\n");
    let folder = folder(&[("pl011@10009000.csv.gz", &uart), ("irq.gic.csv.gz", &gic)]);
    let imported = import(&[])
        .trace(csv::rows(folder.path()).unwrap())
        .unwrap();
    let records: Vec<&str> = imported
        .text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(
        records,
        [
            "20 0 serial0 r 0x18 2 0x90 x3 ..60",
            "65 - serial0 o 0 1",
            "70 0 serial0 w 0x0 2 0x41",
            "80 - timer@1e000600 o 0 1",
        ]
    );
}

#[test]
fn a_file_that_was_cut_when_it_was_recorded_is_told() {
    let summary = "# total lines 9\npl011@10009000 R=9 W=0 I=0 rows=9 trunc=41 |\n";
    let rows = format!("{HEAD}1,2,R,0x18,2,0x90,1,\n");
    let folder = folder(&[("pl011@10009000.csv.gz", &rows), ("summary.txt", summary)]);
    let told = told(&csv::rows(folder.path()).unwrap_err());
    assert!(
        told.contains("summary.txt:2: pl011@10009000 lacks its last 41 rows"),
        "{told}"
    );
}

#[test]
fn a_damaged_row_is_told_with_its_file_and_line() {
    for row in [
        "1,2,R,0x18,2",
        "1,2,Q,0x18,2,0x90,1,",
        "1,9,R,0x18,2,0x90,2,3",
        "1,2,R,18,2,0x90,1,",
    ] {
        let folder = folder(&[("pl011@10009000.csv", &format!("{HEAD}{row}\n"))]);
        let told = told(&csv::rows(folder.path()).unwrap_err());
        assert!(
            told.contains("pl011@10009000.csv:2: this is no row"),
            "{told}"
        );
    }
}

#[test]
fn a_file_that_is_cut_off_in_its_compressed_form_is_told() {
    let rows = format!("{HEAD}{}", "1,2,R,0x18,2,0x90,1,\n".repeat(500));
    let folder = folder(&[("pl011@10009000.csv.gz", &rows)]);
    let file = folder.path().join("pl011@10009000.csv.gz");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let told = told(&csv::rows(folder.path()).unwrap_err());
    assert!(told.contains("damaged or cut off"), "{told}");
}

#[test]
fn a_device_that_the_board_lacks_is_told_unless_it_is_left_out() {
    let rows = format!("{HEAD}1,2,R,0x0,4,0x0,1,\n2,3,R,0x4,4,0x0,1,\n");
    let folder = folder(&[("nothing@20000000.csv.gz", &rows)]);
    let rows = || csv::rows(folder.path()).unwrap();
    let told = told(&import(&[]).trace(rows()).unwrap_err());
    assert!(told.contains("no device at 0x20000000 (2 rows"), "{told}");
    assert!(told.contains("--leave-out nothing@20000000"), "{told}");
    let out = ["nothing@20000000".to_owned()];
    let imported = import(&out).trace(rows()).unwrap();
    assert_eq!(imported.left_out["nothing@20000000"], 2);
}

#[test]
fn a_log_needs_times_and_whole_events() {
    let file = Path::new("qemu.log");
    let event =
        "memory_region_ops_read cpu 0 mr 0x1 addr 0x10009018 value 0x90 size 2 name 'pl011'";
    let told = |text: &str| told(&log::rows_of(text, file).unwrap_err());
    assert!(told(event).contains("qemu.log:1: the event has no time"));
    assert!(
        told(&format!("12 {event}\n13 {}", &event[..60]))
            .contains("qemu.log:2: the event is cut off")
    );
    assert!(told("audio: nothing\n").contains("there is no event"));
    let rows = log::rows_of(&format!("12 {event}\n99 {event}\nsomething else\n"), file).unwrap();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert!(
        matches!(
            row.what,
            What::Access {
                times: 2,
                last: 99,
                ..
            }
        ),
        "{row:?}"
    );
}

#[test]
fn qemus_own_times_count_from_the_first_event() {
    let event = "gic_set_irq irq 34 level 1 cpumask 0xff target 0x1";
    let text = format!("7@100.000001:{event}\n7@100.000005:{event}\n");
    let rows = log::rows_of(&text, Path::new("qemu.log")).unwrap();
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [0, 4000]);
}
