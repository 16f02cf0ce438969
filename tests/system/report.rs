//! The page of a trace in a real browser: it draws, it names what it shows, and its script does not fail.
use reliquary_cli::trace::report;
use reliquary_cli::trace::view::View;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A page, and a folder for what a browser makes of it.
struct Bench {
    folder: TempDir,
    page: PathBuf,
}

/// What a browser has in its document once the script has run, and a picture of it.
struct Shown {
    document: String,
    picture: Picture,
}

impl Bench {
    fn of(view: &View) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let page = folder.path().join("page.html");
        report::write(view, "some.trace", &page).unwrap_or_else(|faults| panic!("{faults}"));
        Self { folder, page }
    }

    fn of_golden(name: &str) -> Self {
        let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
        let view = View::read(&traces.join(name), None);
        Self::of(&view.unwrap_or_else(|faults| panic!("{faults}")))
    }

    /// Puts something at the page's end.
    fn add(&self, end: &str) {
        let page = std::fs::read_to_string(&self.page).unwrap();
        std::fs::write(&self.page, page.replace("</body>", end)).unwrap();
    }

    /// Opens the page at `hash`, in a window of this size.
    fn open(&self, hash: &str, (width, height): (u32, u32)) -> Shown {
        let png = self.folder.path().join("page.png");
        let size = format!("--window-size={width},{height}");
        let shot = format!("--screenshot={}", png.display());
        self.chromium(&[&size, &shot], hash);
        let document = self.chromium(&[&size, "--dump-dom"], hash);
        let picture = Picture::read(&std::fs::read(&png).expect("a picture was taken"));
        assert_eq!((picture.width, picture.height), (width, height));
        Shown { document, picture }
    }

    fn chromium(&self, arguments: &[&str], hash: &str) -> String {
        let profile = tempfile::tempdir_in(self.folder.path()).unwrap();
        let output = Command::new("timeout")
            .args([
                "120",
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
            ])
            .args([
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
            ])
            .arg("--force-device-scale-factor=1")
            .arg("--virtual-time-budget=10000")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}#{hash}", self.page.display()))
            .stdin(Stdio::null())
            .output()
            .expect("chromium is here: cargo reliquary test installs it");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Shown {
    /// The script ran to its end and threw nothing.
    fn assert_sound(&self) {
        let (root, _) = self.document.split_once("<head").expect("it is a document");
        assert!(root.contains("data-ready=\"yes\""), "{root}");
        assert!(!root.contains("data-error"), "{root}");
    }

    /// What the root element says of itself.
    fn root(&self, key: &str) -> Option<&str> {
        let (root, _) = self.document.split_once("<head")?;
        let (_, behind) = root.split_once(&format!("data-{key}=\""))?;
        behind.split('"').next()
    }

    /// What stands in the document that the script made, without the data and the script themselves.
    fn body(&self) -> &str {
        let (_, behind) = self.document.split_once("<body>").expect("it has a body");
        let (body, _) = behind.split_once("<script").expect("a script is behind it");
        body
    }

    fn lanes(&self) -> Vec<&str> {
        let marks = self.body().split("data-device=\"").skip(1);
        marks.filter_map(|lane| lane.split('"').next()).collect()
    }
}

/// A picture's pixels.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn read(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().expect("it is a PNG");
        let mut data = vec![0; reader.output_buffer_size().expect("it is not huge")];
        let info = reader.next_frame(&mut data).expect("it has a frame");
        let samples = info.color_type.samples();
        Self {
            width: info.width,
            height: info.height,
            pixels: data[..info.buffer_size()]
                .chunks_exact(samples)
                .map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect(),
        }
    }

    /// How many pixels have about this colour.
    fn count(&self, colour: [u8; 3]) -> usize {
        let near = |pixel: &&[u8; 3]| {
            let parts = pixel.iter().zip(colour);
            parts.map(|(a, b)| a.abs_diff(b)).all(|apart| apart < 12)
        };
        self.pixels.iter().filter(near).count()
    }
}

