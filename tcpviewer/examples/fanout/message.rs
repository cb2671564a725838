//! The messages of a stream, left as they came. Of a connection no more is read than is looked at, so that a reader
//! costs little beside the daemon. In: an encoded `tcpviewer.v1.WatchConnectionsResponse`. Out: what it tells, in turn.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use bytes::{Buf as _, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use tcpviewer::proto::WatchConnectionsRequest;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// What a message tells of the table.
pub(crate) enum News {
    /// A snapshot begins: what was held is void.
    Begin,
    /// A connection has this form now.
    Form(Form),
    /// The connection with this id is no longer in the part.
    Removed(u64),
}

/// A form of a connection.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) id: u64,
    pub(crate) revision: u64,
    /// When its newest packet was seen.
    pub(crate) last_seen: Option<SystemTime>,
    pub(crate) is_closed: bool,
}

/// Calls `each` with everything that a message tells.
pub(crate) fn read(message: &[u8], each: &mut impl FnMut(News) -> Result<()>) -> Result<()> {
    fields(message, |number, value| match (number, value) {
        (1, Value::Part(snapshot)) => fields(snapshot, |number, value| match (number, value) {
            (1, Value::Number(first)) if first != 0 => each(News::Begin),
            (3, Value::Part(connection)) => each(News::Form(form(connection)?)),
            _ => Ok(()),
        }),
        (3, Value::Part(changes)) => fields(changes, |number, value| match (number, value) {
            (3, Value::Part(connection)) => each(News::Form(form(connection)?)),
            (4, Value::Part(mut removed)) => {
                while removed.has_remaining() {
                    each(News::Removed(decode_varint(&mut removed)?))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }),
        _ => Ok(()),
    })
}

fn form(connection: &[u8]) -> Result<Form> {
    let mut form = Form::default();
    fields(connection, |number, value| {
        match (number, value) {
            (1, Value::Number(id)) => form.id = id,
            (2, Value::Number(revision)) => form.revision = revision,
            (16, Value::Part(last_seen)) => form.last_seen = Some(time(last_seen)?),
            (17, Value::Part(_)) => form.is_closed = true,
            _ => {}
        }
        Ok(())
    })?;
    Ok(form)
}

fn time(timestamp: &[u8]) -> Result<SystemTime> {
    let mut since_1970 = Duration::ZERO;
    fields(timestamp, |number, value| {
        match (number, value) {
            (1, Value::Number(seconds)) => since_1970 += Duration::from_secs(seconds),
            (2, Value::Number(nanoseconds)) => since_1970 += Duration::from_nanos(nanoseconds),
            _ => {}
        }
        Ok(())
    })?;
    Ok(SystemTime::UNIX_EPOCH + since_1970)
}

/// A field as it is on the wire.
enum Value<'m> {
    Number(u64),
    Part(&'m [u8]),
}

/// Calls `each` with every field of an encoded message, and its number.
fn fields<'m>(mut rest: &'m [u8], mut each: impl FnMut(u32, Value<'m>) -> Result<()>) -> Result<()> {
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest)?;
        let value = match wire_type {
            WireType::Varint => Value::Number(decode_varint(&mut rest)?),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest)? as usize;
                let Some((part, behind)) = rest.split_at_checked(length) else {
                    bail!("field {number} is longer than its message");
                };
                rest = behind;
                Value::Part(part)
            }
            WireType::SixtyFourBit | WireType::ThirtyTwoBit | WireType::StartGroup | WireType::EndGroup => {
                skip_field(wire_type, number, &mut rest, DecodeContext::default()).context("skip a field")?;
                continue;
            }
        };
        each(number, value)?;
    }
    Ok(())
}

/// Sends a request and leaves the messages as they come.
#[derive(Default)]
pub(crate) struct AsTheyCome;

impl Codec for AsTheyCome {
    type Encode = WatchConnectionsRequest;
    type Decode = Bytes;
    type Encoder = ProstEncoder<WatchConnectionsRequest>;
    type Decoder = Self;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Decoder for AsTheyCome {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
