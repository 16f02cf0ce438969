//! Pseudoterminals, one for each console, each outside end of a wire and the monitor: what attaches to a serial port
//! (minicom, expect, labgrid) attaches to these.
//!
//! Nobody need be there: what a console prints waits for its reader, 256 KiB of it, and then the
//! oldest goes. A reader that stands still holds up nobody else, since each has a thread of its own.
use crate::fault::{Doing, Fault, Result};
use crate::outside::Outside;
use reliquary::link::Channel;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that wait for a reader, beside what the kernel keeps (4 KiB on Linux).
const WAITING: usize = 256 << 10;

/// All of a system's.
#[derive(Debug)]
pub struct Ptys {
    ptys: Vec<Pty>,
    links: Vec<PathBuf>,
}

#[derive(Debug)]
struct Pty {
    channel: Channel,
    name: String,
    path: PathBuf,
    master: File,
    /// Held open, so that the pty is there before its first reader and after its last.
    _slave: File,
    out: Arc<Out>,
}

/// What waits for the reader.
#[derive(Debug, Default)]
struct Out {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    dropped: usize,
    /// The writer has taken bytes that the pty does not have yet.
    writing: bool,
}

impl Queue {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(WAITING);
        self.bytes.drain(..over);
        self.dropped += over;
    }

    /// The next piece, with a word on what is missing before it.
    fn take(&mut self) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return None;
        }
        let mut piece = Vec::new();
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            piece = format!("\r\n[{dropped} bytes were not read in time]\r\n").into_bytes();
        }
        let size = self.bytes.len().min(1024);
        piece.extend(self.bytes.drain(..size));
        Some(piece)
    }
}

impl Pty {
    fn open(channel: Channel, name: &str) -> Result<Self> {
        let why = |error: rustix::io::Errno| Fault::new(format!("cannot open a pty: {error}"));
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(why)?;
        grantpt(&master).map_err(why)?;
        unlockpt(&master).map_err(why)?;
        let path = ptsname(&master, Vec::new()).map_err(why)?;
        let path = PathBuf::from(path.to_string_lossy().into_owned());
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .doing(|| format!("cannot open {}", path.display()))?;
        // A serial port passes bytes on as they are.
        let mut raw = tcgetattr(&slave).map_err(why)?;
        raw.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &raw).map_err(why)?;
        let (master, out) = (File::from(master), Arc::new(Out::default()));
        let mut writer = master
            .try_clone()
            .doing(|| "cannot open a pty".to_owned())?;
        let waits = Arc::clone(&out);
        thread::spawn(move || {
            loop {
                let piece = waits.take();
                if writer.write_all(&piece).is_err() {
                    return;
                }
                waits.lock().writing = false;
            }
        });
        Ok(Self {
            channel,
            name: name.to_owned(),
            path,
            master,
            _slave: slave,
            out,
        })
    }
}