/// The colours of page.css.
const READ: [u8; 3] = [0x0a, 0x6b, 0xab];
const WRITE: [u8; 3] = [0xcc, 0x55, 0x00];
const LINE: [u8; 3] = [0x00, 0x80, 0x5f];
const DARK_PAPER: [u8; 3] = [0x14, 0x18, 0x1d];

const DESK: (u32, u32) = (1280, 800);

#[test]
fn a_golden_trace_is_drawn_with_a_lane_for_each_device() {
    let bench = Bench::of_golden("vexpress-a9-typed.trace.zst");
    let shown = bench.open("", DESK);
    shown.assert_sound();
    let lanes = shown.lanes();
    assert_eq!(lanes.len(), 18, "{lanes:?}");
    assert_eq!(lanes[0], "serial0", "what has text comes first");
    for word in [
        "GICD_TYPER",
        "linux-6.1-armmp",
        "29\u{202f}591 records",
        "never touched",
    ] {
        assert!(shown.body().contains(word), "{word}");
    }
    for (what, colour) in [("reads", READ), ("writes", WRITE), ("lines", LINE)] {
        let pixels = shown.picture.count(colour);
        assert!(pixels > 200, "{what}: {pixels} pixels");
    }
}

#[test]
fn a_chosen_record_is_shown_with_its_register_and_fields() {
    let bench = Bench::of_golden("vexpress-a9-typed.trace.zst");
    // The first byte that was typed; the records in view are named in the table.
    let shown = bench.open(
        "from=7141094000&to=7141100200&find=serial0&theme=dark",
        DESK,
    );
    shown.assert_sound();
    assert_eq!(shown.lanes(), ["serial0"]);
    for word in ["UARTFR", "UARTRIS", ">rx<"] {
        assert!(shown.body().contains(word), "{word}");
    }
    assert!(shown.picture.count(DARK_PAPER) > 100_000, "it is dark");
    let shown = bench.open("record=1", DESK);
    shown.assert_sound();
    for word in [
        "GICD_TYPER</h2>",
        "ITLinesNumber",
        "4.136 872 586 s",
        "[4:0]",
    ] {
        assert!(shown.body().contains(word), "{word}");
    }
}

#[test]
fn a_narrow_window_scrolls_nothing_sideways() {
    let bench = Bench::of_golden("vexpress-a9-timed.trace.zst");
    bench.add(
        "<script>setInterval(() => { const root = document.documentElement; root.dataset.wide = root.scrollWidth; }, 50);</script></body>",
    );
    let shown = bench.open("tab=devices", (500, 860));
    shown.assert_sound();
    assert_eq!(
        shown.root("wide"),
        Some("500"),
        "nothing is wider than the window"
    );
    assert!(shown.picture.count(READ) > 50);
}

/// What a reader does, one after the other, and where each brings the view: the address tells.
const READER: &str = "
<script>
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  while (document.documentElement.dataset.ready !== 'yes') await pause(20);
  const lanes = document.getElementById('lanes');
  const told = {};
  const tell = async (name) => { await pause(600); told[name] = location.hash; };
  const key = (name) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
  const box = lanes.getBoundingClientRect();
  const at = (x, y) => ({ clientX: box.left + x, clientY: box.top + y, bubbles: true, cancelable: true });
  const pointer = (type, x, y) => lanes.dispatchEvent(new PointerEvent(type, { pointerId: 1, buttons: 1, ...at(x, y) }));
  lanes.setPointerCapture = () => {};
  lanes.dispatchEvent(new WheelEvent('wheel', { deltaY: -3000, ...at(100, 20) }));
  await tell('wheel');
  pointer('pointerdown', 200, 20);
  pointer('pointermove', 100, 20);
  pointer('pointerup', 100, 20);
  await tell('drag');
  key('ArrowLeft');
  await tell('left');
  for (let n = 0; n < 60; n++) key('+');
  await tell('near');
  key('0');
  await tell('whole');
  key('n');
  key('n');
  await tell('next');
  key('Enter');
  await tell('zoomed');
  key('Escape');
  key('t');
  document.getElementById('tab-sums').click();
  await tell('theme');
  told.dark = document.documentElement.dataset.theme;
  key('?');
  told.keys = document.getElementById('keys').open;
  document.documentElement.dataset.told = JSON.stringify(told);
})();
</script></body>";

