/* SPDX-License-Identifier: Apache-2.0 */
/* Pitch tracking: Viterbi over the correlation of the signal with itself.
 *
 *   1  the signal is low-pass filtered and resampled (16 kHz to 4 kHz)
 *   2  for each frame, correlation of a window with later ones, at whole lags
 *      of the resampled signal (75 of them), divided by the square root of both
 *      energies (NCCF); with a ballast in the root, which lowers quiet frames,
 *      for the search, without for the output
 *   3  the first is resampled to lags in geometric progression (417: half a
 *      percent apart)
 *   4  search: a candidate costs 1 - nccf (1 - soft-min-f0 lag), a change from
 *      candidate i to k costs penalty-factor (log(1 + delta-pitch) (i - k))^2
 *   5  frames on which all surviving paths agree are given out
 *
 * The ballast is made from the energy of the whole recording. So by default
 * step 2 waits for its end; the samples kept until then are 16 KB a second.
 * With nccf-ballast-online the energy up to the frame is taken and frames come
 * as the audio does.
 *
 * Step 4 wants, for each k, the least of prev[i] + f (i - k)^2: the lower
 * envelope of parabolas, found in linear time (Felzenszwalb & Huttenlocher
 * 2012, section 2). Back pointers rise with k, hence the paths that survive
 * lie between those of the first and the last candidate (step 5). In silence
 * no paths join: after max_open frames the older half is decided from the best
 * end, which bounds memory (8 MB).
 *
 * Source: Ghahremani et al., "A pitch extraction algorithm tuned for automatic
 * speech recognition", ICASSP 2014; details (filters, frame counts at the ends,
 * the correction of early frames) as in Kaldi, feat/pitch-functions.cc and
 * feat/resample.cc. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/kaldi_pitch_internal.h"

static const size_t max_open = 6000;  /* frames: a minute */
static const size_t check_every = 16; /* frames, for step 5 */

/* ---- One stream ---- */

typedef struct pitch {
  sni_extractor base; /* first: pointers to it are pointers to this */
  const sni_kaldi_plan *plan;
  const sni_pitch_plan *p;
  bool finished;

  /* Step 1. Inputs in_start .. in_total - 1 are kept, and the resampled ones
   * from sig_start on. */
  float *in;
  size_t in_n, in_cap;
  int64_t in_start, in_total;
  float *sig;
  size_t sig_n, sig_cap;
  int64_t sig_start, sig_total;
  double sum, sumsq; /* of resampled samples 0 .. sum_end - 1 */
  int64_t sum_end;

  /* Steps 2 to 4, one frame. */
  int64_t n_made;
  float *x;         /* [full] */
  float *inner;     /* [n_measured] */
  double *norm;     /* [n_measured] product of energies */
  float *nccf;      /* [n_measured] with ballast */
  float *local;     /* [n_lags] nccf, then cost */
  float *cost;      /* [n_lags] of the best path to each candidate */
  float *before;    /* [n_lags] the same of the frame before */
  double *envelope; /* [2 * n_lags + 1] */
  size_t *apex;     /* [n_lags] */

  /* Frames not yet decided: open_first .. + n_open - 1. */
  uint16_t *back; /* [open_cap x n_lags] best candidate on the frame before */
  float *pov;     /* [open_cap x n_measured] nccf without ballast */
  uint16_t *path; /* [open_cap] scratch */
  size_t open_first, n_open, open_cap;
  int64_t n_out; /* frames given out */

  sni_pitch_post post;
  sni_frame_queue out;
} pitch;

/* Frames that n resampled samples give. */
static int64_t n_frames(const pitch *x, int64_t n, bool finished) {
  const sni_pitch_plan *const p = x->p;
  const int64_t len = finished ? p->win : p->full;
  if (n < len) return 0;
  if (x->plan->o.snip_edges) return (n - len) / p->shift + 1;
  const int64_t upto = finished ? n : n - len / 2;
  return (2 * upto + p->shift) / (2 * p->shift); /* rounded */
}

static int64_t first_sample(const pitch *x, int64_t t) {
  const sni_pitch_plan *const p = x->p;
  if (x->plan->o.snip_edges) return t * p->shift;
  return (2 * t + 1) * p->shift / 2 - p->full / 2;
}

/* ---- Step 1 ---- */

/* Resampled samples that n inputs give: those whose filter lies inside, or
 * (finished) that start before the end. Time is counted in ticks of
 * 1 / (rate in * out_unit). */
