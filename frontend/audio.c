/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings in, mono samples out.
 *
 *   bytes --> decoder --> chosen channel or mean --> resampler --> samples
 *
 * Decoders: libsndfile (files and memory, through its virtual I/O), or our own
 * for PCM (wav on a pipe, headerless), which needs no seeking. libsndfile keeps
 * the reason of a failed open in a global variable, so that it is not asked:
 * what the file seems to be is found out here (audio_source.c).
 *
 * Samples are scaled so that 16-bit PCM comes through as its integers: float
 * scale 1 is 32768, and the division and product by a power of two are exact.
 * Resampling (libsoxr, HQ: 20 bits) gives round(n * out / in) samples. Another
 * speed is another rate of the source: its samples come that much faster. */
#include "frontend/audio.h"

#include <math.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdbool.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "frontend/audio_source_internal.h"

#define BLOCK_SAMPLES 32768u /* all channels together */
#define SCALE 32768.0f
#define MIN_RATE_HZ 100.0
#define MAX_RATE_HZ 10e6
#define MAX_SPEED 10.0 /* or a tenth */

/* Headerless samples, interleaved, little-endian. */
typedef struct pcm {
  unsigned bytes; /* of one sample: 1 (unsigned), 2, 3, 4; floats: 4, 8 */
  bool is_float;
  int64_t left_bytes; /* -1: to the end of the stream */
} pcm;

struct sn_audio {
  sni_audio_source source;
  sn_log *log;
  SNDFILE *file; /* NULL: pcm */
  pcm pcm;
  double source_rate_hz, rate_hz, speed;
  int32_t n_channels, channel;
  int64_t n_frames;        /* of the file; -1: not known */
  int64_t frame;           /* the next one */
  int64_t end_frame;       /* where to stop; INT64_MAX: at the end */
  int64_t wanted_frames;   /* that the file should have, -1: not known */
  bool at_end, part_ended; /* of the file; of the part, or of the file */

  unsigned char *raw; /* [block * channels * 8] for pcm */
  float *block;       /* [block x channels] */
  size_t block_frames;
  float *mono; /* [block] */
  size_t mono_at, n_mono;

  soxr_t resampler; /* NULL: rates are equal */
  bool flushed;
  int64_t n_in, n_out; /* through the resampler */
};

/* ---- libsndfile's virtual I/O over a source ---- */

static sf_count_t vio_length(void *user) {
  return ((sni_audio_source *)user)->n_bytes;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *user) {
  sni_audio_source *const s = user;
  const int64_t from = whence == SEEK_SET   ? 0
                       : whence == SEEK_CUR ? s->pos
                                            : s->n_bytes;
  if ((offset > 0 && from > INT64_MAX - offset) || from + offset < 0) return -1;
  s->pos = from + offset;
  return s->pos;
}

static sf_count_t vio_read(void *to, sf_count_t n, void *user) {
  sni_audio_source *const s = user;
  if (n <= 0) return 0;
  const size_t got = sni_audio_source_at(s, s->pos, to, (size_t)n);
  s->pos += (int64_t)got;
  return (sf_count_t)got;
}

static sf_count_t vio_tell(void *user) {
  return ((sni_audio_source *)user)->pos;
}

/* ---- Opening ---- */

static sn_status open_file(sn_audio *a, sn_err *err) {
  sni_wav_info wav;
  bool is_wav = false;
  SN_TRY(sni_audio_source_slurp(&a->source, err));
  SF_VIRTUAL_IO vio = {vio_length, vio_seek, vio_read, NULL, vio_tell};
  SF_INFO info;
  memset(&info, 0, sizeof info);
  a->source.pos = 0;
  a->file = sf_open_virtual(&vio, SFM_READ, &info, &a->source);
  if (a->file == NULL || info.channels < 1 || info.samplerate < 1)
    return sni_audio_fail_unreadable(&a->source, err);
  a->source_rate_hz = info.samplerate;
  a->n_channels = info.channels;
  a->n_frames =
      info.frames >= 0 && info.frames < SF_COUNT_MAX ? info.frames : -1;
  a->wanted_frames = sni_nist_samples(&a->source);
  SN_TRY(sni_wav_scan(&a->source, &wav, &is_wav, err));
  /* PCM, float, A-law, mu-law: one block is one frame. */
  const bool is_plain =
      wav.format == 1 || wav.format == 3 || wav.format == 6 || wav.format == 7;
  if (is_wav && wav.data_bytes >= 0 && is_plain)
    a->wanted_frames = wav.data_bytes / wav.block_bytes;
  if (a->wanted_frames < 0) a->wanted_frames = a->n_frames;
  return SN_OK;
}

