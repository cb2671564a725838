//! A field mask, applied to connections that are encoded already: what it does not name is left out of the bytes. It
//! knows the contract from its descriptors, so a new field needs nothing here. In: the paths of a request. Out: a mask,
//! or which path is no field.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::{Buf as _, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use prost_types::FieldMask;
use tonic::Status;

use crate::proto::DESCRIPTORS;

/// The message that masks are for.
const CONNECTION: &str = "tcpviewer.v1.Connection";
/// Fields of a connection that always come along.
const KEPT: [&str; 2] = ["id", "revision"];
/// Paths of one mask; the contract has fewer fields.
const MAX_PATHS: usize = 512;

static MESSAGE: LazyLock<Option<MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).ok()?;
    pool.get_message_by_name(CONNECTION)
});

/// The fields of a connection that are wanted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mask {
    /// By number; without a mask of its own, a field is wanted with all that is in it.
    fields: BTreeMap<u32, Option<Mask>>,
}

impl Mask {
    /// The mask of a request; `None` where all is wanted.
    pub(super) fn of(asked: Option<&FieldMask>) -> Result<Option<Self>, Status> {
        let paths = asked.map_or(&[][..], |mask| &mask.paths);
        if paths.is_empty() {
            return Ok(None);
        }
        if paths.len() > MAX_PATHS {
            let problem = format!(
                "field_mask: {} paths, at most {MAX_PATHS} are allowed",
                paths.len()
            );
            return Err(Status::invalid_argument(problem));
        }
        let message = MESSAGE
            .as_ref()
            .ok_or_else(|| Status::internal("the contract does not describe a connection"))?;
        let mut mask = Self::default();
        for path in KEPT.into_iter().chain(paths.iter().map(String::as_str)) {
            mask.add(path, path, message)?;
        }
        Ok(Some(mask))
    }

    /// Adds what is left of a path.
    fn add(&mut self, path: &str, rest: &str, message: &MessageDescriptor) -> Result<(), Status> {
        let (name, below) = match rest.split_once('.') {
            Some((name, below)) => (name, Some(below)),
            None => (rest, None),
        };
        let Some(field) = message.get_field_by_name(name) else {
            return Err(Status::invalid_argument(format!(
                "field_mask: `{path}`: {} has no field `{name}`",
                message.name()
            )));
        };
        let Some(below) = below else {
            self.fields.insert(field.number(), None);
            return Ok(());
        };
        let Kind::Message(part) = field.kind() else {
            return Err(Status::invalid_argument(format!(
                "field_mask: `{path}`: `{name}` has no fields of its own"
            )));
        };
        // A field that is wanted as a whole stays so; its path is checked all the same.
        match self
            .fields
            .entry(field.number())
            .or_insert_with(|| Some(Self::default()))
        {
            Some(mask) => mask.add(path, below, &part),
            None => Self::default().add(path, below, &part),
        }
    }

    /// What is wanted of an encoded connection.
    pub(super) fn keep(&self, encoded: &Bytes) -> Bytes {
        let mut kept = Vec::with_capacity(encoded.len());
        self.copy(encoded, &mut kept);
        kept.into()
    }

