//! A frame: the changes of one write, whole or not there. Numbers are little-endian.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `MAGIC` |
//! | 4 | CRC-32 of the rest of the head and of the table |
//! | 8 | number of the frame, rising by one |
//! | 8 | number of the last frame that was on the device when this one was written |
//! | 4 | bytes of the table |
//! | 4 | bytes of the values |
//! | … | table: for each change its kind (one byte), the bytes of its key (two), the key; for a put the bytes of the value (four) and their CRC-32 |
//! | … | values, one after another |
//!
//! Values have checksums of their own, so that one can be read, and be found damaged, without the others.

use super::Position;
use bytes::Bytes;

/// How a frame begins: what follows damage is found again by it.
pub(crate) const MAGIC: [u8; 4] = *b"LSf\x02";
/// Bytes before the table.
pub(crate) const HEAD_BYTES: usize = 32;
/// Most bytes of a frame: the largest record and row, and as much again for what a board gets with them. A length beyond
/// it is damage, not a reason to reserve memory.
pub(crate) const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest key. Keys hold ids, which are shorter.
pub(crate) const KEY_BYTES_MAX: usize = 4096;

const REMOVE: u8 = 0;
const PUT: u8 = 1;

/// Where a value lies, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: Position,
    pub(crate) len: u32,
    pub(crate) crc: u32,
}

/// A key, and the value it has from now on; without one it goes.
pub(crate) type Change = (Vec<u8>, Option<Bytes>);
/// A key, and where its value lies; without a place it goes.
pub(crate) type Placed = (Vec<u8>, Option<Place>);

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) durable: u64,
    pub(crate) table: usize,
    pub(crate) values: usize,
}

impl Head {
    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        HEAD_BYTES + self.table + self.values
    }
}

/// Appends a frame to `buffer`, whose first byte will lie at `base`, and says where each value lies then.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    base: Position,
    (number, durable): (u64, u64),
    changes: &[Change],
) -> Vec<Placed> {
    let begin = buffer.len();
    let table: usize =
        changes.iter().map(|(key, value)| 3 + key.len() + value.as_ref().map_or(0, |_| 8)).sum();
    let values: usize = changes.iter().filter_map(|(_, value)| value.as_ref()).map(Bytes::len).sum();
    buffer.reserve(HEAD_BYTES + table + values);
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(&durable.to_le_bytes());
    buffer.extend_from_slice(&size(table).to_le_bytes());
    buffer.extend_from_slice(&size(values).to_le_bytes());
    let mut offset = base.offset + size(begin + HEAD_BYTES + table);
    let mut placed = Vec::with_capacity(changes.len());
    for (key, value) in changes {
        buffer.push(if value.is_some() { PUT } else { REMOVE });
        buffer.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        buffer.extend_from_slice(key);
        let place = value.as_ref().map(|value| {
            let (len, crc) = (size(value.len()), crc32fast::hash(value));
            buffer.extend_from_slice(&len.to_le_bytes());
            buffer.extend_from_slice(&crc.to_le_bytes());
            let place = Place { at: Position { offset, ..base }, len, crc };
            offset += len;
            place
        });
        placed.push((key.clone(), place));
    }
    for value in changes.iter().filter_map(|(_, value)| value.as_ref()) {
        buffer.extend_from_slice(value);
    }
    let crc = crc32fast::hash(&buffer[begin + 8..begin + HEAD_BYTES + table]);
    buffer[begin + 4..begin + 8].copy_from_slice(&crc.to_le_bytes());
    placed
}

/// Sizes are bounded by `FRAME_BYTES_MAX` and the size of a segment, both far below the maximum.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn number_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Reads the fixed part of a frame; what it says is true only if the table's checksum holds.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    if bytes.len() < HEAD_BYTES || !bytes.starts_with(&MAGIC) {
        return None;
    }
    let head = Head {
        number: u64::from_le_bytes(number_at(bytes, 8)?),
        durable: u64::from_le_bytes(number_at(bytes, 16)?),
        table: u32::from_le_bytes(number_at(bytes, 24)?) as usize,
        values: u32::from_le_bytes(number_at(bytes, 28)?) as usize,
    };
    (head.table.saturating_add(head.values) <= FRAME_BYTES_MAX - HEAD_BYTES).then_some(head)
}

/// Reads the table of a frame that begins at `at`. `bytes` are its head and its table.
pub(crate) fn table(head: &Head, at: Position, bytes: &[u8]) -> Option<Vec<Placed>> {
    let bytes = bytes.get(..HEAD_BYTES + head.table)?;
    if crc32fast::hash(&bytes[8..]) != u32::from_le_bytes(number_at(bytes, 4)?) {
        return None;
    }
    let mut placed = Vec::new();
    let mut offset = at.offset.checked_add(size(bytes.len()))?;
    let mut next = HEAD_BYTES;
    while next < bytes.len() {
        let is_put = bytes[next] == PUT;
        let key_bytes = usize::from(u16::from_le_bytes(number_at(bytes, next + 1)?));
        let key = bytes.get(next + 3..next + 3 + key_bytes)?.to_vec();
        next += 3 + key_bytes;
        let place = if is_put {
            let len = u32::from_le_bytes(number_at(bytes, next)?);
            let crc = u32::from_le_bytes(number_at(bytes, next + 4)?);
            next += 8;
            let place = Place { at: Position { offset, ..at }, len, crc };
            offset = offset.checked_add(len)?;
            Some(place)
        } else {
            None
        };
        placed.push((key, place));
    }
    Some(placed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position { segment: 3, offset: 100 };

    fn sample() -> (Vec<u8>, Vec<Placed>) {
        let changes: Vec<Change> = vec![
            (b"one".to_vec(), Some(Bytes::from_static(b"value"))),
            (b"gone".to_vec(), None),
            (b"empty".to_vec(), Some(Bytes::new())),
        ];
        let mut buffer = vec![0; 7];
        let placed = encode(&mut buffer, AT, (9, 8), &changes);
        (buffer.split_off(7), placed)
    }

    #[test]
    fn a_frame_is_read_as_it_was_written_and_its_values_lie_where_it_says() {
        let (frame, placed) = sample();
        let at = Position { offset: AT.offset + 7, ..AT };
        let head = head(&frame).unwrap();
        assert_eq!((head.number, head.durable, head.frame_bytes()), (9, 8, frame.len()));
        assert_eq!(table(&head, at, &frame), Some(placed.clone()));
        let place = placed[0].1.unwrap();
        let begin = (place.at.offset - at.offset) as usize;
        assert_eq!(&frame[begin..begin + place.len as usize], b"value");
    }

    #[test]
    fn a_flipped_bit_anywhere_before_the_values_is_noticed() {
        let (frame, placed) = sample();
        let at = Position { offset: AT.offset + 7, ..AT };
        let head_and_table = frame.len() - b"value".len();
        for bit in 0..head_and_table * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            let read = head(&frame).and_then(|head| table(&head, at, &frame));
            assert_ne!(read, Some(placed.clone()), "bit {bit}");
            assert_eq!(read, None, "bit {bit}");
        }
    }
}
