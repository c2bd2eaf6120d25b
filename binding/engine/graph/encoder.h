// From the mel spectrogram of a window to the keys and values of the decoder's cross-attention.
#pragma once

#include "engine/cache/windows.h"
#include "engine/graph/layers.h"

namespace whisper_hip {

// Adds the whole computation to the graph and returns its input: mel, f32 [2 * positions, mels]. The keys and
// values are written into `window`.
ggml_tensor* build_encoder(const GraphBuilder& builder, const ModelWeights& weights,
                           const EncodedWindow& window);

} // namespace whisper_hip
