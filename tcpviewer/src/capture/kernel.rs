//! The kernel's maps and rings as this program reads them. Only types of `tcpviewer-common` come out of the
//! kernel; they leave this file as samples and packets.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use aya::maps::{IterableMap as _, MapData, MapError, RingBuf};
use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot, Place},
    event::{ConnectionEvent, PacketEvent, PacketHeaders, Settings},
    failure::FailureEvent,
    ledger::LedgerCounters,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{CaptureError, convert};
use crate::{
    attach::KernelMaps,
    model::{
        Clock, Economy, FailureLook, InterfaceNames, Ledger, OpenSocket, Packet, PacketWish, Tracked, Unsent,
    },
};

/// Copies of a record at most. Of one that changes faster than it is copied each number is right, but they may be of
/// different moments.
const READS: usize = 16;
/// `BPF_NOEXIST`: an entry that is there stays as it is.
const ABSENT: u64 = 1;

/// Reads and writes the kernel's maps.
pub struct Kernel {
    maps: KernelMaps,
    /// Waits on a descriptor of its own, so that the ring can be read meanwhile.
    wake_up: AsyncFd<OwnedFd>,
    names: Arc<InterfaceNames>,
    clock: Clock,
    packets_watched: bool,
    /// What the programs do less of.
    economy: Economy,
    /// Ids rise by this, see [`Settings::id_step`].
    id_step: u32,
    /// Records that were put into the map here.
    begun: u64,
    /// Records that were taken out of the map here.
    removed: u64,
    /// The running number up to which the ring of half-open connections was read.
    half_open_read: u64,
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
        let id_step = maps.settings.get(&0, 0)?.id_step;
        Ok(Self {
            maps,
            wake_up,
            names,
            clock,
            packets_watched: false,
            economy: Economy::NONE,
            id_step,
            begun: 0,
            removed: 0,
            half_open_read: 0,
        })
    }

    /// Waits until the kernel wakes the reader.
    pub async fn readable(&self) -> Result<(), CaptureError> {
        self.wake_up.readable().await?.clear_ready();
        Ok(())
    }

    /// Up to `limit` reports.
    pub fn take_samples(&mut self, limit: usize) -> Vec<Box<Tracked>> {
        let mut samples = Vec::new();
        while samples.len() < limit
            && let Some(item) = self.maps.connection_events.next()
        {
            if let Some(ConnectionEvent { key, record, .. }) = ConnectionEvent::from_bytes(&item) {
                samples.push(Box::new(convert::tracked(key, record, &self.names)));
            }
        }
        samples
    }

    /// Up to `limit` failures.
    pub fn take_failures(&mut self, limit: usize) -> Vec<FailureLook> {
        let mut failures = Vec::new();
        while failures.len() < limit
            && let Some(item) = self.maps.failure_events.next()
        {
            if let Some(event) = FailureEvent::from_bytes(&item) {
                failures.push(convert::failure(&event, &self.maps.reset_reasons, self.clock));
            }
        }
        failures
    }

    /// Up to `limit` packets.
    pub fn take_packets(&mut self, limit: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while packets.len() < limit
            && let Some(item) = self.maps.packet_events.next()
        {
            if let Some(event) = PacketEvent::from_bytes(&item) {
                let interface = self.names.get(Place(event.place).interface());
                packets.push(Packet {
                    headers: PacketHeaders::from_bytes(&item).as_ref().map(convert::headers),
                    ..convert::packet(&event, interface, self.clock)
                });
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

    /// Tells the programs which packets to send, if any.
    ///
    /// # Errors
    ///
    /// When the settings cannot be written.
    pub fn watch_packets(&mut self, wish: Option<&PacketWish>) -> Result<(), CaptureError> {
        let mut settings = self.maps.settings.get(&0, 0)?;
        settings.watch_packets = match wish {
            None => 0,
            Some(PacketWish { headers: false, .. }) => Settings::PACKETS,
            Some(PacketWish { headers: true, .. }) => Settings::HEADERS,
        };
        if let Some(wish) = wish {
            // Not in the one that programs read meanwhile: half of it would lose packets.
            settings.packet_filter ^= 1;
            self.maps
                .packet_filter
                .set(settings.packet_filter, wish.filter, 0)?;
        }
        self.maps.settings.set(0, settings, 0)?;
        self.packets_watched = wish.is_some();
        if wish.is_none() {
            discard(&mut self.maps.packet_events);
        }
        Ok(())
    }

    /// Tells the programs what to do less of, where connections are reported once per `update_interval` else.
    ///
    /// # Errors
    ///
    /// When the settings cannot be written.
    pub fn economize(&mut self, economy: Economy, update_interval: Duration) -> Result<(), CaptureError> {
        let mut settings = self.maps.settings.get(&0, 0)?;
        settings.update_interval_ns = economy.interval(update_interval).as_nanos() as u64;
        settings.packet_sampling_mask = economy.packet_sampling - 1;
        settings.refuses_new = u32::from(!economy.takes_new);
        self.maps.settings.set(0, settings, 0)?;
        self.economy = economy;
        Ok(())
    }

    /// Watched packets that did not leave the kernel.
    ///
    /// # Errors
    ///
    /// When the ledger does not answer.
    pub fn unsent(&self) -> Result<Unsent, CaptureError> {
        let ledger = self.ledger()?;
        Ok(Unsent {
            lost: ledger.packet_events_lost,
            left_out: ledger.packet_events_left_out,
            sampling: self.economy.packet_sampling,
        })
    }

    /// A connection as it is now; `None` when the map has it no more. A program may change it while it is copied, so it
    /// is copied until two copies are the same: what did not change between the two is of one moment. One copy is enough
    /// where it shows what is known.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn look_up(
        &self,
        key: &ConnectionKey,
        is_known: impl Fn(&ConnectionRecord) -> bool,
    ) -> Result<Option<Tracked>, CaptureError> {
        let mut before = None;
        for _ in 0..READS {
            let slot = match self.maps.connections.get(key, 0) {
                Ok(slot) => slot,
                Err(MapError::KeyNotFound) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let is_whole = slot.lock == 0 && (before == Some(slot) || is_known(&slot.record));
            before = Some(slot);
            if is_whole {
                break;
            }
        }
        Ok(before.map(|slot| convert::tracked(*key, slot.record, &self.names)))
    }

    /// Puts a connection into the map that is known by its socket alone. `None` where it is there already, where its
    /// packets are not seen, and where there is no room or new ones are not followed.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn begin(&mut self, open: &OpenSocket) -> Result<Option<Tracked>, CaptureError> {
        let Some(place) = open.place.filter(|_place| self.economy.takes_new) else {
            return Ok(None);
        };
        // The last remainder is that of user space.
        let id = (self.begun + 2) * u64::from(self.id_step) - 1;
        let record = convert::older(open, place, id);
        let slot = ConnectionSlot {
            record,
            ..ConnectionSlot::VACANT
        };
        let key = open.look.key;
        match self.maps.connections.insert(key, slot, ABSENT) {
            Ok(()) => {
                self.begun += 1;
                Ok(Some(convert::tracked(key, record, &self.names)))
            }
            Err(MapError::SyscallError(error)) if is_expected(&error.io_error) => Ok(None),
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
            Ok(()) => self.removed += 1,
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// All connections in the map.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn keys(&self) -> Result<Vec<ConnectionKey>, CaptureError> {
        Ok(self.maps.connections.keys().collect::<Result<_, _>>()?)
    }

    /// Connections that entered the ring of half-open ones since the last call, as far as they are still in it.
    ///
    /// # Errors
    ///
    /// When the maps do not answer.
    pub fn newest_half_open(&mut self) -> Result<Vec<ConnectionKey>, CaptureError> {
        let places = u64::from(self.maps.half_open.len());
        let next = self.maps.half_open_cursor.get(&0, 0)?.next;
        let first = self.half_open_read.max(next.saturating_sub(places));
        self.half_open_read = next;
        let key = |number| Ok(self.maps.half_open.get(&((number % places) as u32), 0)?.key);
        (first..next).map(key).collect()
    }

    /// Records in the map.
    ///
    /// # Errors
    ///
    /// When the ledger does not answer.
    pub fn tracked(&self) -> Result<u64, CaptureError> {
        let cpus = self.maps.ledger.get(&0, 0)?;
        let balance = |cpu: &LedgerCounters| (cpu.connections_entered, cpu.connections_given_up);
        let (entered, given_up) = cpus
            .iter()
            .map(balance)
            .fold((0, 0), |sum, cpu| (sum.0 + cpu.0, sum.1 + cpu.1));
        // The CPUs count on while they are read.
        Ok((entered + self.begun).saturating_sub(given_up + self.removed))
    }

    /// What became of every packet, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// When the map does not answer.
    pub fn ledger(&self) -> Result<Ledger, CaptureError> {
        Ok(convert::ledger(&self.maps.ledger.get(&0, 0)?))
    }

    /// Memory that the kernel charges for the maps, those of a few pages aside, bytes.
    pub fn map_bytes(&self) -> Option<u64> {
        let maps = [
            self.maps.connections.map().fd().as_fd().as_raw_fd(),
            self.maps.half_open.map().fd().as_fd().as_raw_fd(),
            self.maps.connection_events.as_raw_fd(),
            self.maps.packet_events.as_raw_fd(),
            self.maps.failure_events.as_raw_fd(),
        ];
        let bytes =
            |descriptor| charged(&fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?);
        let others = self.maps.others.iter().map(|map| map.as_raw_fd());
        maps.into_iter()
            .chain(others)
            .map(bytes)
            .try_fold(0, |sum, map| Some(sum + map?))
    }
}

/// Whether a connection is in the map already, or the map is full.
fn is_expected(refusal: &io::Error) -> bool {
    let code = refusal.raw_os_error();
    code == Some(libc::EEXIST) || code == Some(libc::E2BIG)
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
