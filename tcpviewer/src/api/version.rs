//! Which HTTP a client speaks, told from its first bytes. In: a byte stream of any kind. Out: the version, and the
//! stream as it was, first bytes included. hyper could tell it as well, but would wait for a silent client for ever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// How every HTTP/2 connection starts.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.1, or nothing that makes sense.
    Http1,
    /// HTTP/2, without or after TLS.
    Http2,
}

/// Reads what is needed to tell the version; `None` when the client goes before it has said enough.
pub(super) async fn told<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Option<(Version, Replayed<S>)>> {
    let mut start = [0; HTTP2_PREFACE.len()];
    let mut count = 0;
    loop {
        let read = stream.read(&mut start[count..]).await?;
        if read == 0 {
            return Ok(None);
        }
        count += read;
        let version = if start[..count] != HTTP2_PREFACE[..count] {
            Version::Http1
        } else if count == start.len() {
            Version::Http2
        } else {
            continue;
        };
        let replayed = Replayed {
            start,
            given: 0,
            count,
            stream,
        };
        return Ok(Some((version, replayed)));
    }
}

/// A stream whose first bytes have been read, and are read once more.
#[derive(Debug)]
pub(super) struct Replayed<S> {
    start: [u8; HTTP2_PREFACE.len()],
    /// Bytes of the start that have been given.
    given: usize,
    /// Bytes of the start that there are.
    count: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given == self.count {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let end = self.count.min(self.given + buffer.remaining());
        buffer.put_slice(&self.start[self.given..end]);
        self.given = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    /// Sends these pieces one by one, and tells the version and what is read from the stream afterwards.
    async fn told_from(pieces: &[&[u8]]) -> Option<(Version, Vec<u8>)> {
        let (mut client, server) = duplex(1);
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let sender = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.unwrap();
            }
        });
        let (version, mut stream) = told(server).await.unwrap()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        sender.await.unwrap();
        Some((version, bytes))
    }

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_not_lost() {
        let longer = [HTTP2_PREFACE, b"frames"].concat();
        for (pieces, expected) in [
            (&[&b"GET / HTTP/1.1\r\n\r\n"[..]][..], Some(Version::Http1)),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nXX"], Some(Version::Http1)),
            (&[b"P", b"OST / HTTP/1.1\r\n\r\n"], Some(Version::Http1)),
            (&[&longer], Some(Version::Http2)),
            (
                &[&longer[..3], &longer[3..20], &longer[20..]],
                Some(Version::Http2),
            ),
            (&[], None),
            (&[b"PRI * HTTP/2.0"], None),
        ] {
            let sent = pieces.concat();
            let told = told_from(pieces).await;
            assert_eq!(told, expected.map(|version| (version, sent.clone())), "{sent:?}");
        }
    }
}
