//! What QEMU's own model of a board prints: the other side of a comparison.
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// QEMU's process: ended when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a QEMU prints up to `end`, which has to come within 5 minutes.
pub fn printed(qemu: &mut Command, end: &str) -> String {
    qemu.stdin(Stdio::piped()).stderr(Stdio::null());
    let child = qemu.stdout(Stdio::piped()).spawn();
    let mut process = Process(child.expect("QEMU starts"));
    let mut out = process.0.stdout.take().expect("its output is piped");
    let (tell, news) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = out.read(&mut buffer) {
            if tell.send(buffer[..size].to_vec()).is_err() {
                break;
            }
        }
    });
    let until = Instant::now() + Duration::from_secs(300);
    let mut text = Vec::new();
    while !text.windows(end.len()).any(|part| part == end.as_bytes()) {
        let left = until.saturating_duration_since(Instant::now());
        match news.recv_timeout(left) {
            Ok(bytes) => text.extend(bytes),
            Err(why) => panic!(
                "QEMU's board never prints {end:?} ({why}):\n{}",
                String::from_utf8_lossy(&text)
            ),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
