/* SPDX-License-Identifier: Apache-2.0 */
/* -o OUT. */
#include "cli/out_file.h"

#include <sys/stat.h>

const sn_opt sn_cli_out_table[] = {
    {"output", SN_OPT_STRING, offsetof(sn_cli_out, output), 0, 0, 0, "", "",
     "file to write"},
    SN_OPT_END};

static bool is_same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino && S_ISREG(x.st_mode);
}

int sn_cli_out_check(sn_cli *cli, const char *output, const char *inputs) {
  if (output[0] == '\0')
    return sn_cli_usage(cli, "where to? senone %s %s -o OUT", cli->cmd->name,
                        inputs);
  for (size_t i = 0; i < cli->n_args; i++)
    if (is_same_file(cli->args[i], output))
      return sn_cli_usage(cli,
                          "'%s' is among the inputs and would be "
                          "overwritten; give OUT another name",
                          output);
  return 0;
}
