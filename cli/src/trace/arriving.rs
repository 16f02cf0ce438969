//! What is packed in a channel of the link, as it arrives there: in pieces that end anywhere.
use reliquary::trace::packed::{Item, Unpacker};

/// The items of one stream.
#[derive(Debug, Default)]
pub struct Arriving {
    unpacker: Unpacker,
    /// Bytes of an item whose end has not come.
    bytes: Vec<u8>,
}

impl Arriving {
    /// The items that are whole with these bytes of the channel.
    pub fn fed(&mut self, bytes: &[u8]) -> Vec<Item> {
        self.bytes.extend_from_slice(bytes);
        let (mut items, mut from) = (Vec::new(), 0);
        loop {
            match self.unpacker.next(&self.bytes[from..]) {
                Ok(Some((item, taken))) => {
                    from += taken;
                    items.extend(item);
                }
                Ok(None) => break,
                Err(_) => self.unpacker.damaged(),
            }
        }
        self.bytes.drain(..from);
        items
    }

    /// Frames of the link were lost, which may have been of this channel.
    pub fn damaged(&mut self) {
        self.bytes.clear();
        self.unpacker.damaged();
    }
}