impl Out {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        self.lock().push(bytes);
        self.more.notify_one();
    }

    /// Waits for the next piece.
    fn take(&self) -> Vec<u8> {
        let mut queue = self.lock();
        loop {
            if let Some(piece) = queue.take() {
                queue.writing = true;
                return piece;
            }
            let woken = self.more.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_empty(&self) -> bool {
        let queue = self.lock();
        queue.bytes.is_empty() && !queue.writing
    }
}

impl Ptys {
    /// Opens one for each VM's console, one for each outside end of a wire and one for the monitor. With a folder, each has a symbolic
    /// link there by its name.
    pub fn open(vms: &[String], outside: &[Outside], folder: Option<&Path>) -> Result<Self> {
        let monitor = "monitor".to_owned();
        if vms.contains(&monitor) {
            let what = "a VM is called \"monitor\", as the monitor's pty is";
            return Err(Fault::new(what)
                .mend("give the VM another name in the system file")
                .into());
        }
        let consoles = vms
            .iter()
            .zip(0..)
            .map(|(name, vm)| (Channel::Console(vm), name));
        let ends = outside.iter().map(|end| (end.channel(), &end.name));
        let ptys = consoles
            .chain(ends)
            .chain([(Channel::Monitor, &monitor)])
            .map(|(channel, name)| Pty::open(channel, name))
            .collect::<Result<Vec<_>>>()?;
        let mut all = Self {
            ptys,
            links: Vec::new(),
        };
        if let Some(folder) = folder {
            all.link(folder)?;
        }
        Ok(all)
    }

    fn link(&mut self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))?;
        for pty in &self.ptys {
            let link = folder.join(&pty.name);
            // One that an earlier run left behind; a file that is something else is the user's.
            if link.is_symlink() {
                std::fs::remove_file(&link)
                    .doing(|| format!("cannot remove {}", link.display()))?;
            }
            std::os::unix::fs::symlink(&pty.path, &link)
                .doing(|| format!("cannot make the link {}", link.display()))?;
            self.links.push(link);
        }
        Ok(())
    }

    /// Each one's name and path.
    pub fn paths(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.ptys
            .iter()
            .map(|pty| (pty.name.as_str(), pty.path.as_path()))
    }

    /// Tells `heard` what is typed at each, from threads of their own.
    pub fn listen(
        &self,
        heard: impl Fn(Channel, &[u8]) -> bool + Clone + Send + 'static,
    ) -> Result<()> {
        for pty in &self.ptys {
            let reader = pty.master.try_clone();
            let mut reader = reader.doing(|| "cannot open a pty".to_owned())?;
            let (heard, channel) = (heard.clone(), pty.channel);
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(size @ 1..) = reader.read(&mut buffer) {
                    if !heard(channel, &buffer[..size]) {
                        return;
                    }
                }
            });
        }
        Ok(())
    }

    /// Something was printed. Reports are the monitor's.
    pub fn print(&self, channel: Channel, bytes: &[u8]) {
        let channel = match channel {
            Channel::Report => Channel::Monitor,
            channel => channel,
        };
        if let Some(pty) = self.ptys.iter().find(|pty| pty.channel == channel) {
            pty.out.push(bytes);
        }
    }

    /// Waits a moment for what is on its way to those that are read.
    pub fn flush(&self) {
        let until = Instant::now() + Duration::from_millis(300);
        while self.ptys.iter().any(|pty| !pty.out.is_empty()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Ptys {
    fn drop(&mut self) {
        for link in &self.links {
            let _ = std::fs::remove_file(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn client(ptys: &Ptys, name: &str) -> File {
        let (_, path) = ptys.paths().find(|(own, _)| *own == name).unwrap();
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap()
    }

    /// Reads until this much has come.
    fn read(from: &mut File, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        from.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn each_console_has_its_pty_both_ways_and_bytes_pass_as_they_are() {
        let vms = ["left", "right"].map(str::to_owned);
        let ptys = Ptys::open(&vms, &[], None).unwrap();
        let names: Vec<_> = ptys.paths().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["left", "right", "monitor"]);
        let (tell, heard) = mpsc::channel();
        ptys.listen(move |channel, bytes| tell.send((channel, bytes.to_vec())).is_ok())
            .unwrap();
        let mut right = client(&ptys, "right");
        let all: Vec<u8> = (0..=255).collect();
        ptys.print(Channel::Console(1), &all);
        assert_eq!(read(&mut right, 256), all);
        right.write_all(&all).unwrap();
        let mut came = Vec::new();
        while came.len() < 256 {
            let (channel, bytes) = heard.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(channel, Channel::Console(1));
            came.extend(bytes);
        }
        assert_eq!(came, all);
        // A report is read where the monitor is.
        ptys.print(Channel::Report, b"VM left stopped");
        assert_eq!(read(&mut client(&ptys, "monitor"), 15), b"VM left stopped");
    }

    #[test]
    fn a_pty_that_nobody_reads_holds_up_no_other_and_tells_what_it_dropped() {
        let ptys = Ptys::open(&["left", "right"].map(str::to_owned), &[], None).unwrap();
        let size = WAITING + (64 << 10);
        ptys.print(Channel::Console(0), &vec![b'x'; size]);
        let mut right = client(&ptys, "right");
        ptys.print(Channel::Console(1), b"alive");
        assert_eq!(read(&mut right, 5), b"alive");
        let mut left = client(&ptys, "left");
        let begun = String::from_utf8(read(&mut left, 64 << 10)).unwrap();
        let told = begun.split_once('[').map(|(_, told)| told);
        let dropped = told.and_then(|told| told.split(' ').next()?.parse::<usize>().ok());
        assert!(
            dropped.is_some_and(|dropped| dropped <= 64 << 10),
            "{dropped:?}"
        );
    }

    #[test]
    fn links_have_the_vms_names_and_go_with_the_ptys() {
        let folder = tempfile::tempdir().unwrap();
        let vms = ["press".to_owned()];
        let ptys = Ptys::open(&vms, &[], Some(folder.path())).unwrap();
        let link = folder.path().join("press");
        assert_eq!(std::fs::read_link(&link).unwrap(), ptys.ptys[0].path);
        drop(ptys);
        assert!(!link.is_symlink());
        // What an earlier run left behind is replaced; another's file is not.
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let ptys = Ptys::open(&vms, &[], Some(folder.path())).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), ptys.ptys[0].path);
        drop(ptys);
        std::fs::write(&link, "mine").unwrap();
        assert!(Ptys::open(&vms, &[], Some(folder.path())).is_err());
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "mine");
        assert!(Ptys::open(&["monitor".to_owned()], &[], None).is_err());
    }
}
