//! Appending bytes to messages inside a request: the length prefixes above them are rewritten, everything else is
//! copied as it is, a prefix that was wider than it had to be included. Knows extents, not what is appended.

use bytes::{BufMut, Bytes, BytesMut};

use super::reader::Extent;
use super::value::{append_padded_varint, varint_len};

/// What is appended to the spans of one request, collected in the order of the wire.
#[derive(Debug, Default)]
pub struct Splice {
    /// Messages that grow, in the order in which their prefixes stand on the wire.
    grown: Vec<Grown>,
    /// All appended bytes, one after the other in the order of the spans.
    appended: Vec<u8>,
    /// The `ResourceSpans` and the `ScopeSpans` that the last span was in, as indices into `grown`.
    open: Option<(usize, usize)>,
}

/// One message that grows: by appended bytes if it is a span, by its children's growth if it is an envelope.
#[derive(Debug)]
struct Grown {
    extent: Extent,
    parent: Option<usize>,
    /// Bytes by which the content grows, prefixes inside included.
    growth: usize,
    /// The span's part of `appended`; empty for envelopes.
    appended: std::ops::Range<usize>,
}

impl Grown {
    const fn new_len(&self) -> usize {
        self.extent.len() + self.growth
    }
}

impl Splice {
    /// A splice of about `spans` spans, to which about `bytes` are appended together.
    #[must_use]
    pub fn with_capacity(spans: usize, bytes: usize) -> Self {
        Self { grown: Vec::with_capacity(2 * spans), appended: Vec::with_capacity(bytes), open: None }
    }

    /// Whether nothing is appended: the request leaves as the same bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grown.is_empty()
    }

    /// Appends to the span at `span` what `write` puts at the end of the buffer it is given. Spans must come in the
    /// order of the wire, each once. `write` must only push: what is before is other spans'.
    pub fn append(&mut self, envelopes: [Extent; 2], span: Extent, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.appended.len();
        write(&mut self.appended);
        let end = self.appended.len();
        if end <= start {
            return;
        }
        let parent = self.open_envelopes(envelopes);
        self.grown.push(Grown { extent: span, parent: Some(parent), growth: end - start, appended: start..end });
    }

    fn open_envelopes(&mut self, [outer, inner]: [Extent; 2]) -> usize {
        let same = |index: usize, extent: Extent, grown: &[Grown]| grown.get(index).map(|g| g.extent) == Some(extent);
        match self.open {
            Some((o, i)) if same(o, outer, &self.grown) && same(i, inner, &self.grown) => i,
            Some((o, _)) if same(o, outer, &self.grown) => self.open_inner(o, inner),
            _ => {
                self.grown.push(Grown { extent: outer, parent: None, growth: 0, appended: 0..0 });
                self.open_inner(self.grown.len() - 1, inner)
            }
        }
    }

    fn open_inner(&mut self, outer: usize, inner: Extent) -> usize {
        self.grown.push(Grown { extent: inner, parent: Some(outer), growth: 0, appended: 0..0 });
        let index = self.grown.len() - 1;
        self.open = Some((outer, index));
        index
    }

    /// The spliced request. Without anything appended it is `request` itself, not a copy.
    #[must_use]
    pub fn apply(mut self, request: &Bytes) -> Bytes {
        if self.is_empty() {
            return request.clone();
        }
        let total = self.sum_growth();
        let mut out = BytesMut::with_capacity(request.len() + total);
        let mut copied = 0usize;
        let mut prefix = Vec::with_capacity(10);
        for grown in &self.grown {
            out.put_slice(&request[copied..grown.extent.prefix]);
            prefix.clear();
            append_padded_varint(&mut prefix, grown.new_len() as u64, grown.extent.prefix_len());
            out.put_slice(&prefix);
            copied = grown.extent.start;
            if !grown.appended.is_empty() {
                out.put_slice(&request[copied..grown.extent.end]);
                out.put_slice(&self.appended[grown.appended.clone()]);
                copied = grown.extent.end;
            }
        }
        out.put_slice(&request[copied..]);
        out.freeze()
    }

    /// Adds each message's growth, with that of its own prefix, to the message around it; gives the request's growth.
    fn sum_growth(&mut self) -> usize {
        let mut total = 0usize;
        // Children stand behind their parents, so backwards every child is complete before its parent is read.
        for index in (0..self.grown.len()).rev() {
            let Some(grown) = self.grown.get(index) else { continue };
            let old_width = grown.extent.prefix_len();
            let growth = grown.growth + varint_len(grown.new_len()).max(old_width) - old_width;
            match grown.parent.and_then(|parent| self.grown.get_mut(parent)) {
                Some(parent) => parent.growth += growth,
                None => total += growth,
            }
        }
        total
    }
}
