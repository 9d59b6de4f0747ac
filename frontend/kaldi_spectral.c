/* SPDX-License-Identifier: Apache-2.0 */
/* MFCC, log-mel filterbank and PLP of the kaldi dialect.
 *
 * A frame goes through these steps:
 *   1  samples of the window, mirrored at the ends without snip-edges
 *   2  dither, mean, preemphasis, window (kaldi_window.c); raw energy
 *   3  FFT, power spectrum
 *   4  mel filters (kaldi_mel.c)
 *   5a mfcc   log, DCT, lifter
 *   5b fbank  log
 *   5c plp    equal loudness, cube root, autocorrelation, LPC, cepstrum, lifter
 *   6  energy in place of C0 (fbank: in front), order of HTK
 *
 * Samples wait in one block that holds at most a window more than it must; the
 * first sample that the next frame needs is never dropped. A frame depends on
 * its samples (and its place in the noise) alone, so that frames do not change
 * with the way the samples were cut.
 *
 * Sources: Davis & Mermelstein 1980 (mfcc); Hermansky 1990 (plp); HTK book
 * 5.3-5.7; Kaldi, feat/feature-{mfcc,fbank,plp,functions}.cc. */
#include <float.h>
#include <kiss_fftr.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/kaldi_internal.h"

static const double pi = 3.14159265358979323846;

/* ---- Tables ---- */

static void fill_dct(float *dct, size_t n_ceps, size_t n_bands) {
  const double n = (double)n_bands;
  for (size_t k = 0; k < n_ceps; k++)
    for (size_t b = 0; b < n_bands; b++)
      dct[k * n_bands + b] =
          k == 0 ? (float)sqrt(1.0 / n)
                 : (float)(sqrt(2.0 / n) *
                           cos(pi / n * ((double)b + 0.5) * (double)k));
}

/* Hermansky 1990, equation (7), with the form of it that HTK and Kaldi use. */
static void fill_loudness(float *loudness, const sni_kaldi_mel *m) {
  for (size_t b = 0; b < m->n_bands; b++) {
    const double f2 = m->center_hz[b] * m->center_hz[b];
    const double r = f2 / (f2 + 1.6e5);
    loudness[b] = (float)(r * r * (f2 + 1.44e6) / (f2 + 9.61e6));
  }
}

/* Cosine transform from a power spectrum of n points to autocorrelation. */
static void fill_idft(float *idft, size_t n_rows, size_t n) {
  const double angle = pi / (double)(n - 1);
  const double scale = 1.0 / (2.0 * (double)(n - 1));
  for (size_t i = 0; i < n_rows; i++)
    for (size_t j = 0; j < n; j++) {
      const double twice = j == 0 || j == n - 1 ? 1.0 : 2.0;
      idft[i * n + j] =
          (float)(twice * scale * cos(angle * (double)i * (double)j));
    }
}

static sn_status check(const sni_kaldi_opts *o, sn_err *err) {
  if (o->kind == SNI_KALDI_MFCC && o->num_ceps > o->num_mel_bins)
    return sn_fail(err, SN_EARG, "num-ceps %d cannot be above num-mel-bins %d",
                   o->num_ceps, o->num_mel_bins);
  if (o->kind == SNI_KALDI_PLP &&
      (o->num_ceps > o->lpc_order + 1 || o->num_ceps < 2))
    return sn_fail(err, SN_EARG,
                   "num-ceps %d must be 2 to lpc-order + 1 = %d (C0 counts)",
                   o->num_ceps, o->lpc_order + 1);
  return SN_OK;
}

