//! The region in the host names of Bedrock, SageMaker, Vertex and Azure, and the provider in those of its own. Reads `server.address` as it arrives: a host,
//! `host:port`, a URL, an IP. Gateways and resource names that only look like a region are not read.

use super::any_case::{strip_prefix, strip_suffix};

/// The region, or an area such as `us`, that the host stands in; a slice of `address`. Whether it is a region that is
/// known, the table says.
pub(super) fn region_in_host(address: &str) -> Option<&str> {
    let host = host(address);
    if let Some(service) = strip_suffix(host, ".amazonaws.com")
        .or_else(|| strip_suffix(host, ".amazonaws.com.cn"))
        .or_else(|| strip_suffix(host, ".api.aws"))
    {
        return aws_region(service);
    }
    if let Some(service) = strip_suffix(host, ".googleapis.com") {
        return vertex_region(service);
    }
    azure_region(host)
}

/// Hosts of providers' own interfaces and of platforms, by how they end, with a value of the provider attribute.
/// Routers are not among them: who computes behind one is not known.
const PROVIDERS: &[(&str, &str)] = &[
    ("openai.azure.com", "azure.ai.openai"),
    ("ai.azure.com", "azure.ai.inference"),
    ("ml.azure.com", "azure.ai.inference"),
    ("cognitive.microsoft.com", "azure.ai.inference"),
    ("cognitiveservices.azure.com", "azure.ai.inference"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("mistral.ai", "mistral_ai"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("huggingface.co", "huggingface"),
    ("deepseek.com", "deepseek"),
    ("x.ai", "xai"),
    ("groq.com", "groq"),
    ("cerebras.ai", "cerebras"),
    ("together.xyz", "together_ai"),
    ("together.ai", "together_ai"),
    ("fireworks.ai", "fireworks_ai"),
    ("perplexity.ai", "perplexity"),
    ("voyageai.com", "voyageai"),
];

/// The provider at `address` (a host, `host:port`, a URL), as a value of `gen_ai.provider.name`. `None` for gateways,
/// addresses and hosts of nobody that is known.
#[must_use]
pub fn provider_of_host(address: &str) -> Option<&'static str> {
    let host = host(address);
    let is_aws = |host| [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| ends(host, end));
    if is_aws(host) && host.split('.').any(|label| strip_prefix(label, "bedrock").is_some()) {
        return Some("aws.bedrock");
    }
    let is_within = |domain: &str| {
        strip_suffix(host, domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            // europe-west4-aiplatform.googleapis.com
            || (domain == "aiplatform.googleapis.com" && ends(host, "-aiplatform.googleapis.com"))
    };
    PROVIDERS.iter().find(|(domain, _)| is_within(domain)).map(|(_, provider)| *provider)
}

fn ends(host: &str, end: &str) -> bool {
    strip_suffix(host, end).is_some()
}

/// Without scheme, user, port and path.
fn host(address: &str) -> &str {
    let address = address.trim();
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    host_and_port.split(':').next().unwrap_or_default().trim_end_matches('.')
}

/// `bedrock-runtime.REGION`, `runtime.sagemaker.REGION`, `vpce-1.bedrock-runtime.REGION.vpce`: the label after the
/// service's. Load balancers and API gateways in `amazonaws.com` have another service there.
fn aws_region(service: &str) -> Option<&str> {
    let mut labels = service.split('.');
    labels.find(|label| strip_prefix(label, "bedrock").is_some() || label.eq_ignore_ascii_case("sagemaker"))?;
    labels.next()
}

/// `REGION-aiplatform`, `REGION-aiplatform.mtls`, `aiplatform.REGION.rep`.
fn vertex_region(service: &str) -> Option<&str> {
    let mut labels = service.split('.');
    let first = labels.next()?;
    if first.eq_ignore_ascii_case("aiplatform") {
        let place = labels.next()?;
        return labels.next().filter(|label| label.eq_ignore_ascii_case("rep")).map(|_| place);
    }
    strip_suffix(first, "-aiplatform")
}

/// `REGION.api.cognitive.microsoft.com`, and models deployed as `name.REGION.{models,inference}.ai.azure.com` or
/// `name.REGION.inference.ml.azure.com`. The name of an Azure OpenAI resource is free text and no region.
fn azure_region(host: &str) -> Option<&str> {
    if let Some(region) = strip_suffix(host, ".api.cognitive.microsoft.com") {
        return Some(region);
    }
    let name_and_region = [".models.ai.azure.com", ".inference.ai.azure.com", ".inference.ml.azure.com"]
        .into_iter()
        .find_map(|suffix| strip_suffix(host, suffix))?;
    name_and_region.rsplit_once('.').map(|(_, region)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_the_platforms_carry_their_region() {
        for (address, region) in [
            ("bedrock-runtime.eu-west-3.amazonaws.com", "eu-west-3"),
            ("https://bedrock-runtime.eu-west-3.amazonaws.com/model/x/invoke", "eu-west-3"),
            ("Bedrock-Runtime.eu-west-3.AmazonAWS.com:443", "eu-west-3"),
            ("bedrock-runtime-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("vpce-0a1-b2.bedrock-runtime.us-west-2.vpce.amazonaws.com", "us-west-2"),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("bedrock-mantle.us-east-1.api.aws", "us-east-1"),
            ("runtime.sagemaker.eu-central-1.amazonaws.com", "eu-central-1"),
            ("europe-west4-aiplatform.googleapis.com", "europe-west4"),
            ("https://us-central1-aiplatform.googleapis.com:443/v1/", "us-central1"),
            ("us-central1-aiplatform.mtls.googleapis.com", "us-central1"),
            ("aiplatform.eu.rep.googleapis.com", "eu"),
            ("swedencentral.api.cognitive.microsoft.com", "swedencentral"),
            ("Mistral-large-2407-ab.eastus2.models.ai.azure.com", "eastus2"),
            ("my-endpoint.northeurope.inference.ml.azure.com", "northeurope"),
        ] {
            assert_eq!(region_in_host(address), Some(region), "{address}");
        }
    }

    #[test]
    fn a_host_tells_its_provider_and_a_gateway_tells_none() {
        for (address, provider) in [
            ("api.openai.com", Some("openai")),
            ("https://api.mistral.ai/v1/chat", Some("mistral_ai")),
            ("API.Anthropic.com:443", Some("anthropic")),
            ("europe-west4-aiplatform.googleapis.com", Some("gcp.vertex_ai")),
            ("generativelanguage.googleapis.com", Some("gcp.gemini")),
            ("me.openai.azure.com", Some("azure.ai.openai")),
            ("bedrock-runtime.eu-west-3.amazonaws.com", Some("aws.bedrock")),
            ("abc.execute-api.eu-west-1.amazonaws.com", None),
            ("bedrock.example.com", None),
            ("api.together.xyz", Some("together_ai")),
            ("api.x.ai", Some("xai")),
            ("max.ai", None),
            ("notopenai.com", None),
            ("openai.com.example.org", None),
            ("openrouter.ai", None),
            ("127.0.0.1:4000", None),
            ("", None),
        ] {
            assert_eq!(provider_of_host(address), provider, "{address}");
        }
    }

    #[test]
    fn gateways_addresses_and_free_names_carry_none() {
        for address in [
            "",
            "127.0.0.1",
            "127.0.0.1:25102",
            "http://127.0.0.1:25102/v1/",
            "[::1]:4317",
            "api.openai.com",
            "gateway.eu-west-1.example.com",
            "abc.execute-api.eu-west-1.amazonaws.com",
            "lb-1.eu-west-1.elb.amazonaws.com",
            "aiplatform.googleapis.com",
            "generativelanguage.googleapis.com",
            "eastus.openai.azure.com",
            "https://bedrock-runtime.eu-west-3.example.com",
            "eu-west-3",
            "é.amazonaws.com",
        ] {
            assert_eq!(region_in_host(address), None, "{address}");
        }
    }
}
