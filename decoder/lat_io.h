/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_io.h - archives of lattices: utterance after utterance.
 *
 * Specifiers: "ark:PATH" Kaldi binary, "ark,t:PATH" Kaldi text (reading
 * notices which it is), "lat:PATH" or a bare path Senone's own archive
 * (docs/lattices.md). "-" is stdin or stdout for the Kaldi forms. */
#ifndef SN_DECODER_LAT_IO_H
#define SN_DECODER_LAT_IO_H
#include "base/io.h"
#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_lat_reader sn_lat_reader;
SN_NODISCARD sn_status sn_lat_reader_open(const char *specifier,
                                          sn_lat_reader **out, sn_err *err);
/* A Kaldi archive from a reader, which is taken over (tests, fuzzing). */
SN_NODISCARD sn_status sn_lat_reader_on(sn_reader *r, sn_lat_reader **out,
                                        sn_err *err);
void sn_lat_reader_destroy(sn_lat_reader *r);
/* The next utterance: its key (borrowed until the next call) and lattice
 * (owned by the caller). *key == NULL at the end. Errors name the utterance. */
SN_NODISCARD sn_status sn_lat_next(sn_lat_reader *r, const char **key,
                                   sn_lat *lat, sn_err *err);

typedef struct sn_lat_writer sn_lat_writer;
SN_NODISCARD sn_status sn_lat_writer_open(const char *specifier,
                                          sn_lat_writer **out, sn_err *err);
SN_NODISCARD sn_status sn_lat_write(sn_lat_writer *w, const char *key,
                                    const sn_lat *lat, sn_err *err);
/* The file appears now, complete. */
SN_NODISCARD sn_status sn_lat_writer_commit(sn_lat_writer *w, sn_err *err);
void sn_lat_writer_destroy(sn_lat_writer *w); /* uncommitted: removes it */
#ifdef __cplusplus
}
#endif
#endif
