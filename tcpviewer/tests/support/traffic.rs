//! Traffic whose every byte is known, over plain sockets: pairs of open connections with data both ways at once,
//! a little HTTP, and short connections by the thousand.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::namespaces::Namespace;

/// An open connection, held at both ends.
pub(crate) struct Open {
    /// The end that connected.
    pub(crate) source: TcpStream,
    /// The end that accepted.
    pub(crate) destination: TcpStream,
}

impl Open {
    /// Opens a connection from one namespace to an address of another.
    pub(crate) fn new(from: &Namespace, to: &Namespace, address: impl Into<IpAddr> + Send) -> Self {
        let listener = to.enter(|| TcpListener::bind((address.into(), 0)).unwrap());
        let listening = listener.local_addr().unwrap();
        let source = from.enter(|| TcpStream::connect(listening).unwrap());
        let (destination, _address) = listener.accept().unwrap();
        Self { source, destination }
    }

    /// Source and destination, as the connection is known.
    pub(crate) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (
            self.source.local_addr().unwrap(),
            self.source.peer_addr().unwrap(),
        )
    }

    /// Sends so many bytes each way at once and reads all of them. Both ends stay open.
    pub(crate) fn exchange(&self, sent: u64, received: u64) {
        thread::scope(|scope| {
            scope.spawn(|| write(&self.source, sent));
            scope.spawn(|| write(&self.destination, received));
            scope.spawn(|| read(&self.destination, sent));
            scope.spawn(|| read(&self.source, received));
        });
    }

    /// Sends so many bytes and, when they have come, so many back.
    pub(crate) fn exchange_in_turn(&self, sent: u64, received: u64) {
        write(&self.source, sent);
        read(&self.destination, sent);
        write(&self.destination, received);
        read(&self.source, received);
    }
}

/// Exchanges on all connections at once; the amounts are the connection's number times these, plus one byte to
/// make them odd. Returns what each sent and received.
pub(crate) fn exchange_all(connections: &[Open], sent: u64, received: u64) -> Vec<(u64, u64)> {
    let amounts: Vec<_> = (1..=connections.len() as u64)
        .map(|number| (number * sent + 1, number * received + 1))
        .collect();
    thread::scope(|scope| {
        for (connection, &(sent, received)) in connections.iter().zip(&amounts) {
            scope.spawn(move || connection.exchange(sent, received));
        }
    });
    amounts
}

fn write(mut stream: &TcpStream, bytes: u64) {
    let buffer = [0x55; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(buffer.len() as u64) as usize;
        stream.write_all(&buffer[..part]).unwrap();
        left -= part as u64;
    }
}

fn read(mut stream: &TcpStream, bytes: u64) {
    let mut buffer = [0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let limit = left.min(buffer.len() as u64) as usize;
        let part = stream.read(&mut buffer[..limit]).unwrap();
        assert!(part > 0, "the connection ended {left} bytes early");
        left -= part as u64;
    }
}

/// One HTTP request as both ends count it.
pub(crate) struct Exchange {
    pub(crate) ends: (SocketAddr, SocketAddr),
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

/// Asks a small web server so many times, one connection each. The answers differ in length.
pub(crate) fn http(from: &Namespace, to: &Namespace, address: IpAddr, requests: usize) -> Vec<Exchange> {
    let listener = to.enter(|| TcpListener::bind((address, 0)).unwrap());
    let listening = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for number in 0..requests {
            let (stream, _address) = listener.accept().unwrap();
            answer(stream, number);
        }
    });
    let exchanges = from.enter(|| (0..requests).map(|number| ask(listening, number)).collect());
    server.join().unwrap();
    exchanges
}

fn answer(mut stream: TcpStream, number: usize) {
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "a request without an end");
        request.extend_from_slice(&part[..length]);
    }
    let body = "x".repeat(number * 97);
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
}

fn ask(server: SocketAddr, number: usize) -> Exchange {
    let mut stream = TcpStream::connect(server).unwrap();
    let ends = (stream.local_addr().unwrap(), server);
    let request = format!("GET /{number} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
    Exchange {
        ends,
        request_bytes: request.len() as u64,
        response_bytes: response.len() as u64,
    }
}

/// Opens, uses and closes so many connections from several threads, spread over this time or as fast as they can
/// when it is zero. Each asks with five bytes and is answered with seven; the client closes first.
pub(crate) fn storm(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    connections: usize,
    duration: Duration,
) {
    const THREADS: usize = 8;
    let count = connections / THREADS;
    let started = Instant::now();
    thread::scope(|scope| {
        for _thread in 0..THREADS {
            // A listener for each thread, so that its client always has ports left: those it used before linger
            // in TIME-WAIT.
            let listener = to.enter(|| TcpListener::bind((address, 0)).unwrap());
            let listening = listener.local_addr().unwrap();
            scope.spawn(move || serve_short(&listener, count));
            let call = move |number| {
                let due = started + duration * number as u32 / count as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                call_short(listening);
            };
            scope.spawn(move || from.enter(|| (0..count).for_each(call)));
        }
    });
}

fn serve_short(listener: &TcpListener, count: usize) {
    for _number in 0..count {
        let (mut stream, _address) = listener.accept().unwrap();
        let mut question = [0; 5];
        stream.read_exact(&mut question).unwrap();
        stream.write_all(b"answers").unwrap();
        assert_eq!(stream.read(&mut question).unwrap(), 0);
    }
}

fn call_short(server: SocketAddr) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
}
