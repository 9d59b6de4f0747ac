/* SPDX-License-Identifier: Apache-2.0 */
/* base/kaldi_io.h - Kaldi tables: archives (ark) and scripts (scp) of float,
 * double and compressed matrices, vectors and integer vectors.
 * Source: kaldi-asr.org/doc/io.html ("Kaldi I/O from a command-line
 * perspective"), matrix/compressed-matrix.h for the three packings. */
#ifndef SN_BASE_KALDI_IO_H
#define SN_BASE_KALDI_IO_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/mat.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_ark_kind {
  SN_ARK_MATRIX,     /* float matrix */
  SN_ARK_MATRIX_D,   /* double matrix; values are floats in memory */
  SN_ARK_COMPRESSED, /* write: method 2 (kSpeechFeature) unless said */
  SN_ARK_VECTOR,     /* float vector: a matrix of one row */
  SN_ARK_INTS        /* int32 vector */
} sn_ark_kind;

/* Reading. rspecifier: "ark:PATH", "ark,t:PATH", "scp:PATH" or a bare path
 * taken as "ark:"; "-" is stdin. Text or binary is noticed item by item. */
typedef struct sn_ark_reader sn_ark_reader;
SN_NODISCARD sn_status sn_ark_reader_open(const char *rspecifier,
                                          sn_ark_reader **out, sn_err *err);
SN_NODISCARD sn_status sn_ark_reader_on(sn_reader *r, /* taken over */
                                        sn_ark_reader **out, sn_err *err);
void sn_ark_reader_destroy(sn_ark_reader *a);
/* The next item as a matrix (double and compressed ones are converted, vectors
 * become one row). *key == NULL at the end. key and *m are borrowed until the
 * next call. */
SN_NODISCARD sn_status sn_ark_next_mat(sn_ark_reader *a, const char **key,
                                       sn_cmat *m, sn_err *err);
SN_NODISCARD sn_status sn_ark_next_ints(sn_ark_reader *a, const char **key,
                                        const int32_t **v, size_t *n,
                                        sn_err *err);
/* One object without key at the reader's position, "\0B" header included (as
 * in a Kaldi model file or what an scp line points to). */
SN_NODISCARD sn_status sn_kaldi_read_mat(sn_reader *r, sn_mat *out,
                                         sn_err *err);

/* Writing. wspecifier: "ark:PATH", "ark,t:PATH", "ark,scp:ARK,SCP" ("-" is
 * stdout); the files appear at commit. */
typedef struct sn_ark_writer sn_ark_writer;
SN_NODISCARD sn_status sn_ark_writer_open(const char *wspecifier,
                                          sn_ark_writer **out, sn_err *err);
SN_NODISCARD sn_status sn_ark_write_mat(sn_ark_writer *w, const char *key,
                                        sn_cmat m, sn_ark_kind kind,
                                        sn_err *err);
SN_NODISCARD sn_status sn_ark_write_ints(sn_ark_writer *w, const char *key,
                                         const int32_t *v, size_t n,
                                         sn_err *err);
SN_NODISCARD sn_status sn_ark_writer_commit(sn_ark_writer *w, sn_err *err);
void sn_ark_writer_destroy(sn_ark_writer *w);

/* Compression methods as Kaldi numbers them: 2 speech feature (8 bits, header
 * for each column), 3 two bytes auto, 5 one byte auto. */
SN_NODISCARD sn_status sn_ark_write_compressed(sn_ark_writer *w,
                                               const char *key, sn_cmat m,
                                               int method, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
