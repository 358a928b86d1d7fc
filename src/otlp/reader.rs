//! A cursor over protobuf bytes that never panics and never copies. Offsets are those of the whole request, so
//! that what was read can be spliced. Accepts what prost accepts on the wire, groups included.
//! <https://protobuf.dev/programming-guides/encoding/>

/// Nested groups deeper than this are refused, as prost does.
const MAX_GROUP_DEPTH: u32 = 100;

/// Where and why bytes are no protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("protobuf at byte {offset}: {kind}")]
pub struct WireError {
    /// Offset in the request.
    pub offset: usize,
    /// What is wrong there.
    pub kind: WireErrorKind,
}

/// What can be wrong with protobuf bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireErrorKind {
    /// The bytes end inside a field.
    #[error("the message ends inside a field")]
    Truncated,
    /// A varint of more than ten bytes or 64 bits.
    #[error("a varint is longer than 64 bits")]
    VarintTooLong,
    /// A field number of 0 or above 2^29-1, or wire type 6 or 7.
    #[error("an invalid field tag")]
    InvalidTag,
    /// A group that is not closed by its own number, or nests too deep.
    #[error("an unbalanced group")]
    UnbalancedGroup,
    /// A field that OTLP defines, with another wire type.
    #[error("a known field has an unexpected wire type")]
    WrongWireType,
}

/// A length-delimited value: its bytes are `start..end`, its length prefix `prefix..start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Offset of the first byte of the length varint.
    pub prefix: usize,
    /// Offset of the first byte of the content.
    pub start: usize,
    /// Offset behind the last byte of the content.
    pub end: usize,
}

impl Extent {
    /// Bytes of content.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Bytes of the length prefix: more than needed where the sender padded it.
    #[must_use]
    pub const fn prefix_len(&self) -> usize {
        self.start - self.prefix
    }

    /// Whether there is no content.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// A field's value as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, little-endian.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(Extent),
    /// Wire type 3: a group, skipped to its end.
    Group,
    /// Wire type 5, little-endian.
    Fixed32(u32),
}

/// One field: its number and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field's number, 1 to 2^29-1.
    pub number: u32,
    /// Its value.
    pub value: Value,
}