static int64_t n_resampled(const sni_pitch_plan *p, int64_t n, bool finished) {
  const int64_t ticks = n * p->out_unit - (finished ? 0 : p->reach);
  return ticks <= 0 ? 0 : (ticks - 1) / p->in_unit + 1;
}

static float resample_at(const pitch *x, int64_t i) {
  const sni_filters *const f = &x->p->resample;
  const size_t phase = (size_t)(i % x->p->out_unit);
  const int64_t first = f->first[phase] + i / x->p->out_unit * x->p->in_unit;
  const float *const w = f->w + f->at[phase];
  double sum = 0.0; /* inputs before the start and behind the end are 0 */
  for (size_t j = 0; j < f->len[phase]; j++) {
    const int64_t s = first + (int64_t)j;
    if (s < 0 || s >= x->in_total) continue;
    SN_ASSERT(s >= x->in_start);
    sum += (double)w[j] * (double)x->in[s - x->in_start];
  }
  return (float)sum;
}

/* Makes the resampled samples up to number n; forgets inputs not needed any
 * more. */
static sn_status resample_until(pitch *x, int64_t n, sn_err *err) {
  if (n > x->sig_total) {
    const size_t more = (size_t)(n - x->sig_total);
    if (x->sig_n + more > x->sig_cap) {
      const size_t cap = 2 * (x->sig_n + more);
      float *const sig = sn_realloc(x->sig, cap, sizeof *sig);
      if (sig == NULL) return sn_fail_nomem(err, "pitch");
      x->sig = sig;
      x->sig_cap = cap;
    }
  }
  for (; x->sig_total < n; x->sig_total++)
    x->sig[x->sig_n++] = resample_at(x, x->sig_total);
  const size_t phase = (size_t)(x->sig_total % x->p->out_unit);
  int64_t keep = x->p->resample.first[phase] +
                 x->sig_total / x->p->out_unit * x->p->in_unit;
  /* The phases' first inputs differ by rounding; one more is harmless. */
  keep -= 1;
  if (keep > x->in_total) keep = x->in_total;
  if (keep > x->in_start) {
    const size_t drop = (size_t)(keep - x->in_start);
    memmove(x->in, x->in + drop, (x->in_n - drop) * sizeof *x->in);
    x->in_n -= drop;
    x->in_start = keep;
  }
  return SN_OK;
}

/* ---- Step 2 ---- */

static double dot(const float *a, const float *b, size_t n) {
  double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += (double)a[i] * (double)b[i];
    s1 += (double)a[i + 1] * (double)b[i + 1];
    s2 += (double)a[i + 2] * (double)b[i + 2];
    s3 += (double)a[i + 3] * (double)b[i + 3];
  }
  for (; i < n; i++) s0 += (double)a[i] * (double)b[i];
  return (s0 + s1) + (s2 + s3);
}

/* Samples of frame t to x->x; those that do not exist are 0. */
static void take_samples(pitch *x, int64_t t) {
  const int64_t first = first_sample(x, t), full = x->p->full;
  int64_t from = first, to = first + full;
  if (from < 0) from = 0;
  if (to > x->sig_total) to = x->sig_total;
  memset(x->x, 0, (size_t)full * sizeof *x->x);
  if (to <= from) return;
  float *const y = x->x + (from - first);
  const size_t n = (size_t)(to - from);
  SN_ASSERT(from >= x->sig_start);
  memcpy(y, x->sig + (from - x->sig_start), n * sizeof *y);
  const float c = (float)sni_kaldi_preemphasis(&x->plan->o);
  if (c <= 0.0f) return;
  for (size_t i = n - 1; i > 0; i--) y[i] -= c * y[i - 1];
  y[0] *= 1.0f - c;
}

/* Fills inner, norm and the row of pov. The mean of the first window is taken
 * off all of them (so does Kaldi). */
static void correlate(pitch *x, int64_t t, float *pov) {
  const sni_pitch_plan *const p = x->p;
  const size_t win = (size_t)p->win;
  take_samples(x, t);
  double sum = 0.0;
  for (size_t i = 0; i < win; i++) sum += (double)x->x[i];
  const float mean = (float)(sum / (double)win);
  for (size_t i = 0; i < (size_t)p->full; i++) x->x[i] -= mean;
  const double e1 = dot(x->x, x->x, win);
  for (size_t k = 0; k < p->n_measured; k++) {
    const float *const y = x->x + p->first_lag + (int64_t)k;
    x->inner[k] = (float)dot(x->x, y, win);
    x->norm[k] = e1 * dot(y, y, win);
    pov[k] = x->norm[k] > 0.0 ? (float)((double)x->inner[k] / sqrt(x->norm[k]))
                              : 0.0f;
  }
}