static void open_raw(sn_audio *a, double rate_hz) {
  a->pcm.bytes = 2;
  a->pcm.left_bytes = -1;
  a->n_channels = 1;
  a->source_rate_hz = rate_hz;
  a->n_frames = a->source.n_bytes >= 0 ? a->source.n_bytes / 2 : -1;
  a->wanted_frames = -1;
}

/* Whether our own decoder reads it. */
static bool open_wav_stream(sn_audio *a, const sni_wav_info *w) {
  const unsigned bytes = w->bits / 8;
  const bool is_pcm = w->format == 1 && bytes >= 1 && bytes <= 4;
  const bool is_float = w->format == 3 && (bytes == 4 || bytes == 8);
  if ((!is_pcm && !is_float) || w->bits % 8 != 0 || w->n_channels == 0 ||
      w->rate_hz == 0 || w->block_bytes != bytes * w->n_channels)
    return false;
  a->pcm.bytes = bytes;
  a->pcm.is_float = is_float;
  a->pcm.left_bytes = w->data_bytes;
  a->source.pos = w->data_offset;
  a->n_channels = (int32_t)w->n_channels;
  a->source_rate_hz = (double)w->rate_hz;
  a->n_frames = -1;
  a->wanted_frames =
      w->data_bytes >= 0 ? w->data_bytes / (int64_t)w->block_bytes : -1;
  return true;
}

static sn_status open_decoder(sn_audio *a, double raw_rate_hz, sn_err *err) {
  SN_TRY(sni_audio_check(&a->source, err));
  if (raw_rate_hz > 0) {
    if (!sni_audio_has_magic(&a->source)) {
      open_raw(a, raw_rate_hz);
      return SN_OK;
    }
    sn_info(a->log,
            "'%s' has a header: it is read as that says, not as "
            "headerless PCM",
            a->source.name);
  }
  if (a->source.stream != NULL) {
    sni_wav_info wav;
    bool is_wav = false;
    SN_TRY(sni_wav_scan(&a->source, &wav, &is_wav, err));
    if (is_wav && open_wav_stream(a, &wav)) return SN_OK;
    /* A microphone never ends: do not wait for one to. */
    if (!sni_audio_has_magic(&a->source))
      return sni_audio_fail_unreadable(&a->source, err);
  }
  return open_file(a, err);
}

static sn_status choose_channel(sn_audio *a, int32_t channel, sn_err *err) {
  if (channel >= a->n_channels)
    return sn_fail(err, SN_EARG,
                   "'%s' has %ld channel%s, numbered from 0: there is no "
                   "channel %ld",
                   a->source.name, (long)a->n_channels,
                   a->n_channels == 1 ? "" : "s", (long)channel);
  if (channel < SN_CHANNEL_FIRST)
    return sn_fail(err, SN_EARG, "channel %ld: negative", (long)channel);
  if (channel == SN_CHANNEL_FIRST && a->n_channels > 1)
    sn_info(a->log,
            "'%s' has %ld channels: the first one is used (a channel's number "
            "or mix chooses otherwise)",
            a->source.name, (long)a->n_channels);
  a->channel = channel == SN_CHANNEL_FIRST ? 0 : channel;
  return SN_OK;
}