/// A cursor over one message inside a request.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    request: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole request.
    #[must_use]
    pub const fn new(request: &'a [u8]) -> Self {
        Self { request, at: 0, end: request.len() }
    }

    /// Reads one message inside `request`. An extent beyond the request reads as truncated.
    #[must_use]
    pub const fn within(request: &'a [u8], extent: Extent) -> Self {
        Self { request, at: extent.start, end: extent.end }
    }

    /// Offset in the request of what is read next.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The next field; `None` at the message's end.
    ///
    /// # Errors
    /// [`WireError`], with the offset where the bytes stop making sense.
    #[inline]
    pub fn field(&mut self) -> Result<Option<Field>, WireError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Value::Bytes(self.extent()?),
            3 => {
                self.skip_group(number)?;
                Value::Group
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            4 => return Err(self.error(WireErrorKind::UnbalancedGroup)),
            _ => return Err(self.error(WireErrorKind::InvalidTag)),
        };
        Ok(Some(Field { number, value }))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u32), WireError> {
        let at = self.at;
        let key =
            u32::try_from(self.varint()?).map_err(|_| WireError { offset: at, kind: WireErrorKind::InvalidTag })?;
        let number = key >> 3;
        if number == 0 {
            return Err(WireError { offset: at, kind: WireErrorKind::InvalidTag });
        }
        Ok((number, key & 7))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.request.get(self.at) {
            Some(&byte) if byte < 0x80 && self.at < self.end => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let bytes = self.request.get(self.at..self.end).unwrap_or_default();
        let mut value = 0u64;
        for (index, &byte) in bytes.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(self.error(WireErrorKind::VarintTooLong));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(self.error(if bytes.len() < 10 { WireErrorKind::Truncated } else { WireErrorKind::VarintTooLong }))
    }

    #[inline]
    fn extent(&mut self) -> Result<Extent, WireError> {
        let prefix = self.at;
        let len = self.varint()?;
        let start = self.at;
        match usize::try_from(len) {
            Ok(len) if len <= self.end - start => {
                self.at = start + len;
                Ok(Extent { prefix, start, end: self.at })
            }
            _ => Err(WireError { offset: prefix, kind: WireErrorKind::Truncated }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let bytes = self.request.get(self.at..self.end).and_then(|rest| rest.first_chunk::<N>());
        match bytes {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.error(WireErrorKind::Truncated)),
        }
    }

    /// Skips to the end of the group `number` whose start tag was just read. Keeps the open groups in a
    /// fixed array instead of recursing.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = [0u32; MAX_GROUP_DEPTH as usize];
        open[0] = number;
        let mut depth = 1usize;
        while depth > 0 {
            if self.at >= self.end {
                return Err(self.error(WireErrorKind::Truncated));
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.extent()?),
                5 => drop(self.array::<4>()?),
                3 => {
                    let Some(slot) = open.get_mut(depth) else {
                        return Err(self.error(WireErrorKind::UnbalancedGroup));
                    };
                    *slot = number;
                    depth += 1;
                }
                4 if open.get(depth - 1) == Some(&number) => depth -= 1,
                4 => return Err(self.error(WireErrorKind::UnbalancedGroup)),
                _ => return Err(self.error(WireErrorKind::InvalidTag)),
            }
        }
        Ok(())
    }

    const fn error(&self, kind: WireErrorKind) -> WireError {
        WireError { offset: self.at, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field>, WireErrorKind> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.field().map_err(|error| error.kind)? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn every_wire_type_is_read() {
        // 1: varint 300; 2: fixed64 1; 3: "ab"; 4: group { 5: varint 1 }; 6: fixed32 2
        let bytes = b"\x08\xac\x02\x11\x01\0\0\0\0\0\0\0\x1a\x02ab\x23\x28\x01\x24\x35\x02\0\0\0";
        let expected = vec![
            Field { number: 1, value: Value::Varint(300) },
            Field { number: 2, value: Value::Fixed64(1) },
            Field { number: 3, value: Value::Bytes(Extent { prefix: 13, start: 14, end: 16 }) },
            Field { number: 4, value: Value::Group },
            Field { number: 6, value: Value::Fixed32(2) },
        ];
        assert_eq!(fields(bytes), Ok(expected));
    }

    #[test]
    fn the_longest_varint_has_ten_bytes_and_64_bits() {
        let longest = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(longest), Ok(vec![Field { number: 1, value: Value::Varint(u64::MAX) }]));
        assert_eq!(fields(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), Err(WireErrorKind::VarintTooLong));
        assert_eq!(fields(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Err(WireErrorKind::VarintTooLong));
        assert_eq!(fields(b"\x08\xff"), Err(WireErrorKind::Truncated));
    }

    #[test]
    fn broken_tags_and_groups_are_refused() {
        assert_eq!(fields(b"\x00"), Err(WireErrorKind::InvalidTag), "field number 0");
        assert_eq!(fields(b"\x0e"), Err(WireErrorKind::InvalidTag), "wire type 6");
        assert_eq!(fields(b"\x0c"), Err(WireErrorKind::UnbalancedGroup), "an end without a start");
        assert_eq!(fields(b"\x0b\x14"), Err(WireErrorKind::UnbalancedGroup), "group 1 closed as 2");
        assert_eq!(fields(b"\x0b"), Err(WireErrorKind::Truncated), "a group that is not closed");
        assert_eq!(fields(&[0x0b; 200]), Err(WireErrorKind::UnbalancedGroup), "200 groups deep");
        assert_eq!(fields(b"\x0a\x05abc"), Err(WireErrorKind::Truncated), "a length beyond the end");
    }
}
