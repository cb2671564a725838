//! Owners of sockets as messages of the contract.

use crate::{model, proto};

/// A process and how it is known.
pub(super) fn process(owner: &model::Owner) -> proto::Process {
    let process = &owner.process;
    let group = process.group.as_deref();
    let text = |part: &Option<Box<str>>| part.as_deref().map(str::to_owned);
    proto::Process {
        pid: process.pid,
        command: process.command.to_string(),
        command_line: process.command_line.as_deref().map(str::to_owned),
        user_id: process.user_id,
        user: process.user.as_deref().map(str::to_owned),
        started_at: process.started_at.map(Into::into),
        control_group: group.map(|group| group.path.to_string()),
        unit: group.and_then(|group| text(&group.unit)),
        container: group.and_then(|group| text(&group.container)),
        pod: group.and_then(|group| text(&group.pod)),
        network_namespace: process.network_namespace,
        source: source(owner.source).into(),
        confidence: if owner.source.is_certain() {
            proto::Confidence::Certain
        } else {
            proto::Confidence::Likely
        }
        .into(),
    }
}

fn source(source: model::OwnerSource) -> proto::ProcessSource {
    match source {
        model::OwnerSource::Connect => proto::ProcessSource::Connect,
        model::OwnerSource::Accept => proto::ProcessSource::Accept,
        model::OwnerSource::Descriptor => proto::ProcessSource::Descriptor,
        model::OwnerSource::SharedDescriptor => proto::ProcessSource::SharedDescriptor,
        model::OwnerSource::Listener => proto::ProcessSource::Listener,
    }
}
