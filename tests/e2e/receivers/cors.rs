//! Browsers: told nothing unless pages are named, and then only those.

use gramtrace::receiver::CorsSettings;

use super::support::{H1, JSON, Setup};

const ASK: &str = "OPTIONS /v1/traces HTTP/1.1\r\nhost: localhost\r\norigin: https://app.example.com\r\n\
                   access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n\r\n";

async fn asked(client: &mut H1) -> super::support::Answer {
    client.write(ASK).await;
    client.answer().await
}

#[tokio::test]
async fn o_49_without_origins_no_page_may_send() {
    let server = Setup::http().start().await;
    let mut client = server.h1().await;
    let answer = asked(&mut client).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (405, ""));
    let answer = client.post("/v1/traces", &[JSON, "origin: https://app.example.com"], b"{}").await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn o_49_a_page_of_an_origin_that_is_named_may_send_and_read_the_answer_and_another_may_not() {
    let cors = CorsSettings { allowed_origins: vec!["https://app.example.com".to_owned()], ..Default::default() };
    let server = Setup { cors: Some(cors), ..Setup::http() }.start().await;
    let mut client = server.h1().await;
    let answer = asked(&mut client).await;
    assert_eq!(answer.status.as_u16(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type");
    for (body, status) in [(&b"{}"[..], 200), (b"[", 400)] {
        let answer = client.post("/v1/traces", &[JSON, "origin: https://app.example.com"], body).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
        let answer = client.post("/v1/traces", &[JSON, "origin: https://evil.example"], body).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (status, ""));
    }
}