static sn_status fill_tables(const sni_kaldi_opts *o, sni_kaldi_tables *t,
                             sn_err *err) {
  SN_TRY(sni_kaldi_window_init(o, &t->window, err));
  SN_TRY(sni_kaldi_mel_init(o, &t->window, &t->mel, err));
  if (o->kind == SNI_KALDI_FBANK) return SN_OK;
  const size_t n_bands = t->mel.n_bands, n_ceps = (size_t)o->num_ceps;
  if (o->cepstral_lifter > 0.0) {
    t->lifter = sn_calloc(n_ceps, sizeof *t->lifter);
    if (t->lifter == NULL) return sn_fail_nomem(err, "lifter");
    const double q = o->cepstral_lifter;
    for (size_t i = 0; i < n_ceps; i++)
      t->lifter[i] = (float)(1.0 + 0.5 * q * sin(pi * (double)i / q));
  }
  if (o->kind == SNI_KALDI_MFCC) {
    t->dct = sn_calloc(n_ceps, n_bands * sizeof *t->dct);
    if (t->dct == NULL) return sn_fail_nomem(err, "DCT");
    fill_dct(t->dct, n_ceps, n_bands);
    return SN_OK;
  }
  const size_t n_rows = (size_t)o->lpc_order + 1;
  t->loudness = sn_calloc(n_bands, sizeof *t->loudness);
  t->idft = sn_calloc(n_rows, (n_bands + 2) * sizeof *t->idft);
  if (t->loudness == NULL || t->idft == NULL) return sn_fail_nomem(err, "PLP");
  fill_loudness(t->loudness, &t->mel);
  fill_idft(t->idft, n_rows, n_bands + 2);
  return SN_OK;
}

sn_status sni_kaldi_tables_init(const sni_kaldi_opts *o, sni_kaldi_tables *t,
                                sn_err *err) {
  SN_TRY(check(o, err));
  const sn_status s = fill_tables(o, t, err);
  if (s != SN_OK) sni_kaldi_tables_clear(t);
  return s;
}

void sni_kaldi_tables_clear(sni_kaldi_tables *t) {
  sni_kaldi_window_clear(&t->window);
  sni_kaldi_mel_clear(&t->mel);
  sn_free(t->dct);
  sn_free(t->lifter);
  sn_free(t->loudness);
  sn_free(t->idft);
  *t = (sni_kaldi_tables){0};
}

/* ---- One stream ---- */

typedef struct spectral {
  sni_extractor base; /* first: pointers to it are pointers to this */
  const sni_kaldi_plan *plan;
  sn_rng rng;
  bool use_energy;
  bool finished;

  float *samples; /* [cap], from sample number `start` of the recording on */
  size_t n, cap;
  int64_t start, total; /* total: samples pushed */
  int64_t n_made;       /* frames computed */

  void *fft_mem;
  kiss_fftr_cfg fft;
  float *x;            /* [padded] */
  kiss_fft_cpx *spec;  /* [padded / 2 + 1] */
  float *power;        /* [padded / 2 + 1] */
  float *bands;        /* [num_mel_bins + 2]: plp has one more at each end */
  double *lpc;         /* plp [4 * (lpc_order + 1)] */
  sni_frame_queue out; /* frames to be pulled */
  double *sum;         /* subtract-mean [dim] */
} spectral;

/* Step 5c, from mel energies e[0 .. n_bands + 1] (ends doubled) to cepstra.
 * Levinson-Durbin: a[] predicts, E is what is left. The recursions are Markel &
 * Gray 1976, 3.3 and 10.1. Returns log E. */
static double plp_cepstra(const spectral *x, const float *e, size_t n_ceps,
                          float *ceps) {
  const sni_kaldi_tables *const t = &x->plan->tables;
  const size_t order = (size_t)x->plan->o.lpc_order;
  const size_t n = t->mel.n_bands + 2;
  double *const r = x->lpc, *const a = r + order + 1, *const b = a + order + 1,
                *const c = b + order + 1;
  for (size_t i = 0; i <= order; i++) {
    r[i] = 0.0;
    for (size_t j = 0; j < n; j++)
      r[i] += (double)t->idft[i * n + j] * (double)e[j];
  }
  double left = r[0];
  /* Silence without noise has no poles; Kaldi's division gives NaN here. */
  if (!(left > 0.0)) {
    for (size_t i = 1; i < n_ceps; i++) ceps[i] = 0.0f;
    return -HUGE_VAL;
  }
  for (size_t i = 0; i < order; i++) {
    double k = r[i + 1];
    for (size_t j = 0; j < i; j++) k += a[j] * r[i - j];
    k /= left;
    left *= fmax(1.0 - k * k, 1e-5); /* as Kaldi: a constant has E -> 0 */
    b[i] = -k;
    for (size_t j = 0; j < i; j++) b[j] = a[j] - k * a[i - j - 1];
    memcpy(a, b, (i + 1) * sizeof *a);
  }
  for (size_t i = 0; i + 1 < n_ceps; i++) {
    double sum = 0.0;
    for (size_t j = 0; j < i; j++) sum += (double)(i - j) * a[j] * c[i - j - 1];
    c[i] = -a[i] - sum / (double)(i + 1);
    ceps[i + 1] = (float)c[i];
  }
  return log(left);
}