/* Mean square of the resampled samples before number `end`, about their mean.
 */
static double mean_square(pitch *x, int64_t end) {
  for (; x->sum_end < end; x->sum_end++) {
    const double v = (double)x->sig[x->sum_end - x->sig_start];
    x->sum += v;
    x->sumsq += v * v;
  }
  if (x->sum_end == 0) return 0.0;
  const double n = (double)x->sum_end, mean = x->sum / n;
  return fmax(0.0, x->sumsq / n - mean * mean);
}

static double ballast_of(const pitch *x, double mean_sq) {
  const double e = mean_sq * (double)x->p->win;
  return e * e * x->plan->o.nccf_ballast;
}

/* ---- Step 3 ---- */

static float lag_value(const sni_filters *f, const float *nccf, size_t lag) {
  const float *const w = f->w + f->at[lag];
  const float *const v = nccf + f->first[lag];
  float sum = 0.0f;
  for (size_t j = 0; j < f->len[lag]; j++) sum += w[j] * v[j];
  return sum;
}

/* ---- Step 4 ---- */

/* Lower envelope of the parabolas before[j] + f (i - j)^2: apex[0 .. k] are
 * those in it, begin[0 .. k] where each becomes the lowest. */
static void find_envelope(const pitch *x) {
  const size_t n = x->p->n_lags;
  const double f = (double)x->p->step_cost;
  double *const begin = x->envelope;
  double *const height = x->envelope + n + 1; /* before[j] + f j^2 */
  size_t *const apex = x->apex;
  size_t k = 0;
  begin[0] = -INFINITY;
  apex[0] = 0;
  height[0] = (double)x->before[0];
  for (size_t j = 1; j < n; j++) {
    height[j] = (double)x->before[j] + f * (double)j * (double)j;
    double cross = 0.0; /* with the last of the envelope */
    for (;; k--) {
      cross = (height[j] - height[apex[k]]) / (2.0 * f * (double)(j - apex[k]));
      if (cross > begin[k]) break; /* always so for k == 0 */
    }
    apex[++k] = j;
    begin[k] = cross;
  }
  begin[k + 1] = INFINITY;
}

/* From the costs before and the local cost to cost and back pointers; the
 * least cost is brought to 0.
 *
 * Costs are near 1 and a step of one candidate costs 2.5e-6, some 20 units in
 * the last place of a float: where the signal has no pitch, rounding decides.
 * Hence the sums are Kaldi's, in float, the first of equals taken, and the
 * envelope (in double) only says near which candidate to look. */
static void search(pitch *x, uint16_t *back) {
  const size_t n = x->p->n_lags, near = 2;
  const float f = x->p->step_cost;
  float *const swap = x->before;
  x->before = x->cost;
  x->cost = swap;
  find_envelope(x);
  size_t k = 0, last = 0; /* back pointers never fall */
  float least = INFINITY;
  for (size_t i = 0; i < n; i++) {
    while (x->envelope[k + 1] < (double)i) k++;
    const size_t apex = x->apex[k];
    const size_t from = apex < last + near ? last : apex - near;
    const size_t to = apex + near < n ? apex + near : n - 1;
    float best = INFINITY;
    for (size_t j = from; j <= to; j++) {
      const float d = (float)(j > i ? j - i : i - j);
      const float c = d * d * f + x->before[j];
      if (c >= best) continue;
      best = c;
      last = j;
    }
    back[i] = (uint16_t)last;
    x->cost[i] = best + x->local[i];
    least = fminf(least, x->cost[i]);
  }
  for (size_t i = 0; i < n; i++) x->cost[i] -= least;
}

/* ---- Step 5 ---- */

static uint16_t *back_of(const pitch *x, size_t open) {
  return x->back + (x->open_first + open) * x->p->n_lags;
}

