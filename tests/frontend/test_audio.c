/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings: exact integers, channels, rates, parts, streams, bad input. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sndfile.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "frontend/audio.h"
#include "tests/ref/temp_path.h"

#define PI 3.14159265358979323846

typedef struct fixture {
  char dir[64], path[96];
  sn_log *log;
  char messages[4096]; /* of the log, one a line */
} fixture;

static void keep_message(void *user, sn_log_level level, const char *text) {
  fixture *const f = user;
  const size_t n = strlen(f->messages);
  (void)snprintf(f->messages + n, sizeof f->messages - n, "%d %s\n", (int)level,
                 text);
}

static int set_up(void **state) {
  fixture *const f = calloc(1, sizeof *f);
  temp_template(f->dir, sizeof f->dir, "audio");
  if (mkdtemp(f->dir) == NULL) return -1;
  snprintf(f->path, sizeof f->path, "%s/x", f->dir);
  *state = f;
  return sn_log_create(keep_message, NULL, f, SN_LOG_INFO, &f->log, NULL) !=
         SN_OK;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  (void)unlink(f->path);
  const int s = rmdir(f->dir);
  sn_log_destroy(f->log);
  free(f);
  return s;
}

static void write_bytes(const char *path, const void *data, size_t n) {
  FILE *const file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, n, file), n);
  assert_int_equal(fclose(file), 0);
}

/* n frames of interleaved 16-bit samples in whatever format. */
static void write_shorts(const char *path, int format, int rate, int channels,
                         const short *v, size_t n) {
  SF_INFO info;
  memset(&info, 0, sizeof info);
  info.format = format;
  info.samplerate = rate;
  info.channels = channels;
  SNDFILE *const file = sf_open(path, SFM_WRITE, &info);
  assert_non_null(file);
  /* Else a float file would hold 32767 where 1 is meant. */
  (void)sf_command(file, SFC_SET_SCALE_INT_FLOAT_WRITE, NULL, SF_TRUE);
  assert_int_equal(sf_writef_short(file, v, (sf_count_t)n), n);
  assert_int_equal(sf_close(file), 0);
}

static void write_floats(const char *path, int rate, const float *v, size_t n) {
  SF_INFO info;
  memset(&info, 0, sizeof info);
  info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  info.samplerate = rate;
  info.channels = 1;
  SNDFILE *const file = sf_open(path, SFM_WRITE, &info);
  assert_non_null(file);
  assert_int_equal(sf_writef_float(file, v, (sf_count_t)n), n);
  assert_int_equal(sf_close(file), 0);
}

static void fill(short *v, size_t n) {
  sn_rng rng;
  sn_rng_init(&rng, 7);
  for (size_t i = 0; i < n; i++) v[i] = (short)(sn_rng_u32(&rng) >> 16);
  if (n > 2) {
    v[0] = -32768;
    v[1] = 32767;
  }
}

static float *read_all(const char *path, const sn_audio_opts *o, sn_log *log,
                       size_t *n) {
  sn_audio *a = NULL;
  sn_err err = {0};
  float *x = NULL;
  if (sn_audio_open(path, o, log, &a, &err) != SN_OK) fail_msg("%s", err.msg);
  const int64_t promised = sn_audio_n_samples(a);
  if (sn_audio_read_all(a, &x, n, &err) != SN_OK) fail_msg("%s", err.msg);
  if (promised >= 0) assert_int_equal(promised, *n);
  assert_int_equal(
      sn_audio_n_samples(a),
      promised >= 0 ? promised : sn_audio_n_samples(a)); /* it stays */
  sn_audio_destroy(a);
  return x;
}

static void expect_failure(const char *path, const sn_audio_opts *o,
                           sn_status status, const char *part) {
  sn_audio *a = NULL;
  sn_err err = {0};
  const sn_status s = sn_audio_open(path, o, NULL, &a, &err);
  assert_null(a);
  if (s != status || strstr(err.msg, part) == NULL)
    fail_msg("%s '%s' instead of %s '%s'", sn_status_name(s), err.msg,
             sn_status_name(status), part);
}

/* ---- Values ---- */

#define N 5000

