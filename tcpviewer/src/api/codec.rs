//! How the service writes its messages: with room for the whole message from the start. A buffer that grows as it fills
//! copies large messages once more, and ends with up to twice the room. In: a message. Out: its bytes in the stream.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// The protobuf codec, with an encoder that makes room first.
#[derive(Debug)]
pub(crate) struct RoomFirst<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for RoomFirst<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for RoomFirst<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = RoomFirstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        RoomFirstEncoder(ProstEncoder::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::default())
    }
}

/// Encodes messages of one kind.
#[derive(Debug)]
pub(crate) struct RoomFirstEncoder<T>(ProstEncoder<T>);

impl<T: Message> Encoder for RoomFirstEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        self.0.encode(message, buffer)
    }
}