static sn_status check_rates(const sn_audio *a, sn_err *err) {
  const double rates[] = {a->source_rate_hz, a->rate_hz};
  for (int i = 0; i < 2; i++)
    if (!(rates[i] >= MIN_RATE_HZ && rates[i] <= MAX_RATE_HZ))
      return sn_fail(err, i == 0 ? SN_EFORMAT : SN_EARG,
                     "'%s': a sampling rate of %g Hz: %g to %g Hz can be read",
                     a->source.name, rates[i], MIN_RATE_HZ, MAX_RATE_HZ);
  return SN_OK;
}

static sn_status make_buffers(sn_audio *a, sn_err *err) {
  const size_t n = (size_t)a->n_channels;
  a->block_frames = BLOCK_SAMPLES / n > 0 ? BLOCK_SAMPLES / n : 1;
  a->block = sn_calloc(a->block_frames * n, sizeof *a->block);
  a->mono = sn_calloc(a->block_frames, sizeof *a->mono);
  if (a->file == NULL) a->raw = sn_calloc(a->block_frames * n, sizeof(double));
  if (a->block == NULL || a->mono == NULL ||
      (a->file == NULL && a->raw == NULL))
    return sn_fail_nomem(err, a->source.name);
  const double from_hz = a->source_rate_hz * a->speed;
  if (a->rate_hz == from_hz) return SN_OK;
  soxr_error_t e = NULL;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  a->resampler =
      soxr_create(from_hz, a->rate_hz, 1, &e, &io, &quality, &runtime);
  if (e != NULL || a->resampler == NULL)
    return sn_fail(err, SN_EEXTERNAL, "'%s': no resampler from %g to %g Hz: %s",
                   a->source.name, from_hz, a->rate_hz, e != NULL ? e : "?");
  return SN_OK;
}

static sn_status skip_frames(sn_audio *a, int64_t n, sn_err *err);

static sn_status go_to_part(sn_audio *a, double begin_s, double end_s,
                            sn_err *err) {
  a->end_frame = INT64_MAX;
  if (!(begin_s > 0)) begin_s = 0;
  const double begin = round(begin_s * a->source_rate_hz);
  const double end = round(end_s * a->source_rate_hz);
  const double length_s = (double)a->n_frames / a->source_rate_hz;
  if (end_s > 0 && end <= begin)
    return sn_fail(err, SN_EARG, "'%s': a part from %g s to %g s is empty",
                   a->source.name, begin_s, end_s);
  if (begin > 1e15 ||
      (a->n_frames >= 0 && begin > 0 && begin >= (double)a->n_frames))
    return sn_fail(err, SN_EARG,
                   "'%s' is %.3f s long; a part from %.3f s on was asked for",
                   a->source.name, length_s, begin_s);
  if (end_s > 0 && end < 1e15) a->end_frame = (int64_t)end;
  if (a->n_frames >= 0 && a->end_frame != INT64_MAX &&
      a->end_frame > a->n_frames) {
    sn_warn(a->log,
            "'%s' is %.3f s long; the part that was asked for ends %.3f s "
            "later",
            a->source.name, length_s, end_s - length_s);
    a->end_frame = INT64_MAX;
  }
  return begin > 0 ? skip_frames(a, (int64_t)begin, err) : SN_OK;
}

/* Behind the source: everything else. */
static sn_status open_all(sn_audio *a, const sn_audio_opts *o, sn_err *err) {
  static const sn_audio_opts defaults = {SN_CHANNEL_FIRST, 0, 0, 0, 0, 0};
  if (o == NULL) o = &defaults;
  SN_TRY(open_decoder(a, o->raw_rate_hz, err));
  a->rate_hz = o->rate_hz > 0 ? o->rate_hz : a->source_rate_hz;
  a->speed = o->speed != 0 ? o->speed : 1;
  if (!(a->speed >= 1 / MAX_SPEED && a->speed <= MAX_SPEED))
    return sn_fail(err, SN_EARG, "a speed of %g: %g to %g is possible",
                   a->speed, 1 / MAX_SPEED, MAX_SPEED);
  SN_TRY(check_rates(a, err));
  SN_TRY(choose_channel(a, o->channel, err));
  SN_TRY(make_buffers(a, err));
  return go_to_part(a, o->begin_s, o->end_s, err);
}