static void integers_come_through_unchanged(void **state) {
  const fixture *const f = *state;
  static const int formats[] = {
      SF_FORMAT_WAV | SF_FORMAT_PCM_16,  SF_FORMAT_WAV | SF_FORMAT_PCM_24,
      SF_FORMAT_WAV | SF_FORMAT_PCM_32,  SF_FORMAT_WAV | SF_FORMAT_FLOAT,
      SF_FORMAT_WAV | SF_FORMAT_DOUBLE,  SF_FORMAT_WAVEX | SF_FORMAT_PCM_16,
      SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_NIST | SF_FORMAT_PCM_16,
      SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_AU | SF_FORMAT_PCM_16,
      SF_FORMAT_W64 | SF_FORMAT_PCM_16,  SF_FORMAT_RF64 | SF_FORMAT_PCM_16,
      SF_FORMAT_CAF | SF_FORMAT_PCM_16};
  short v[N];
  fill(v, N);
  for (size_t k = 0; k < sizeof formats / sizeof formats[0]; k++) {
    const sn_audio_opts o = {0, 16000, 0, 0, 0, 0};
    size_t n = 0;
    write_shorts(f->path, formats[k], 16000, 1, v, N);
    float *const x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++)
      if (x[i] != (float)v[i])
        fail_msg("format %x, sample %zu: %g, not %d", (unsigned)formats[k], i,
                 (double)x[i], v[i]);
    sn_free(x);
  }
  assert_string_equal(f->messages, "");
}

static void headerless_pcm_is_read_at_the_stated_rate(void **state) {
  const fixture *const f = *state;
  short v[N];
  fill(v, N);
  write_bytes(f->path, v, sizeof v);
  sn_audio_opts o = {0, 0, 8000, 0, 0, 0};
  size_t n = 0;
  float *x = read_all(f->path, &o, f->log, &n);
  assert_int_equal(n, N);
  for (size_t i = 0; i < N; i++) assert_true(x[i] == (float)v[i]);
  sn_free(x);
  o.begin_s = 0.125;
  o.end_s = 0.25;
  x = read_all(f->path, &o, f->log, &n);
  assert_int_equal(n, 1000);
  assert_true(x[0] == (float)v[1000]);
  sn_free(x);
  assert_string_equal(f->messages, "");
  write_bytes(f->path, v, 2001);
  o.begin_s = o.end_s = 0;
  x = read_all(f->path, &o, f->log, &n);
  assert_int_equal(n, 1000);
  sn_free(x);
  assert_non_null(strstr(f->messages, "its last 1 bytes are left out"));
}

static void a_header_wins_over_the_stated_rate(void **state) {
  const fixture *const f = *state;
  short v[N];
  fill(v, N);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, v, N);
  const sn_audio_opts o = {0, 0, 8000, 0, 0, 0};
  size_t n = 0;
  float *const x = read_all(f->path, &o, f->log, &n);
  assert_int_equal(n, N);
  assert_non_null(strstr(f->messages, "has a header"));
  sn_free(x);
}

/* ---- Channels ---- */

static void channels_are_chosen_or_mixed(void **state) {
  fixture *const f = *state;
  short v[3 * 100];
  fill(v, 300);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 3, v, 100);
  for (int32_t c = SN_CHANNEL_FIRST; c < 3; c++) {
    const sn_audio_opts o = {c, 0, 0, 0, 0, 0};
    size_t n = 0;
    f->messages[0] = '\0';
    float *const x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, 100);
    for (size_t i = 0; i < n; i++) {
      const int k = c == SN_CHANNEL_FIRST ? 0 : c;
      const double want = c == SN_CHANNEL_MIX
                              ? (v[3 * i] + v[3 * i + 1] + v[3 * i + 2]) / 3.0
                              : v[3 * i + (size_t)(k < 0 ? 0 : k)];
      /* one rounding of the mean to float: 2^-24 of 32768 */
      assert_true(fabs((double)x[i] - want) <= 0x1p-9);
    }
    sn_free(x);
    assert_int_equal(c == SN_CHANNEL_FIRST,
                     strstr(f->messages, "has 3 channels") != NULL);
  }
  const sn_audio_opts o = {3, 0, 0, 0, 0, 0};
  expect_failure(f->path, &o, SN_EARG, "has 3 channels, numbered from 0");
}

/* ---- Rates ---- */

static void tone(short *v, size_t n, int channels, double rate, double hz) {
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < channels; c++)
      v[i * (size_t)channels + (size_t)c] =
          (short)lrint(10000.0 / (c + 1) * sin(2 * PI * hz * (double)i / rate));
}

