/* SPDX-License-Identifier: Apache-2.0 */
/* train/report.h - what training did: train.json and tree.json of the stages
 * (docs/train.md), read back and drawn. */
#ifndef SN_TRAIN_REPORT_H
#define SN_TRAIN_REPORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_train_pass {
  int64_t pass;
  bool aligned; /* anew */
  double logp;  /* nat a frame */
  int64_t failed, gaussians;
  double cpu_s;
} sn_train_pass;

/* A train.json. Owned; zeroed is empty. */
typedef struct sn_train_log {
  char *stage;
  int64_t utterances, frames, phones, pdfs, gaussians, left_out, failed;
  double *occupancy; /* [pdfs] frames */
  sn_train_pass *passes;
  size_t n_passes; /* >= 1 */
} sn_train_log;
/* json: [n] bytes, from the file `name`, which stands in messages.
 * SN_EFORMAT: no JSON (line and column), or a key that is missing or of the
 * wrong kind, named; SN_ENOMEM. *out is then empty. */
SN_NODISCARD sn_status sn_train_log_read(const char *json, size_t n,
                                         const char *name, sn_train_log *out,
                                         sn_err *err);
void sn_train_log_clear(sn_train_log *l);

/* A node of decision trees: a leaf (yes = -1) or a question. */
typedef struct sn_report_node {
  int32_t yes, no, pdf;
  char *asks; /* "left", "right", "position", "state"; NULL: a leaf */
  char *set;  /* to what the answer is yes, separated by blanks */
  int32_t n_set;
} sn_report_node;
typedef struct sn_report_root {
  char *phone;
  int32_t node, first_state, n_states; /* states that begin at that node */
} sn_report_root;
/* A tree.json. Owned; zeroed is empty. Children stand behind their parent,
 * and have one. */
typedef struct sn_report_tree {
  sn_report_node *nodes;
  sn_report_root *roots; /* those of a phone are neighbours */
  size_t n_nodes, n_roots;
} sn_report_tree;
SN_NODISCARD sn_status sn_report_tree_read(const char *json, size_t n,
                                           const char *name,
                                           sn_report_tree *out, sn_err *err);
void sn_report_tree_clear(sn_report_tree *t);
/* The phone with the most leaves, the first of equals; borrowed, NULL: none. */
const char *sn_report_tree_largest(const sn_report_tree *t);

/* Adds an SVG: log-likelihood, Gaussians and failures by pass, one stage after
 * the other. n >= 1. SN_ENOMEM. */
SN_NODISCARD sn_status sn_report_curves_svg(const sn_train_log *logs, size_t n,
                                            sn_str *out, sn_err *err);
/* Adds an SVG of the trees of one phone; at each leaf its pdf, the pdf's
 * frames (of log) and Gaussians (gauss [log->pdfs]). SN_EARG: no such phone,
 * with those there are; SN_EMISMATCH: a pdf the log does not have. */
SN_NODISCARD sn_status sn_report_tree_svg(const sn_report_tree *t,
                                          const char *phone,
                                          const sn_train_log *log,
                                          const int32_t *gauss, sn_str *out,
                                          sn_err *err);

/* ---- Folders ---- */

typedef struct sn_train_report {
  sn_train_log *stages; /* in the order of training */
  size_t n;
  char *tree_stage; /* the last one with a tree.json; NULL: none */
} sn_train_report;
/* All stages of EXP (or `stage` alone, unless NULL): folders with a
 * train.json. SN_EIO: none, no such folder. */
SN_NODISCARD sn_status sn_train_report_load(const char *exp, const char *stage,
                                            sn_train_report *out, sn_err *err);
void sn_train_report_clear(sn_train_report *r);
/* Writes path: the tree of `phone` (NULL: the largest) in EXP/tree_stage.
 * *drawn: the phone, owned by the caller. */
SN_NODISCARD sn_status sn_train_report_tree(const sn_train_report *r,
                                            const char *exp, const char *phone,
                                            sn_str *out, char **drawn,
                                            sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
