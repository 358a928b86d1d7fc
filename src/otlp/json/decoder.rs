//! The walk: members of JSON objects become fields of the message that the schema names, in the order in
//! which they come. Knows the rules of protobuf's JSON mapping and where OTLP departs from them; nothing of signals.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::{Fault, Step, ValueFault};
use super::number;
use super::quoted::Quoted;
use super::scan::{Close, Scanner, Token};
use super::schema::{ANY_VALUE, Enum, Field, Kind, Label, Message};
use super::wire::{Output, WireType};

const BASE64_RULES: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64_RULES);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64_RULES);

const A_NUMBER: ValueFault = ValueFault::Type("a number, or one in a string");

/// One body on its way to protobuf.
pub(super) struct Decoder<'a> {
    scan: Scanner<'a>,
    out: Output,
    /// Where the cursor is. A step is taken back when its value is through, so after a fault this is where that was.
    path: Vec<Step>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // Protobuf takes half the room of the JSON in real requests.
        Self { scan: Scanner::new(text), out: Output::with_capacity(text.len() / 2), path: Vec::new() }
    }

    /// Reads the whole body as one `message`.
    pub(super) fn request(&mut self, message: &'static Message) -> Result<(), Fault> {
        self.message(message)?;
        self.scan.finish()
    }

    pub(super) fn path(&self) -> &[Step] {
        &self.path
    }

    pub(super) fn into_bytes(self) -> bytes::Bytes {
        self.out.into_bytes()
    }

    fn message(&mut self, message: &'static Message) -> Result<(), Fault> {
        if self.scan.peek()? != Token::Object {
            return Err(ValueFault::Type("an object").into());
        }
        let mut seen = 0_u32;
        let mut more = self.scan.open(Close::Object)?;
        while more {
            let key = self.scan.key()?;
            match message.find(&key.text()) {
                None => self.scan.skip()?,
                Some((index, field)) => {
                    let again = seen & (1 << index) != 0;
                    seen |= 1 << index;
                    self.field(field, again)?;
                }
            }
            more = self.scan.another(Close::Object)?;
        }
        Ok(())
    }

    /// A member of a message. The last of several must win, so one that comes `again` is written even when it has the
    /// default value.
    fn field(&mut self, field: &'static Field, again: bool) -> Result<(), Fault> {
        self.path.push(Step::Field(field.name));
        if !self.scan.null()? {
            match field.label {
                Label::Repeated => self.list(field)?,
                label => {
                    let start = self.out.len();
                    self.out.tag(field.number, field.kind.wire_type());
                    if self.value(field.kind)? && label == Label::Implicit && !again {
                        self.out.truncate(start);
                    }
                }
            }
        }
        self.path.pop();
        Ok(())
    }

    fn list(&mut self, field: &'static Field) -> Result<(), Fault> {
        if self.scan.peek()? != Token::List {
            return Err(ValueFault::Type("a list").into());
        }
        if field.kind.wire_type() == WireType::Len {
            return self.elements(|decoder| decoder.element(field));
        }
        let start = self.out.len();
        self.out.tag(field.number, WireType::Len);
        let length = self.out.open_length();
        let empty = self.out.len();
        self.elements(|decoder| decoder.packed(field.kind))?;
        if self.out.len() == empty {
            self.out.truncate(start);
        } else {
            self.out.close_length(length);
        }
        Ok(())
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut more = self.scan.open(Close::List)?;
        let mut index = 0;
        while more {
            self.path.push(Step::Element(index));
            element(self)?;
            self.path.pop();
            index += 1;
            more = self.scan.another(Close::List)?;
        }
        Ok(())
    }

    /// An element with a tag of its own. `null` is no element, except among the values of an array: there the place of
    /// the others has a meaning, and an empty value keeps it.
    fn element(&mut self, field: &'static Field) -> Result<(), Fault> {
        let null = self.scan.null()?;
        if null && !matches!(field.kind, Kind::Message(message) if std::ptr::eq(message, &ANY_VALUE)) {
            return Ok(());
        }
        self.out.tag(field.number, WireType::Len);
        if null {
            let length = self.out.open_length();
            self.out.close_length(length);
            return Ok(());
        }
        self.value(field.kind).map(drop)
    }

    fn packed(&mut self, kind: Kind) -> Result<(), Fault> {
        if self.scan.null()? {
            return Err(ValueFault::NullNumber.into());
        }
        self.value(kind).map(drop)
    }

    /// Writes the next value without its tag; whether it is the default of its type.
    fn value(&mut self, kind: Kind) -> Result<bool, Fault> {
        let bits = match kind {
            Kind::Message(message) => {
                let length = self.out.open_length();
                self.message(message)?;
                self.out.close_length(length);
                return Ok(false);
            }
            Kind::String | Kind::Bytes | Kind::Id => return self.delimited(kind),
            Kind::Bool => self.bool()?.into(),
            Kind::Enum(names) => i64::from(self.enum_number(names)?).cast_unsigned(),
            Kind::Int32 => i64::from(self.integer::<i32>("int32")?).cast_unsigned(),
            Kind::Sint32 => zigzag(self.integer("sint32")?),
            Kind::Uint32 => self.integer::<u32>("uint32")?.into(),
            Kind::Fixed32 => self.integer::<u32>("fixed32")?.into(),
            Kind::Int64 => self.integer::<i64>("int64")?.cast_unsigned(),
            Kind::Sfixed64 => self.integer::<i64>("sfixed64")?.cast_unsigned(),
            Kind::Uint64 => self.integer("uint64")?,
            Kind::Fixed64 => self.integer("fixed64")?,
            Kind::Double => self.double()?.to_bits(),
        };
        match kind.wire_type() {
            WireType::Fixed32 => self.out.fixed::<4>(bits),
            WireType::Fixed64 => self.out.fixed::<8>(bits),
            WireType::Varint | WireType::Len => self.out.varint(bits),
        }
        Ok(bits == 0)
    }

    fn delimited(&mut self, kind: Kind) -> Result<bool, Fault> {
        if self.scan.peek()? != Token::String {
            return Err(ValueFault::Type("a string").into());
        }
        let quoted = self.scan.string()?;
        let length = self.out.open_length();
        match kind {
            Kind::Id => append_hex(quoted, self.out.end_mut())?,
            Kind::Bytes => append_base64(quoted, self.out.end_mut())?,
            _ => quoted.append_to(self.out.end_mut()),
        }
        self.out.close_length(length);
        Ok(quoted.is_empty())
    }

    fn double(&mut self) -> Result<f64, Fault> {
        match self.scan.peek()? {
            Token::Number => Ok(number::double(self.scan.number()?)?),
            Token::String => Ok(number::double_in_string(&self.scan.string()?.text())?),
            _ => Err(A_NUMBER.into()),
        }
    }

    fn bool(&mut self) -> Result<bool, Fault> {
        match self.scan.peek()? {
            Token::Bool => self.scan.bool(),
            _ => Err(ValueFault::Type("true or false").into()),
        }
    }

    /// OTLP forbids names to senders; they are read all the same, as in the Collector. Numbers without a name pass.
    fn enum_number(&mut self, names: &Enum) -> Result<i32, Fault> {
        if self.scan.peek()? != Token::String {
            return self.integer(names.name);
        }
        let name = self.scan.string()?.text();
        let number = names.values.iter().position(|value| *value == name).and_then(|at| i32::try_from(at).ok());
        number.ok_or(ValueFault::EnumName(names.name).into())
    }

    /// An integer that `T` can hold; `type_name` is what the range is said to be that of.
    fn integer<T: TryFrom<i128>>(&mut self, type_name: &'static str) -> Result<T, Fault> {
        let value = match self.scan.peek()? {
            Token::Number => number::integer(self.scan.number()?)?,
            Token::String => number::integer(&self.scan.string()?.text())?,
            _ => return Err(A_NUMBER.into()),
        };
        T::try_from(value).map_err(|_| ValueFault::Range(type_name).into())
    }
}

/// <https://protobuf.dev/programming-guides/encoding/#signed-ints>
fn zigzag(value: i32) -> u64 {
    ((value << 1) ^ (value >> 31)).cast_unsigned().into()
}

fn append_hex(quoted: Quoted<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
    let text = quoted.text();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    for &[high, low] in pairs {
        out.push(hex_digit(high)? << 4 | hex_digit(low)?);
    }
    match rest {
        [] => Ok(()),
        [digit, ..] => hex_digit(*digit).and(Err(ValueFault::OddHex)),
    }
}

fn hex_digit(digit: u8) -> Result<u8, ValueFault> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ValueFault::Hex),
    }
}

fn append_base64(quoted: Quoted<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
    let text = quoted.text();
    let alphabet = if text.contains(['-', '_']) { &BASE64_URL } else { &BASE64 };
    alphabet.decode_vec(text.as_bytes(), out).map_err(|_| ValueFault::Base64)
}