static void a_tone_keeps_its_place_and_level_when_resampled(void **state) {
  const fixture *const f = *state;
  static const struct {
    int from, channels;
    double to;
  } cases[] = {{48000, 1, 16000}, {44100, 2, 16000}, {8000, 1, 16000},
               {96000, 8, 16000}, {22050, 1, 16000}, {16000, 1, 8000},
               {11025, 1, 16000}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const int rate = cases[k].from;
    const size_t n_in = (size_t)rate; /* one second */
    short *const v = calloc(n_in * (size_t)cases[k].channels, sizeof *v);
    tone(v, n_in, cases[k].channels, rate, 440);
    write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, rate,
                 cases[k].channels, v, n_in);
    free(v);
    const sn_audio_opts o = {0, cases[k].to, 0, 0, 0, 0};
    size_t n = 0;
    float *const x = read_all(f->path, &o, NULL, &n);
    assert_int_equal(n, (size_t)cases[k].to);
    /* Rounding to 16 bits: 0.5 at most; HQ resampling: 20 bits of 10000, and
     * a gain within 0.01 dB in the band: 12. Away from the ends, where the
     * tone is switched on and off. */
    for (size_t i = n / 10; i < n - n / 10; i++) {
      const double want = 10000 * sin(2 * PI * 440 * (double)i / cases[k].to);
      if (fabs((double)x[i] - want) > 13)
        fail_msg("%d Hz, sample %zu: %g, not %g", rate, i, (double)x[i], want);
    }
    sn_free(x);
  }
}

static void lengths_are_the_ratio_rounded(void **state) {
  const fixture *const f = *state;
  short v[400];
  fill(v, 400);
  static const int rates[] = {8000, 11025, 22050, 44100, 48000, 15999};
  for (size_t k = 0; k < 6; k++)
    for (size_t n_in = 0; n_in <= 400; n_in += n_in < 8 ? 1 : 49) {
      write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, rates[k], 1, v,
                   n_in);
      const sn_audio_opts o = {0, 16000, 0, 0, 0, 0};
      size_t n = 0;
      float *const x = read_all(f->path, &o, NULL, &n);
      assert_int_equal(n, (size_t)floor((double)n_in * 16000 / rates[k] + 0.5));
      sn_free(x);
    }
}

static void samples_do_not_depend_on_how_many_are_asked_for(void **state) {
  const fixture *const f = *state;
  const size_t n_in = 100000;
  short *const v = calloc(n_in, sizeof *v);
  fill(v, n_in);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 22050, 1, v, n_in);
  free(v);
  for (int resample = 0; resample < 2; resample++) {
    const sn_audio_opts o = {0, resample ? 16000 : 0, 0, 0, 0, 0};
    size_t n = 0, done = 0;
    float *const x = read_all(f->path, &o, NULL, &n);
    sn_audio *a = NULL;
    sn_rng rng;
    sn_rng_init(&rng, 3);
    assert_int_equal(sn_audio_open(f->path, &o, NULL, &a, NULL), SN_OK);
    for (;;) {
      float part[700];
      size_t got = 0;
      const size_t want = 1 + sn_rng_below(&rng, 700);
      assert_int_equal(sn_audio_read(a, part, want, &got, NULL), SN_OK);
      if (got == 0) break;
      assert_true(done + got <= n);
      assert_memory_equal(part, x + done, got * sizeof *part);
      done += got;
    }
    assert_int_equal(done, n);
    sn_audio_destroy(a);
    sn_free(x);
  }
}

/* The length, and the frequency and level of a tone, are those of a recording
 * that is played faster or slower; begin and end are those of the recording. */
static void another_speed_is_another_length_and_pitch(void **state) {
  const fixture *const f = *state;
  enum { RATE = 16000 };
  static const double speeds[] = {0.9, 1.1, 1.25, 0.5}, to[] = {16000, 8000};
  short *const v = calloc(RATE, sizeof *v);
  tone(v, RATE, 1, RATE, 440);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 1, v, RATE);
  free(v);
  for (size_t k = 0; k < 8; k++) {
    const double speed = speeds[k / 2], rate = to[k % 2];
    sn_audio_opts o = {.rate_hz = rate, .speed = speed};
    size_t n = 0;
    float *x = read_all(f->path, &o, NULL, &n);
    assert_int_equal(n, (size_t)floor(rate / speed + 0.5));
    /* as in a_tone_keeps_its_place_and_level_when_resampled */
    for (size_t i = n / 10; i < n - n / 10; i++) {
      const double want = 10000 * sin(2 * PI * 440 * speed * (double)i / rate);
      if (fabs((double)x[i] - want) > 13)
        fail_msg("speed %g, sample %zu: %g, not %g", speed, i, (double)x[i],
                 want);
    }
    sn_free(x);
    o.begin_s = 0.25;
    o.end_s = 0.75;
    x = read_all(f->path, &o, NULL, &n);
    assert_int_equal(n, (size_t)floor(rate * 0.5 / speed + 0.5));
    sn_free(x);
  }
  static const double bad[] = {-1, 0.01, 11, NAN};
  for (size_t k = 0; k < 4; k++) {
    const sn_audio_opts o = {.speed = bad[k]};
    expect_failure(f->path, &o, SN_EARG, "a speed of ");
  }
}

