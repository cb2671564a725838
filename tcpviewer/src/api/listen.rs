//! Where the API listens. In: the configuration. Out: connections, each with what is known of its peer before it says
//! a word: over TCP its address, over a Unix socket its user. A socket file that nobody serves any more is replaced,
//! and the own one is removed at the end.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream as BlockingUnixStream,
    },
    path::{Path, PathBuf},
    task::{Context, Poll},
};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tracing::{debug, warn};

use super::ApiError;
use crate::config::Listen;

/// Everybody may connect: the kernel says who does, and the one who is refused should learn why.
const SOCKET_MODE: u32 = 0o666;

/// One place where the API listens.
#[derive(Debug)]
pub(super) enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener, SocketFile),
}

/// A connection that was made.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Over TCP, from this address.
    Tcp(TcpStream, SocketAddr),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Listener {
    /// Listens there.
    pub(super) async fn bind(listen: &Listen) -> Result<Self, ApiError> {
        let bound = match listen {
            Listen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Listen::Unix(path) => bind_file(path).map(|(listener, file)| Self::Unix(listener, file)),
        };
        bound.map_err(|error| {
            let listen = listen.clone();
            if error.kind() == io::ErrorKind::AddrInUse {
                ApiError::AddressInUse { listen }
            } else {
                ApiError::Listen { listen, error }
            }
        })
    }

    /// The address, if it is a TCP port.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(..) => Ok(None),
        }
    }

    /// The next connection.
    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Unix(listener, _file) => listener
                .poll_accept(context)
                .map_ok(|(stream, _unnamed)| Accepted::Unix(stream)),
        }
    }
}

/// The file of a Unix socket, removed when it is dropped, unless another daemon has put its own in the place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if file_id(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            warn!("remove {}: {error}", self.path.display());
        }
    }
}

fn bind_file(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            debug!("{} was left behind: replacing it", path.display());
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let file = SocketFile {
        path: path.to_owned(),
        id: file_id(path)?,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok((listener, file))
}

/// Whether it is a socket on which nobody listens; a daemon that was killed leaves it behind.
fn is_abandoned(path: &Path) -> bool {
    let socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    socket
        && BlockingUnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind(path: &Path) -> Result<Listener, String> {
        Listener::bind(&Listen::Unix(path.to_owned()))
            .await
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced_and_the_own_one_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());

        let listener = bind(&path).await.unwrap();

        let mode = fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_in_use_or_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (used, file) = (folder.path().join("used"), folder.path().join("file"));
        let first = bind(&used).await.unwrap();
        fs::write(&file, "precious").unwrap();

        for path in [&used, &file] {
            let error = bind(path).await.unwrap_err();
            let expected = format!("listen on unix:{}: address already in use", path.display());
            assert!(error.starts_with(&expected), "{error}");
        }
        assert!(BlockingUnixStream::connect(&used).is_ok());
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        drop(first);
    }

    #[tokio::test]
    async fn the_socket_of_another_daemon_in_the_same_place_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let first = bind(&path).await.unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        let _second = bind(&path).await.unwrap();

        drop(first);

        assert!(path.exists());
    }
}
