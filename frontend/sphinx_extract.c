/* SPDX-License-Identifier: Apache-2.0 */
/* Samples to base frames, sphinx dialect.
 *
 * Frame k is made from the samples [k shift, k shift + size): pre-emphasis
 * (which looks one sample back, at 0 before the recording), zeros up to nfft,
 * mean removal if asked for, Hamming window, power spectrum, mel filters,
 * noise tracking (sphinx_noise.c), log(x + 1e-4), cosine transform. When the
 * recording ends, what is left from the start of the next frame on makes one
 * more frame, shorter and filled up with zeros; so n > 0 samples make
 * 1 + max(0, 1 + floor((n - size) / shift)) frames.
 *
 * Speech detection with remove_silence: frames go into a ring of the last
 * vad_prespeech + 1 until vad_startspeech in a row sound like speech; then the
 * ring and all that follows is handed out, until vad_postspeech in a row do
 * not. Each frame keeps its index k as position.
 *
 * There are two ways to run it.
 *
 * - For recognition (SN_FEAT_FULL) frames come as soon as their last sample,
 *   the ring is never lost, and without remove_silence nothing is held back.
 * - as_files (SN_FEAT_BASE) gives what sphinx_fe writes to the last frame. It
 *   reads blocks (-blocksize) and has output space for (block - size) / shift
 *   frames, in calls that go on until the block is used up; a call that runs
 *   out of space leaves part of the ring for the next call, which needs a
 *   whole frame of samples to do anything. What is in the ring when the
 *   recording ends is lost, so that speech found less than some 20 frames
 *   before the end is cut, and also fe_end_utt's own last frame comes without
 *   the ring's. vad_startspeech applies without remove_silence too: nothing
 *   comes from a recording of less than 10 frames. Here the blocks lie at
 *   absolute sample numbers, so the frames do not depend on how the samples
 *   are cut.
 *
 * Source: sphinxbase 0.8+5prealpha: fe/fe_interface.c (fe_process_frames,
 * fe_end_utt), fe/fe_sigproc.c (fe_read_frame, fe_spch_to_frame, fe_mel_cep),
 * fe/fe_noise.c (fe_vad_hangover), fe/fe_prespch_buf.c, sphinx_fe.c
 * (decode_pcm). Deviates: dither touches each sample once (sphinxbase: again
 * wherever a block begins) and is seeded; smoothspec frames are not cut to
 * ncep values in the ring. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "frontend/extractor_internal.h"
#include "frontend/frame_queue_internal.h"
#include "frontend/sphinx_fft_internal.h"
#include "frontend/sphinx_mel_internal.h"
#include "frontend/sphinx_opts_internal.h"

static const double pi = 3.14159265358979323846;
static const double log_floor = 1e-4; /* fe_sigproc.c: LOG_FLOOR */
enum { chunk_samples = 4096 };        /* taken into the buffer at once */

struct sni_sphinx_plan {
  sni_sphinx_opts o; /* its strings are not used after create */
  bool as_files;
  size_t size, shift, n_fft;
  size_t block, room; /* as_files: samples a block, frames a call */
  double *window;     /* [size] */
  sni_fft *fft;
  sni_sphinx_mel *mel;
  sni_sphinx_dct *dct;
};

typedef struct sphinx_extractor {
  sni_extractor base; /* first */
  const sni_sphinx_plan *plan;
  sni_sphinx_noise *noise;
  sni_frame_queue out;
  sni_frame_queue ring; /* frames before speech is sure */
  /* pcm[start, end) begins where frame next_frame does; prior is the sample
   * before it. as_files: the last n_new are a block not yet run. */
  float *pcm;
  size_t pcm_cap, start, end, n_new;
  double prior;
  int64_t next_frame;
  double *frame, *scratch, *power, *mel; /* of one frame */
  sn_rng rng;
  bool in_speech;
  int32_t speech_run, silence_run; /* as fe_vad_hangover counts them */
  int64_t quiet_frames;            /* since the last that sounded like speech */
} sphinx_extractor;