/* Gives out open frames 0 .. last, whose candidate on frame `last` is known. */
static sn_status give_out(pitch *x, size_t last, size_t state, sn_err *err) {
  for (size_t i = last + 1; i-- > 0;) {
    x->path[i] = (uint16_t)state;
    state = back_of(x, i)[state];
  }
  for (size_t i = 0; i <= last; i++) {
    const size_t row = x->open_first + i;
    const float nccf =
        lag_value(&x->p->to_lags, x->pov + row * x->p->n_measured, x->path[i]);
    const float hz = (float)(1.0 / (double)x->p->lags[x->path[i]]);
    if (x->plan->o.process_pitch) {
      SN_TRY(sni_pitch_post_push(&x->post, nccf, hz, &x->out, err));
    } else {
      SN_TRY(sni_frame_queue_reserve(&x->out, 1, err));
      float *const y = sni_frame_queue_push(&x->out, x->n_out);
      y[0] = nccf;
      y[1] = hz;
    }
    x->n_out++;
  }
  x->n_open -= last + 1;
  x->open_first = x->n_open == 0 ? 0 : x->open_first + last + 1;
  return SN_OK;
}

static size_t best_end(const pitch *x) {
  size_t best = 0;
  for (size_t i = 1; i < x->p->n_lags; i++)
    if (x->cost[i] < x->cost[best]) best = i;
  return best;
}

/* Gives out all but the newest `keep` frames, along the best path. */
static sn_status give_out_best(pitch *x, size_t keep, sn_err *err) {
  if (x->n_open <= keep) return SN_OK;
  size_t state = best_end(x);
  for (size_t i = x->n_open - 1; i > x->n_open - keep - 1; i--)
    state = back_of(x, i)[state];
  return give_out(x, x->n_open - keep - 1, state, err);
}

static sn_status give_out_settled(pitch *x, sn_err *err) {
  size_t low = 0, high = x->p->n_lags - 1;
  for (size_t i = x->n_open; i-- > 0;) {
    if (low == high) return give_out(x, i, low, err);
    low = back_of(x, i)[low];
    high = back_of(x, i)[high];
  }
  return SN_OK;
}

static sn_status reserve_open(pitch *x, sn_err *err) {
  if (x->open_first + x->n_open < x->open_cap) return SN_OK;
  const size_t n_lags = x->p->n_lags, n_measured = x->p->n_measured;
  if (x->n_open > x->open_cap / 2) {
    const size_t cap = 2 * x->open_cap;
    uint16_t *const back = sn_realloc(x->back, cap, n_lags * sizeof *x->back);
    if (back == NULL) return sn_fail_nomem(err, "pitch");
    x->back = back;
    float *const pov = sn_realloc(x->pov, cap, n_measured * sizeof *x->pov);
    if (pov == NULL) return sn_fail_nomem(err, "pitch");
    x->pov = pov;
    uint16_t *const path = sn_realloc(x->path, cap, sizeof *x->path);
    if (path == NULL) return sn_fail_nomem(err, "pitch");
    x->path = path;
    x->open_cap = cap;
  }
  memmove(x->back, x->back + x->open_first * n_lags,
          x->n_open * n_lags * sizeof *x->back);
  memmove(x->pov, x->pov + x->open_first * n_measured,
          x->n_open * n_measured * sizeof *x->pov);
  x->open_first = 0;
  return SN_OK;
}

/* ---- Frames ---- */

/* How the ballast of frames that were made before the end is corrected for the
 * energy at the end: see finish_frames. */
typedef struct correction {
  bool needed;
  double ballast; /* in the end */
} correction;

static sn_status make_frame(pitch *x, double ballast, correction c,
                            sn_err *err) {
  const sni_pitch_plan *const p = x->p;
  SN_TRY(reserve_open(x, err));
  const size_t row = x->open_first + x->n_open;
  correlate(x, x->n_made, x->pov + row * p->n_measured);
  double scale = 1.0, norm_sum = 0.0;
  for (size_t k = 0; k < p->n_measured; k++) {
    const double root = sqrt(x->norm[k] + ballast);
    x->nccf[k] = root > 0.0 ? (float)((double)x->inner[k] / root) : 0.0f;
    norm_sum += x->norm[k];
  }
  if (c.needed) {
    const double mean = norm_sum / (double)p->n_measured;
    const double below = c.ballast + mean;
    if (below > 0.0) scale = sqrt((ballast + mean) / below);
  }
  const float soft = (float)x->plan->o.soft_min_f0;
  for (size_t i = 0; i < p->n_lags; i++) {
    const float nccf = (float)scale * lag_value(&p->to_lags, x->nccf, i);
    x->local[i] = 1.0f - nccf + soft * p->lags[i] * nccf;
  }
  search(x, x->back + row * p->n_lags);
  x->n_open++;
  x->n_made++;
  /* What follows goes by the number of the frame alone, so that it is the same
   * however the samples come. */
  if (x->n_made % (int64_t)check_every == 0) SN_TRY(give_out_settled(x, err));
  const int32_t latency = x->plan->o.max_frames_latency;
  if (x->plan->o.nccf_ballast_online && latency > 0)
    SN_TRY(give_out_best(x, (size_t)latency, err));
  if (x->n_open >= max_open) SN_TRY(give_out_best(x, max_open / 2, err));
  return SN_OK;
}

