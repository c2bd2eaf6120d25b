#include "vad/silero.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace whisper_hip {

namespace {

constexpr float kLoudest = 16.0f; // 24 dB above full scale

float tamed(float sample) {
  return std::isnan(sample) ? 0.0f : std::clamp(sample, -kLoudest, kLoudest);
}

} // namespace

Silero::Silero(std::shared_ptr<const SileroWeights> weights)
    : weights_(std::move(weights)), arithmetic_(arithmetic()), samples_(kContext, 0.0f),
      activations_(kBatch, Activations{}) {}

void Silero::push(const float* samples, size_t count, std::vector<float>& probabilities) {
  while (count > 0) {
    const size_t taken = std::min(count, kContext + kBatch * kFrameSamples - samples_.size());
    std::transform(samples, samples + taken, std::back_inserter(samples_), tamed);
    samples += taken;
    count -= taken;
    compute((samples_.size() - kContext) / kFrameSamples, probabilities);
  }
}

void Silero::finish(std::vector<float>& probabilities) {
  const size_t rest = (samples_.size() - kContext) % kFrameSamples;
  if (rest == 0)
    return;
  samples_.resize(samples_.size() + kFrameSamples - rest, 0.0f);
  compute(1, probabilities);
}

void Silero::compute(size_t frames, std::vector<float>& probabilities) {
  if (frames == 0)
    return;
  std::vector<Column> columns[4], inputs;
  for (size_t i = 0; i < frames; ++i) {
    Activations& at = activations_[i];
    float seen[kContext + kFrameSamples + kReflected];
    float* end = std::copy_n(samples_.data() + i * kFrameSamples, kContext + kFrameSamples, seen);
    std::reverse_copy(end - 1 - kReflected, end - 1, end);
    spectrum_.magnitudes(seen, at.spectrum[1]);
    for (int t = 0; t < 4; ++t)
      columns[0].push_back({at.spectrum[t], nullptr, at.first[t + 1]});
    for (int t = 0; t < 2; ++t)
      columns[1].push_back({at.first[2 * t], nullptr, at.second[t]});
    columns[2].push_back({at.second[0], nullptr, at.third});
    columns[3].push_back({at.third, nullptr, at.fourth});
    inputs.push_back({at.fourth, weights_->from_input.bias.data(), at.gates});
  }
  for (size_t layer = 0; layer < 4; ++layer)
    convolve(layer, columns[layer]);
  arithmetic_.linear(weights_->from_input.matrix, inputs.data(), frames);
  for (size_t i = 0; i < frames; ++i) {
    float gates[4 * kChannels];
    const Column column = {hidden_, activations_[i].gates, gates};
    arithmetic_.linear(weights_->from_hidden, &column, 1);
    arithmetic_.lstm(gates, kChannels, cell_, hidden_);
    float sum = weights_->last_bias;
    for (size_t c = 0; c < kChannels; ++c)
      sum += std::max(hidden_[c], 0.0f) * weights_->last[c];
    probabilities.push_back(1.0f / (1.0f + std::exp(-sum)));
  }
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<ptrdiff_t>(frames * kFrameSamples));
}

void Silero::convolve(size_t layer, std::vector<Column>& columns) const {
  const SileroWeights::Layer& weights = weights_->convolutions[layer];
  for (Column& column : columns)
    column.bias = weights.bias.data();
  arithmetic_.linear(weights.matrix, columns.data(), columns.size());
  for (const Column& column : columns) {
    for (size_t i = 0; i < weights.matrix.outputs; ++i)
      column.out[i] = std::max(column.out[i], 0.0f);
  }
}

} // namespace whisper_hip