static void plp_frame(const spectral *x, float *y) {
  const sni_kaldi_opts *const o = &x->plan->o;
  const sni_kaldi_tables *const t = &x->plan->tables;
  const size_t n_bands = t->mel.n_bands, n_ceps = (size_t)o->num_ceps;
  float *const e = x->bands;
  for (size_t b = n_bands; b > 0; b--)
    e[b] = powf(e[b - 1] * t->loudness[b - 1], (float)o->compress_factor);
  e[0] = e[1];
  e[n_bands + 1] = e[n_bands];
  /* The floor at zero is Kaldi's (the smallest float, for a logarithm). */
  y[0] = (float)fmax(plp_cepstra(x, e, n_ceps, y), (double)FLT_MIN);
  const float scale = (float)o->cepstral_scale;
  for (size_t i = 0; i < n_ceps; i++)
    y[i] *= t->lifter != NULL ? scale * t->lifter[i] : scale;
}

static void log_bands(float *e, size_t n) {
  for (size_t b = 0; b < n; b++) e[b] = logf(fmaxf(e[b], FLT_EPSILON));
}

static void mfcc_frame(const spectral *x, float *y) {
  const sni_kaldi_tables *const t = &x->plan->tables;
  const size_t n_bands = t->mel.n_bands;
  log_bands(x->bands, n_bands);
  for (size_t k = 0; k < x->base.dim; k++) {
    double sum = 0.0;
    for (size_t b = 0; b < n_bands; b++)
      sum += (double)t->dct[k * n_bands + b] * (double)x->bands[b];
    y[k] = t->lifter != NULL ? (float)sum * t->lifter[k] : (float)sum;
  }
}

static void fbank_frame(const spectral *x, float *y) {
  const size_t n_bands = x->plan->tables.mel.n_bands;
  if (x->plan->o.use_log_fbank) log_bands(x->bands, n_bands);
  memcpy(y + (x->use_energy ? 1 : 0), x->bands, n_bands * sizeof *y);
}

/* Step 6. energy: sum of squares. */
static void put_energy(const spectral *x, double energy, float *y) {
  const sni_kaldi_opts *const o = &x->plan->o;
  const double lowest = o->kind == SNI_KALDI_PLP && !o->raw_energy
                            ? (double)FLT_MIN
                            : (double)FLT_EPSILON;
  if (x->use_energy)
    y[0] = (float)log(fmax(fmax(energy, lowest), o->energy_floor));
  if (!o->htk_compat) return;
  if (o->kind == SNI_KALDI_FBANK && !x->use_energy) return;
  float first = y[0];
  if (o->kind == SNI_KALDI_MFCC && !x->use_energy) first *= (float)sqrt(2.0);
  memmove(y, y + 1, (x->base.dim - 1) * sizeof *y);
  y[x->base.dim - 1] = first;
}

/* Step 1: samples of frame t to x->x. Only after finish, and at the start, does
 * a window reach beyond what there is; it is mirrored as often as it takes. */
static void take_samples(spectral *x, int64_t t) {
  const sni_kaldi_window *const w = &x->plan->tables.window;
  const int64_t size = (int64_t)w->size;
  const int64_t first = sni_kaldi_first_sample(&x->plan->o, w, t);
  if (first >= x->start && first + size <= x->total) {
    memcpy(x->x, x->samples + (first - x->start), w->size * sizeof *x->x);
    return;
  }
  for (int64_t i = 0; i < size; i++) {
    int64_t s = first + i;
    while (s < 0 || s >= x->total) s = s < 0 ? -s - 1 : 2 * x->total - 1 - s;
    SN_ASSERT(s >= x->start);
    x->x[i] = x->samples[s - x->start];
  }
}