/* ---- Plan ---- */

void sni_sphinx_plan_destroy(sni_sphinx_plan *p) {
  if (p == NULL) return;
  sn_free(p->window);
  sni_fft_destroy(p->fft);
  sni_sphinx_mel_destroy(p->mel);
  sni_sphinx_dct_destroy(p->dct);
  sn_free(p);
}

static sn_status set_sizes(sni_sphinx_plan *p, sn_err *err) {
  const sni_sphinx_opts *o = &p->o;
  p->n_fft = (size_t)o->nfft;
  p->shift = (size_t)((double)(o->samprate / (float)o->frate) + 0.5);
  p->size = (size_t)((double)(o->wlen * o->samprate) + 0.5);
  if ((p->n_fft & (p->n_fft - 1)) != 0)
    return sn_fail(err, SN_EARG, "nfft %zu is not a power of two", p->n_fft);
  if (p->size > p->n_fft)
    return sn_fail(err, SN_EARG,
                   "wlen %g s is %zu samples at %g Hz, more than nfft %zu: use "
                   "a larger nfft",
                   (double)o->wlen, p->size, (double)o->samprate, p->n_fft);
  if (p->shift < 2 || p->size < 2 || p->shift > p->size)
    return sn_fail(err, SN_EARG,
                   "frames of %zu samples every %zu: wlen and frate must give "
                   "at least 2 and no gaps between frames",
                   p->size, p->shift);
  if (p->o.ncep > p->o.nfilt)
    return sn_fail(err, SN_EARG, "ncep %d is more than nfilt %d", (int)o->ncep,
                   (int)o->nfilt);
  p->block = (size_t)o->blocksize;
  if (p->block < p->size + p->shift) p->block = p->size + p->shift;
  p->room = (p->block - p->size) / p->shift;
  return SN_OK;
}

sn_status sni_sphinx_plan_create(const struct sn_feat_config *c, bool as_files,
                                 sni_sphinx_plan **out, sn_err *err) {
  *out = NULL;
  sni_sphinx_plan *p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "sphinx front end");
  p->o = *sni_feat_config_sphinx(c);
  p->as_files = as_files;
  sn_status s;
  SN_TRY_GOTO(s, set_sizes(p, err));
  p->window = sn_calloc(p->size, sizeof *p->window);
  if (p->window == NULL) {
    s = sn_fail_nomem(err, "sphinx front end");
    goto fail;
  }
  for (size_t i = 0; i < p->size; i++)
    p->window[i] =
        0.54 - 0.46 * cos(2 * pi * (double)i / ((double)p->size - 1.0));
  SN_TRY_GOTO(s, sni_fft_create(p->n_fft, &p->fft, err));
  SN_TRY_GOTO(s, sni_sphinx_mel_create(&p->o, &p->mel, err));
  SN_TRY_GOTO(s, sni_sphinx_dct_create(&p->o, &p->dct, err));
  *out = p;
  return SN_OK;
fail:
  sni_sphinx_plan_destroy(p);
  return s;
}

size_t sni_sphinx_plan_dim(const sni_sphinx_plan *p) {
  return sni_sphinx_dct_dim(p->dct);
}
double sni_sphinx_plan_rate_hz(const sni_sphinx_plan *p) {
  return (double)p->o.samprate;
}
double sni_sphinx_plan_shift_s(const sni_sphinx_plan *p) {
  return (double)p->shift / (double)p->o.samprate;
}
double sni_sphinx_plan_length_s(const sni_sphinx_plan *p) {
  return (double)p->size / (double)p->o.samprate;
}

/* ---- One frame ---- */

