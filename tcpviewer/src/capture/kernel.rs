//! The kernel's maps and rings as this program reads them. Only types of `tcpviewer-common` come out of the
//! kernel; they leave this file as samples and packets.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
};

use aya::maps::{IterableMap as _, MapData, MapError, RingBuf};
use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionKey, Place},
    event::{ConnectionEvent, PacketEvent, Settings},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{CaptureError, convert};
use crate::{
    attach::KernelMaps,
    model::{Clock, InterfaceNames, Ledger, Packet, Sample},
};

/// `BPF_F_LOCK`: the value is copied with its lock held, so both halves are of one moment.
const LOCKED: u64 = 4;

/// Reads and writes the kernel's maps.
pub struct Kernel {
    maps: KernelMaps,
    /// Waits on a descriptor of its own, so that the ring can be read meanwhile.
    wake_up: AsyncFd<OwnedFd>,
    names: Arc<InterfaceNames>,
    clock: Clock,
    packets_watched: bool,
}

impl Kernel {
    /// Takes over the maps.
    ///
    /// # Errors
    ///
    /// When the ring buffer cannot be waited for.
    #[expect(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
    pub fn new(maps: KernelMaps, names: Arc<InterfaceNames>, clock: Clock) -> Result<Self, CaptureError> {
        let descriptor = maps.connection_events.as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and `AsyncFd` owns it.
        let wake_up = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        let wake_up = wake_up.map_err(io::Error::from)?;
        Ok(Self {
            maps,
            wake_up,
            names,
            clock,
            packets_watched: false,
        })
    }

    /// Waits until the kernel wakes the reader.
    pub async fn readable(&self) -> Result<(), CaptureError> {
        self.wake_up.readable().await?.clear_ready();
        Ok(())
    }

    /// Up to `limit` reports.
    pub fn take_samples(&mut self, limit: usize) -> Vec<Sample> {
        let mut samples = Vec::new();
        while samples.len() < limit
            && let Some(item) = self.maps.connection_events.next()
        {
            if let Some(ConnectionEvent { key, record, .. }) = ConnectionEvent::from_bytes(&item) {
                let interface = convert::interface(&record, &self.names);
                samples.push(Sample {
                    key,
                    record,
                    interface,
                    is_last: false,
                });
            }
        }
        samples
    }

    /// Up to `limit` packets.
    pub fn take_packets(&mut self, limit: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while packets.len() < limit
            && let Some(item) = self.maps.packet_events.next()
        {
            if let Some(event) = PacketEvent::from_bytes(&item) {
                let interface = self.names.get(Place(event.place).interface());
                packets.push(convert::packet(&event, interface, self.clock));
            }
        }
        packets
    }

    /// Writes the programs' own diagnostics to the log.
    pub fn take_log(&mut self) {
        if let Some(log) = &mut self.maps.log {
            log.flush();
        }
    }

    /// Whether the programs send packets.
    pub const fn packets_watched(&self) -> bool {
        self.packets_watched
    }

    /// Tells the programs whether to send packets.
    ///
    /// # Errors
    ///
    /// When the settings cannot be written.
    pub fn watch_packets(&mut self, on: bool) -> Result<(), CaptureError> {
        let settings = self.maps.settings.get(&0, 0)?;
        self.maps.settings.set(
            0,
            Settings {
                watch_packets: u32::from(on),
                ..settings
            },
            0,
        )?;
        self.packets_watched = on;
        if !on {
            discard(&mut self.maps.packet_events);
        }
        Ok(())
    }

    /// A connection as it is now; `None` when the map has it no more.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn look_up(&self, key: &ConnectionKey) -> Result<Option<Sample>, CaptureError> {
        match self.maps.connections.get(key, LOCKED) {
            Ok(slot) => {
                let interface = convert::interface(&slot.record, &self.names);
                Ok(Some(Sample {
                    key: *key,
                    record: slot.record,
                    interface,
                    is_last: false,
                }))
            }
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a connection out of the map.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn remove(&mut self, key: &ConnectionKey) -> Result<(), CaptureError> {
        match self.maps.connections.remove(key) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All connections in the map.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn keys(&self) -> Result<Vec<ConnectionKey>, CaptureError> {
        Ok(self.maps.connections.keys().collect::<Result<_, _>>()?)
    }

    /// What became of every packet, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn ledger(&self) -> Result<Ledger, CaptureError> {
        Ok(convert::ledger(&self.maps.ledger.get(&0, 0)?))
    }

    /// Memory that the kernel charges for the connection map and the rings, bytes.
    pub fn map_bytes(&self) -> Option<u64> {
        let connections = self.maps.connections.map();
        let rings = [
            self.maps.connection_events.as_raw_fd(),
            self.maps.packet_events.as_raw_fd(),
        ];
        let bytes =
            |descriptor| charged(&fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?);
        let descriptor = connections.fd().as_fd().as_raw_fd();
        rings
            .into_iter()
            .map(bytes)
            .try_fold(bytes(descriptor)?, |sum, ring| Some(sum + ring?))
    }
}

/// The `memlock` line of a map's fdinfo.
fn charged(fdinfo: &str) -> Option<u64> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("memlock:"))?
        .trim()
        .parse()
        .ok()
}

fn discard(ring: &mut RingBuf<MapData>) {
    while ring.next().is_some() {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_charge_of_a_map_is_read_from_its_fdinfo() {
        assert_eq!(
            super::charged("pos:\t0\nmap_type:\t1\nmemlock:\t4096\n"),
            Some(4096)
        );
        assert_eq!(super::charged("pos:\t0\n"), None);
    }
}