sn_status sn_audio_open(const char *path, const sn_audio_opts *opts,
                        sn_log *log, sn_audio **out, sn_err *err) {
  *out = NULL;
  sn_audio *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) return sn_fail_nomem(err, path);
  a->log = log;
  sn_status s = sni_audio_source_open(&a->source, path, err);
  if (s == SN_OK) s = open_all(a, opts, err);
  if (s != SN_OK)
    sn_audio_destroy(a);
  else
    *out = a;
  return s;
}

sn_status sn_audio_open_memory(const void *data, size_t n, const char *name,
                               const sn_audio_opts *opts, sn_log *log,
                               sn_audio **out, sn_err *err) {
  *out = NULL;
  sn_audio *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) return sn_fail_nomem(err, name);
  a->log = log;
  sn_status s = sni_audio_source_memory(&a->source, data, n, name, err);
  if (s == SN_OK) s = open_all(a, opts, err);
  if (s != SN_OK)
    sn_audio_destroy(a);
  else
    *out = a;
  return s;
}

void sn_audio_destroy(sn_audio *a) {
  if (a == NULL) return;
  if (a->file != NULL) (void)sf_close(a->file);
  if (a->resampler != NULL) soxr_delete(a->resampler);
  sni_audio_source_clear(&a->source);
  sn_free(a->raw);
  sn_free(a->block);
  sn_free(a->mono);
  sn_free(a);
}

/* ---- What is known ---- */

double sn_audio_rate_hz(const sn_audio *a) { return a->rate_hz; }
double sn_audio_source_rate_hz(const sn_audio *a) { return a->source_rate_hz; }
int32_t sn_audio_n_channels(const sn_audio *a) { return a->n_channels; }

/* How many samples the resampler shall have given for n of the source. */
static int64_t resampled(const sn_audio *a, int64_t n) {
  if (a->resampler == NULL) return n;
  return (int64_t)floor(
      (double)n * a->rate_hz / (a->source_rate_hz * a->speed) + 0.5);
}

int64_t sn_audio_n_samples(const sn_audio *a) {
  if (a->n_frames < 0) return -1;
  const int64_t end = a->end_frame < a->n_frames ? a->end_frame : a->n_frames;
  /* What has been read of the part, and what is still to come. */
  const int64_t left = a->at_end || end < a->frame ? 0 : end - a->frame;
  return resampled(a, a->n_in + left + (int64_t)(a->n_mono - a->mono_at));
}

/* ---- Decoding ---- */

static float decode(const pcm *p, const unsigned char *b) {
  int16_t i16;
  int32_t i32;
  float f;
  double d;
  if (p->is_float && p->bytes == 4) {
    memcpy(&f, b, sizeof f);
    return f * SCALE;
  }
  if (p->is_float) {
    memcpy(&d, b, sizeof d);
    return (float)(d * (double)SCALE);
  }
  switch (p->bytes) {
    case 1: /* unsigned, 128 is zero */
      return (float)((int)b[0] - 128) * 256.0f;
    case 2:
      memcpy(&i16, b, sizeof i16);
      return (float)i16;
    case 3:
      i32 = (int32_t)((uint32_t)b[0] << 8 | (uint32_t)b[1] << 16 |
                      (uint32_t)b[2] << 24);
      return (float)i32 * (1.0f / 65536.0f);
    default:
      memcpy(&i32, b, sizeof i32);
      return (float)i32 * (1.0f / 65536.0f);
  }
}