/* Windowed frame from len samples. */
static void fill_frame(sphinx_extractor *x, const float *pcm, size_t len) {
  const sni_sphinx_plan *p = x->plan;
  const double alpha = (double)p->o.alpha;
  double *f = x->frame;
  double before = x->prior;
  f[0] = (double)pcm[0] - before * alpha;
  for (size_t i = 1; i < len; i++)
    f[i] = (double)pcm[i] - (double)pcm[i - 1] * alpha;
  memset(f + len, 0, (p->n_fft - len) * sizeof *f);
  if (p->o.remove_dc) {
    double mean = 0;
    for (size_t i = 0; i < p->size; i++) mean += f[i];
    mean /= (double)p->size;
    for (size_t i = 0; i < p->size; i++) f[i] -= mean;
  }
  for (size_t i = 0; i < p->size; i++) f[i] *= p->window[i];
}

/* Features of the frame in x->frame; whether it sounds like speech. */
static bool compute(sphinx_extractor *x, float *features) {
  const sni_sphinx_plan *p = x->plan;
  sni_fft_power(p->fft, x->frame, x->scratch, x->power);
  sni_sphinx_mel_apply(p->mel, x->power, x->mel);
  const bool is_speech = sni_sphinx_noise_track(x->noise, x->mel);
  for (size_t i = 0; i < (size_t)p->o.nfilt; i++)
    x->mel[i] = log(x->mel[i] + log_floor);
  sni_sphinx_dct_apply(p->dct, x->mel, features);
  return is_speech;
}

/* Speech state after one more frame (fe_vad_hangover). */
static void hangover(sphinx_extractor *x, bool is_speech) {
  const sni_sphinx_opts *o = &x->plan->o;
  x->quiet_frames = is_speech ? 0 : x->quiet_frames + 1;
  if (is_speech) {
    x->silence_run = 0;
    if (!x->in_speech && ++x->speech_run >= o->vad_startspeech) {
      x->speech_run = 0;
      x->in_speech = true;
    }
  } else {
    x->speech_run = 0;
    if (x->in_speech && ++x->silence_run >= o->vad_postspeech) {
      x->silence_run = 0;
      x->in_speech = false;
      sni_frame_queue_pop(&x->ring, x->ring.n);
    }
  }
}

static size_t ring_to_out(sphinx_extractor *x, size_t room) {
  const size_t in_ring = x->ring.n;
  const size_t n = in_ring < room ? in_ring : room;
  for (size_t i = 0; i < n; i++)
    memcpy(sni_frame_queue_push(&x->out, x->ring.pos[x->ring.first + i]),
           sni_frame_queue_at(&x->ring, i), x->base.dim * sizeof(float));
  sni_frame_queue_pop(&x->ring, n);
  return n;
}

/* Takes the next frame of len samples out of the buffer. Hands out at most
 * `room` frames and returns how many; there is space for them in out. */
static size_t next_frame(sphinx_extractor *x, size_t len, size_t room) {
  const sni_sphinx_plan *p = x->plan;
  fill_frame(x, x->pcm + x->start, len);
  const size_t step = len < p->shift ? len : p->shift;
  x->prior = (double)x->pcm[x->start + step - 1];
  x->start += step;
  const int64_t position = x->next_frame++;
  if (!p->as_files && !p->o.remove_silence) {
    (void)compute(x, sni_frame_queue_push(&x->out, position));
    return 1;
  }
  if (x->in_speech) {
    /* straight to its place, and taken back if it ends the speech */
    hangover(x, compute(x, sni_frame_queue_push(&x->out, position)));
    if (x->in_speech) return 1;
    x->out.n--;
    return 0;
  }
  if (x->ring.n > (size_t)p->o.vad_prespeech) sni_frame_queue_pop(&x->ring, 1);
  const sn_status s = sni_frame_queue_reserve(&x->ring, 1, NULL);
  SN_ASSERT(s == SN_OK); /* create made it large enough */
  hangover(x, compute(x, sni_frame_queue_push(&x->ring, position)));
  return x->in_speech ? ring_to_out(x, room) : 0;
}

/* ---- Samples in ---- */

static size_t n_left(const sphinx_extractor *x) { return x->end - x->start; }

