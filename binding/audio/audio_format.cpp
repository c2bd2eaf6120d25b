#include "audio/audio_format.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace whisper_hip {

namespace {

constexpr size_t kHeadBytes = 1024;
constexpr int kMostTags = 8;

std::string read_head(ByteReader& reader, uint64_t offset) {
  std::string head(kHeadBytes, '\0');
  reader.seek(offset);
  head.resize(reader.read(head.data(), head.size()));
  return head;
}

bool has(std::string_view head, size_t offset, std::string_view magic) {
  return head.size() >= offset + magic.size() && head.compare(offset, magic.size(), magic) == 0;
}

// The length of an ID3v2 tag at the start of `head`, 0 when there is none. The size has seven bits a byte.
uint64_t id3_length(std::string_view head) {
  if (head.size() < 10 || !has(head, 0, "ID3"))
    return 0;
  uint64_t length = 0;
  for (size_t i = 6; i < 10; ++i)
    length = (length << 7) | (static_cast<uint8_t>(head[i]) & 0x7f);
  const bool footer = (head[5] & 0x10) != 0;
  return length + (footer ? 20 : 10);
}

bool starts_markup(std::string_view head) {
  std::string start;
  for (char c : head) {
    if (start.empty() && std::isspace(static_cast<unsigned char>(c)))
      continue;
    start += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (start.size() == 9)
      break;
  }
  return start == "<!doctype" || start.rfind("<html", 0) == 0;
}

// ASCII, UTF-8 or an older encoding; 0xf8 to 0xff occur in none of them, and one starts every MPEG frame.
bool is_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x80 && byte < 0xf8) || std::isprint(byte) || std::isspace(byte);
  });
}

// Formats of others, which must not be searched for MPEG frames.
const char* foreign_format(std::string_view head) {
  using namespace std::string_view_literals;
  static constexpr struct {
    size_t offset;
    std::string_view magic;
    const char* description;
  } formats[] = {
      {4, "ftyp"sv, "is an MP4 or M4A file"},
      {0, "\x1a\x45\xdf\xa3"sv, "is a Matroska or WebM file"},
      {0, "caff"sv, "is a Core Audio file"},
      {0, "#!AMR"sv, "is an AMR file"},
      {0, ".snd"sv, "is an AU file"},
      {0, "\x30\x26\xb2\x75"sv, "is an ASF or WMA file"},
      {0, "MThd"sv, "is a MIDI file"},
      {0, "wvpk"sv, "is a WavPack file"},
      {0, "MAC "sv, "is a Monkey's Audio file"},
      {0, "ADIF"sv, "is an AAC file"},
      {0, "RIFF"sv, "is a RIFF file, but not of audio"},
      {0, "PK\x03\x04"sv, "is a ZIP archive"},
      {0, "\x1f\x8b"sv, "is a gzip archive"},
      {0, "%PDF"sv, "is a PDF document"},
      {0, "\x89PNG"sv, "is a PNG image"},
      {0, "\xff\xd8\xff"sv, "is a JPEG image"},
      {0,
       "\x7f"
       "ELF"sv,
       "is a program"},
      {0, "GGUF"sv, "is a model"},
      {0, "lmgg"sv, "is a model"},
  };
  for (const auto& format : formats) {
    if (has(head, format.offset, format.magic))
      return format.description;
  }
  // ADTS shares the sync word of MPEG audio, with the layer that does not exist there.
  if (head.size() >= 2 && head[0] == '\xff' && (head[1] & '\xf6') == '\xf0')
    return "is an AAC stream";
  return nullptr;
}

std::string bytes_in_hex(std::string_view head) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "starts with the bytes";
  for (char c : head.substr(0, 8)) {
    const auto byte = static_cast<unsigned char>(c);
    text += {' ', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

} // namespace

AudioFormat detect_audio_format(ByteReader& reader) {
  using Kind = AudioFormat::Kind;
  uint64_t start = 0;
  std::string head = read_head(reader, start);
  if (head.empty())
    return {Kind::unknown, 0, "is empty"};
  for (int tags = 0; tags < kMostTags && id3_length(head) > 0; ++tags) {
    start += id3_length(head);
    head = read_head(reader, start);
  }
  if (head.empty())
    return {Kind::unknown, start, "ends inside its ID3 tag"};

  const bool wave =
      has(head, 8, "WAVE") && (has(head, 0, "RIFF") || has(head, 0, "RIFX") || has(head, 0, "RF64"));
  const bool aiff = has(head, 0, "FORM") && (has(head, 8, "AIFF") || has(head, 8, "AIFC"));
  const bool wave64 = has(head, 0, "riff") && has(head, 24, "wave");
  if (start == 0 && (wave || aiff || wave64))
    return {Kind::wav, start, "is a WAV or AIFF file"};
  if (has(head, 0, "fLaC"))
    return {Kind::flac, start, "is a FLAC file"};
  if (start == 0 && has(head, 0, "OggS"))
    return {Kind::ogg, start, "is an Ogg file"};
  if (const char* description = foreign_format(head))
    return {Kind::unknown, start, description};
  if (starts_markup(head))
    return {Kind::unknown, start, "looks like an HTML page"};
  if (is_text(head))
    return {Kind::unknown, start, "looks like text"};
  return {Kind::mp3, start, bytes_in_hex(head)};
}

} // namespace whisper_hip
