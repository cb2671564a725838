//! The programs of the benchmark in the kernel, and how long they take: `BPF_PROG_TEST_RUN` hands a program the same
//! packet many times and returns the mean time in nanoseconds.

use anyhow::{Context as _, Result, anyhow};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, RingBuf},
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
    util::nr_cpus,
};
use tcpviewer_common::{event::Settings, packet_filter::PacketFilter};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));

/// The names of the programs.
pub(crate) const EMPTY: &str = "empty";
pub(crate) const VARIED: &str = "varied";
pub(crate) const FLOOR: &str = "floor";
pub(crate) const TRACKER_IN: &str = "tracker_in";
pub(crate) const TRACKER_OUT: &str = "tracker_out";

/// A connection is reported after this long, unless they are so many that the cap makes it longer.
const UPDATE_INTERVAL_NS: u64 = 250_000_000;
/// Reports per second, the daemon's own cap.
const UPDATES_PER_SECOND: u64 = 20_000;

/// The loaded programs, all of which change their packet in the same manner.
pub(crate) struct Programs {
    ebpf: Ebpf,
    settings: Array<MapData, Settings>,
    connection_events: RingBuf<MapData>,
    packet_events: RingBuf<MapData>,
}

impl Programs {
    /// Loads them. `variation` is one of those in [`tcpviewer_common::bench`], 0 for none.
    pub(crate) fn load(variation: u32, connections_shift: u32) -> Result<Self> {
        let max_connections: u32 = 1 << 20;
        let mut ebpf = EbpfLoader::new()
            .override_global("VARIATION", &variation, true)
            .override_global("CONNECTIONS_SHIFT", &connections_shift, true)
            .map_max_entries("CONNECTIONS", max_connections)
            .map_max_entries("COUNTS", max_connections)
            // None of them has to make room, confirmed or not.
            .map_max_entries("HALF_OPEN", max_connections)
            .load(OBJECT)
            .context("load the programs of the benchmark")?;
        for name in [EMPTY, VARIED, FLOOR, TRACKER_IN, TRACKER_OUT] {
            program(&mut ebpf, name)?
                .load()
                .with_context(|| format!("load {name}"))?;
        }
        let mut map = |name| ebpf.take_map(name).with_context(|| format!("no map {name}"));
        let mut filter: Array<_, PacketFilter> = Array::try_from(map("PACKET_FILTER")?)?;
        filter.set(0, PacketFilter::ALL, 0)?;
        let mut programs = Self {
            settings: Array::try_from(map("SETTINGS")?)?,
            connection_events: RingBuf::try_from(map("CONNECTION_EVENTS")?)?,
            packet_events: RingBuf::try_from(map("PACKET_EVENTS")?)?,
            ebpf,
        };
        let reported_ns = (1_000_000_000 / UPDATES_PER_SECOND) << connections_shift;
        let settings = Settings {
            update_interval_ns: UPDATE_INTERVAL_NS.max(reported_ns),
            watch_packets: 0,
            id_step: u32::try_from(nr_cpus().map_err(|(file, error)| anyhow!("{file}: {error}"))?)? + 1,
            half_open_mask: max_connections - 1,
            packet_filter: 0,
            packet_sampling_mask: 0,
            refuses_new: 0,
        };
        programs.settings.set(0, settings, 0)?;
        Ok(programs)
    }

    /// Whether somebody watches packets.
    pub(crate) fn watch_packets(&mut self, watch_packets: u32) -> Result<()> {
        let settings = self.settings.get(&0, 0)?;
        let settings = Settings {
            watch_packets,
            ..settings
        };
        Ok(self.settings.set(0, settings, 0)?)
    }

    /// How long a program takes for a packet, nanoseconds: the mean of so many. What it reports is taken and dropped
    /// before, so that the rings have room.
    pub(crate) fn run(&mut self, name: &str, packet: &[u8], packets: u32) -> Result<f64> {
        while self.connection_events.next().is_some() {}
        while self.packet_events.next().is_some() {}
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat: packets,
            ..TestRunOptions::default()
        };
        let result = program(&mut self.ebpf, name)?
            .test_run(options)
            .with_context(|| format!("run {name}"))?;
        Ok(result.duration.as_nanos() as f64)
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    let program = ebpf
        .program_mut(name)
        .with_context(|| format!("no program {name}"))?;
    Ok(program.try_into()?)
}