/* Frames that the buffer and the ring can give at most. */
static sn_status reserve_out(sphinx_extractor *x, sn_err *err) {
  const size_t most = n_left(x) / x->plan->shift + 2 + x->ring.n;
  return sni_frame_queue_reserve(&x->out, most, err);
}

static void run_frames(sphinx_extractor *x) {
  while (n_left(x) >= x->plan->size)
    (void)next_frame(x, x->plan->size, SIZE_MAX);
}

/* as_files: sphinx_fe's calls over the block that has come. The part of the
 * buffer that fe keeps in its overflow buffer is n_left - n_new here. */
static void run_block(sphinx_extractor *x) {
  const sni_sphinx_plan *p = x->plan;
  while (x->n_new > 0) {
    if (n_left(x) < p->size) { /* all of it overflow */
      x->n_new = 0;
      break;
    }
    size_t room = p->room;
    if (x->in_speech) room -= ring_to_out(x, room);
    if (room == 0) continue;
    do {
      room -= next_frame(x, p->size, room);
    } while (room > 0 && n_left(x) >= p->size);
    const size_t left = n_left(x) - (p->size - p->shift);
    x->n_new = left < p->shift ? 0 : left - p->shift;
  }
}

static void make_space(sphinx_extractor *x) {
  memmove(x->pcm, x->pcm + x->start, n_left(x) * sizeof *x->pcm);
  x->end -= x->start;
  x->start = 0;
}

static sn_status push(sni_extractor *base, const float *samples, size_t n,
                      sn_err *err) {
  sphinx_extractor *x = (sphinx_extractor *)base;
  const sni_sphinx_plan *p = x->plan;
  const size_t unit = p->as_files ? p->block : chunk_samples;
  while (n > 0) {
    make_space(x);
    size_t take = unit - x->n_new;
    if (take > n) take = n;
    SN_ASSERT(x->end + take <= x->pcm_cap);
    float *to = x->pcm + x->end;
    memcpy(to, samples, take * sizeof *to);
    if (p->o.dither)
      for (size_t i = 0; i < take; i++)
        if (sn_rng_u32(&x->rng) % 4 == 0) to[i] += 1.0f;
    x->end += take;
    samples += take;
    n -= take;
    if (p->as_files) x->n_new += take;
    if (p->as_files && x->n_new < p->block) break;
    SN_TRY(reserve_out(x, err));
    if (p->as_files)
      run_block(x);
    else
      run_frames(x);
  }
  return SN_OK;
}

static sn_status finish(sni_extractor *base, sn_err *err) {
  sphinx_extractor *x = (sphinx_extractor *)base;
  const sni_sphinx_plan *p = x->plan;
  SN_TRY(reserve_out(x, err));
  if (p->as_files) run_block(x);
  if (n_left(x) == 0) return SN_OK;
  const size_t len = n_left(x) < p->size ? n_left(x) : p->size;
  if (!p->as_files) {
    (void)next_frame(x, len, SIZE_MAX);
    return SN_OK;
  }
  /* fe_end_utt: this frame alone, if in speech, whatever the ring holds */
  const bool was_in_speech = x->in_speech;
  (void)next_frame(x, len, 0);
  if (!was_in_speech && x->in_speech) {
    const size_t newest = x->ring.n - 1;
    memcpy(sni_frame_queue_push(&x->out, x->ring.pos[x->ring.first + newest]),
           sni_frame_queue_at(&x->ring, newest), x->base.dim * sizeof(float));
  }
  sni_frame_queue_pop(&x->ring, x->ring.n);
  return SN_OK;
}

/* ---- Frames out ---- */

static size_t n_ready(const sni_extractor *base) {
  return ((const sphinx_extractor *)base)->out.n;
}

