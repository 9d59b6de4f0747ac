/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_lm_save.h - how commands that make a model write it. */
#ifndef SN_CLI_CMD_LM_SAVE_H
#define SN_CLI_CMD_LM_SAVE_H
#include "cli/cli.h"
#include "lm/ngram.h"

/* --format=auto|arpa|binary|fast|small, and --bits where there is the option */
typedef struct sn_cli_lm_format {
  int32_t format;
  int32_t bits; /* of small; 0: the default */
} sn_cli_lm_format;
#define SN_CLI_LM_FORMAT_OPT                                              \
  {                                                                       \
    "format", SN_OPT_ENUM, offsetof(sn_cli_lm_format, format), 0, 0, 4,   \
        "auto|arpa|binary|fast|small", "",                                \
        "of OUT; auto: .arpa, .lm, .gz and - are ARPA, all others binary" \
  }
#define SN_CLI_LM_BITS_OPT                                                     \
  {                                                                            \
    "bits", SN_OPT_INT, offsetof(sn_cli_lm_format, bits), SN_NGRAM_SMALL_BITS, \
        SN_NGRAM_SMALL_BITS_MIN, SN_NGRAM_SMALL_BITS_MAX, NULL, "bits",        \
        "of each weight, for --format=small"                                   \
  }

/* The format that --format, or else the name of the file, asks for. */
sn_ngram_format sn_cli_lm_format_of(int32_t format, const char *path);

/* 0, or the exit status after a message: --bits where nothing is quantised. */
int sn_cli_lm_format_check(sn_cli *cli, const sn_cli_lm_format *how);

/* Writes lm to path and reports its counts. */
SN_NODISCARD sn_status sn_cli_lm_save(sn_cli *cli, const sn_ngram *lm,
                                      int32_t format, const char *path);
/* The same with all that was asked for. */
SN_NODISCARD sn_status sn_cli_lm_save_as(sn_cli *cli, const sn_ngram *lm,
                                         const sn_cli_lm_format *how,
                                         const char *path);
/* Says how many n-grams of each order there are. */
void sn_cli_lm_report(sn_cli *cli, const char *what, const sn_ngram *lm);
/* Where some of lm's words stand for classes: warns with their number, names,
 * and what that `means`. */
SN_NODISCARD sn_status sn_cli_lm_warn_classes(sn_cli *cli, const char *what,
                                              const sn_ngram *lm,
                                              const char *means);
#endif
