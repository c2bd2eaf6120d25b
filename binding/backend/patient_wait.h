/* Included by force before ggml-cpu.c, whose threads wait for each other in a loop around _mm_pause().
 *
 * When the thread that is waited for has lost its core (to another program, or to the application itself),
 * such a loop keeps the core from it until the time slice ends: several milliseconds for each of thousands of
 * barriers. Giving the core away every few microseconds of waiting costs nothing on an idle machine.
 */
#ifndef WHISPER_HIP_PATIENT_WAIT_H
#define WHISPER_HIP_PATIENT_WAIT_H
#if defined(__x86_64__)

#include <immintrin.h>
#include <sched.h>

static inline void whisper_hip_wait_patiently(void) {
  static __thread unsigned rounds;
  _mm_pause();
  if (++rounds % 256 == 0)
    sched_yield();
}

#define _mm_pause whisper_hip_wait_patiently

#endif
#endif
