/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_io.h - archives of lattices: utterance after utterance.
 *
 * Specifiers: "ark:PATH" Kaldi binary, "ark,t:PATH" Kaldi text (reading
 * notices which it is), "lat:PATH" or a bare path Senone's own archive
 * (docs/lattices.md), "slf:PATH" HTK's format: a file, or one file an utterance
 * (KEY.slf) where PATH is a directory or ends in '/'. "-" is stdin or stdout
 * for the Kaldi forms and slf. */
#ifndef SN_DECODER_LAT_IO_H
#define SN_DECODER_LAT_IO_H
#include "base/io.h"
#include "base/status.h"
#include "decoder/lat_slf.h"
#include "decoder/lat_words.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_LATS_MAGIC "SNLATS"
#define SN_LATS_VERSION 1u
#define SN_LAT_FRAME_S 0.01 /* where nothing else is said */

typedef struct sn_lat_reader sn_lat_reader;
SN_NODISCARD sn_status sn_lat_reader_open(const char *specifier,
                                          sn_lat_reader **out, sn_err *err);
/* A Kaldi archive from a reader, which is taken over (tests, fuzzing). */
SN_NODISCARD sn_status sn_lat_reader_on(sn_reader *r, sn_lat_reader **out,
                                        sn_err *err);
/* Senone's own archive over memory (8-byte aligned), borrowed until destroy. */
SN_NODISCARD sn_status sn_lat_reader_memory(const void *data, size_t n,
                                            const char *name,
                                            sn_lat_reader **out, sn_err *err);
void sn_lat_reader_destroy(sn_lat_reader *r);

/* From now on lattices carry the labels of `words` (borrowed, inout): where the
 * source knows spellings (own archives with words, SLF) each is looked up in
 * it and added if new; labels of Kaldi archives stay as they are. So several
 * sources can be brought to one table. Without this call own archives keep
 * their labels, and words of SLF files must be numbers. */
SN_NODISCARD sn_status sn_lat_reader_set_words(sn_lat_reader *r,
                                               sn_lat_words *words,
                                               sn_err *err);
/* Seconds a frame, for the times of SLF files. */
void sn_lat_reader_set_frame_s(sn_lat_reader *r, double frame_s);

/* The next utterance: its key (borrowed until the next call) and lattice
 * (owned by the caller). *key == NULL at the end. Errors name the utterance.
 * SN_EFORMAT, too: not one lattice in it. */
SN_NODISCARD sn_status sn_lat_next(sn_lat_reader *r, const char **key,
                                   sn_lat *lat, sn_err *err);

/* Only own archives have what follows. */
/* Utterances in it; -1: not known without reading. */
int64_t sn_lat_reader_n(const sn_lat_reader *r);
/* Makes the utterance `key` the next one; false: there is none. */
bool sn_lat_reader_seek(sn_lat_reader *r, const char *key);
bool sn_lat_reader_has_words(const sn_lat_reader *r);
/* What sn_lat_writer_meta wrote; borrowed; NULL: nothing. */
const char *sn_lat_reader_meta(const sn_lat_reader *r, const char *key);
/* Walks all of it: i from 0 until it returns NULL. */
const char *sn_lat_reader_meta_at(const sn_lat_reader *r, size_t i,
                                  const char **value);

typedef struct sn_lat_writer sn_lat_writer;
SN_NODISCARD sn_status sn_lat_writer_open(const char *specifier,
                                          sn_lat_writer **out, sn_err *err);
/* Spellings of the labels, borrowed until commit: own archives keep them, SLF
 * files print them (so call it before the first sn_lat_write); Kaldi's have no
 * place for them. */
void sn_lat_writer_words(sn_lat_writer *w, const sn_lat_words *words);
/* Anything worth keeping ("acoustic-scale", "frame-shift", ...): own archives
 * only, no effect elsewhere. */
SN_NODISCARD sn_status sn_lat_writer_meta(sn_lat_writer *w, const char *key,
                                          const char *value, sn_err *err);
/* Frame length and scales for SLF headers. */
void sn_lat_writer_slf(sn_lat_writer *w, const sn_slf_opts *opts);
SN_NODISCARD sn_status sn_lat_write(sn_lat_writer *w, const char *key,
                                    const sn_lat *lat, sn_err *err);
/* The file appears now, complete. (Files of an SLF directory appear one by
 * one.) */
SN_NODISCARD sn_status sn_lat_writer_commit(sn_lat_writer *w, sn_err *err);
void sn_lat_writer_destroy(sn_lat_writer *w); /* uncommitted: removes it */
#ifdef __cplusplus
}
#endif
#endif
