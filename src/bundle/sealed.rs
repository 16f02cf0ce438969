//! The whole file: hypervisor, bundle, seal.
//!
//! The hypervisor begins with the arm64 Linux Image header (the Linux kernel's
//! Documentation/arch/arm64/booting.rst), whose `image_size` says how much memory it needs as
//! linked, its zero-initialized data too. [`seal`] pads the binary to that size and to 4 KiB
//! (so the linker's end symbol, so aligned, is where the bundle begins), appends the bundle,
//! sets `image_size` to the whole and [`ARENA_BYTES`], so that a boot loader keeps that memory free, and
//! closes the file with 64 bytes:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `RELIQEND` |
//! | 8 | 8 | size of the hypervisor in bytes: where the bundle begins |
//! | 16 | 8 | size of the bundle in bytes |
//! | 24 | 8 | zero |
//! | 32 | 32 | SHA-256 of the hypervisor's bytes and of the seal's first 32 |
//!
//! The hypervisor does not verify itself at boot: a damaged verifier proves nothing. `cargo
//! reliquary check FILE` ([`inspect`]) does.

use super::build::pad;
use super::read::field;
use super::{ALIGNMENT, Bundle, BundleError, Sha256};
use alloc::vec::Vec;

/// The first bytes of the seal.
pub const SEAL_MAGIC: [u8; 8] = *b"RELIQEND";
/// The size of the seal in bytes.
pub const SEAL_SIZE: usize = 64;

/// Memory behind the bundle that the hypervisor has for itself, and that [`seal`] reserves:
/// its arena, from which nothing is allocated after boot.
pub const ARENA_BYTES: u64 = 4 << 20;

/// Where the arm64 Image header has `image_size`, and its magic.
const IMAGE_SIZE: usize = 16;
const IMAGE_MAGIC: usize = 56;
/// `ARM\x64`.
const ARM64: [u8; 4] = *b"ARM\x64";

/// What a file holds, and what of it is damaged.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// The hypervisor's own bytes.
    pub hypervisor: &'a [u8],
    /// The bundle behind it.
    pub bundle: Bundle<'a>,
    /// All that is damaged: empty when the file is sound.
    pub damage: Vec<BundleError>,
}

/// Makes the file that a board boots from the linked hypervisor (a raw binary) and a bundle.
pub fn seal(hypervisor: &[u8], bundle: &[u8]) -> Result<Vec<u8>, BundleError> {
    let linked = image_size(hypervisor)?;
    Bundle::open(bundle)?;
    let mut out = hypervisor.to_vec();
    // Zero-initialized data: bounded, so that a damaged header does not ask for all memory.
    let linked = usize::try_from(linked)
        .ok()
        .filter(|size| *size <= 256 << 20);
    let linked = linked.ok_or(BundleError::NotAnImage)?;
    out.resize(out.len().max(linked), 0);
    pad(&mut out);
    let own = out.len();
    let whole = own.saturating_add(bundle.len()).saturating_add(SEAL_SIZE);
    let reserved = (whole.next_multiple_of(ALIGNMENT) as u64).saturating_add(ARENA_BYTES);
    if let Some(place) = out.get_mut(IMAGE_SIZE..).and_then(<[u8]>::first_chunk_mut) {
        *place = reserved.to_le_bytes();
    }

    let mut seal = Vec::with_capacity(SEAL_SIZE);
    seal.extend_from_slice(&SEAL_MAGIC);
    seal.extend_from_slice(&(own as u64).to_le_bytes());
    seal.extend_from_slice(&(bundle.len() as u64).to_le_bytes());
    seal.extend_from_slice(&[0; 8]);
    let digest = digest(&out, &seal);
    seal.extend_from_slice(&digest);
    out.extend_from_slice(bundle);
    out.extend_from_slice(&seal);
    Ok(out)
}

/// Takes a sealed file apart and verifies every byte of it.
///
/// An error means that the file could not even be taken apart; damage to the hypervisor, to
/// items, or both, is listed in the result.
pub fn inspect(file: &[u8]) -> Result<Inspection<'_>, BundleError> {
    let (rest, seal) = file
        .split_last_chunk::<SEAL_SIZE>()
        .ok_or(BundleError::NoSeal)?;
    if field(seal, 0)? != SEAL_MAGIC {
        return Err(BundleError::NoSeal);
    }
    let own = u64::from_le_bytes(field(seal, 8)?);
    let bundle_size = u64::from_le_bytes(field(seal, 16)?);
    if field(seal, 24)? != [0; 8] {
        return Err(BundleError::Seal("the zero field"));
    }
    if own.checked_add(bundle_size) != Some(rest.len() as u64) {
        return Err(BundleError::Seal("the sizes do not add up to the file's"));
    }
    let (hypervisor, bundle) = usize::try_from(own)
        .ok()
        .and_then(|own| rest.split_at_checked(own))
        .ok_or(BundleError::Seal("hypervisor size"))?;
    if bundle_size != Bundle::size(bundle)? {
        return Err(BundleError::Seal("bundle size"));
    }

    let bundle = Bundle::open(bundle)?;

    let mut damage = Vec::new();
    let sealed: [u8; 32] = field(seal, 32)?;
    if digest(hypervisor, &field::<32>(seal, 0)?) != sealed {
        damage.push(BundleError::HypervisorDamaged);
    } else if image_size(hypervisor)? < file.len() as u64 {
        damage.push(BundleError::NotAnImage);
    }
    damage.extend(bundle.ids().filter_map(|id| bundle.verify_item(id).err()));
    Ok(Inspection {
        hypervisor,
        bundle,
        damage,
    })
}

fn digest(hypervisor: &[u8], seal: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(hypervisor);
    hash.update(seal);
    hash.finish()
}

/// The header's `image_size`.
fn image_size(image: &[u8]) -> Result<u64, BundleError> {
    match field(image, IMAGE_MAGIC) {
        Ok(ARM64) => field(image, IMAGE_SIZE).map(u64::from_le_bytes),
        _ => Err(BundleError::NotAnImage),
    }
}
