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
 * In silence no paths join: after max_open frames the older half is decided
 * from the best end, which bounds memory (under 20 MB).
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
  float *x;     /* [full] */
  float *inner; /* [n_measured] */
  double *norm; /* [n_measured] product of energies */
  float *nccf;  /* [n_measured] with ballast */
  sni_pitch_search search;
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

/* ---- Decided frames (step 5) ---- */

/* Gives out the n oldest frames, which the search has decided. */
static sn_status give_out(pitch *x, size_t n, sn_err *err) {
  const sni_pitch_plan *const p = x->p;
  for (size_t i = 0; i < n; i++) {
    const size_t lag = x->search.path[i];
    const float nccf =
        sni_filters_at(&p->to_lags, sni_pitch_search_row(&x->search, i), lag);
    const float hz = (float)(1.0 / (double)p->lags[lag]);
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
  sni_pitch_search_drop(&x->search, n);
  return SN_OK;
}

/* ---- Frames ---- */

/* How the ballast of frames that were made before the end is corrected for the
 * energy at the end: see make_frames_at_end. */
typedef struct correction {
  bool needed;
  double ballast; /* in the end */
} correction;

static sn_status make_frame(pitch *x, double ballast, correction c,
                            sn_err *err) {
  const sni_pitch_plan *const p = x->p;
  float *pov = NULL;
  SN_TRY(sni_pitch_search_begin(&x->search, &pov, err));
  correlate(x, x->n_made, pov);
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
    const float nccf = (float)scale * sni_filters_at(&p->to_lags, x->nccf, i);
    x->search.local[i] = 1.0f - nccf + soft * p->lags[i] * nccf;
  }
  sni_pitch_search_step(&x->search);
  x->n_made++;
  /* What follows goes by the number of the frame alone, so that it is the same
   * however the samples come. */
  if (x->n_made % (int64_t)check_every == 0)
    SN_TRY(give_out(x, sni_pitch_search_settle(&x->search), err));
  const int32_t latency = x->plan->o.max_frames_latency;
  if (x->plan->o.nccf_ballast_online && latency > 0)
    SN_TRY(
        give_out(x, sni_pitch_search_decide(&x->search, (size_t)latency), err));
  if (x->search.n >= max_open)
    SN_TRY(give_out(x, sni_pitch_search_decide(&x->search, max_open / 2), err));
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
  SN_TRY(give_out(x, sni_pitch_search_decide(&x->search, 0), err));
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
  sni_pitch_search_reset(&x->search);
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
  sni_pitch_search_clear(&x->search);
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
  if (!x->in || !x->x || !x->inner || !x->norm || !x->nccf)
    return sn_fail_nomem(err, "pitch");
  return sni_pitch_search_init(p, &x->search, err);
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
