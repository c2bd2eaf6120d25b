// Serves a validated plan to whisper.cpp as if it were one of its legacy files.
#pragma once

#include <atomic>
#include <functional>

#include "model/load_plan.h"
#include "whisper.h"

namespace whisper_hip {

class PlanStream {
 public:
  // `progress` gets 0..1 of the weight bytes. A set `cancelled` makes the load throw Error(ERR_CANCELLED).
  PlanStream(const LoadPlan& plan, const std::atomic<bool>& cancelled, std::function<void(double)> progress);

  // Valid as long as this object. Its functions throw: the caller must catch.
  whisper_model_loader loader();

 private:
  void read(void* out, size_t length);
  bool at_end() const { return next_ >= plan_.tensors.size() && asked_past_end_; }
  void write_header();
  void write_record(const PlanTensor& tensor);
  void write_payload(const PlanTensor& tensor, uint8_t* out, size_t length);
  void advance(size_t bytes);

  const LoadPlan& plan_;
  const std::atomic<bool>& cancelled_;
  std::function<void(double)> progress_;
  std::vector<uint8_t> pending_; // bytes that are served before the next payload
  size_t position_ = 0;
  size_t next_ = 0; // tensor whose payload or record comes next
  bool payload_due_ = false;
  bool asked_past_end_ = false;
  size_t total_bytes_;
  size_t done_bytes_ = 0;
};

} // namespace whisper_hip