static void rates_are_told(void **state) {
  const fixture *const f = *state;
  short v[16] = {0};
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 2, v, 8);
  const sn_audio_opts o = {0, 16000, 0, 0, 0, 0};
  sn_audio *a = NULL;
  assert_int_equal(sn_audio_open(f->path, &o, NULL, &a, NULL), SN_OK);
  assert_true(sn_audio_source_rate_hz(a) == 8000);
  assert_true(sn_audio_rate_hz(a) == 16000);
  assert_int_equal(sn_audio_n_channels(a), 2);
  sn_audio_destroy(a);
}

/* ---- Parts ---- */

static void parts_are_cut_at_the_sample(void **state) {
  fixture *const f = *state;
  static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
                                SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
  short v[N];
  fill(v, N);
  for (int k = 0; k < 2; k++) {
    write_shorts(f->path, formats[k], 1000, 1, v, N);
    sn_audio_opts o = {0, 0, 0, 1.5, 3.25, 0};
    size_t n = 0;
    float *x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, 1750);
    for (size_t i = 0; i < n; i++) assert_true(x[i] == (float)v[1500 + i]);
    sn_free(x);
    o.end_s = 0; /* to the end */
    x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, 3500);
    sn_free(x);
    assert_string_equal(f->messages, "");
    o.end_s = 7; /* beyond it */
    x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, 3500);
    sn_free(x);
    assert_non_null(strstr(f->messages, "ends 2.000 s later"));
    f->messages[0] = '\0';
    o.begin_s = 5;
    expect_failure(f->path, &o, SN_EARG, "is 5.000 s long; a part from 5.000");
    o.begin_s = 7.5;
    expect_failure(f->path, &o, SN_EARG, "from 7.5 s to 7 s is empty");
  }
}

/* ---- Streams: stdin stands for every pipe ---- */

/* The file at `path` becomes stdin, through a pipe that gives it in pieces. */
static pid_t pipe_in(const char *path, int *saved) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    char bytes[777];
    FILE *const file = fopen(path, "rb");
    (void)close(ends[0]);
    for (size_t n; file != NULL && (n = fread(bytes, 1, 777, file)) > 0;)
      if (write(ends[1], bytes, n) < 0) break;
    _exit(0);
  }
  (void)close(ends[1]);
  *saved = dup(STDIN_FILENO);
  assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  (void)close(ends[0]);
  return child;
}

static void restore_stdin(int saved) {
  assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
  (void)close(saved);
}