    /// Copies the wanted fields of an encoded message. The bytes are the service's own; where they were no message,
    /// the copy would end there.
    fn copy(&self, encoded: &[u8], kept: &mut Vec<u8>) {
        let mut rest = encoded;
        while !rest.is_empty() {
            let field = rest;
            let Ok((number, wire_type)) = decode_key(&mut rest) else {
                return;
            };
            let value = rest;
            if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
                return;
            }
            let whole = field.len() - rest.len();
            match self.fields.get(&number) {
                None => {}
                Some(Some(mask)) if wire_type == WireType::LengthDelimited => {
                    let key = field.len() - value.len();
                    let mut part = &value[..value.len() - rest.len()];
                    if decode_varint(&mut part).is_err() {
                        return;
                    }
                    let mut masked = Vec::with_capacity(part.len());
                    mask.copy(part.chunk(), &mut masked);
                    kept.extend_from_slice(&field[..key]);
                    prost::encoding::encode_varint(masked.len() as u64, kept);
                    kept.extend_from_slice(&masked);
                }
                Some(_) => kept.extend_from_slice(&field[..whole]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use tonic::Code;

    use super::*;
    use crate::proto::{Connection, Endpoint, Half, Rtt};

    fn mask(paths: &[&str]) -> Result<Option<Mask>, Status> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Mask::of(Some(&FieldMask { paths }))
    }

    fn connection() -> Connection {
        Connection {
            id: 7,
            revision: 300,
            source: Some(Endpoint {
                address: "10.0.0.1".into(),
                port: 40_000,
            }),
            interface: "eth0".into(),
            sent: Some(Half {
                packets: 5,
                last_seq: Some(0),
                rtt: Some(Rtt {
                    srtt_us: 400,
                    min_us: 300,
                    ..Rtt::default()
                }),
                ..Half::default()
            }),
            received: Some(Half::default()),
            ..Connection::default()
        }
    }

    #[track_caller]
    fn check(paths: &[&str], expected: Connection) {
        let mask = mask(paths).unwrap().unwrap();
        let kept = mask.keep(&connection().encode_to_vec().into());
        assert_eq!(Connection::decode(kept).unwrap(), expected, "{paths:?}");
    }

    #[test]
    fn what_is_named_stays_and_id_and_revision_always_do() {
        let Connection { id, revision, .. } = connection();
        let bare = Connection {
            id,
            revision,
            ..Connection::default()
        };
        check(&["id"], bare.clone());
        check(
            &["interface"],
            Connection {
                interface: "eth0".into(),
                ..bare.clone()
            },
        );
        check(
            &["sent.rtt.srtt_us", "received"],
            Connection {
                sent: Some(Half {
                    rtt: Some(Rtt {
                        srtt_us: 400,
                        ..Rtt::default()
                    }),
                    ..Half::default()
                }),
                received: Some(Half::default()),
                ..bare.clone()
            },
        );
        // A field that was not measured stays absent, one that is 0 does not become so.
        check(
            &["sent.last_seq", "sent.last_ack"],
            Connection {
                sent: Some(Half {
                    last_seq: Some(0),
                    ..Half::default()
                }),
                ..bare.clone()
            },
        );
        for paths in [["source", "source.port"], ["source.port", "source"]] {
            check(
                &paths,
                Connection {
                    source: connection().source,
                    ..bare.clone()
                },
            );
        }
    }

    #[test]
    fn every_field_of_the_contract_can_be_named() {
        fn all(message: &MessageDescriptor, before: &str, paths: &mut Vec<String>) {
            for field in message.fields() {
                let path = format!("{before}{}", field.name());
                if let Kind::Message(part) = field.kind() {
                    all(&part, &format!("{path}."), paths);
                }
                paths.push(path);
            }
        }
        let mut paths = Vec::new();
        all(MESSAGE.as_ref().unwrap(), "", &mut paths);
        assert!(
            paths
                .iter()
                .any(|path| path == "received.socket.sampled_at.nanos")
        );

        let whole = paths.len();
        assert!(whole <= MAX_PATHS, "{whole} fields");
        let mask = Mask::of(Some(&FieldMask { paths })).unwrap().unwrap();
        let encoded = Bytes::from(connection().encode_to_vec());
        assert_eq!(mask.keep(&encoded), encoded);
    }

    #[test]
    fn a_path_that_is_no_field_is_named() {
        for (path, problem) in [
            ("rrt", "field_mask: `rrt`: Connection has no field `rrt`"),
            ("sent.rrt", "field_mask: `sent.rrt`: Half has no field `rrt`"),
            ("id.x", "field_mask: `id.x`: `id` has no fields of its own"),
            ("", "field_mask: ``: Connection has no field ``"),
            ("sent.", "field_mask: `sent.`: Half has no field ``"),
        ] {
            let refused = mask(&["sent", path]).unwrap_err();
            assert_eq!(
                (refused.code(), refused.message()),
                (Code::InvalidArgument, problem)
            );
        }
        assert!(mask(&vec!["id"; MAX_PATHS + 1]).is_err());
        assert_eq!(mask(&[]).unwrap(), None);
        assert_eq!(Mask::of(None).unwrap(), None);
    }
}
