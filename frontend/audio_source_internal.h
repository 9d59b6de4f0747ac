/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/audio_source_internal.h - the bytes behind a recording, and what
 * they seem to be. */
#ifndef SN_FRONTEND_AUDIO_SOURCE_INTERNAL_H
#define SN_FRONTEND_AUDIO_SOURCE_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that can be read at any offset: a regular file, or memory; or a stream
 * (stdin, pipe), of which the part read so far is kept in `kept`. */
typedef struct sni_audio_source {
  char *name;
  int fd; /* -1: memory or stream */
  const unsigned char *memory;
  int64_t n_bytes; /* -1: a stream */
  int64_t pos;     /* of sni_audio_source_read */
  int read_errno;  /* of the last failed read; 0: none */

  sn_reader *stream; /* NULL: no stream */
  unsigned char *kept;
  size_t n_kept, cap_kept;
} sni_audio_source;

SN_NODISCARD sn_status sni_audio_source_open(sni_audio_source *s,
                                             const char *path, sn_err *err);
SN_NODISCARD sn_status sni_audio_source_memory(sni_audio_source *s,
                                               const void *data, size_t n,
                                               const char *name, sn_err *err);
void sni_audio_source_clear(sni_audio_source *s);

/* Up to n bytes at `offset`; how many there were. Of a stream, only what has
 * been kept, after sni_audio_source_keep. */
size_t sni_audio_source_at(sni_audio_source *s, int64_t offset, void *to,
                           size_t n);
/* The next bytes in order, kept ones of a stream included. *got == 0 at the
 * end. */
SN_NODISCARD sn_status sni_audio_source_read(sni_audio_source *s, void *to,
                                             size_t n, size_t *got,
                                             sn_err *err);
/* Reads a stream until n bytes are kept (or its end). */
SN_NODISCARD sn_status sni_audio_source_keep(sni_audio_source *s, size_t n,
                                             sn_err *err);
/* Reads a stream to its end: it is memory afterwards. */
SN_NODISCARD sn_status sni_audio_source_slurp(sni_audio_source *s, sn_err *err);

/* What a wav header says. */
typedef struct sni_wav_info {
  unsigned format; /* 1 PCM, 3 float; extensible ones are resolved */
  unsigned n_channels, bits, block_bytes;
  uint32_t rate_hz;
  int64_t data_offset;
  int64_t data_bytes; /* -1: not known (written by a pipe) */
} sni_wav_info;

/* false: no RIFF wav, or its header is not whole (*whole). Reads on in a
 * stream as far as the header goes. */
SN_NODISCARD sn_status sni_wav_scan(sni_audio_source *s, sni_wav_info *w,
                                    bool *is_wav, sn_err *err);
/* sample_count of a NIST SPHERE header, -1 if it is none. */
int64_t sni_nist_samples(sni_audio_source *s);

/* Whether the first bytes are those of an audio format with a header. */
bool sni_audio_has_magic(sni_audio_source *s);
/* SN_EFORMAT, saying what the bytes seem to be instead of audio. */
sn_status sni_audio_fail_unreadable(sni_audio_source *s, sn_err *err);
/* SN_EFORMAT for what the reader would open and misunderstand: empty files and
 * compressed SPHERE. */
SN_NODISCARD sn_status sni_audio_check(sni_audio_source *s, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
