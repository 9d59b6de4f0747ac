/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/audio.h - recordings in, mono float samples at a wanted rate out. */
#ifndef SN_FRONTEND_AUDIO_H
#define SN_FRONTEND_AUDIO_H
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_CHANNEL_MIX (-1)
#define SN_CHANNEL_FIRST (-2) /* the default: the first one, with a notice */

typedef struct sn_audio_opts {
  int32_t channel;    /* 0, 1, ... or SN_CHANNEL_* */
  double rate_hz;     /* wanted; 0: as it is */
  double raw_rate_hz; /* > 0: headerless 16-bit little-endian mono PCM of this
                         rate (also what stdin falls back to) */
  double begin_s, end_s; /* part of the recording; end_s <= 0: to its end */
  double speed; /* 1.1: as if played a tenth faster, pitch included; times of
                   the part are those of the recording. 0: 1 */
} sn_audio_opts;

/* A recording being read; one thread. */
typedef struct sn_audio sn_audio;

/* path: any format that libsndfile reads (wav, flac, ogg, NIST SPHERE, ...);
 * "-" is stdin. From stdin and pipes, PCM wav and headerless PCM are read as
 * they come; what needs a whole file is read to its end first. Errors say what
 * the file seems to be instead (empty, text, truncated header). A file whose
 * data are cut short gives what is there and a warning with the number of
 * samples that are missing; a part that reaches beyond the end likewise, one
 * that begins there is SN_EARG. A known header wins over raw_rate_hz, with a
 * notice. log may be NULL. opts may be NULL. */
SN_NODISCARD sn_status sn_audio_open(const char *path,
                                     const sn_audio_opts *opts, sn_log *log,
                                     sn_audio **out, sn_err *err);
/* The same over the bytes of a file, borrowed until destroy; name stands in
 * messages. */
SN_NODISCARD sn_status sn_audio_open_memory(const void *data, size_t n,
                                            const char *name,
                                            const sn_audio_opts *opts,
                                            sn_log *log, sn_audio **out,
                                            sn_err *err);
void sn_audio_destroy(sn_audio *a);                /* NULL is fine */
double sn_audio_rate_hz(const sn_audio *a);        /* of what is read */
double sn_audio_source_rate_hz(const sn_audio *a); /* of the file */
int32_t sn_audio_n_channels(const sn_audio *a);    /* of the file */
/* Length after resampling, in samples; -1 if unknown (stdin). */
int64_t sn_audio_n_samples(const sn_audio *a);
/* Next samples, in units of 16-bit PCM as float; *got == 0 at the end. NaN or
 * infinity in a float file: SN_EFORMAT with the index of the sample. */
SN_NODISCARD sn_status sn_audio_read(sn_audio *a, float *to, size_t n,
                                     size_t *got, sn_err *err);
/* All the rest at once; *samples is owned by the caller (sn_free). */
SN_NODISCARD sn_status sn_audio_read_all(sn_audio *a, float **samples,
                                         size_t *n, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
