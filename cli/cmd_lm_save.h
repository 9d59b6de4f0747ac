/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_lm_save.h - how commands that make a model write it. */
#ifndef SN_CLI_CMD_LM_SAVE_H
#define SN_CLI_CMD_LM_SAVE_H
#include "cli/cli.h"
#include "lm/ngram.h"

/* --format=auto|arpa|binary|fast|small */
typedef struct sn_cli_lm_format {
  int32_t format;
} sn_cli_lm_format;
#define SN_CLI_LM_FORMAT_OPT                                              \
  {                                                                       \
    "format", SN_OPT_ENUM, offsetof(sn_cli_lm_format, format), 0, 0, 4,   \
        "auto|arpa|binary|fast|small", "",                                \
        "of OUT; auto: .arpa, .lm, .gz and - are ARPA, all others binary" \
  }

/* Writes lm to path and reports its counts. */
SN_NODISCARD sn_status sn_cli_lm_save(sn_cli *cli, const sn_ngram *lm,
                                      int32_t format, const char *path);
#endif