static void pull(sni_extractor *base, float *frame, int64_t *position) {
  sphinx_extractor *x = (sphinx_extractor *)base;
  memcpy(frame, sni_frame_queue_at(&x->out, 0), x->base.dim * sizeof *frame);
  if (position != NULL) *position = x->out.pos[x->out.first + 0];
  sni_frame_queue_pop(&x->out, 1);
}

static bool in_speech(const sni_extractor *base) {
  return ((const sphinx_extractor *)base)->in_speech;
}

static double trailing_pause_s(const sni_extractor *base) {
  const sphinx_extractor *x = (const sphinx_extractor *)base;
  return x->in_speech
             ? 0
             : (double)x->quiet_frames * sni_sphinx_plan_shift_s(x->plan);
}

static void reset(sni_extractor *base, bool keep) {
  sphinx_extractor *x = (sphinx_extractor *)base;
  if (!keep) {
    sni_sphinx_noise_reset(x->noise);
    sn_rng_init(&x->rng, (uint64_t)(x->plan->o.seed + 1));
  }
  sni_frame_queue_pop(&x->out, x->out.n);
  sni_frame_queue_pop(&x->ring, x->ring.n);
  x->start = x->end = x->n_new = 0;
  x->prior = 0;
  x->next_frame = 0;
  x->in_speech = false;
  x->speech_run = x->silence_run = 0;
  x->quiet_frames = 0;
}

static void destroy(sni_extractor *base) {
  sphinx_extractor *x = (sphinx_extractor *)base;
  if (x == NULL) return;
  sni_sphinx_noise_destroy(x->noise);
  sni_frame_queue_clear(&x->out);
  sni_frame_queue_clear(&x->ring);
  sn_free(x->pcm);
  sn_free(x->frame);
  sn_free(x->scratch);
  sn_free(x->power);
  sn_free(x->mel);
  sn_free(x);
}

static const sni_extractor_ops ops_without_vad = {
    push, finish, n_ready, pull, NULL, NULL, reset, destroy};
static const sni_extractor_ops ops_with_vad = {
    push, finish, n_ready, pull, in_speech, trailing_pause_s, reset, destroy};

sn_status sni_sphinx_extractor_create(const sni_sphinx_plan *p,
                                      sni_extractor **out, sn_err *err) {
  *out = NULL;
  sphinx_extractor *x = sn_calloc(1, sizeof *x);
  if (x == NULL) return sn_fail_nomem(err, "sphinx front end");
  x->base.ops = p->o.remove_silence ? &ops_with_vad : &ops_without_vad;
  x->base.dim = sni_sphinx_plan_dim(p);
  x->plan = p;
  x->out.dim = x->ring.dim = x->base.dim;
  x->pcm_cap = (p->as_files ? p->block : chunk_samples) + 2 * p->size;
  x->pcm = sn_calloc(x->pcm_cap, sizeof *x->pcm);
  x->frame = sn_calloc(p->n_fft, sizeof *x->frame);
  x->scratch = sn_calloc(sni_fft_scratch(p->fft), sizeof *x->scratch);
  x->power = sn_calloc(p->n_fft / 2 + 1, sizeof *x->power);
  x->mel = sn_calloc((size_t)p->o.nfilt, sizeof *x->mel);
  sn_status s = SN_OK;
  if (x->pcm == NULL || x->frame == NULL || x->scratch == NULL ||
      x->power == NULL || x->mel == NULL)
    s = sn_fail_nomem(err, "sphinx front end");
  if (s == SN_OK) s = sni_sphinx_noise_create(&p->o, &x->noise, err);
  /* One more than the ring ever holds; as many as one run hands out. */
  const size_t ring = (size_t)p->o.vad_prespeech + 2;
  if (s == SN_OK) s = sni_frame_queue_reserve(&x->ring, ring, err);
  if (s == SN_OK)
    s = sni_frame_queue_reserve(&x->out, x->pcm_cap / p->shift + 2 + ring, err);
  if (s != SN_OK) {
    destroy(&x->base);
    return s;
  }
  reset(&x->base, false);
  *out = &x->base;
  return SN_OK;
}
