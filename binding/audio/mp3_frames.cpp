// With miniaudio's decoder of MPEG frames, whose handling of the stream around them is not used.
#include "audio/mp3_frames.h"

#include "audio/miniaudio_static.h"

namespace whisper_hip {

struct Mp3FrameDecoder::State {
  ma_dr_mp3dec decoder;
};

Mp3FrameDecoder::Mp3FrameDecoder() : state_(std::make_unique<State>()) {
  reset();
}
Mp3FrameDecoder::~Mp3FrameDecoder() = default;

Mp3FrameDecoder::Header Mp3FrameDecoder::parse(const uint8_t* bytes) {
  if (!ma_dr_mp3_hdr_valid(bytes))
    return {};
  Header header = {};
  header.length = static_cast<size_t>(ma_dr_mp3_hdr_frame_bytes(bytes, 0) + ma_dr_mp3_hdr_padding(bytes));
  header.sample_rate = static_cast<int>(ma_dr_mp3_hdr_sample_rate_hz(bytes));
  header.layer = 4 - MA_DR_MP3_HDR_GET_LAYER(bytes);
  return header;
}

void Mp3FrameDecoder::reset() {
  ma_dr_mp3dec_init(&state_->decoder);
}

Mp3FrameDecoder::Frame Mp3FrameDecoder::decode(const uint8_t* bytes, size_t size, float* pcm) {
  ma_dr_mp3dec_frame_info info = {};
  const int frames = ma_dr_mp3dec_decode_frame(&state_->decoder, bytes, static_cast<int>(size), pcm, &info);
  Frame frame = {};
  frame.bytes = static_cast<size_t>(info.frame_bytes);
  if (info.layer == 0) // no frame was found
    return frame;
  const uint8_t* header = state_->decoder.header;
  frame.length = static_cast<size_t>(ma_dr_mp3_hdr_frame_bytes(header, state_->decoder.free_format_bytes) +
                                     ma_dr_mp3_hdr_padding(header));
  frame.frames = static_cast<int>(ma_dr_mp3_hdr_frame_samples(header));
  frame.decoded = frames > 0;
  frame.channels = info.channels;
  frame.sample_rate = info.sample_rate;
  frame.layer = info.layer;
  return frame;
}

} // namespace whisper_hip