static void stdin_gives_what_a_file_gives(void **state) {
  const fixture *const f = *state;
  static const int formats[] = {
      SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SF_FORMAT_WAV | SF_FORMAT_PCM_16,
      SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_WAV | SF_FORMAT_PCM_32,
      SF_FORMAT_WAV | SF_FORMAT_FLOAT,  SF_FORMAT_WAV | SF_FORMAT_DOUBLE,
      SF_FORMAT_WAV | SF_FORMAT_ULAW,   SF_FORMAT_WAVEX | SF_FORMAT_PCM_16,
      SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
  short v[2 * N];
  fill(v, 2 * N);
  for (size_t k = 0; k < sizeof formats / sizeof formats[0]; k++) {
    const sn_audio_opts o = {1, 16000, 0, 0.1, 0.2, 0};
    size_t n = 0, n_piped = 0;
    write_shorts(f->path, formats[k], 22050, 2, v, N);
    float *const x = read_all(f->path, &o, f->log, &n);
    int saved = -1;
    (void)pipe_in(f->path, &saved);
    float *const y = read_all("-", &o, f->log, &n_piped);
    restore_stdin(saved);
    assert_int_equal(n_piped, n);
    assert_true(n > 0);
    assert_memory_equal(x, y, n * sizeof *x);
    sn_free(x);
    sn_free(y);
  }
  assert_string_equal(f->messages, "");
}

static void stdin_may_be_headerless(void **state) {
  const fixture *const f = *state;
  short v[N];
  fill(v, N);
  write_bytes(f->path, v, sizeof v);
  const sn_audio_opts o = {0, 0, 16000, 0, 0, 0};
  int saved = -1;
  (void)pipe_in(f->path, &saved);
  size_t n = 0;
  float *const x = read_all("-", &o, f->log, &n);
  restore_stdin(saved);
  assert_int_equal(n, N);
  for (size_t i = 0; i < N; i++) assert_true(x[i] == (float)v[i]);
  sn_free(x);
  (void)pipe_in(f->path, &saved);
  expect_failure("-", NULL, SN_EFORMAT, "'standard input' is no recording");
  restore_stdin(saved);
}

/* ---- Bad input ---- */

static void what_is_no_recording_is_named(void **state) {
  const fixture *const f = *state;
  static const struct {
    const char *bytes;
    size_t n;
    const char *part;
  } cases[] = {
      {"", 0, "is empty"},
      {"Hello, this is a text.\nReally.\n", 31,
       "a text file, which begins "
       "'Hello, this is a text.'"},
      {"\x1f\x8b\x08\0\0\0\0\0", 8, "packed with gzip"},
      {"\0\0\0\x20"
       "ftypM4A \0\0\0\0",
       16, "MPEG-4"},
      {"RIFF\x24\0\0\0WAVEfmt ", 16, "begins as a wav (RIFF) file, but"},
      {"RIFF", 4, "begins as a wav"},
      {"fLaC\0\0\0\0", 8, "begins as a flac"},
      {"\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0e\x0f", 14, "01 02 03 04"},
      {"NIST_1A\n   1024\nsample_count -i 10\nsample_coding -s26 "
       "pcm,embedded-shorten-v2.00\nend_head\n",
       85, "compressed by shorten"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_bytes(f->path, cases[i].bytes, cases[i].n);
    expect_failure(f->path, NULL, SN_EFORMAT, cases[i].part);
  }
  expect_failure(f->dir, NULL, SN_EIO, "is a directory");
  expect_failure("/does/not/exist.wav", NULL, SN_EIO,
                 "cannot open '/does/not/exist.wav': No such file");
}

static void no_samples_are_no_failure(void **state) {
  const fixture *const f = *state;
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, NULL, 0);
  for (int rate = 0; rate <= 16000; rate += 16000) {
    const sn_audio_opts o = {0, rate, 0, 0, 0, 0};
    size_t n = 1;
    float *const x = read_all(f->path, &o, f->log, &n);
    assert_int_equal(n, 0);
    sn_free(x);
  }
  assert_string_equal(f->messages, "");
}

static void samples_that_are_no_numbers_are_named(void **state) {
  const fixture *const f = *state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int resample = 0; resample < 2; resample++)
    for (size_t k = 0; k < 3; k++) {
      float v[4000] = {0};
      v[2345] = bad[k];
      write_floats(f->path, 8000, v, 4000);
      const sn_audio_opts o = {0, resample ? 16000 : 0, 0, 0.125, 0, 0};
      sn_audio *a = NULL;
      sn_err err = {0};
      float *x = NULL;
      size_t n = 0;
      assert_int_equal(sn_audio_open(f->path, &o, NULL, &a, NULL), SN_OK);
      assert_int_equal(sn_audio_read_all(a, &x, &n, &err), SN_EFORMAT);
      assert_null(x);
      assert_non_null(strstr(err.msg, "sample 2345 is "));
      sn_audio_destroy(a);
    }
}

