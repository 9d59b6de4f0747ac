/* SPDX-License-Identifier: Apache-2.0 */
/* train/corpus_internal.h - what the parts of train/corpus*.c share. */
#ifndef SN_TRAIN_CORPUS_INTERNAL_H
#define SN_TRAIN_CORPUS_INTERNAL_H
#include "base/io.h"
#include "base/str.h"
#include "train/corpus.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_corpus_files {
  sn_reader *wav_scp;                   /* needed */
  sn_reader *segments, *text, *utt2spk; /* NULL: not there */
  const char *parent; /* what relative paths belong to: "" or "dir/" */
  bool check_paths;   /* whether recordings must exist */
} sni_corpus_files;
/* For tests and fuzzing. */
SN_NODISCARD sn_status sni_corpus_parse(const sni_corpus_files *f,
                                        sn_corpus *out, sn_err *err);

/* Adds a fault; utt may be NULL. */
SN_NODISCARD sn_status sni_corpus_fault(sn_corpus *c, sn_corpus_utt *utt,
                                        sn_corpus_fault at, sn_err *err,
                                        const char *fmt, ...) SN_PRINTF(5, 6);
/* s in the corpus's memory, or SN_ENOMEM. */
SN_NODISCARD sn_status sni_corpus_keep(sn_corpus *c, sn_span s,
                                       const char **out, sn_err *err);
/* The utterances' indices sorted by id; sn_free by the caller. */
SN_NODISCARD sn_status sni_corpus_sorted(const sn_corpus *c, size_t **out,
                                         sn_err *err);
/* The folder above dir, with a slash behind it ("" for that of "name"); NULL
 * when out of memory. */
char *sni_corpus_parent(const char *dir);
#ifdef __cplusplus
}
#endif
#endif
