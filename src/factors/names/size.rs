//! Sizes in the names of open models: `deepseek-r1:7b`, `Qwen/Qwen3-30B-A3B`. A size is only read where it stands as a
//! word of its own and is the only one; what the words around it mean does not matter.
//! Linear in the name's length.

use super::tail::is_reduced;

/// More is no size of a model, in millions of parameters.
const MOST_MILLIONS: u32 = 10_000_000;

/// The size that a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamedSize {
    /// All parameters, in millions.
    pub(crate) total_m: u32,
    /// Those that a token passes, in millions, of a mixture of experts.
    pub(crate) active_m: Option<u32>,
    /// Whether the name says that the model makes vectors.
    pub(crate) is_embedding: bool,
    /// Whether the name says that its weights are stored in 8 bits or fewer.
    pub(crate) is_reduced: bool,
}

/// The size in a name; that in the tag of an Ollama name goes before that in its family.
pub(crate) fn size_in(name: &str) -> Option<NamedSize> {
    let (family, tag) = name.split_once(':').unwrap_or((name, ""));
    let (total_m, active_m) = match size(tag) {
        Words::None => match size(family) {
            Words::Size(total_m, active_m) => (total_m, active_m),
            Words::None | Words::Several => return None,
        },
        Words::Size(total_m, active_m) => (total_m, active_m),
        Words::Several => return None,
    };
    let is_embedding = name.as_bytes().windows(5).any(|word| word.eq_ignore_ascii_case(b"embed"));
    Some(NamedSize { total_m, active_m, is_embedding, is_reduced: is_reduced(name) })
}

/// Whether a name says which model of a family it is. At Ollama a family's name means whatever size it gives by default:
/// `deepseek-r1` is not the model of that name.
pub(crate) fn is_specific(name: &str) -> bool {
    const SAYS: &[&str] = &["instruct", "chat", "embed", "base"];
    name.contains(':')
        || !matches!(size(name), Words::None)
        || name.split(['-', '_', '/']).any(|word| super::is_any(word, SAYS))
}

/// What the words of a text say about sizes.
enum Words {
    None,
    Size(u32, Option<u32>),
    Several,
}

fn size(text: &str) -> Words {
    let mut found = Words::None;
    let mut words = text.split(['-', '_', '/', ' ', '@']).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let number = std::mem::replace(&mut before, word);
        if is_mixture(word) {
            return Words::Several;
        }
        let Some(total_m) = millions(word) else { continue };
        // `10_7b` is 10.7 billion to some, and 7 to others.
        let is_split = super::is_number(number) && text.contains(&format!("{number}_{word}"));
        // `17b-16e`: so many experts, and 17 billion is what a token passes.
        if is_split || words.peek().is_some_and(|next| is_experts(next)) {
            return Words::Several;
        }
        let active_m = words.peek().and_then(|next| next.strip_prefix(['a', 'A'])).and_then(millions);
        if let Words::Size(known, _) = found
            && known != total_m
        {
            return Words::Several;
        }
        if active_m.is_some_and(|active_m| active_m > total_m) {
            return Words::Several;
        }
        found = Words::Size(total_m, active_m);
    }
    found
}

/// `7b`, `0.5B`, `1p5b`, `135m`, in millions.
fn millions(word: &str) -> Option<u32> {
    let unit = word.bytes().next_back()?;
    let number = word.get(..word.len() - 1)?;
    let (scale, least) = match unit.to_ascii_lowercase() {
        b'b' => (1000, 1),
        // `1m` is a length of context.
        b'm' => (1, 20),
        _ => return None,
    };
    let (whole, part) = number.split_once(['.', 'p', 'P']).unwrap_or((number, ""));
    let is_number = |digits: &str| digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !is_number(whole)
        || !is_number(part)
        || part.len() > 3
        || (part.is_empty() && number != whole)
    {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse::<u32>().ok()? * scale / 1000;
    let millions = whole.parse::<u32>().ok()?.checked_mul(scale)?.checked_add(thousandths)?;
    if (least..=MOST_MILLIONS).contains(&millions) { Some(millions) } else { None }
}

/// `8x7b`: how many parameters that are depends on the model.
fn is_mixture(word: &str) -> bool {
    let Some((experts, each)) = word.split_once(['x', 'X']) else { return false };
    super::is_number(experts) && millions(each).is_some()
}

/// `16e`, `128E`: a number of experts.
fn is_experts(word: &str) -> bool {
    word.strip_suffix(['e', 'E']).is_some_and(super::is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(u32, Option<u32>)> {
        size_in(name).map(|size| (size.total_m, size.active_m))
    }

    #[test]
    fn a_size_is_read_where_it_is_a_word_of_its_own() {
        for (name, expected) in [
            ("deepseek-r1:7b", (7000, None)),
            ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", (70_000, None)),
            ("qwen2.5-coder:32b-instruct-q4_K_M", (32_000, None)),
            ("Qwen/Qwen3-30B-A3B", (30_000, Some(3000))),
            ("smollm2:135m", (135, None)),
            ("qwen2p5-1p5b", (1500, None)),
            ("some/thing-0.6b", (600, None)),
            ("some/Llama-3_1-thing-8b-v3", (8000, None)),
            ("some/thing-2-7b", (7000, None)),
            // The tag is what runs, whatever the family's name says.
            ("llama-70b:8b", (8000, None)),
        ] {
            assert_eq!(read(name), Some(expected), "{name}");
        }
        assert!(size_in("x/qwen3-embedding-8b").is_some_and(|size| size.is_embedding));
        assert!(size_in("llama3:70b-q4_0").is_some_and(|size| size.is_reduced));
        assert!(size_in("llama3:70b").is_some_and(|size| !size.is_reduced));
    }

    #[test]
    fn what_is_no_size_or_not_the_only_one_is_none() {
        for name in [
            "mixtral:8x7b",
            "mixtral-8x7B-v0.1",
            "gpt-4o",
            "draft-1b-of-70b",
            "Qwen2.5-Instruct-1M",
            "model-7bit",
            "x/a7b",
            "0b",
            "99999b",
            "30b-a70b",
            "b",
            "7.b",
            "gemma3n:e2b",
            "someone/llama-4-scout-17b-16e-instruct",
            "someone/Llama-4-Maverick-17B-128E",
            "someone/solar-10_7b-instruct",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