static void make_frame(spectral *x, int64_t t, float *y) {
  const sni_kaldi_opts *const o = &x->plan->o;
  const sni_kaldi_window *const w = &x->plan->tables.window;
  take_samples(x, t);
  double energy = sni_kaldi_window_apply(o, w, &x->rng, x->x); /* 2 */
  memset(x->x + w->size, 0, (w->padded - w->size) * sizeof *x->x);
  if (x->use_energy && !o->raw_energy) {
    energy = 0.0;
    for (size_t i = 0; i < w->size; i++)
      energy += (double)x->x[i] * (double)x->x[i];
  }
  kiss_fftr(x->fft, x->x, x->spec); /* 3 */
  for (size_t k = 0; k <= w->padded / 2; k++)
    x->power[k] = x->spec[k].r * x->spec[k].r + x->spec[k].i * x->spec[k].i;
  if (o->kind == SNI_KALDI_FBANK && !o->use_power)
    for (size_t k = 0; k <= w->padded / 2; k++)
      x->power[k] = sqrtf(x->power[k]);
  sni_kaldi_mel_apply(&x->plan->tables.mel, x->power, x->bands); /* 4 */
  if (o->kind == SNI_KALDI_MFCC) mfcc_frame(x, y);               /* 5 */
  if (o->kind == SNI_KALDI_FBANK) fbank_frame(x, y);
  if (o->kind == SNI_KALDI_PLP) plp_frame(x, y);
  put_energy(x, energy, y); /* 6 */
}

/* Computes the frames that have become possible; room for them was reserved. */
static void make_frames(spectral *x) {
  const int64_t n = sni_kaldi_n_frames(&x->plan->o, &x->plan->tables.window,
                                       x->total, x->finished);
  for (; x->n_made < n; x->n_made++) {
    float *const y = sni_frame_queue_push(&x->out, x->n_made);
    make_frame(x, x->n_made, y);
    if (x->sum != NULL)
      for (size_t d = 0; d < x->base.dim; d++) x->sum[d] += (double)y[d];
  }
}

/* Drops the samples in front of the next frame. */
static void drop_used(spectral *x) {
  int64_t keep =
      sni_kaldi_first_sample(&x->plan->o, &x->plan->tables.window, x->n_made);
  if (keep > x->total) keep = x->total; /* a shift longer than the window */
  if (keep <= x->start) return;
  const size_t n = (size_t)(keep - x->start);
  memmove(x->samples, x->samples + n, (x->n - n) * sizeof *x->samples);
  x->n -= n;
  x->start = keep;
}

static sn_status reserve_frames(spectral *x, int64_t total, bool finished,
                                sn_err *err) {
  const int64_t n =
      sni_kaldi_n_frames(&x->plan->o, &x->plan->tables.window, total, finished);
  if (n <= x->n_made) return SN_OK;
  return sni_frame_queue_reserve(&x->out, (size_t)(n - x->n_made), err);
}

static sn_status spectral_push(sni_extractor *base, const float *samples,
                               size_t n, sn_err *err) {
  spectral *const x = (spectral *)base;
  SN_ASSERT(!x->finished);
  SN_TRY(reserve_frames(x, x->total + (int64_t)n, false, err));
  while (n > 0) {
    const size_t room = x->cap - x->n;
    const size_t part = n < room ? n : room;
    SN_ASSERT(part > 0); /* cap is more than a window and a shift */
    memcpy(x->samples + x->n, samples, part * sizeof *samples);
    x->n += part;
    x->total += (int64_t)part;
    samples += part;
    n -= part;
    make_frames(x);
    if (x->n == x->cap) drop_used(x);
  }
  return SN_OK;
}

static sn_status spectral_finish(sni_extractor *base, sn_err *err) {
  spectral *const x = (spectral *)base;
  SN_ASSERT(!x->finished);
  if (x->total > 0) SN_TRY(reserve_frames(x, x->total, true, err));
  x->finished = true;
  if (x->total > 0) make_frames(x);
  if (x->sum == NULL || x->n_made == 0) return SN_OK;
  for (size_t t = 0; t < x->out.n; t++)
    for (size_t d = 0; d < x->base.dim; d++)
      sni_frame_queue_at(&x->out, t)[d] -=
          (float)(x->sum[d] / (double)x->n_made);
  return SN_OK;
}

