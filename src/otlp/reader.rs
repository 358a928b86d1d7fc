//! A cursor over protobuf bytes that never panics and never copies. Offsets are those of the whole request, so
//! that what was read can be spliced. Accepts what prost accepts on the wire, groups included.
//! <https://protobuf.dev/programming-guides/encoding/>

/// Nested groups deeper than this are refused, as prost does.
const MAX_GROUP_DEPTH: u32 = 100;

/// The wire type of everything that has a length: messages, strings, bytes.
const LENGTH_DELIMITED: u8 = 2;

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
// As wide as an offset: results that hold one are then handed on in whole registers.
#[repr(usize)]
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

/// A field as it is nearly always written: its content below 16 KiB, its tag in one byte but for a span's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainField<'a> {
    /// Its number, and in the lowest three bits its wire type.
    pub tag: u8,
    /// What has a length; of a time its eight bytes, of a varint its only byte; of what has a number above 15 everything.
    pub content: &'a [u8],
}

/// The content of a field, and where it stands in the request.
pub type Found<'a> = (&'a [u8], Extent);

/// A cursor over one message inside a request.
///
/// Advice for changes: nearly every field of a trace has a tag of one byte and a length of one or two, and nearly every
/// instruction that a span without a model call costs is spent on them. What is `inline(always)` holds those cases and
/// nothing else; the rest is in functions that are called by value, so that a cursor can stay in registers.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// What is left of the message.
    rest: &'a [u8],
    /// Offset in the request of the message's end.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole request.
    #[must_use]
    pub const fn new(request: &'a [u8]) -> Self {
        Self { rest: request, end: request.len() }
    }

    /// Reads one message inside `request`. An extent beyond the request, which no reader gives, reads as empty.
    #[inline]
    #[must_use]
    pub fn within(request: &'a [u8], extent: Extent) -> Self {
        Self { rest: request.get(extent.start..extent.end).unwrap_or_default(), end: extent.end }
    }

    /// Offset in the request of what is read next.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The next field; `None` at the message's end.
    ///
    /// # Errors
    /// [`WireError`], with the offset where the bytes stop making sense.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<Field>, WireError> {
        let [tag, ref behind @ ..] = *self.rest else { return Ok(None) };
        if is_short(tag)
            && let Some((content, rest)) = short_content(behind)
        {
            self.rest = rest;
            let extent = self.extent(behind, content);
            return Ok(Some(Field { number: u32::from(tag >> 3), value: Value::Bytes(extent) }));
        }
        // Times.
        if tag & 0x87 == 1
            && tag > 7
            && let Some((bits, rest)) = behind.split_first_chunk::<8>()
        {
            self.rest = rest;
            return Ok(Some(Field { number: u32::from(tag >> 3), value: Value::Fixed64(u64::from_le_bytes(*bits)) }));
        }
        let (field, rest) = self.any_field()?;
        *self = rest;
        Ok(Some(field))
    }

    /// The next field, where it is plain: `None` at the end, and where only [`Self::field`] can tell.
    #[inline(always)]
    pub fn plain_field(&mut self) -> Option<PlainField<'a>> {
        let (&tag, behind) = self.rest.split_first().filter(|(tag, _)| **tag > 7)?;
        let (content, rest) = match tag & 0x87 {
            LENGTH_DELIMITED => short_content(behind)?,
            1 => behind.split_at_checked(8)?,
            0 if *behind.first()? < 0x80 => behind.split_at_checked(1)?,
            // `Span.flags`.
            0x85 if *behind.first()? == 1 => behind.split_at_checked(5)?,
            _ => return None,
        };
        self.rest = rest;
        Some(PlainField { tag, content })
    }

    /// The next field with the number `number` (1 to 15), past all others: its content, and where that stands. `None` at
    /// the message's end.
    ///
    /// # Errors
    /// [`WireError`], also where that field is not length-delimited.
    #[inline(always)]
    pub fn find(&mut self, number: u8) -> Result<Option<Found<'a>>, WireError> {
        self.find_beside(number, number)
    }

    /// The same, past fields with the number `other` (1 to 15), which have to be length-delimited, too.
    ///
    /// # Errors
    /// [`WireError`].
    #[inline(always)]
    pub fn find_beside(&mut self, number: u8, other: u8) -> Result<Option<Found<'a>>, WireError> {
        while let [tag, ref behind @ ..] = *self.rest {
            if tag == number << 3 | LENGTH_DELIMITED {
                if let Some((content, rest)) = short_content(behind) {
                    self.rest = rest;
                    return Ok(Some((content, self.extent(behind, content))));
                }
            } else if let Some(rest) = behind_short_field(tag, behind)
                && tag >> 3 != number
                && (tag >> 3 != other || tag == other << 3 | LENGTH_DELIMITED)
            {
                self.rest = rest;
                continue;
            }
            let (found, rest) = self.find_here(number, other)?;
            *self = rest;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The extent of `content`, which was just read from `behind` its tag.
    #[inline(always)]
    const fn extent(&self, behind: &[u8], content: &[u8]) -> Extent {
        let end = self.offset();
        Extent { prefix: self.end - behind.len(), start: end - content.len(), end }
    }

    /// The next field, if it has the number `number`, however it is written; and the cursor behind it.
    #[inline(never)]
    fn find_here(self, number: u8, other: u8) -> Result<(Option<Found<'a>>, Self), WireError> {
        match self.any_field()? {
            (Field { number: found, value: Value::Bytes(extent) }, rest) if found == u32::from(number) => {
                let content = self.rest.get(extent.start - self.offset()..extent.end - self.offset());
                Ok((content.map(|content| (content, extent)), rest))
            }
            (Field { number: found, value }, _)
                if (found == u32::from(number) || found == u32::from(other)) && !matches!(value, Value::Bytes(_)) =>
            {
                Err(self.error(WireErrorKind::WrongWireType))
            }
            (_, rest) => Ok((None, rest)),
        }
    }

    /// The next field, however it is written, and the cursor behind it.
    #[inline(never)]
    pub(super) fn any_field(mut self) -> Result<(Field, Self), WireError> {
        let (number, wire_type) = self.tag()?;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Value::Bytes(self.any_extent()?),
            3 => {
                self.skip_group(number)?;
                Value::Group
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            4 => return Err(self.error(WireErrorKind::UnbalancedGroup)),
            _ => return Err(self.error(WireErrorKind::InvalidTag)),
        };
        Ok((Field { number, value }, self))
    }

    fn tag(&mut self) -> Result<(u32, u32), WireError> {
        let invalid = self.error(WireErrorKind::InvalidTag);
        let key = u32::try_from(self.varint()?).map_err(|_| invalid)?;
        match key >> 3 {
            0 => Err(invalid),
            number => Ok((number, key & 7)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [byte @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(self.error(WireErrorKind::VarintTooLong));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(self.error(if self.rest.len() < 10 { WireErrorKind::Truncated } else { WireErrorKind::VarintTooLong }))
    }

    fn any_extent(&mut self) -> Result<Extent, WireError> {
        let before = *self;
        let len = self.varint()?;
        let content = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((content, rest)) = content else { return Err(before.error(WireErrorKind::Truncated)) };
        self.rest = rest;
        Ok(self.extent(before.rest, content))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(WireErrorKind::Truncated));
        };
        self.rest = rest;
        Ok(*array)
    }

    /// Skips to the end of the group `number` whose start tag was just read. Keeps the open groups in a
    /// fixed array instead of recursing.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = [0u32; MAX_GROUP_DEPTH as usize];
        open[0] = number;
        let mut depth = 1usize;
        while depth > 0 {
            if self.rest.is_empty() {
                return Err(self.error(WireErrorKind::Truncated));
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.any_extent()?),
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

    pub(super) const fn error(&self, kind: WireErrorKind) -> WireError {
        WireError { offset: self.offset(), kind }
    }
}

/// Whether a byte is the whole tag of a length-delimited field.
#[inline(always)]
const fn is_short(tag: u8) -> bool {
    tag & 0x87 == LENGTH_DELIMITED && tag > 7
}

/// A content whose length has one byte or two, and what comes behind it; `behind` begins with the length.
#[inline(always)]
pub(super) fn short_content(behind: &[u8]) -> Option<(&[u8], &[u8])> {
    match *behind {
        [len @ ..0x80, ref rest @ ..] => rest.split_at_checked(usize::from(len)),
        [low, high @ ..0x80, ref rest @ ..] => rest.split_at_checked(usize::from(low & 0x7f) | usize::from(high) << 7),
        _ => None,
    }
}

/// What comes behind a field with the tag `tag`; `None` for what is unusual in a span, or broken.
#[inline(always)]
pub(super) fn behind_short_field(tag: u8, behind: &[u8]) -> Option<&[u8]> {
    match (tag & 0x87, behind) {
        _ if tag < 8 => None,
        (LENGTH_DELIMITED, _) => short_content(behind).map(|(_, rest)| rest),
        (0, [..0x80, rest @ ..]) => Some(rest),
        (1, _) => behind.get(8..),
        // `Span.flags`: a number above 15, so a tag of two bytes, and four of value.
        (0x85, [1..0x80, rest @ ..]) => rest.get(4..),
        _ => None,
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

    #[test]
    fn a_field_is_found_behind_fields_of_every_wire_type_and_with_any_tag_and_length() {
        let find =
            |bytes: &[u8]| Reader::new(bytes).find(9).map(|found| found.map(|(content, at)| (content.to_vec(), at)));
        let extent = |prefix, start, end| Extent { prefix, start, end };
        // 1: varints 1 and 300; 7: fixed64; 5: fixed32; 16: fixed32; 2: "ab"; group 4; then 9: "x"
        let bytes = b"\x08\x01\x08\xac\x02\x39\0\0\0\0\0\0\0\0\x2d\0\0\0\0\x85\x01\0\0\0\0\x12\x02ab\x23\x24\x4a\x01x";
        assert_eq!(find(bytes), Ok(Some((b"x".to_vec(), extent(32, 33, 34)))));
        assert_eq!(find(b"\xca\x00\x01x"), Ok(Some((b"x".to_vec(), extent(2, 3, 4)))), "a padded tag");
        assert_eq!(find(b"\x4a\x81\x80\x00x"), Ok(Some((b"x".to_vec(), extent(1, 4, 5)))), "a padded length");
        assert_eq!(find(b"\x12\x02ab"), Ok(None));
        let error = |offset, kind| Err(WireError { offset, kind });
        assert_eq!(find(b"\x12\0\x48\x01"), error(2, WireErrorKind::WrongWireType));
        assert_eq!(find(b"\x12\x05ab"), error(1, WireErrorKind::Truncated));
        assert_eq!(find(b"\x39\0\0"), error(1, WireErrorKind::Truncated));
        assert_eq!(find(b"\x02\0"), error(0, WireErrorKind::InvalidTag));
    }
}