/* Up to n frames into a->block. */
static sn_status decode_pcm(sn_audio *a, size_t n, size_t *got, sn_err *err) {
  const size_t frame_bytes = a->pcm.bytes * (size_t)a->n_channels;
  size_t want = n * frame_bytes, have = 0;
  if (a->pcm.left_bytes >= 0 && (uint64_t)a->pcm.left_bytes < want)
    want = (size_t)a->pcm.left_bytes;
  /* Whatever is there now is enough, if it is a frame: a stream goes on. */
  while (have < want && (have == 0 || have % frame_bytes != 0)) {
    size_t k = 0;
    SN_TRY(
        sni_audio_source_read(&a->source, a->raw + have, want - have, &k, err));
    if (k == 0) break;
    have += k;
  }
  if (a->pcm.left_bytes >= 0) a->pcm.left_bytes -= (int64_t)have;
  if (have % frame_bytes != 0)
    sn_warn(a->log,
            "'%s' ends within a sample: its last %zu bytes are left "
            "out",
            a->source.name, have % frame_bytes);
  *got = have / frame_bytes;
  const size_t n_values = *got * (size_t)a->n_channels;
  for (size_t i = 0; i < n_values; i++)
    a->block[i] = decode(&a->pcm, a->raw + i * a->pcm.bytes);
  return SN_OK;
}

static sn_status decode_file(sn_audio *a, size_t n, size_t *got, sn_err *err) {
  const sf_count_t k = sf_readf_float(a->file, a->block, (sf_count_t)n);
  *got = k > 0 ? (size_t)k : 0;
  if (a->source.read_errno != 0)
    return sn_fail_errno(err, a->source.read_errno, "cannot read '%s'",
                         a->source.name);
  if (*got < n && sf_error(a->file) != SF_ERR_NO_ERROR)
    sn_warn(a->log, "'%s': sample %lld: %s", a->source.name,
            (long long)(a->frame + (int64_t)*got), sf_strerror(a->file));
  const size_t n_values = *got * (size_t)a->n_channels;
  for (size_t i = 0; i < n_values; i++) a->block[i] *= SCALE;
  return SN_OK;
}

/* The end has come: was it the one that the header promised? */
static void note_end(sn_audio *a) {
  a->at_end = true;
  if (a->wanted_frames > a->frame)
    sn_warn(a->log, "'%s' is cut short: %lld of its %lld samples are missing",
            a->source.name, (long long)(a->wanted_frames - a->frame),
            (long long)a->wanted_frames);
}

static sn_status check_finite(const sn_audio *a, size_t n, sn_err *err) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(a->mono[i]))
      return sn_fail(err, SN_EFORMAT,
                     "'%s': sample %lld is %s: the file is damaged, or was "
                     "made by a faulty program",
                     a->source.name, (long long)(a->frame + (int64_t)i),
                     isnan(a->mono[i]) ? "not a number (NaN)" : "infinite");
  return SN_OK;
}

static void to_mono(sn_audio *a, size_t n) {
  const size_t width = (size_t)a->n_channels;
  for (size_t i = 0; i < n; i++) {
    const float *const x = a->block + i * width;
    if (a->channel != SN_CHANNEL_MIX) {
      a->mono[i] = x[a->channel];
      continue;
    }
    double sum = 0;
    for (size_t c = 0; c < width; c++) sum += (double)x[c];
    a->mono[i] = (float)(sum / (double)width);
  }
}

/* The next samples of the chosen channel into a->mono; n_mono == 0 at the end
 * of the part. */
static sn_status next_block(sn_audio *a, sn_err *err) {
  a->mono_at = a->n_mono = 0;
  int64_t left = a->end_frame - a->frame;
  if (left <= 0 || a->at_end) return SN_OK;
  if (left > (int64_t)a->block_frames) left = (int64_t)a->block_frames;
  size_t n = 0;
  SN_TRY(a->file != NULL ? decode_file(a, (size_t)left, &n, err)
                         : decode_pcm(a, (size_t)left, &n, err));
  if (n == 0) {
    note_end(a);
    return SN_OK;
  }
  to_mono(a, n);
  SN_TRY(check_finite(a, n, err));
  a->frame += (int64_t)n;
  a->n_mono = n;
  return SN_OK;
}

