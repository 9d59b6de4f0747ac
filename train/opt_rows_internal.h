/* SPDX-License-Identifier: Apache-2.0 */
/* train/opt_rows_internal.h - rows that the option tables of several structs
 * share; AT(field) is the table's offset of a field. */
#ifndef SN_TRAIN_OPT_ROWS_INTERNAL_H
#define SN_TRAIN_OPT_ROWS_INTERNAL_H
#include "train/train.h"

#define SNI_ROW_JOBS                                           \
  {                                                            \
    "jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads", \
        "at work; 0: as many as the machine has"               \
  }
#define SNI_ROW_BEAM                                           \
  {                                                            \
    "beam", SN_OPT_DOUBLE, AT(beam), 200, 1, 1e6, NULL, "nat", \
        "of alignment; four times that where it fails"         \
  }
#define SNI_ROW_SILENCE                                                     \
  {                                                                         \
    "silence", SN_OPT_DOUBLE, AT(silence), 0.5, 1e-6, 0.999999, NULL, NULL, \
        "probability of silence between words"                              \
  }
#define SNI_ROW_SILENCE_PHONE                                                \
  {                                                                          \
    "silence-phone", SN_OPT_STRING, AT(silence_phone), 0, 0, 0, "SIL", NULL, \
        "name of silence among the phones"                                   \
  }
#define SNI_ROW_POWER                                          \
  {                                                            \
    "power", SN_OPT_DOUBLE, AT(power), 0.25, 0, 1, NULL, NULL, \
        "Gaussians of a pdf grow as its frames to this power"  \
  }
#define SNI_ROW_MIN_OCC                                                \
  {                                                                    \
    "min-occ", SN_OPT_DOUBLE, AT(min_occ), 10, 0, 1e6, NULL, "frames", \
        "that keep a Gaussian"                                         \
  }
#define SNI_ROW_VAR_FLOOR                                                    \
  {                                                                          \
    "var-floor", SN_OPT_DOUBLE, AT(var_floor), 0.001, 1e-9, 1e6, NULL, NULL, \
        "lowest variance"                                                    \
  }
#define SNI_ROW_VAR_PRIOR                                                  \
  {                                                                        \
    "var-prior", SN_OPT_DOUBLE, AT(var_prior), 20, 0, 1e9, NULL, "frames", \
        "of the average variance that each Gaussian's counts"              \
  }
#define SNI_ROW_STATISTICS                                                  \
  {                                                                         \
    "statistics", SN_OPT_ENUM, AT(statistics), SN_STATISTICS_VITERBI, 0, 1, \
        "viterbi|baum-welch", NULL,                                         \
        "of a pass: of the best path, or of all by their probability"       \
  }
#endif
