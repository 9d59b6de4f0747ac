/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/feat_pause_internal.h - speech and pauses from the energy alone. */
#ifndef SN_FRONTEND_FEAT_PAUSE_INTERNAL_H
#define SN_FRONTEND_FEAT_PAUSE_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Plain state: copy and zero as you like, init before use. */
typedef struct sni_pause {
  size_t step; /* samples of one decision */
  double step_s;
  double sum, sumsq; /* of the step being filled */
  size_t n;
  bool has_floor, in_speech;
  double floor_db;
  int32_t loud_run;  /* steps in a row above the upper threshold */
  int64_t quiet_run; /* steps since the last above the lower threshold */
} sni_pause;

void sni_pause_init(sni_pause *p, double rate_hz);
/* As after init; keep_level: the noise level stays. */
void sni_pause_reset(sni_pause *p, bool keep_level);
void sni_pause_push(sni_pause *p, const float *samples, size_t n);
double sni_pause_trailing_s(const sni_pause *p); /* 0 in speech */
#ifdef __cplusplus
}
#endif
#endif