/* nccf-ballast-online: frames up to n, each with the energy up to its end. */
static sn_status make_frames_online(pitch *x, int64_t n, sn_err *err) {
  const correction none = {false, 0.0};
  while (x->n_made < n) {
    int64_t end = first_sample(x, x->n_made) + x->p->full;
    if (end > x->sig_total) end = x->sig_total;
    SN_TRY(make_frame(x, ballast_of(x, mean_square(x, end)), none, err));
  }
  /* Samples before the next frame are not needed again. */
  int64_t keep = first_sample(x, x->n_made);
  if (keep > x->sum_end) keep = x->sum_end;
  if (keep > x->sig_start) {
    const size_t drop = (size_t)(keep - x->sig_start);
    memmove(x->sig, x->sig + drop, (x->sig_n - drop) * sizeof *x->sig);
    x->sig_n -= drop;
    x->sig_start = keep;
  }
  return SN_OK;
}

/* All frames, at the end. Kaldi first takes what the samples give without
 * flushing the resampler, then the tail, each with the energy known by then;
 * should these two differ by more than 1 % and the first part be shorter than
 * recompute-frame, it scales the correlations of the first to what the final
 * energy would have made of them. */
static sn_status make_frames_at_end(pitch *x, sn_err *err) {
  const sni_kaldi_opts *const o = &x->plan->o;
  SN_ASSERT(x->n_made == 0);
  const int64_t early = n_frames(x, x->sig_total, false);
  const double early_ms = mean_square(x, x->sig_total);
  SN_TRY(resample_until(x, n_resampled(x->p, x->in_total, true), err));
  const int64_t n = n_frames(x, x->sig_total, true);
  const double ms = mean_square(x, x->sig_total);
  const correction none = {false, 0.0};
  const correction c = {early < o->recompute_frame &&
                            fabs(early_ms - ms) > 0.01 * (early_ms + ms),
                        ballast_of(x, ms)};
  while (x->n_made < n)
    SN_TRY(x->n_made < early ? make_frame(x, ballast_of(x, early_ms), c, err)
                             : make_frame(x, ballast_of(x, ms), none, err));
  return SN_OK;
}

/* ---- The extractor ---- */

static sn_status pitch_push(sni_extractor *base, const float *samples, size_t n,
                            sn_err *err) {
  pitch *const x = (pitch *)base;
  SN_ASSERT(!x->finished);
  while (n > 0) {
    const size_t room = x->in_cap - x->in_n;
    const size_t part = n < room ? n : room;
    SN_ASSERT(part > 0);
    memcpy(x->in + x->in_n, samples, part * sizeof *samples);
    x->in_n += part;
    x->in_total += (int64_t)part;
    samples += part;
    n -= part;
    SN_TRY(resample_until(x, n_resampled(x->p, x->in_total, false), err));
    if (x->plan->o.nccf_ballast_online)
      SN_TRY(make_frames_online(x, n_frames(x, x->sig_total, false), err));
  }
  return SN_OK;
}

static sn_status pitch_finish(sni_extractor *base, sn_err *err) {
  pitch *const x = (pitch *)base;
  SN_ASSERT(!x->finished);
  if (x->plan->o.nccf_ballast_online) {
    SN_TRY(resample_until(x, n_resampled(x->p, x->in_total, true), err));
    SN_TRY(make_frames_online(x, n_frames(x, x->sig_total, true), err));
  } else {
    SN_TRY(make_frames_at_end(x, err));
  }
  SN_TRY(give_out_best(x, 0, err));
  if (x->plan->o.process_pitch)
    SN_TRY(sni_pitch_post_finish(&x->post, &x->out, err));
  x->finished = true;
  return SN_OK;
}