#[test]
fn wheel_pointer_and_keys_move_the_view_down_to_nanoseconds() {
    let bench = Bench::of_golden("vexpress-a9-timed.trace.zst");
    bench.add(READER);
    let shown = bench.open("", DESK);
    shown.assert_sound();
    let told = shown.root("told").expect("the reader came to the end");
    let told = told.replace("&quot;", "\"").replace("&amp;", "&");
    let told: serde_json::Value =
        serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"));
    let view = |name: &str| {
        let hash = told[name].as_str().unwrap_or_default();
        let number = |key: &str| -> Option<f64> {
            let mut pairs = hash.trim_start_matches('#').split('&');
            pairs.find_map(|pair| pair.strip_prefix(key)?.parse().ok())
        };
        (number("from="), number("to="), number("record="))
    };
    let (Some(from), Some(to), None) = view("wheel") else {
        panic!("{told}")
    };
    assert!(to - from < 1e8, "the wheel zooms: {told}");
    let (Some(dragged), Some(_), None) = view("drag") else {
        panic!("{told}")
    };
    assert!(
        dragged > from,
        "dragging to the left shows what is later: {told}"
    );
    let (Some(left), Some(_), None) = view("left") else {
        panic!("{told}")
    };
    assert!(
        left < dragged,
        "the left arrow shows what is earlier: {told}"
    );
    let (Some(from), Some(to), None) = view("near") else {
        panic!("{told}")
    };
    assert!(to - from <= 22.0, "single nanoseconds: {told}");
    assert_eq!(view("whole"), (None, None, None), "{told}");
    assert_eq!(view("next"), (None, None, Some(1.0)), "{told}");
    assert!(
        matches!(view("zoomed"), (Some(_), Some(_), Some(_))),
        "{told}"
    );
    assert_eq!(
        (told["dark"].as_str(), told["keys"].as_bool()),
        (Some("dark"), Some(true))
    );
}

#[test]
fn a_search_that_finds_nothing_says_so() {
    let bench = Bench::of_golden("vexpress-a9-timed.trace.zst");
    let shown = bench.open("find=toaster", DESK);
    shown.assert_sound();
    assert!(shown.lanes().is_empty());
    assert!(shown.body().contains("<p id=\"nothing\">"));
}

#[test]
fn a_hundred_thousand_records_are_drawn_fluently() {
    let mut text = String::from("# reliquary-trace 1\n# board vexpress-a9  source hand\n");
    for n in 0..100_000u64 {
        let (device, offset) = [
            ("serial0", "0x18"),
            ("timer@11000", "0x4"),
            ("rtc@17000", "0x0"),
        ][usize::try_from(n % 3).unwrap()];
        let way = if n % 5 == 0 { "w" } else { "r" };
        let _ = writeln!(text, "{} 0 {device} {way} {offset} 4 {n:#x}", n * 1171);
    }
    text.push_str("# end\n");
    let view = View::of(Path::new("many.trace"), text.as_bytes(), None);
    let bench = Bench::of(&view.unwrap_or_else(|faults| panic!("{faults}")));
    let size = std::fs::metadata(&bench.page).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes");
    let took = |hash: &str| {
        let began = Instant::now();
        let document = bench.chromium(&["--window-size=1280,800", "--dump-dom"], hash);
        assert!(document.contains("data-ready=\"yes\"") && !document.contains("data-error"));
        began.elapsed().as_secs_f64()
    };
    // What a browser needs to begin is in both.
    let (few, many) = (took("frames=1"), took("frames=201"));
    let frame = (many - few) * 1000.0 / 200.0;
    println!("a frame of 100000 records: {frame:.1} ms");
    // Without a graphics processor, and on a machine that is busy with other tests.
    assert!(frame < 50.0, "a frame took {frame} ms");
}