static void files_cut_short_give_what_is_there(void **state) {
  fixture *const f = *state;
  static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
                                SF_FORMAT_WAVEX | SF_FORMAT_PCM_16,
                                SF_FORMAT_NIST | SF_FORMAT_PCM_16};
  short v[N];
  fill(v, N);
  for (size_t k = 0; k < 3; k++) {
    write_shorts(f->path, formats[k], 16000, 1, v, N);
    for (int piped = 0; piped < (k < 2 ? 2 : 1); piped++)
      for (size_t cut = 2; cut <= 2 * N; cut += 1666) {
        write_shorts(f->path, formats[k], 16000, 1, v, N);
        struct stat st;
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(truncate(f->path, st.st_size - (off_t)cut), 0);
        f->messages[0] = '\0';
        int saved = -1;
        if (piped) (void)pipe_in(f->path, &saved);
        size_t n = 0;
        float *const x = read_all(piped ? "-" : f->path, NULL, f->log, &n);
        if (piped) restore_stdin(saved);
        assert_int_equal(n, N - cut / 2);
        for (size_t i = 0; i < n; i++) assert_true(x[i] == (float)v[i]);
        sn_free(x);
        char part[64];
        snprintf(part, sizeof part, "%zu of its %d samples are missing",
                 cut / 2, N);
        if (strstr(f->messages, part) == NULL)
          fail_msg("'%s' instead of '%s'", f->messages, part);
      }
  }
}

static void a_length_left_open_is_no_fault(void **state) {
  const fixture *const f = *state;
  short v[N];
  fill(v, N);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, v, N);
  FILE *const file = fopen(f->path, "r+b");
  assert_int_equal(fseek(file, 40, SEEK_SET), 0);
  assert_int_equal(fwrite("\xff\xff\xff\xff", 1, 4, file), 4);
  assert_int_equal(fclose(file), 0);
  for (int piped = 0; piped < 2; piped++) {
    int saved = -1;
    if (piped) (void)pipe_in(f->path, &saved);
    size_t n = 0;
    float *const x = read_all(piped ? "-" : f->path, NULL, f->log, &n);
    if (piped) restore_stdin(saved);
    assert_int_equal(n, N);
    assert_true(x[N - 1] == (float)v[N - 1]);
    sn_free(x);
  }
  assert_string_equal(f->messages, "");
}

static void altered_files_never_crash_the_reader(void **state) {
  const fixture *const f = *state;
  static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
                                SF_FORMAT_NIST | SF_FORMAT_PCM_16,
                                SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
  short v[300];
  fill(v, 300);
  for (size_t k = 0; k < 3; k++) {
    write_shorts(f->path, formats[k], 16000, 1, v, 300);
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(sn_file_read(f->path, &bytes, &n, NULL), SN_OK);
    if (n > 300) n = 300;
    for (size_t i = 0; i < n; i++)
      for (int flip = 0; flip < 3; flip++) {
        const char was = bytes[i];
        if (flip > 0) bytes[i] = (char)(was ^ (flip == 1 ? 0x01 : 0xff));
        sn_audio *a = NULL;
        float part[64];
        size_t got = 1;
        if (sn_audio_open_memory(bytes, flip > 0 ? n : i, "x", NULL, NULL, &a,
                                 NULL) == SN_OK)
          for (int r = 0; got > 0 && r < 20; r++)
            if (sn_audio_read(a, part, 64, &got, NULL) != SN_OK) break;
        sn_audio_destroy(a);
        bytes[i] = was;
      }
    sn_free(bytes);
  }
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  const fixture *const f = *state;
  short v[2 * 500];
  fill(v, 1000);
  write_shorts(f->path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 2, v, 500);
  const sn_audio_opts o = {SN_CHANNEL_MIX, 16000, 0, 0, 0, 0};
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_audio *a = NULL;
    float *x = NULL;
    size_t n = 0;
    sn_mem_fail_after(k);
    sn_status s = sn_audio_open(f->path, &o, NULL, &a, NULL);
    if (s == SN_OK) s = sn_audio_read_all(a, &x, &n, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_audio_destroy(a);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_free(x);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(integers_come_through_unchanged),
      TEST(headerless_pcm_is_read_at_the_stated_rate),
      TEST(a_header_wins_over_the_stated_rate),
      TEST(channels_are_chosen_or_mixed),
      TEST(a_tone_keeps_its_place_and_level_when_resampled),
      TEST(lengths_are_the_ratio_rounded),
      TEST(samples_do_not_depend_on_how_many_are_asked_for),
      TEST(another_speed_is_another_length_and_pitch),
      TEST(rates_are_told),
      TEST(parts_are_cut_at_the_sample),
      TEST(stdin_gives_what_a_file_gives),
      TEST(stdin_may_be_headerless),
      TEST(what_is_no_recording_is_named),
      TEST(no_samples_are_no_failure),
      TEST(samples_that_are_no_numbers_are_named),
      TEST(files_cut_short_give_what_is_there),
      TEST(a_length_left_open_is_no_fault),
      TEST(altered_files_never_crash_the_reader),
      TEST(out_of_memory_anywhere_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