static size_t spectral_n_ready(const sni_extractor *base) {
  const spectral *const x = (const spectral *)base;
  return x->sum != NULL && !x->finished ? 0 : x->out.n;
}

static void spectral_pull(sni_extractor *base, float *frame,
                          int64_t *position) {
  spectral *const x = (spectral *)base;
  SN_ASSERT(x->out.n > 0);
  memcpy(frame, sni_frame_queue_at(&x->out, 0), base->dim * sizeof *frame);
  if (position != NULL) *position = x->out.pos[x->out.first];
  sni_frame_queue_pop(&x->out, 1);
}

static void spectral_reset(sni_extractor *base, bool keep) {
  (void)keep; /* nothing is learnt of the channel */
  spectral *const x = (spectral *)base;
  sni_frame_queue_pop(&x->out, x->out.n);
  x->n = 0;
  x->start = x->total = x->n_made = 0;
  x->finished = false;
  sn_rng_init(&x->rng, (uint64_t)x->plan->o.dither_seed);
  if (x->sum != NULL) memset(x->sum, 0, base->dim * sizeof *x->sum);
}

static void spectral_destroy(sni_extractor *base) {
  spectral *const x = (spectral *)base;
  if (x == NULL) return;
  sn_free(x->samples);
  sn_free_aligned(x->fft_mem);
  sn_free(x->x);
  sn_free(x->spec);
  sn_free(x->power);
  sn_free(x->bands);
  sn_free(x->lpc);
  sn_free(x->sum);
  sni_frame_queue_clear(&x->out);
  sn_free(x);
}

static const sni_extractor_ops spectral_ops = {
    spectral_push, spectral_finish, spectral_n_ready, spectral_pull, NULL,
    NULL,          spectral_reset,  spectral_destroy};

/* The FFT's tables hold scratch memory too, so each stream has its own. */
static sn_status make_buffers(spectral *x, sn_err *err) {
  const sni_kaldi_opts *const o = &x->plan->o;
  const sni_kaldi_window *const w = &x->plan->tables.window;
  const size_t n_bins = w->padded / 2 + 1;
  /* Work is done in pieces of some 40 frames at the default settings. */
  x->cap = w->size + w->shift + 8192;
  x->samples = sn_calloc(x->cap, sizeof *x->samples);
  x->x = sn_calloc(w->padded, sizeof *x->x);
  x->spec = sn_calloc(n_bins, sizeof *x->spec);
  x->power = sn_calloc(n_bins, sizeof *x->power);
  x->bands = sn_calloc((size_t)o->num_mel_bins + 2, sizeof *x->bands);
  x->lpc = sn_calloc(4 * ((size_t)o->lpc_order + 1), sizeof *x->lpc);
  if (o->subtract_mean) x->sum = sn_calloc(x->base.dim, sizeof *x->sum);
  size_t fft_bytes = 0;
  (void)kiss_fftr_alloc((int)w->padded, 0, NULL, &fft_bytes);
  x->fft_mem = sn_calloc_aligned(fft_bytes, 1);
  if (!x->samples || !x->x || !x->spec || !x->power || !x->bands || !x->lpc ||
      (o->subtract_mean && !x->sum) || !x->fft_mem)
    return sn_fail_nomem(err, "feature stream");
  x->fft = kiss_fftr_alloc((int)w->padded, 0, x->fft_mem, &fft_bytes);
  if (x->fft == NULL)
    return sn_fail(err, SN_EEXTERNAL, "kissfft refuses %zu points", w->padded);
  return SN_OK;
}

sn_status sni_spectral_extractor_create(const sni_kaldi_plan *p,
                                        sni_extractor **out, sn_err *err) {
  *out = NULL;
  spectral *const x = sn_calloc(1, sizeof *x);
  if (x == NULL) return sn_fail_nomem(err, "feature stream");
  x->base.ops = &spectral_ops;
  x->base.dim = p->dim;
  x->plan = p;
  x->out.dim = p->dim;
  x->use_energy = sni_kaldi_use_energy(&p->o);
  const sn_status s = make_buffers(x, err);
  if (s != SN_OK) {
    spectral_destroy(&x->base);
    return s;
  }
  spectral_reset(&x->base, false);
  *out = &x->base;
  return SN_OK;
}
