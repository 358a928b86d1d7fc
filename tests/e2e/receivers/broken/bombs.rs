//! What bombs cost: the resident memory of the real binary while many of them come at once.

use bytes::Bytes;
use gramtrace::wire::{Encoding, frame};
use http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use super::super::support::{Chunks, H1, H2};
use super::TRACES;
use super::target::{PATIENCE, Target};

/// The memory limit of the binary; requests may be of 64 MiB, as by default.
const LIMIT_MIB: u64 = 300;
/// Bombs of each kind that come at once.
const AT_ONCE: usize = 8;

/// Inflates to 1 GiB; a few KiB in zstd, a MiB in gzip.
fn bomb(encoding: Encoding) -> Bytes {
    let piece = encoding.deflate(&Bytes::from(vec![0; 16 << 20]), 9).unwrap();
    piece.repeat(64).into()
}

async fn over_grpc(address: std::net::SocketAddr, encoding: Encoding, bomb: Bytes) -> Code {
    let body = [&frame::prefix(true, bomb.len()).unwrap()[..], &bomb].concat();
    let request = Request::post(format!("http://localhost{TRACES}"))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding.name())
        .body(Chunks::whole(body))
        .unwrap();
    let mut client = H2::over(TcpStream::connect(address).await.unwrap()).await;
    tokio::time::timeout(PATIENCE, client.try_send(request)).await.unwrap().unwrap().code()
}

async fn over_http(address: std::net::SocketAddr, encoding: Encoding, bomb: Bytes) -> u16 {
    let mut client = H1::over(TcpStream::connect(address).await.unwrap());
    let encoded = format!("content-encoding: {}", encoding.name());
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n{encoded}\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    client.write([head.as_bytes(), &bomb].concat()).await;
    tokio::time::timeout(PATIENCE, client.try_answer()).await.unwrap().unwrap().status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_14_o_23_bombs_that_come_together_stay_below_the_memory_limit() {
    let target = Target::start("max_recv_msg_size_mib: 64", "64MiB", &LIMIT_MIB.to_string()).await;
    target.serves_good_requests("the start").await;
    let before = target.peak_mib();
    let mut attacks: JoinSet<bool> = JoinSet::new();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let bomb = bomb(encoding);
        for _ in 0..AT_ONCE {
            let (grpc, http, over, again) = (target.grpc, target.http, bomb.clone(), bomb.clone());
            attacks.spawn(async move {
                let code = over_grpc(grpc, encoding, over).await;
                assert!(matches!(code, Code::ResourceExhausted | Code::Unavailable), "{code:?}");
                code == Code::ResourceExhausted
            });
            attacks.spawn(async move {
                let status = over_http(http, encoding, again).await;
                assert!(matches!(status, 413 | 503), "{status}");
                status == 413
            });
        }
    }
    // Those that found no room were told to come back; what bombs are for is that some were inflated up to the limit.
    let too_large = attacks.join_all().await.into_iter().filter(|inflated| *inflated).count();
    assert!(too_large > 0, "all were turned away unread");
    let peak = target.peak_mib();
    println!("resident before {before} MiB, peak of {} bombs of 1 GiB {peak} MiB, limit {LIMIT_MIB} MiB", 4 * AT_ONCE);
    println!("{too_large} were inflated up to the limit");
    assert!(peak <= LIMIT_MIB, "{peak} MiB");
    target.serves_good_requests("bombs").await;
    // One at a time there is room, and each is too large.
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        assert_eq!(over_grpc(target.grpc, encoding, bomb(encoding)).await, Code::ResourceExhausted, "{encoding:?}");
        assert_eq!(over_http(target.http, encoding, bomb(encoding)).await, 413, "{encoding:?}");
        target.serves_good_requests(encoding.name()).await;
    }
    assert!(target.page().await.contains("gramtrace_receiver_memory_reserved_bytes 0\n"), "all is given back");
}
