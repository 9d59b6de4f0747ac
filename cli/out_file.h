/* SPDX-License-Identifier: Apache-2.0 */
/* cli/out_file.h - -o OUT, of commands that make one file of many. It has no
 * place among the inputs, so that none of them is taken for it and overwritten.
 */
#ifndef SN_CLI_OUT_FILE_H
#define SN_CLI_OUT_FILE_H
#include "cli/cli.h"

typedef struct sn_cli_out {
  const char *output;
} sn_cli_out;
extern const sn_opt sn_cli_out_table[];

/* 0, or the exit status after saying what is wrong: no OUT, or one that is
 * also an input. inputs: what they are called, for the message. */
int sn_cli_out_check(sn_cli *cli, const char *output, const char *inputs);
#endif
