//! Taking a request apart into smaller ones at span, log record and metric boundaries. What is around the items is
//! repeated in every part, unknown fields included. Nothing is decoded, merged or brought into another order, and an
//! envelope that fits whole is copied as it is. Knows sizes and envelopes; nothing of who wants them smaller.

use bytes::Bytes;

use super::Signal;
use super::reader::{Extent, Field, Reader, Value, WireError, WireErrorKind};
use super::value::{append_varint, slice, varint_len};
use super::walk::count_inside;

/// What holds the envelopes or items inside: `resource_*` of a request, `scope_*` of a `Resource*`, and the spans,
/// metrics or log records of a `Scope*`.
const CHILDREN: [u32; 3] = [1, 2, 2];

/// One of the requests that a request was taken apart into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// An `Export*ServiceRequest` as protobuf.
    pub body: Bytes,
    /// Its spans, log records or data points.
    pub items: u64,
}

/// Parts of at most `max_bytes`, as few as that takes, in the order of the wire. A span, log record or metric that is
/// larger alone is a part of its own. They are made one after the other, so that not all are in memory at once.
#[must_use]
pub fn split(signal: Signal, request: &Bytes, max_bytes: usize) -> Parts {
    Parts { request: request.clone(), signal, max_bytes, open: Vec::new(), state: State::Fresh }
}

/// Two parts of about the same size, or a few more where items differ; `None` where there is nothing to take apart.
///
/// # Errors
/// [`WireError`] for bytes that are no request of that signal.
pub fn halves(signal: Signal, request: &Bytes) -> Result<Option<Parts>, WireError> {
    let largest = largest_alone(request, 0, whole(request))?;
    // Halfway to what no part can be below, since what is around the items does not halve.
    let target = (request.len() + largest).div_ceil(2);
    Ok((target < request.len()).then(|| split(signal, request, target)))
}

/// The length of the message at `content` were only its largest item in it.
fn largest_alone(request: &Bytes, depth: usize, content: Extent) -> Result<usize, WireError> {
    let mut envelope = Envelope::open(request, depth, content)?;
    let mut largest = 0;
    while let Some(child) = envelope.next(request)? {
        largest = largest.max(match CHILDREN.get(depth + 1) {
            Some(_) => field_len(largest_alone(request, depth + 1, child.content)?),
            None => child.raw_len(),
        });
    }
    Ok(envelope.before.len() + largest + envelope.after.len())
}

/// The parts of one request; nothing follows an error.
#[derive(Debug)]
pub struct Parts {
    request: Bytes,
    signal: Signal,
    max_bytes: usize,
    /// The envelopes that the walk stands in, the request first.
    open: Vec<Envelope>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Underway,
    Ended,
}

impl Iterator for Parts {
    type Item = Result<Part, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = self.next_part();
        if part.is_err() {
            self.state = State::Ended;
        }
        part.transpose()
    }
}

impl Parts {
    fn next_part(&mut self) -> Result<Option<Part>, WireError> {
        let first = self.state == State::Fresh;
        match self.state {
            State::Fresh => self.open.push(Envelope::open(&self.request, 0, whole(&self.request))?),
            State::Underway => {}
            State::Ended => return Ok(None),
        }
        self.state = State::Underway;
        let mut draft = Draft::around(&self.open);
        self.fill(&mut draft)?;
        match draft.finish(&self.open) {
            Some(part) => Ok(Some(part)),
            // Without anything to take apart the whole is the part.
            None if first => Ok(Some(Part { body: self.request.clone(), items: 0 })),
            None => Ok(None),
        }
    }

    /// Puts into `draft` what fits, and one child in any case; ends the walk where nothing is left.
    fn fill(&mut self, draft: &mut Draft) -> Result<(), WireError> {
        while let Some(envelope) = self.open.last_mut() {
            let child = envelope.next(&self.request)?;
            let depth = self.open.len();
            let Some(child) = child else {
                if depth == 1 {
                    self.state = State::Ended;
                    return Ok(());
                }
                draft.close_last(&self.open);
                self.open.pop();
                continue;
            };
            if draft.len_with(&self.open, child.raw_len()) <= self.max_bytes {
                draft.push(&self.request, child, count_inside(self.signal, &self.request, depth, child.content)?);
                continue;
            }
            if CHILDREN.get(depth).is_some() {
                let inner = Envelope::open(&self.request, depth, child.content)?;
                if inner.has_children {
                    draft.open(&inner);
                    self.open.push(inner);
                    continue;
                }
            }
            if draft.is_empty {
                draft.push(&self.request, child, count_inside(self.signal, &self.request, depth, child.content)?);
            } else if let Some(envelope) = self.open.last_mut() {
                envelope.at = child.raw_start;
            }
            return Ok(());
        }
        Ok(())
    }
}

/// An envelope that is gone through child by child.
#[derive(Debug)]
struct Envelope {
    /// Its other fields: those that stand before the first child, and the rest.
    before: Vec<u8>,
    after: Vec<u8>,
    has_children: bool,
    child_number: u32,
    /// What is not yet gone through.
    at: usize,
    end: usize,
}