static sn_status skip_frames(sn_audio *a, int64_t n, sn_err *err) {
  if (a->file != NULL && sf_seek(a->file, (sf_count_t)n, SEEK_SET) == n) {
    a->frame = n;
    return SN_OK;
  }
  const int64_t frame_bytes = (int64_t)a->pcm.bytes * a->n_channels;
  if (a->file == NULL && a->source.stream == NULL) {
    a->source.pos += n * frame_bytes;
    a->frame = n;
    return SN_OK;
  }
  const int64_t end = a->end_frame;
  a->end_frame = n;
  do {
    const sn_status s = next_block(a, err);
    if (s != SN_OK) return s;
  } while (a->n_mono > 0);
  a->end_frame = end;
  if (a->frame == n) return SN_OK;
  return sn_fail(err, SN_EARG,
                 "'%s' is %.3f s long; a part from %.3f s on was asked for",
                 a->source.name, (double)a->frame / a->source_rate_hz,
                 (double)n / a->source_rate_hz);
}

/* ---- Reading ---- */

/* What the resampler gives now, at most n samples; at the end, exactly as many
 * as the lengths' ratio says. */
static sn_status resample(sn_audio *a, float *to, size_t n, size_t *got,
                          sn_err *err) {
  *got = 0;
  while (*got < n) {
    if (a->mono_at == a->n_mono && !a->flushed) {
      SN_TRY(next_block(a, err));
      a->flushed = a->n_mono == 0;
    }
    const size_t n_left = a->n_mono - a->mono_at;
    size_t used = 0, made = 0;
    /* No input and NULL: the end of the input, said as often as needed. */
    const soxr_error_t e =
        soxr_process(a->resampler, a->flushed ? NULL : a->mono + a->mono_at,
                     n_left, &used, to + *got, n - *got, &made);
    if (e != NULL)
      return sn_fail(err, SN_EEXTERNAL, "'%s': resampling failed: %s",
                     a->source.name, e);
    if (!a->flushed) {
      a->mono_at += used;
      a->n_in += (int64_t)used;
    }
    if (a->flushed) {
      const int64_t total = resampled(a, a->n_in);
      const int64_t room = total - a->n_out;
      if ((int64_t)made > room) made = room > 0 ? (size_t)room : 0;
      if (made == 0) { /* a sample or two that rounding left out */
        while (*got < n && a->n_out < total) {
          to[(*got)++] = 0.0f;
          a->n_out++;
        }
        return SN_OK;
      }
    }
    *got += made;
    a->n_out += (int64_t)made;
    /* Give a live stream what there is. */
    if (*got > 0 && a->mono_at == a->n_mono && !a->flushed) return SN_OK;
  }
  return SN_OK;
}

sn_status sn_audio_read(sn_audio *a, float *to, size_t n, size_t *got,
                        sn_err *err) {
  *got = 0;
  if (n == 0) return SN_OK;
  if (a->resampler != NULL) return resample(a, to, n, got, err);
  if (a->mono_at == a->n_mono) SN_TRY(next_block(a, err));
  const size_t left = a->n_mono - a->mono_at;
  *got = n < left ? n : left;
  if (*got > 0) memcpy(to, a->mono + a->mono_at, *got * sizeof *to);
  a->mono_at += *got;
  a->n_in += (int64_t)*got;
  return SN_OK;
}

sn_status sn_audio_read_all(sn_audio *a, float **samples, size_t *n,
                            sn_err *err) {
  *samples = NULL;
  *n = 0;
  sn_arr_f32 all = {NULL, 0, 0};
  sn_status s = SN_OK;
  size_t got = 0;
  do {
    SN_TRY_GOTO(s, SN_ARR_RESERVE(&all, all.n + BLOCK_SAMPLES, err));
    SN_TRY_GOTO(s,
                sn_audio_read(a, all.data + all.n, BLOCK_SAMPLES, &got, err));
    all.n += got;
  } while (got > 0);
  *samples = all.data;
  *n = all.n;
  return SN_OK;
fail:
  SN_ARR_FREE(&all);
  return s;
}
