/* SPDX-License-Identifier: Apache-2.0 */
/* Speech and pauses from the energy alone, for front ends that have no speech
 * detection of their own.
 *
 * Every 10 ms the level (variance of the samples, so that an offset does not
 * count; dB over one unit of 16-bit PCM) is compared with a noise floor:
 * 1. The floor falls to lower levels quickly and rises slowly; it starts at the
 *    first level but not above what a quiet room gives, since a recording may
 *    begin within a word.
 * 2. Five steps in a row above floor + 9 dB (and audible at all) begin speech.
 * 3. Thirty steps in a row below floor + 6 dB end it. Between the two
 *    thresholds nothing changes: hysteresis.
 * Steps lie at fixed sample numbers: the result does not depend on how the
 * samples are cut. The thresholds are what a speaking voice has over a quiet
 * room, not fitted to recordings; they only decide when an utterance ends, not
 * what is recognised. */
#include "frontend/feat_pause_internal.h"

#include <math.h>

static const double quiet_room_db = 45;
static const double audible_db = 25;
static const double begin_db = 9, end_db = 6;
static const double rise_db = 0.03; /* a step: 3 dB a second */
static const double fall = 0.3;     /* of the difference a step */
enum { begin_steps = 5, end_steps = 30, steps_per_s = 100 };

void sni_pause_init(sni_pause *p, double rate_hz) {
  *p = (sni_pause){0};
  p->step = (size_t)(rate_hz / steps_per_s);
  if (p->step == 0) p->step = 1;
  p->step_s = (double)p->step / rate_hz;
}

void sni_pause_reset(sni_pause *p, bool keep_level) {
  const sni_pause old = *p;
  *p = (sni_pause){.step = old.step, .step_s = old.step_s};
  if (!keep_level) return;
  p->has_floor = old.has_floor;
  p->floor_db = old.floor_db;
}

static void decide(sni_pause *p) {
  const double n = (double)p->n, mean = p->sum / n;
  const double variance = fmax(p->sumsq / n - mean * mean, 0);
  const double level = 10 * log10(1 + variance);
  if (!p->has_floor) { /* 1 */
    p->floor_db = fmin(level, quiet_room_db);
    p->has_floor = true;
  }
  p->floor_db += level < p->floor_db ? fall * (level - p->floor_db)
                                     : fmin(rise_db, level - p->floor_db);
  const bool is_loud = level > p->floor_db + begin_db && level > audible_db;
  const bool is_quiet = level < p->floor_db + end_db || level < audible_db;
  p->loud_run = is_loud && p->loud_run < begin_steps ? p->loud_run + 1
                : is_loud                            ? p->loud_run
                                                     : 0;
  if (is_quiet || !p->in_speech)
    p->quiet_run++;
  else
    p->quiet_run = 0;
  if (p->loud_run == begin_steps) { /* 2 */
    p->in_speech = true;
    p->quiet_run = 0;
  }
  if (p->quiet_run >= end_steps) p->in_speech = false; /* 3 */
}

void sni_pause_push(sni_pause *p, const float *samples, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double x = (double)samples[i];
    p->sum += x;
    p->sumsq += x * x;
    if (++p->n < p->step) continue;
    decide(p);
    p->sum = p->sumsq = 0;
    p->n = 0;
  }
}

double sni_pause_trailing_s(const sni_pause *p) {
  return p->in_speech ? 0 : (double)p->quiet_run * p->step_s;
}