/// A field that holds an envelope or an item.
#[derive(Debug, Clone, Copy)]
struct Child {
    /// Offset of its tag.
    raw_start: usize,
    content: Extent,
}

impl Child {
    const fn raw_len(&self) -> usize {
        self.content.end - self.raw_start
    }
}

impl Envelope {
    fn open(request: &Bytes, depth: usize, content: Extent) -> Result<Self, WireError> {
        let child_number = CHILDREN.get(depth).copied().unwrap_or_default();
        let (mut before, mut after, mut has_children) = (Vec::new(), Vec::new(), false);
        let mut reader = Reader::within(request, content);
        let mut start = reader.offset();
        while let Some(field) = reader.field()? {
            let raw = request.get(start..reader.offset()).unwrap_or_default();
            match field.number == child_number {
                true => has_children = true,
                false if has_children => after.extend_from_slice(raw),
                false => before.extend_from_slice(raw),
            }
            start = reader.offset();
        }
        Ok(Self { before, after, has_children, child_number, at: content.start, end: content.end })
    }

    fn next(&mut self, request: &Bytes) -> Result<Option<Child>, WireError> {
        let mut reader = Reader::within(request, Extent { prefix: self.at, start: self.at, end: self.end });
        loop {
            let raw_start = reader.offset();
            let field = reader.field()?;
            self.at = reader.offset();
            match field {
                None => return Ok(None),
                Some(Field { number, value: Value::Bytes(content) }) if number == self.child_number => {
                    return Ok(Some(Child { raw_start, content }));
                }
                Some(Field { number, .. }) if number == self.child_number => {
                    return Err(WireError { offset: raw_start, kind: WireErrorKind::WrongWireType });
                }
                Some(_) => {}
            }
        }
    }
}

/// A part as far as it is written: the contents of the envelopes that are open, the request's first.
#[derive(Debug)]
struct Draft {
    frames: Vec<Frame>,
    items: u64,
    is_empty: bool,
}

#[derive(Debug)]
struct Frame {
    content: Vec<u8>,
    /// Without a child it is not written: it has not begun in this part.
    has_children: bool,
}

impl Frame {
    fn around(envelope: &Envelope) -> Self {
        Self { content: envelope.before.clone(), has_children: false }
    }
}

impl Draft {
    fn around(open: &[Envelope]) -> Self {
        Self { frames: open.iter().map(Frame::around).collect(), items: 0, is_empty: true }
    }

    fn open(&mut self, envelope: &Envelope) {
        self.frames.push(Frame::around(envelope));
    }

    /// The part's length if `more` bytes came into the innermost envelope and nothing else.
    fn len_with(&self, open: &[Envelope], more: usize) -> usize {
        let mut len = more;
        for (at, (frame, envelope)) in self.frames.iter().zip(open).enumerate().rev() {
            len = frame.content.len() + len + envelope.after.len();
            if at > 0 {
                len = field_len(len);
            }
        }
        len
    }

    fn push(&mut self, request: &Bytes, child: Child, items: u64) {
        let Some(frame) = self.frames.last_mut() else { return };
        let raw = Extent { prefix: child.raw_start, start: child.raw_start, end: child.content.end };
        frame.content.extend_from_slice(slice(request, raw));
        frame.has_children = true;
        self.items += items;
        self.is_empty = false;
    }

    /// Writes the innermost envelope, complete with what stands behind its children, into the one around it. The
    /// request itself stays.
    fn close_last(&mut self, open: &[Envelope]) {
        let depth = self.frames.len();
        if depth < 2 {
            return;
        }
        let Some(frame) = self.frames.pop().filter(|frame| frame.has_children) else { return };
        let (Some(around), Some(envelope)) = (self.frames.last_mut(), open.get(depth - 1)) else { return };
        around.content.push(tag(depth - 2));
        append_varint(&mut around.content, (frame.content.len() + envelope.after.len()) as u64);
        around.content.extend_from_slice(&frame.content);
        around.content.extend_from_slice(&envelope.after);
        around.has_children = true;
    }

    /// The part; `None` for one without anything in it.
    fn finish(mut self, open: &[Envelope]) -> Option<Part> {
        for _ in 1..self.frames.len() {
            self.close_last(open);
        }
        let mut request = self.frames.pop().filter(|frame| frame.has_children)?.content;
        request.extend_from_slice(open.first().map_or(&[], |envelope| &envelope.after));
        Some(Part { body: request.into(), items: self.items })
    }
}

/// The tag of a child of an envelope: its field's number, length-delimited.
fn tag(depth: usize) -> u8 {
    if depth == 0 { 0x0a } else { 0x12 }
}

const fn field_len(content: usize) -> usize {
    1 + varint_len(content) + content
}

fn whole(request: &Bytes) -> Extent {
    Extent { prefix: 0, start: 0, end: request.len() }
}
