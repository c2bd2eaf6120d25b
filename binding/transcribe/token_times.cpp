#include "transcribe/token_times.h"

#include <algorithm>
#include <cmath>

namespace whisper_hip {

namespace {

constexpr double kSecondsPerPosition = 0.02;
constexpr int kMedianWidth = 7;

// Replaces each value by the median of its neighbourhood; the ends are mirrored.
void median_filter(float* values, int count, std::vector<float>& scratch) {
  constexpr int reach = kMedianWidth / 2;
  if (count <= reach)
    return;
  scratch.assign(values, values + count);
  for (int i = 0; i < count; ++i) {
    float window[kMedianWidth];
    for (int k = -reach; k <= reach; ++k) {
      int j = std::abs(i + k);
      if (j >= count)
        j = 2 * (count - 1) - j;
      window[k + reach] = scratch[j];
    }
    std::nth_element(window, window + reach, window + kMedianWidth);
    values[i] = window[reach];
  }
}

// [heads, rows, stride] attention to [rows, columns]: within each head, what a row has more than the others
// at a position, smoothed; then the mean of the heads.
std::vector<float> focus(std::vector<float>& attention, size_t heads, int rows, size_t stride, int columns) {
  std::vector<float> mean(static_cast<size_t>(rows) * columns, 0.0f);
  std::vector<float> scratch;
  for (size_t head = 0; head < heads; ++head) {
    float* weights = &attention[head * rows * stride];
    for (int row = 0; row < rows; ++row) {
      // The softmax went over the padding too.
      float* line = weights + row * stride;
      double sum = 0;
      for (int i = 0; i < columns; ++i)
        sum += line[i];
      const auto scale = static_cast<float>(1.0 / std::max(sum, 1e-20));
      for (int i = 0; i < columns; ++i)
        line[i] *= scale;
    }
    for (int i = 0; i < columns; ++i) {
      double sum = 0, squares = 0;
      for (int row = 0; row < rows; ++row) {
        const double value = weights[row * stride + i];
        sum += value;
        squares += value * value;
      }
      const double average = sum / rows;
      const double deviation = std::sqrt(std::max(squares / rows - average * average, 1e-20));
      for (int row = 0; row < rows; ++row) {
        float& value = weights[row * stride + i];
        value = static_cast<float>((value - average) / deviation);
      }
    }
    for (int row = 0; row < rows; ++row) {
      median_filter(weights + row * stride, columns, scratch);
      for (int i = 0; i < columns; ++i)
        mean[static_cast<size_t>(row) * columns + i] += weights[row * stride + i] / static_cast<float>(heads);
    }
  }
  return mean;
}

} // namespace

std::vector<int> first_columns(const std::vector<float>& cost, int rows, int columns) {
  enum Step : unsigned char { both, down, right };
  const auto at = [columns](int row, int column) { return static_cast<size_t>(row) * columns + column; };
  std::vector<float> total(static_cast<size_t>(rows) * columns);
  std::vector<Step> steps(total.size());
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const float diagonal = row > 0 && column > 0 ? total[at(row - 1, column - 1)] : INFINITY;
      const float above = row > 0 ? total[at(row - 1, column)] : INFINITY;
      const float before = column > 0 ? total[at(row, column - 1)] : INFINITY;
      Step step = right;
      float least = before;
      if (diagonal < above && diagonal < before) {
        step = both;
        least = diagonal;
      } else if (above < before) {
        step = down;
        least = above;
      }
      if (row == 0 && column == 0)
        least = 0;
      total[at(row, column)] = least + cost[at(row, column)];
      steps[at(row, column)] = step;
    }
  }
  std::vector<int> first(rows, 0);
  int row = rows - 1, column = columns - 1;
  while (row > 0 || column > 0) {
    first[row] = column;
    const Step step = row == 0 ? right : column == 0 ? down : steps[at(row, column)];
    if (step != right)
      --row;
    if (step != down)
      --column;
  }
  first[0] = 0;
  return first;
}

// The weights of a row belong to the token after it: the last token of the text tells where the text ends.
std::vector<double> token_times(std::vector<float> attention, size_t heads, int tokens, int positions,
                                int columns, int text) {
  const std::vector<float> all = focus(attention, heads, tokens, static_cast<size_t>(positions), columns);
  const int rows = text + 1;
  std::vector<float> cost(all.end() - static_cast<ptrdiff_t>(rows) * columns, all.end());
  for (float& value : cost)
    value = -value;
  std::vector<double> times;
  for (const int column : first_columns(cost, rows, columns))
    times.push_back(column * kSecondsPerPosition);
  return times;
}

} // namespace whisper_hip
