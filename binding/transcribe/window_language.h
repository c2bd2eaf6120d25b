// What a model says of the language in one window.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "model/whisper_unit.h"

namespace whisper_hip {

bool is_multilingual(const whisper_context& context);

// Probabilities by whisper.cpp's language id.
std::vector<float> language_probabilities(const whisper_context& context, Engine& engine, Client& client,
                                          const Window& window);

} // namespace whisper_hip
