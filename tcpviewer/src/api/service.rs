//! The calls of `TcpViewerService`, each handed to the file that knows its subject.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::{
    ApiContext,
    bundle::Bundles,
    capture, connections, detail, packets, stats,
    status::StatusReporter,
    streamed::{WatchBundleResponse, WatchConnectionsResponse, service::TcpViewerService},
    streams::Streams,
    traffic::Traffic,
    watch::Watches,
};
use crate::{
    history::History,
    model::Identity,
    proto::{
        CapturePcapRequest, CapturePcapResponse, ChangeBundleRequest, ChangeBundleResponse,
        GetConnectionRequest, GetConnectionResponse, GetStatusRequest, GetStatusResponse,
        ListConnectionsRequest, ListConnectionsResponse, ListListenersRequest, ListListenersResponse,
        WatchBundleRequest, WatchConnectionRequest, WatchConnectionResponse, WatchConnectionsRequest,
        WatchPacketsRequest, WatchPacketsResponse, WatchStatsRequest, WatchStatsResponse,
    },
    publish::{Board, PacketBoard},
};

/// The service.
#[derive(Debug)]
pub(super) struct Service {
    identity: Arc<Identity>,
    board: Arc<Board>,
    history: Arc<History>,
    packets: Arc<PacketBoard>,
    status: Arc<StatusReporter>,
    streams: Streams,
    watches: Arc<Watches>,
    bundles: Bundles,
}

impl Service {
    /// The service over `context`, whose streams end when `stopped` becomes true.
    pub(super) fn new(context: ApiContext, stopped: watch::Receiver<bool>) -> Self {
        let ApiContext {
            identity,
            board,
            history,
            packets,
            commands,
            economies,
        } = context;
        let status = Arc::new(StatusReporter::new(Arc::clone(&identity), commands, economies));
        let streams = Streams::new(stopped);
        let watches = Arc::new(Watches::new(&identity, &board, &status));
        Self {
            bundles: Bundles::new(&watches, &board, &history, &status, &streams),
            watches,
            identity,
            board,
            history,
            packets,
            status,
            streams,
        }
    }

    /// The same for those who ask without gRPC.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic::new(
            Arc::clone(&self.board),
            Arc::clone(&self.packets),
            self.streams.clone(),
        )
    }
}

#[tonic::async_trait]
impl TcpViewerService for Service {
    type WatchConnectionsStream = BoxStream<'static, Result<WatchConnectionsResponse, Status>>;

    async fn watch_connections(
        &self,
        request: Request<WatchConnectionsRequest>,
    ) -> Result<Response<Self::WatchConnectionsStream>, Status> {
        self.watches
            .watch(&self.streams, request.get_ref())
            .map(Response::new)
    }

    async fn list_connections(
        &self,
        request: Request<ListConnectionsRequest>,
    ) -> Result<Response<ListConnectionsResponse>, Status> {
        connections::list(&self.board, request.get_ref())
            .await
            .map(Response::new)
    }

    async fn get_connection(
        &self,
        request: Request<GetConnectionRequest>,
    ) -> Result<Response<GetConnectionResponse>, Status> {
        connections::get(&self.board, request.get_ref()).map(Response::new)
    }

    type WatchConnectionStream = BoxStream<'static, Result<WatchConnectionResponse, Status>>;

    async fn watch_connection(
        &self,
        request: Request<WatchConnectionRequest>,
    ) -> Result<Response<Self::WatchConnectionStream>, Status> {
        detail::watch(&self.board, &self.history, &self.streams, request.get_ref()).map(Response::new)
    }

    type WatchPacketsStream = BoxStream<'static, Result<WatchPacketsResponse, Status>>;

    async fn watch_packets(
        &self,
        request: Request<WatchPacketsRequest>,
    ) -> Result<Response<Self::WatchPacketsStream>, Status> {
        packets::watch(&self.board, &self.packets, &self.streams, request.get_ref()).map(Response::new)
    }

    type CapturePcapStream = BoxStream<'static, Result<CapturePcapResponse, Status>>;

    async fn capture_pcap(
        &self,
        request: Request<CapturePcapRequest>,
    ) -> Result<Response<Self::CapturePcapStream>, Status> {
        capture::capture(
            &self.identity,
            &self.board,
            &self.packets,
            &self.streams,
            request.get_ref(),
        )
        .map(Response::new)
    }

    type WatchStatsStream = BoxStream<'static, Result<WatchStatsResponse, Status>>;

    async fn watch_stats(
        &self,
        request: Request<WatchStatsRequest>,
    ) -> Result<Response<Self::WatchStatsStream>, Status> {
        stats::watch(&self.board, &self.status, &self.streams, request.get_ref()).map(Response::new)
    }

    type WatchBundleStream = BoxStream<'static, Result<WatchBundleResponse, Status>>;

    async fn watch_bundle(
        &self,
        request: Request<WatchBundleRequest>,
    ) -> Result<Response<Self::WatchBundleStream>, Status> {
        self.bundles.watch(request.into_inner()).map(Response::new)
    }

    async fn change_bundle(
        &self,
        request: Request<ChangeBundleRequest>,
    ) -> Result<Response<ChangeBundleResponse>, Status> {
        self.bundles.change(request.into_inner()).map(Response::new)
    }

    async fn list_listeners(
        &self,
        _request: Request<ListListenersRequest>,
    ) -> Result<Response<ListListenersResponse>, Status> {
        self.status.listeners().await.map(Response::new)
    }

    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        self.status
            .report(self.board.totals(), self.streams.count())
            .await
            .map(Response::new)
    }
}
