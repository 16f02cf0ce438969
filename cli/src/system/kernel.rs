//! What a kernel's file is, by its magic, and what its header says.
//!
//! - zImage: Linux, Documentation/arch/arm/booting.rst and the header's 0x016f2818 at 0x24.
//! - Image: Linux, Documentation/arch/arm64/booting.rst; `ARM\x64` at 0x38.
//! - uImage: U-Boot's legacy image header, 64 bytes, big-endian, 0x27051956 at 0.
use std::io::Read;

/// A kernel, recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What kind.
    pub kind: Kind,
    /// Whether it is for a 64-bit CPU.
    pub wide: bool,
    /// The bytes to put into memory.
    pub bytes: Vec<u8>,
}

/// The kind of a kernel's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A 32-bit kernel that unpacks itself.
    ZImage,
    /// A 64-bit kernel.
    Arm64 {
        /// Where it goes behind a 2 MiB boundary.
        text_offset: u64,
        /// The bytes that it needs there.
        memory: u64,
    },
    /// In U-Boot's wrapping, which says where it goes.
    UImage {
        /// The address of its first byte.
        load: u32,
        /// The address of its first instruction.
        entry: u32,
    },
}

/// Why a file is no kernel that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// Recognizes a kernel's file.
pub fn recognize(file: &[u8]) -> Result<Kernel, Unknown> {
    if file.get(0x24..0x28) == Some(&0x016f_2818_u32.to_le_bytes()) {
        return Ok(Kernel {
            kind: Kind::ZImage,
            wide: false,
            bytes: file.to_vec(),
        });
    }
    if file.get(0x24..0x28) == Some(&0x016f_2818_u32.to_be_bytes()) {
        return Err(Unknown("it is a zImage for a big-endian CPU".to_owned()));
    }
    if file.get(0x38..0x3c) == Some(b"ARM\x64") {
        let double = |at: usize| {
            file.get(at..at + 8)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_le_bytes)
        };
        // Before Linux 3.17 image_size is 0 and text_offset is 0x80000 whatever it says.
        let (text_offset, memory) = match double(16) {
            0 => (0x80000, file.len() as u64),
            memory => (double(8), memory),
        };
        let kind = Kind::Arm64 {
            text_offset,
            memory: memory.max(file.len() as u64),
        };
        return Ok(Kernel {
            kind,
            wide: true,
            bytes: file.to_vec(),
        });
    }
    if file.starts_with(&0x2705_1956_u32.to_be_bytes()) {
        return uimage(file);
    }
    if file.starts_with(&[0x1f, 0x8b]) {
        let plain = gunzip(file)?;
        return recognize(&plain);
    }
    let elf = if file.starts_with(b"\x7fELF") {
        ": it is an ELF file, write elf = instead"
    } else {
        ""
    };
    Err(Unknown(format!(
        "it is no zImage, arm64 Image or uImage{elf}"
    )))
}

fn uimage(file: &[u8]) -> Result<Kernel, Unknown> {
    let word = |at: usize| {
        file.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes)
    };
    let cut = || Unknown("it is a uImage that is cut short".to_owned());
    let (size, load, entry) = (
        word(12).ok_or_else(cut)?,
        word(16).ok_or_else(cut)?,
        word(20).ok_or_else(cut)?,
    );
    let [_os, architecture, _kind, compression] = word(28).ok_or_else(cut)?.to_be_bytes();
    let wide = match architecture {
        2 => false,
        22 => true,
        other => {
            return Err(Unknown(format!(
                "it is a uImage for U-Boot's architecture {other}, which is not Arm"
            )));
        }
    };
    let payload = file.get(64..64 + size as usize).ok_or_else(cut)?;
    let bytes = match compression {
        0 => payload.to_vec(),
        1 => gunzip(payload)?,
        other => {
            return Err(Unknown(format!(
                "it is a uImage compressed by U-Boot's method {other}; none and gzip are known"
            )));
        }
    };
    Ok(Kernel {
        kind: Kind::UImage { load, entry },
        wide,
        bytes,
    })
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Unknown> {
    let mut plain = Vec::new();
    // A kernel is far smaller; the bound keeps a damaged file from eating all memory.
    let limited = flate2::read::GzDecoder::new(bytes)
        .take(1 << 29)
        .read_to_end(&mut plain);
    limited.map_err(|error| Unknown(format!("its gzip is damaged: {error}")))?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 256];
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    #[test]
    fn kernels_are_known_by_their_magic() {
        let zimage = recognize(&with(0x24, &[0x18, 0x28, 0x6f, 0x01])).unwrap();
        assert_eq!((zimage.kind, zimage.wide), (Kind::ZImage, false));
        let mut image = with(0x38, b"ARM\x64");
        image[16..24].copy_from_slice(&0x1000_u64.to_le_bytes());
        let image = recognize(&image).unwrap();
        assert_eq!(
            image.kind,
            Kind::Arm64 {
                text_offset: 0,
                memory: 0x1000
            }
        );
        assert!(recognize(b"\x7fELF").unwrap_err().0.contains("elf ="));
        assert!(recognize(&[]).is_err());
    }

    #[test]
    fn an_old_arm64_image_without_a_size_goes_to_80000() {
        let image = recognize(&with(0x38, b"ARM\x64")).unwrap();
        assert_eq!(
            image.kind,
            Kind::Arm64 {
                text_offset: 0x80000,
                memory: 256
            }
        );
    }

    fn uimage_of(payload: &[u8], architecture: u8, compression: u8) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..4].copy_from_slice(&0x2705_1956_u32.to_be_bytes());
        file[12..16].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        file[16..20].copy_from_slice(&0x6000_8000_u32.to_be_bytes());
        file[20..24].copy_from_slice(&0x6000_8040_u32.to_be_bytes());
        file[28..32].copy_from_slice(&[5, architecture, 2, compression]);
        file.extend_from_slice(payload);
        file
    }

    #[test]
    fn a_uimage_says_where_it_goes_and_is_unpacked() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"kernel").unwrap();
        for file in [
            uimage_of(b"kernel", 2, 0),
            uimage_of(&packed.finish().unwrap(), 2, 1),
        ] {
            let kernel = recognize(&file).unwrap();
            assert_eq!(
                kernel.kind,
                Kind::UImage {
                    load: 0x6000_8000,
                    entry: 0x6000_8040
                }
            );
            assert_eq!(kernel.bytes, b"kernel");
            assert!(!kernel.wide);
        }
        assert!(recognize(&uimage_of(b"kernel", 22, 0)).unwrap().wide);
    }

    #[test]
    fn a_uimage_that_is_cut_or_foreign_is_told_so() {
        let file = uimage_of(b"kernel", 2, 0);
        for length in 4..file.len() {
            assert!(recognize(&file[..length]).is_err());
        }
        assert!(
            recognize(&uimage_of(b"kernel", 7, 0))
                .unwrap_err()
                .0
                .contains("not Arm")
        );
        assert!(
            recognize(&uimage_of(b"kernel", 2, 3))
                .unwrap_err()
                .0
                .contains("method 3")
        );
        assert!(
            recognize(&uimage_of(b"kernel", 2, 1))
                .unwrap_err()
                .0
                .contains("damaged")
        );
    }
}
