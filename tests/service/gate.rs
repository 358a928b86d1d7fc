//! A backend over HTTP/1 that takes a request at once and answers it when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub struct Gate {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    arrived: Semaphore,
    answers: Semaphore,
}

impl Gate {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { arrived: Semaphore::new(0), answers: Semaphore::new(0) });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, state }
    }

    /// Waits for one request more.
    pub async fn arrival(&self) {
        self.state.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one request be answered.
    pub fn answer(&self) {
        self.state.answers.add_permits(1);
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(len) = head(&mut stream).await {
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await.unwrap();
        state.arrived.add_permits(1);
        state.answers.acquire().await.unwrap().forget();
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request up to its body, and gives the length of that; `None` at the end of the connection.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut len = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            return Some(len);
        }
    }
}
