//! The effective configuration as YAML: defaults filled in, secrets left out, in a form that loads again.
//! Knows the shape only; where it is printed is for the command.

use serde_yaml::Value;

use super::Config;

impl Config {
    /// This configuration as YAML in the Collector's shape. Secrets stand as `[REDACTED]`; the rest loads again to
    /// the same.
    ///
    /// # Errors
    /// What the serialiser objects to, which is nothing that can be configured.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        let mut tree = serde_yaml::to_value(self)?;
        if let Some(Value::Mapping(processors)) = tree.get_mut("processors") {
            for (id, limiter) in &self.memory_limiters {
                processors.insert(serde_yaml::to_value(id)?, serde_yaml::to_value(limiter)?);
            }
        }
        escape(&mut tree);
        serde_yaml::to_string(&tree)
    }
}

/// Doubles every `$`, which would begin a reference when it is read again. Keys are never expanded.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('$') => *text = text.replace('$', "$$"),
        Value::Sequence(items) => items.iter_mut().for_each(escape),
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| escape(value)),
        _ => {}
    }
}
