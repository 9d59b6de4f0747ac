/* SPDX-License-Identifier: Apache-2.0 */
/* train/sums_internal.h - sums of a pass, shard by shard, and their files.
 *
 * The corpus is cut into shards of 32 utterances. Their sums are the leaves of
 * a binary tree: node (level l, index i) is the sum of the shards from
 * i 2^l up to (i + 1) 2^l, as far as there are any, and is node (l - 1, 2 i)
 * plus node (l - 1, 2 i + 1). Whoever adds, threads or hosts, makes the same
 * additions: the root has the same bits for any number of threads and any
 * parts of the corpus. */
#ifndef SN_TRAIN_SUMS_INTERNAL_H
#define SN_TRAIN_SUMS_INTERNAL_H
#include "am/mixtures.h"
#include "base/arr.h"
#include "base/io.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Sums over frames of some utterances. */
typedef struct sni_part {
  sn_mix_stats mix;
  size_t n_rows;         /* states of phones: P x S */
  double *loops, *steps; /* [n_rows] transitions */
  double ali_logp;       /* of aligned utterances */
  int64_t n_frames, n_failed;
} sni_part;
SN_NODISCARD sn_status sni_part_init(sni_part *p, size_t n_gauss, size_t dim,
                                     size_t n_rows, sn_err *err);
void sni_part_clear(sni_part *p); /* zeroed is fine */
void sni_part_reset(sni_part *p);
void sni_part_add(sni_part *to, const sni_part *from);

typedef struct sni_node {
  int32_t level;
  int64_t index;
  sni_part part; /* owned */
} sni_node;

/* Zeroed is empty. */
typedef struct sni_sums {
  int64_t n_shards;       /* of the whole corpus */
  SN_ARR(sni_node) nodes; /* by the shards they cover, none twice */
  SN_ARR(sni_part) spare; /* memory for later */
} sni_sums;
void sni_sums_clear(sni_sums *s);
/* Moves *part to the tree as node (level, index), and adds up what can be
 * added; *part becomes another one of the same shape, of any content. On
 * failure (SN_ENOMEM; SN_EARG: shards that are there already) nothing moves. */
SN_NODISCARD sn_status sni_sums_put(sni_sums *s, int32_t level, int64_t index,
                                    sni_part *part, sn_err *err);
/* The sum of all shards; NULL while some are missing: *missing (may be NULL)
 * is the first of them, from 0. */
sni_part *sni_sums_root(sni_sums *s, int64_t *missing);

/* ---- Files ---- */

#define SNI_STATS_MAGIC "SNSTATS"
#define SNI_STATS_VERSION 1u

/* Of which model and corpus; both must agree where files are added. */
typedef struct sni_stats_file {
  uint32_t model_crc, corpus_crc;
  int64_t n_utts; /* of the whole corpus */
  sni_sums sums;
} sni_stats_file;
SN_NODISCARD sn_status sni_stats_write(const sni_stats_file *f,
                                       const char *path, sn_err *err);
/* From an open container; every count and number is checked. SN_EFORMAT. */
SN_NODISCARD sn_status sni_stats_read(sn_box *box, const char *name,
                                      sni_stats_file *f, sn_err *err);
SN_NODISCARD sn_status sni_stats_load(const char *path, sni_stats_file *f,
                                      sn_err *err);
/* Moves what is in `from` to `to`. SN_EMISMATCH: of another model or corpus;
 * SN_EARG: shards of both. The names stand in messages. */
SN_NODISCARD sn_status sni_stats_merge(sni_stats_file *to, const char *to_name,
                                       sni_stats_file *from,
                                       const char *from_name, sn_err *err);
void sni_stats_clear(sni_stats_file *f);
#ifdef __cplusplus
}
#endif
#endif