static size_t pitch_n_ready(const sni_extractor *base) {
  return ((const pitch *)base)->out.n;
}

static void pitch_pull(sni_extractor *base, float *frame, int64_t *position) {
  pitch *const x = (pitch *)base;
  memcpy(frame, sni_frame_queue_at(&x->out, 0), base->dim * sizeof *frame);
  if (position != NULL) *position = x->out.pos[x->out.first];
  sni_frame_queue_pop(&x->out, 1);
}

static void pitch_reset(sni_extractor *base, bool keep) {
  pitch *const x = (pitch *)base;
  (void)keep; /* nothing is learnt of the channel */
  sni_frame_queue_pop(&x->out, x->out.n);
  x->finished = false;
  x->in_n = x->sig_n = 0;
  x->in_start = x->in_total = x->sig_start = x->sig_total = x->sum_end = 0;
  x->sum = x->sumsq = 0.0;
  x->n_made = x->n_out = 0;
  x->open_first = x->n_open = 0;
  memset(x->cost, 0, x->p->n_lags * sizeof *x->cost);
  sni_pitch_post_reset(&x->post);
}

static void pitch_destroy(sni_extractor *base) {
  pitch *const x = (pitch *)base;
  if (x == NULL) return;
  sn_free(x->in);
  sn_free(x->sig);
  sn_free(x->x);
  sn_free(x->inner);
  sn_free(x->norm);
  sn_free(x->nccf);
  sn_free(x->local);
  sn_free(x->cost);
  sn_free(x->before);
  sn_free(x->envelope);
  sn_free(x->apex);
  sn_free(x->back);
  sn_free(x->pov);
  sn_free(x->path);
  sni_pitch_post_clear(&x->post);
  sni_frame_queue_clear(&x->out);
  sn_free(x);
}

static const sni_extractor_ops pitch_ops = {
    pitch_push, pitch_finish, pitch_n_ready, pitch_pull,
    NULL,       NULL,         pitch_reset,   pitch_destroy};

static sn_status make_buffers(pitch *x, sn_err *err) {
  const sni_pitch_plan *const p = x->p;
  /* The filter reaches `reach` ticks to each side, in inputs: */
  const size_t reach = (size_t)(p->reach / p->out_unit) + 2;
  x->in_cap = 2 * reach + (size_t)p->in_unit + 8192;
  x->in = sn_calloc(x->in_cap, sizeof *x->in);
  x->x = sn_calloc((size_t)p->full, sizeof *x->x);
  x->inner = sn_calloc(p->n_measured, sizeof *x->inner);
  x->norm = sn_calloc(p->n_measured, sizeof *x->norm);
  x->nccf = sn_calloc(p->n_measured, sizeof *x->nccf);
  x->local = sn_calloc(p->n_lags, sizeof *x->local);
  x->cost = sn_calloc(p->n_lags, sizeof *x->cost);
  x->before = sn_calloc(p->n_lags, sizeof *x->before);
  x->envelope = sn_calloc(2 * p->n_lags + 1, sizeof *x->envelope);
  x->apex = sn_calloc(p->n_lags, sizeof *x->apex);
  x->open_cap = 256;
  x->back = sn_calloc(x->open_cap, p->n_lags * sizeof *x->back);
  x->pov = sn_calloc(x->open_cap, p->n_measured * sizeof *x->pov);
  x->path = sn_calloc(x->open_cap, sizeof *x->path);
  if (!x->in || !x->x || !x->inner || !x->norm || !x->nccf || !x->local ||
      !x->cost || !x->before || !x->envelope || !x->apex || !x->back ||
      !x->pov || !x->path)
    return sn_fail_nomem(err, "pitch");
  return SN_OK;
}

sn_status sni_pitch_extractor_create(const sni_kaldi_plan *p,
                                     sni_extractor **out, sn_err *err) {
  *out = NULL;
  pitch *const x = sn_calloc(1, sizeof *x);
  if (x == NULL) return sn_fail_nomem(err, "pitch");
  x->base.ops = &pitch_ops;
  x->base.dim = p->dim;
  x->plan = p;
  x->p = p->pitch;
  x->out.dim = p->dim;
  sni_pitch_post_init(&p->o, &x->post);
  const sn_status s = make_buffers(x, err);
  if (s != SN_OK) {
    pitch_destroy(&x->base);
    return s;
  }
  pitch_reset(&x->base, false);
  *out = &x->base;
  return SN_OK;
}
