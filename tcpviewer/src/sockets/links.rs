//! Which interfaces of this network namespace lead into another one. In: the other one, entered. Out: for each of its
//! devices that is the end of a cable (veth, netkit) the index of the interface here at which the cable ends. The kernel
//! tells of each such device where its other end is (rtnetlink: `IFLA_LINK`, `IFLA_LINK_NETNSID`), and what number this
//! namespace has there (`RTM_GETNSID`).

use std::{
    collections::HashMap,
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
    nsid::{NsidAttribute, NsidMessage},
};

/// Room for one datagram of answers: more than the kernel puts into one.
const ROOM: usize = 64 * 1024;

/// The devices of the namespace of this thread that lead to `home`: their names, and the indexes of what is at the other
/// end.
///
/// # Errors
///
/// When the kernel does not tell.
pub(super) fn leading_to(home: BorrowedFd<'_>) -> io::Result<HashMap<String, u32>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // The kernel gives namespaces their numbers as it tells of links.
    let links = answers(
        &socket,
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        NLM_F_DUMP,
    )?;
    let mut wanted = NsidMessage::default();
    wanted.attributes.push(NsidAttribute::Fd(home.as_raw_fd() as u32));
    let numbers = answers(&socket, RouteNetlinkMessage::GetNsId(wanted), 0)?;
    let Some(home) = numbers.iter().find_map(number) else {
        return Ok(HashMap::new());
    };
    Ok(links.iter().filter_map(|link| cable_to(home, link)).collect())
}

/// The number that was asked for; `None` where there is none, and so no cable.
fn number(answer: &RouteNetlinkMessage) -> Option<i32> {
    let RouteNetlinkMessage::NewNsId(message) = answer else {
        return None;
    };
    let number = message.attributes.iter().find_map(|attribute| {
        let NsidAttribute::Id(number) = attribute else {
            return None;
        };
        Some(*number)
    });
    number.filter(|&number| number >= 0)
}

/// The name of a device whose other end is in that namespace, and the index there.
fn cable_to(home: i32, answer: &RouteNetlinkMessage) -> Option<(String, u32)> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let (mut name, mut other_end, mut number, mut is_cable) = (None, None, None, false);
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(text) = attribute {
            name = Some(text.clone());
        } else if let LinkAttribute::Link(index) = attribute {
            other_end = Some(*index);
        } else if let LinkAttribute::LinkNetNsId(id) = attribute {
            number = Some(*id);
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            let is_one = |info: &LinkInfo| matches!(info, LinkInfo::Kind(InfoKind::Veth | InfoKind::Netkit));
            is_cable = infos.iter().any(is_one);
        }
    }
    (is_cable && number == Some(home)).then_some((name?, other_end?))
}

/// What the kernel answers.
fn answers(
    socket: &Socket,
    message: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<Vec<RouteNetlinkMessage>> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (mut answers, mut room) = (Vec::new(), vec![0; ROOM]);
    loop {
        // The kernel answers while it is asked.
        let length = socket.recv(&mut &mut room[..], libc::MSG_DONTWAIT)?;
        let mut at = 0;
        while at < length {
            let bytes = &room[at..length];
            let size = NetlinkBuffer::new_checked(bytes)
                .map_err(io::Error::other)?
                .length() as usize;
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).map(|answer| answer.payload) {
                Ok(NetlinkPayload::InnerMessage(answer)) => answers.push(answer),
                Ok(NetlinkPayload::Error(refusal)) => return Err(refusal.to_io()),
                Ok(NetlinkPayload::Done(_)) => return Ok(answers),
                Ok(NetlinkPayload::Noop | NetlinkPayload::Overrun(_) | _) => {}
                // A device with something new about it does not hide the others.
                Err(error) => tracing::debug!(%error, "read what is told of a link"),
            }
            at += size.next_multiple_of(ALIGNMENT);
        }
        if flags & NLM_F_DUMP == 0 {
            return Ok(answers);
        }
    }
}

/// Messages begin at multiples of this (`NLMSG_ALIGNTO`).
const ALIGNMENT: usize = 4;
